//===- ElementwisePatterns.cpp - local rewrites around elementwise operations
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "TensorPatterns.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

/// Whether every value of `from` is a value of `to`.
static bool holdsExactly(Type to, Type from) {
  auto toFloat = dyn_cast<FloatType>(to), fromFloat = dyn_cast<FloatType>(from);
  if (toFloat && fromFloat) {
    // bf16 and f16 do not hold each other; wider types hold both.
    return to == from || (toFloat.getWidth() > fromFloat.getWidth() && toFloat.getWidth() >= 32);
  }
  auto fromInt = dyn_cast<IntegerType>(from), toInt = dyn_cast<IntegerType>(to);
  if (!fromInt)
    return false;
  if (toFloat)
    return fromInt.getWidth() <= toFloat.getFPMantissaWidth();
  bool fromUnsigned = fromInt.isUnsigned() || fromInt.getWidth() == 1;
  if (!toInt || toInt.getWidth() == 1)
    return from == to;
  return toInt.getWidth() > fromInt.getWidth() ? fromUnsigned || !toInt.isUnsigned()
                                               : toInt == fromInt;
}

namespace {

/// cast(cast(x)) -> cast(x) where the middle type holds every value of x.
struct ComposeCasts : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<CastOp>();
    if (!inner || !holdsExactly(elementTypeOf(inner.getResult()), elementTypeOf(inner.getInput())))
      return rewriter.notifyMatchFailure(op, "the input is no widening cast");
    rewriter.modifyOpInPlace(op, [&] { op.setOperand(inner.getInput()); });
    return success();
  }
};

/// op(broadcast(x), y) -> op(x, y) where the result keeps its type.
struct DropOperandBroadcast : RewritePattern {
  explicit DropOperandBroadcast(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isa<BinaryOp, CompareOp, SelectOp>(op))
      return failure();
    Dims result = getDims(op->getResult(0));
    for (OpOperand &operand : op->getOpOperands()) {
      auto broadcast = operand.get().getDefiningOp<BroadcastOp>();
      if (!broadcast)
        continue;
      std::optional<Dims> dims = getDims(broadcast.getInput());
      for (OpOperand &other : op->getOpOperands())
        if (dims && &other != &operand)
          dims = broadcastDims(*dims, getDims(other.get()));
      if (!dims || *dims != result)
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(broadcast.getInput()); });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand broadcasts for nothing");
  }
};

/// f(broadcast(x)) -> broadcast(f(x)), also for a binary with one number.
struct SinkBroadcast : RewritePattern {
  explicit SinkBroadcast(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isa<UnaryOp, CastOp, BinaryOp, CompareOp>(op))
      return failure();
    BroadcastOp broadcast;
    for (Value operand : op->getOperands()) {
      if (llvm::all_of(getDims(operand), [](const DimExpr &dim) { return dim.isConstant(1); }))
        continue;
      if (broadcast || !(broadcast = operand.getDefiningOp<BroadcastOp>()))
        return rewriter.notifyMatchFailure(op, "an operand has elements of its own");
    }
    if (!broadcast || getDims(broadcast.getResult()) != getDims(op->getResult(0)))
      return rewriter.notifyMatchFailure(op, "nothing broadcasts");
    IRMapping mapping;
    mapping.map(broadcast.getResult(), broadcast.getInput());
    Dims dims = getDims(broadcast.getInput());
    for (Value operand : op->getOperands())
      if (operand != broadcast.getResult())
        dims = *broadcastDims(dims, getDims(operand));
    Operation *sunk = rewriter.clone(*op, mapping);
    sunk->getResult(0).setType(makeTensorType(dims, elementTypeOf(op->getResult(0))));
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op->getResult(0).getType(), sunk->getResult(0));
    return success();
  }
};

/// select(constant, x, y) -> x or y.
struct SelectByConstant : OpRewritePattern<SelectOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SelectOp op, PatternRewriter &rewriter) const override {
    std::optional<double> condition = matchSplat(op.getCondition());
    if (!condition)
      return rewriter.notifyMatchFailure(op, "the condition is not constant");
    Value chosen = *condition != 0 ? op.getLhs() : op.getRhs();
    if (chosen.getType() != op.getType())
      chosen = BroadcastOp::create(rewriter, op.getLoc(), op.getType(), chosen);
    rewriter.replaceOp(op, chosen);
    return success();
  }
};

/// A product over one element: matmul(x[.., m, 1], y[.., 1, n]) -> x * y.
struct OuterProduct : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    Dims lhs = getDims(op.getLhs()), rhs = getDims(op.getRhs());
    if (!lhs.back().isConstant(1) || !rhs[rhs.size() - 2].isConstant(1))
      return rewriter.notifyMatchFailure(op, "contracts more than one element");
    if (broadcastDims(lhs, rhs) != getDims(op.getResult()))
      return rewriter.notifyMatchFailure(op, "the types disagree");
    rewriter.replaceOpWithNewOp<BinaryOp>(op, BinaryKind::mul, op.getLhs(), op.getRhs());
    return success();
  }
};

} // namespace

void llmc::populateElementwisePatterns(RewritePatternSet &patterns) {
  patterns.add<ComposeCasts, DropOperandBroadcast, SinkBroadcast, SelectByConstant, OuterProduct>(
      patterns.getContext());
}
