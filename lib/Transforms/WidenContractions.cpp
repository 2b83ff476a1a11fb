//===- WidenContractions.cpp - contractions of narrow floats in f32
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %2 = llm.linear %x, %w : f16
//     => llm.cast (llm.linear (llm.cast %x), %w) : f32 inside
//
// Kernels of contractions compute in f32. Weights of 16 bits stay: half the bytes to read,
// and kernels convert them in registers.
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_WIDENCONTRACTIONS
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

static bool isNarrow(Type type) {
  auto element = dyn_cast<FloatType>(type);
  return element && element.getWidth() < 32;
}

/// `type` with elements of f32 where they are narrower floats.
static Type widened(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !isNarrow(tensor.getElementType()))
    return type;
  return makeTensorType(getDims(tensor), Float32Type::get(type.getContext()));
}

/// Packed for the kernel as they are: weights of f16 and bf16, scales and zero points of
/// n-bit weights.
static bool isPacked(Operation *op, OpOperand &use) {
  Value operand = use.get();
  Type element = getElementTypeOrSelf(operand);
  auto holds = [&](auto linear) {
    return linear &&
           (operand == linear.getScales() || operand == linear.getZeroPoints() ||
            (&use == &linear.getWeightMutable() && (element.isF16() || element.isBF16())));
  };
  return holds(dyn_cast<LinearOp>(op)) || holds(dyn_cast<ExpertLinearOp>(op));
}

namespace {

struct WidenContractions : llmc::impl::WidenContractionsBase<WidenContractions> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    func.walk([&](Operation *op) {
      if (auto linear = dyn_cast<LinearOp>(op))
        if (isMatmul(linear))
          return toMatmul(linear);
      if (isa<LinearOp, ExpertLinearOp, MatmulOp, AttentionOp, LinearAttentionOp, ConvOp,
              WindowReduceOp>(op))
        widen(op);
    });
  }

  static Value wide(Operation *user, Value value) {
    Type type = widened(value.getType());
    if (type == value.getType())
      return value;
    OpBuilder builder(user);
    return CastOp::create(builder, user->getLoc(), type, value);
  }

  static void widen(Operation *op) {
    if (llvm::none_of(op->getOperandTypes(), [](Type type) { return widened(type) != type; }))
      return;
    for (OpOperand &operand : op->getOpOperands())
      if (!isPacked(op, operand))
        operand.set(wide(op, operand.get()));
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    for (Value result : op->getResults()) {
      Type narrow = result.getType(), type = widened(narrow);
      if (type == narrow)
        continue;
      result.setType(type);
      auto cast = CastOp::create(builder, op->getLoc(), narrow, result);
      result.replaceAllUsesExcept(cast.getResult(), cast);
    }
  }

  /// Matrices of f64 and of integers have no packed layout.
  static bool isMatmul(LinearOp linear) {
    Type type = linear.getType().getElementType();
    Type input = cast<RankedTensorType>(linear.getInput().getType()).getElementType();
    return !linear.getBits() && getDims(linear.getInput()).size() > 1 && input == type &&
           !isNarrow(type) && !type.isF32();
  }

  static void toMatmul(LinearOp linear) {
    OpBuilder builder(linear);
    Value weight = linear.getWeight();
    if (linear.getTransposed())
      weight = TransposeOp::create(builder, linear.getLoc(), weight, ArrayRef<int64_t>{1, 0});
    Value result = MatmulOp::create(builder, linear.getLoc(), linear.getInput(), weight);
    if (linear.getBias())
      result =
          BinaryOp::create(builder, linear.getLoc(), BinaryKind::add, result, linear.getBias());
    linear.getResult().replaceAllUsesWith(result);
    linear.erase();
  }
};

} // namespace
