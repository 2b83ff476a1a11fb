//===- MovementPatterns.cpp - local rewrites of data movement
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "TensorPatterns.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

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
    constexpr int64_t kMaxStep = int64_t(1) << 40; // as the importer has it
    for (size_t axis = 0; axis < starts.size(); ++axis) {
      starts[axis] = starts[axis] + outerStarts[axis] * steps[axis];
      bool isHuge = llvm::MulOverflow(steps[axis], op.getSteps()[axis], steps[axis]);
      if (isHuge || steps[axis] > kMaxStep || steps[axis] < -kMaxStep)
        return rewriter.notifyMatchFailure(op, "steps beyond any size");
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

/// A scatter to the neighbouring rows [a, a + n) puts the updates between the others.
struct ScatterRowsToConcat : OpRewritePattern<ScatterNDOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScatterNDOp op, PatternRewriter &rewriter) const override {
    Dims dims = getDims(op.getInput());
    std::optional<Dims> rows = getKnownInts(op.getIndices());
    std::optional<int64_t> size = dims[0].constant();
    if (op.getKind() != ScatterKind::replace || !getDims(op.getIndices()).back().isConstant(1) ||
        getDims(op.getIndices()).size() != 2 || !rows || !size)
      return rewriter.notifyMatchFailure(op, "the rows are not known");
    int64_t count = int64_t(rows->size()), first = 0;
    for (auto [i, row] : llvm::enumerate(*rows)) {
      std::optional<int64_t> at = row.constant();
      if (at && *at < 0)
        at = *at + *size;
      if (i == 0)
        first = at.value_or(-1);
      if (!at || first < 0 || *at != first + int64_t(i) || *at >= *size)
        return rewriter.notifyMatchFailure(op, "the rows are no neighbours");
    }
    SmallVector<Value> pieces;
    auto addInput = [&](int64_t begin, int64_t end) {
      if (begin == end)
        return;
      Dims part = dims, starts(dims.size(), DimExpr(0));
      part[0] = end - begin;
      starts[0] = begin;
      pieces.push_back(SliceOp::create(
          rewriter, op.getLoc(), makeTensorType(part, elementTypeOf(op.getInput())), op.getInput(),
          makeExprs(getContext(), starts), SmallVector<int64_t>(dims.size(), 1)));
    };
    addInput(0, first);
    if (count != 0)
      pieces.push_back(op.getUpdates());
    addInput(first + count, *size);
    if (pieces.size() == 1 && pieces[0].getType() == op.getType())
      rewriter.replaceOp(op, pieces[0]);
    else
      rewriter.replaceOpWithNewOp<ConcatOp>(op, op.getType(), 0, pieces);
    return success();
  }
};

/// A scatter_elements to one place along its axis puts the updates between the others.
struct ScatterPlaceToConcat : OpRewritePattern<ScatterElementsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScatterElementsOp op, PatternRewriter &rewriter) const override {
    Dims dims = getDims(op.getInput()), updates = getDims(op.getUpdates());
    int64_t axis = op.getAxis();
    std::optional<double> place = matchSplat(op.getIndices());
    std::optional<int64_t> size = dims[axis].constant();
    if (op.getKind() != ScatterKind::replace || !place || !size || !updates[axis].isConstant(1))
      return rewriter.notifyMatchFailure(op, "writes to more than one place");
    for (auto [d, pair] : llvm::enumerate(llvm::zip(dims, updates)))
      if (int64_t(d) != axis && std::get<0>(pair) != std::get<1>(pair))
        return rewriter.notifyMatchFailure(op, "does not fill the place");
    int64_t at = *place < 0 ? int64_t(*place) + *size : int64_t(*place);
    if (at < 0 || at >= *size)
      return rewriter.notifyMatchFailure(op, "writes outside");
    SmallVector<Value> pieces;
    auto addInput = [&](int64_t begin, int64_t end) {
      if (begin == end)
        return;
      Dims part = dims, starts(dims.size(), DimExpr(0));
      part[axis] = end - begin;
      starts[axis] = begin;
      pieces.push_back(SliceOp::create(
          rewriter, op.getLoc(), makeTensorType(part, elementTypeOf(op.getInput())), op.getInput(),
          makeExprs(getContext(), starts), SmallVector<int64_t>(dims.size(), 1)));
    };
    addInput(0, at);
    pieces.push_back(op.getUpdates());
    addInput(at + 1, *size);
    rewriter.replaceOpWithNewOp<ConcatOp>(op, op.getType(), axis, pieces);
    return success();
  }
};

/// gather at one known index -> slice.
struct GatherPlaceToSlice : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherOp op, PatternRewriter &rewriter) const override {
    Dims dims = getDims(op.getInput()), starts(dims.size(), DimExpr(0));
    int64_t axis = op.getAxis();
    std::optional<Dims> places = getKnownInts(op.getIndices());
    std::optional<int64_t> size = dims[axis].constant();
    std::optional<int64_t> at =
        places && places->size() == 1 ? places->front().constant() : std::nullopt;
    if (!at || !size || *at < -*size || *at >= *size)
      return rewriter.notifyMatchFailure(op, "not one known place");
    dims[axis] = 1;
    starts[axis] = *at < 0 ? *at + *size : *at;
    Value slice = SliceOp::create(
        rewriter, op.getLoc(), makeTensorType(dims, elementTypeOf(op.getInput())), op.getInput(),
        makeExprs(getContext(), starts), SmallVector<int64_t>(dims.size(), 1));
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), slice);
    return success();
  }
};

/// slice(broadcast(x)) -> broadcast(x) where x has one element.
struct SliceOfRepeated : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getInput().getDefiningOp<BroadcastOp>();
    if (!broadcast || !product(getDims(broadcast.getInput())).isConstant(1))
      return rewriter.notifyMatchFailure(op, "the elements differ");
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), broadcast.getInput());
    return success();
  }
};

/// transpose(concat(transpose(x), transpose(y))) -> concat(transpose(..x), ..): the inner
/// ones compose with the outer one.
struct TransposeOfConcat : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto concat = op.getInput().getDefiningOp<ConcatOp>();
    if (!concat || !concat->hasOneUse() || !llvm::all_of(concat.getInputs(), [](Value piece) {
          return bool(piece.getDefiningOp<TransposeOp>());
        }))
      return rewriter.notifyMatchFailure(op, "not of a concat of transposes");
    ArrayRef<int64_t> permutation = op.getPermutation();
    SmallVector<Value> pieces;
    for (Value piece : concat.getInputs()) {
      Dims dims = getDims(piece), moved;
      for (int64_t axis : permutation)
        moved.push_back(dims[axis]);
      pieces.push_back(TransposeOp::create(
          rewriter, op.getLoc(), makeTensorType(moved, elementTypeOf(piece)), piece, permutation));
    }
    int64_t axis = llvm::find(permutation, int64_t(concat.getAxis())) - permutation.begin();
    rewriter.replaceOpWithNewOp<ConcatOp>(op, op.getType(), axis, pieces);
    return success();
  }
};

/// gather_nd with tuples of one index, and gather_elements of a vector, are gathers.
struct TuplesToGather : OpRewritePattern<GatherNDOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherNDOp op, PatternRewriter &rewriter) const override {
    Dims dims = getDims(op.getIndices());
    if (op.getBatchDims() != 0 || !dims.back().isConstant(1))
      return rewriter.notifyMatchFailure(op, "takes more than one index");
    dims.pop_back();
    auto type = cast<RankedTensorType>(op.getIndices().getType());
    Value indices = ReshapeOp::create(rewriter, op.getLoc(),
                                      makeTensorType(dims, type.getElementType()), op.getIndices());
    rewriter.replaceOpWithNewOp<GatherOp>(op, op.getType(), 0, op.getInput(), indices);
    return success();
  }
};
struct VectorElementsToGather : OpRewritePattern<GatherElementsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherElementsOp op, PatternRewriter &rewriter) const override {
    if (getDims(op.getInput()).size() != 1)
      return rewriter.notifyMatchFailure(op, "the input is no vector");
    rewriter.replaceOpWithNewOp<GatherOp>(op, op.getType(), 0, op.getInput(), op.getIndices());
    return success();
  }
};

/// What constants of f16 or bf16 in f32 are moved as: op(cast(c)) -> cast(op(c)). Matrices
/// and tables that a model widens are found as the constants that they are.
struct WidenMovedConstant : RewritePattern {
  explicit WidenMovedConstant(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    auto isMovement = llvm::IsaPred<ReshapeOp, TransposeOp, SliceOp, GatherOp>;
    if (!isMovement(op))
      return failure();
    Value source = skipWidening(op->getOperand(0)), root = source;
    while (root.getDefiningOp() && isMovement(root.getDefiningOp()))
      root = root.getDefiningOp()->getOperand(0);
    if (source == op->getOperand(0) || !isConstant(root))
      return rewriter.notifyMatchFailure(op, "no constant in a wider type");
    Value result = op->getResult(0);
    Operation *narrow = rewriter.clone(*op);
    narrow->setOperand(0, source);
    narrow->getResult(0).setType(makeTensorType(getDims(result), elementTypeOf(source)));
    rewriter.replaceOpWithNewOp<CastOp>(op, result.getType(), narrow->getResult(0));
    return success();
  }
};

} // namespace

void llmc::populateMovementPatterns(RewritePatternSet &patterns) {
  patterns.add<MoveSplat, ComposeSlices, SliceOfConcat, ShrinkConcat, TransposeToReshape,
               ComposeBroadcasts, BroadcastToReshape, TuplesToGather, VectorElementsToGather,
               ScatterRowsToConcat, ScatterPlaceToConcat, GatherPlaceToSlice, SliceOfRepeated,
               TransposeOfConcat, WidenMovedConstant>(patterns.getContext());
}
