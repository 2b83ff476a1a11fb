//===- VerifyRecognized.cpp - the border after the recognize phase
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What later phases rely on: parameters are constants, so that partitioning can lay
// them out in the artifact, and every branch is a function of its own.
//
//===----------------------------------------------------------------------===//
#include "llmc/Transforms/Passes.h"

using namespace mlir;

namespace llmc {
#define GEN_PASS_DEF_VERIFYRECOGNIZED
#include "llmc/Transforms/Passes.h.inc"

namespace {

/// A constant, perhaps seen through transposes and reshapes.
bool isParameter(Value value) {
  Operation *op = value.getDefiningOp();
  while (isa_and_nonnull<llm::TransposeOp, llm::ReshapeOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return isa_and_nonnull<llm::ConstantOp>(op);
}

struct VerifyRecognized : impl::VerifyRecognizedBase<VerifyRecognized> {
  void runOnOperation() override {
    bool isValid = true;
    // Reports all offenders, not only the first.
    getOperation().walk([&](Operation *op) { isValid &= succeeded(check(op)); });
    if (!isValid)
      signalPassFailure();
  }

private:
  LogicalResult check(Operation *op) {
    if (isa<llm::IfOp>(op))
      return op->emitError("a branch is left after the recognize phase");
    if (auto linear = dyn_cast<llm::LinearOp>(op))
      return checkParameters(op, {{"weight", linear.getWeight()},
                                  {"scales", linear.getScales()},
                                  {"zero_points", linear.getZeroPoints()},
                                  {"bias", linear.getBias()}});
    if (auto experts = dyn_cast<llm::ExpertLinearOp>(op))
      return checkParameters(op, {{"weight", experts.getWeight()},
                                  {"scales", experts.getScales()},
                                  {"zero_points", experts.getZeroPoints()},
                                  {"bias", experts.getBias()}});
    if (auto embedding = dyn_cast<llm::EmbeddingOp>(op))
      return checkParameters(op, {{"table", embedding.getTable()},
                                  {"scales", embedding.getScales()},
                                  {"zero_points", embedding.getZeroPoints()}});
    return success();
  }

  LogicalResult checkParameters(Operation *op, ArrayRef<std::pair<StringRef, Value>> parameters) {
    for (auto [name, value] : parameters)
      if (value && !isParameter(value))
        return op->emitOpError() << name << " is no constant";
    return success();
  }
};

} // namespace
} // namespace llmc
