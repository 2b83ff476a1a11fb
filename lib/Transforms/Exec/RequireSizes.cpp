//===- RequireSizes.cpp - the equalities of sizes that programs take for granted
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The verifier of an operation is the one place that says which sizes must be equal. It is
// run once more, by hand, with a collector of what it cannot prove.
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Transforms/Exec/Passes.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace llmc {
#define GEN_PASS_DEF_REQUIRESIZES
#include "llmc/Transforms/Exec/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

struct RequireSizes : llmc::impl::RequireSizesBase<RequireSizes> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<exec::KernelOp>()) {
      Pairs &pairs = ofKernels[kernel.getSymNameAttr()];
      kernel.getBody().walk([&](Operation *op) { collect(op, pairs); });
    }
    for (auto program : getOperation().getOps<exec::ProgramOp>())
      require(program);
    ofKernels.clear();
  }

private:
  /// Pairs of the texts of two sizes, in the order of their discovery.
  using Pairs = llvm::SetVector<Attribute>;

  void collect(Operation *op, Pairs &pairs) {
    llm::AssumedEqualities assumed;
    // Types are inferred once more among the invariants of regions.
    if (failed(op->getName().verifyInvariants(op)) ||
        failed(op->getName().verifyRegionInvariants(op)))
      return signalPassFailure();
    for (const auto &[a, b] : assumed.pairs)
      pairs.insert(llm::makeExprs(&getContext(), {a, b}));
  }

  void require(exec::ProgramOp program) {
    Pairs pairs;
    program.getBody().walk([&](Operation *op) {
      collect(op, pairs);
      if (auto dispatch = dyn_cast<exec::DispatchOp>(op))
        pairs.insert_range(ofKernels[dispatch.getKernelAttr().getAttr()]);
    });
    llvm::StringSet<> given;
    for (const exec::ProgramSymbol &symbol : exec::getSymbols(program))
      given.insert(symbol.name);
    program.getBody().walk([&](exec::DefineSizeOp size) { given.erase(size.getSymbol()); });
    pairs.remove_if([&](Attribute pair) { return !isKnown(pair, given); });
    if (!pairs.empty())
      program.setRequirementsAttr(ArrayAttr::get(&getContext(), pairs.getArrayRef()));
  }

  static bool isKnown(Attribute pair, const llvm::StringSet<> &given) {
    bool known = true;
    for (const DimExpr &size : llm::parseExprs(cast<ArrayAttr>(pair)))
      size.forEachSymbol([&](const std::string &name) { known &= given.contains(name); });
    return known;
  }

  DenseMap<StringAttr, Pairs> ofKernels;
};

} // namespace
