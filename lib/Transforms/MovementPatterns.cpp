//===- MovementPatterns.cpp - local rewrites of data movement
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "TensorPatterns.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace {

/// A movement of a splat is the splat under the result's type.
struct MoveSplat : RewritePattern {
  explicit MoveSplat(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 3, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isa<ReshapeOp, BroadcastOp, TransposeOp, SliceOp>(op))
      return failure();
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    auto constant = op->getOperand(0).getDefiningOp<ConstantOp>();
    auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
    if (!elements || !elements.isSplat() || !type.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "no static splat");
    rewriter.replaceOpWithNewOp<ConstantOp>(op, elements.resizeSplat(type));
    return success();
  }
};

/// slice(slice(x)) -> slice(x): start = outer start * inner step + inner start.
struct ComposeSlices : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<SliceOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "the input is no slice");
    Dims outerStarts = parseExprs(op.getStarts()), starts = parseExprs(inner.getStarts());
    SmallVector<int64_t> steps(inner.getSteps());
    for (size_t axis = 0; axis < starts.size(); ++axis) {
      starts[axis] = starts[axis] + outerStarts[axis] * steps[axis];
      steps[axis] *= op.getSteps()[axis];
    }
    rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), inner.getInput(),
                                         makeExprs(getContext(), starts), steps);
    return success();
  }
};

/// slice(concat(.., x, ..)) -> slice(x) where it provably stays inside x.
struct SliceOfConcat : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto concat = op.getInput().getDefiningOp<ConcatOp>();
    if (!concat)
      return rewriter.notifyMatchFailure(op, "the input is no concat");
    int64_t axis = concat.getAxis();
    if (op.getSteps()[axis] < 1)
      return rewriter.notifyMatchFailure(op, "runs backwards");
    Dims starts = parseExprs(op.getStarts());
    DimExpr end = starts[axis] + (getDims(op.getResult())[axis] - 1) * op.getSteps()[axis] + 1;
    DimExpr begin = 0; // of this piece along the axis
    for (Value piece : concat.getInputs()) {
      DimExpr next = begin + getDims(piece)[axis];
      if ((starts[axis] - begin).provablyNonNegative() && (next - end).provablyNonNegative()) {
        starts[axis] = starts[axis] - begin;
        rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), piece,
                                             makeExprs(getContext(), starts), op.getSteps());
        return success();
      }
      begin = next;
    }
    return rewriter.notifyMatchFailure(op, "not provably inside one piece");
  }
};

/// concat(x) -> x, and pieces without elements go.
struct ShrinkConcat : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op, PatternRewriter &rewriter) const override {
    SmallVector<Value> pieces = llvm::to_vector(llvm::make_filter_range(
        op.getInputs(), [&](Value piece) { return !getDims(piece)[op.getAxis()].isConstant(0); }));
    if (pieces.size() == 1 && pieces[0].getType() == op.getType()) {
      rewriter.replaceOp(op, pieces[0]);
      return success();
    }
    if (pieces.empty() || pieces.size() == op.getInputs().size())
      return rewriter.notifyMatchFailure(op, "every piece counts");
    // The type stays as it was; an empty piece may have told a size.
    rewriter.modifyOpInPlace(op, [&] { op.getInputsMutable().assign(pieces); });
    return success();
  }
};

/// A transpose that moves only dimensions of size 1 keeps the elements' order.
struct TransposeToReshape : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    Dims dims = getDims(op.getInput());
    int64_t last = -1;
    for (int64_t axis : op.getPermutation()) {
      if (dims[axis].isConstant(1))
        continue;
      if (axis < last)
        return rewriter.notifyMatchFailure(op, "moves elements");
      last = axis;
    }
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getInput());
    return success();
  }
};

/// broadcast(broadcast(x)) -> broadcast(x), also over a reshape that only adds
/// leading dimensions of size 1.
struct ComposeBroadcasts : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    Value source;
    if (auto inner = op.getInput().getDefiningOp<BroadcastOp>())
      source = inner.getInput();
    else if (auto inner = op.getInput().getDefiningOp<ReshapeOp>()) {
      Dims from = getDims(inner.getInput()), to = getDims(inner.getResult());
      if (from.size() < to.size() && ArrayRef(to).take_back(from.size()) == ArrayRef(from))
        source = inner.getInput();
    }
    if (!source)
      return rewriter.notifyMatchFailure(op, "the input neither broadcasts nor adds dimensions");
    rewriter.modifyOpInPlace(op, [&] { op.setOperand(source); });
    return success();
  }
};

/// A broadcast that only adds dimensions of size 1 is a reshape.
struct BroadcastToReshape : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    Dims from = getDims(op.getInput()), to = getDims(op.getResult());
    ArrayRef<DimExpr> added = ArrayRef(to).drop_back(from.size());
    if (added.empty() || ArrayRef(to).take_back(from.size()) != ArrayRef(from) ||
        !llvm::all_of(added, [](const DimExpr &dim) { return dim.isConstant(1); }))
      return rewriter.notifyMatchFailure(op, "repeats elements");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getInput());
    return success();
  }
};

} // namespace

void llmc::populateMovementPatterns(RewritePatternSet &patterns) {
  patterns.add<MoveSplat, ComposeSlices, SliceOfConcat, ShrinkConcat, TransposeToReshape,
               ComposeBroadcasts, BroadcastToReshape>(patterns.getContext());
}
