//===- VerifyNormalized.cpp - the border after the normalize phase --------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Later phases see straight-line functions of llm operations on ranked tensors,
// all of whose sizes are numbers or expressions.
//
//===----------------------------------------------------------------------===//
#include "llmc/Transforms/Passes.h"

using namespace mlir;

namespace llmc {
#define GEN_PASS_DEF_VERIFYNORMALIZED
#include "llmc/Transforms/Passes.h.inc"

namespace {

struct VerifyNormalized : impl::VerifyNormalizedBase<VerifyNormalized> {
  void runOnOperation() override {
    bool isValid = true;
    // Reports all offenders, not only the first.
    getOperation().walk([&](Operation *op) { isValid &= succeeded(check(op)); });
    if (!isValid)
      signalPassFailure();
  }

private:
  LogicalResult check(Operation *op) {
    if (isa<ModuleOp>(op))
      return success();
    if (auto func = dyn_cast<func::FuncOp>(op)) {
      for (BlockArgument argument : func.getArguments())
        if (failed(checkSizes(op, argument.getType())))
          return failure();
      return success(func.getBody().empty() || func.getBody().hasOneBlock());
    }
    if (isa<llm::IfOp>(op))
      return op->emitError("a branch is left whose condition is not an input of the function");
    if (!isa<llm::LLMDialect>(op->getDialect()) && !isa<func::ReturnOp>(op))
      return op->emitError("operation is not of the llm dialect after the normalize phase");
    for (Type type : op->getResultTypes())
      if (failed(checkSizes(op, type)))
        return failure();
    return success();
  }

  LogicalResult checkSizes(Operation *op, Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && !tensor.hasStaticShape() && !isa_and_nonnull<llm::DimsAttr>(tensor.getEncoding()))
      return op->emitError("the dynamic sizes of ") << type << " have no expressions";
    return success();
  }
};

} // namespace
} // namespace llmc
