//===- VerifyPartition.cpp - the border after the partition phase
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What planning and both back ends rely on: a module is weights, kernels and
// programs, nothing in it is unused, and every size has bounds.
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Transforms/Exec/Passes.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"

namespace llmc {
#define GEN_PASS_DEF_VERIFYPARTITION
#include "llmc/Transforms/Exec/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

struct VerifyPartition : llmc::impl::VerifyPartitionBase<VerifyPartition> {
  void runOnOperation() override {
    DenseSet<StringAttr> used;
    getOperation().walk([&](Operation *op) {
      if (auto dispatch = dyn_cast<exec::DispatchOp>(op))
        used.insert(dispatch.getKernelAttr().getAttr());
      else if (auto load = dyn_cast<exec::LoadWeightOp>(op))
        used.insert(load.getWeightAttr().getAttr());
    });
    // Reports all offenders, not only the first.
    for (Operation &op : *getOperation().getBody())
      if (failed(check(&op, used)))
        signalPassFailure();
  }

private:
  LogicalResult check(Operation *op, const DenseSet<StringAttr> &used) {
    if (auto program = dyn_cast<exec::ProgramOp>(op))
      return checkSymbols(program);
    if (!isa<exec::KernelOp, exec::WeightOp>(op))
      return op->emitError("only weights, kernels and programs are left after the partition phase");
    if (!used.contains(SymbolTable::getSymbolName(op)))
      return op->emitError(isa<exec::KernelOp>(op) ? "no program dispatches this kernel"
                                                   : "no program loads this weight");
    return success();
  }

  LogicalResult checkSymbols(exec::ProgramOp program) {
    llvm::StringSet<> listed;
    for (const exec::ProgramSymbol &symbol : exec::getSymbols(program))
      listed.insert(symbol.name);
    // Those that data decides are symbols from their definition on.
    for (auto op : program.getBody().front().getOps<exec::DefineSizeOp>())
      listed.erase(op.getSymbol());
    LogicalResult result = success();
    auto visit = [&](Operation *op, Type type) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor || failed(result))
        return;
      for (const DimExpr &dim : llm::getDims(tensor))
        dim.forEachSymbol([&](const std::string &name) {
          if (succeeded(result) && !listed.contains(name))
            result = op->emitError("the size '") << name << "' is no symbol of the program";
        });
    };
    for (BlockArgument argument : program.getBody().getArguments())
      visit(program, argument.getType());
    program.walk<WalkOrder::PreOrder>([&](Operation *op) {
      for (Type type : op->getResultTypes())
        visit(op, type);
      if (auto size = dyn_cast<exec::DefineSizeOp>(op))
        listed.insert(size.getSymbol());
    });
    if (succeeded(result) && exec::countDispatches(program) > exec::kMaxDispatches)
      return program.emitError("its loops issue more than ")
             << exec::kMaxDispatches << " dispatches at the largest sizes (--max-seq, --max-batch)";
    return result;
  }
};

} // namespace
