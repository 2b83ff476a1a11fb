//===- RecognizeLinear.cpp - products with constants become llm.linear
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ConstantMatrix.h"
#include "Matchers.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZELINEAR
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

static bool keepsLastDim(ReshapeOp op) {
  Dims from = getDims(op.getInput()), to = getDims(op.getResult());
  return !from.empty() && !to.empty() && from.back() == to.back();
}

static bool swapsLastDims(TransposeOp op) {
  SmallVector<int64_t> permutation(op.getPermutation());
  std::swap(permutation[permutation.size() - 2], permutation.back());
  return llvm::is_sorted(permutation);
}

static Value swapLastDims(PatternRewriter &rewriter, Value value) {
  Dims dims = getDims(value);
  DimExpr &rows = dims[dims.size() - 2], &columns = dims.back();
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, int64_t(dims.size())));
  std::swap(permutation[dims.size() - 2], permutation.back());
  if (!rows.isConstant(1) && !columns.isConstant(1))
    return TransposeOp::create(rewriter, value.getLoc(), value, permutation);
  std::swap(rows, columns);
  return ReshapeOp::create(rewriter, value.getLoc(), makeTensorType(dims, elementTypeOf(value)),
                           value);
}

/// The place of a product with what `weight` is moved from.
static Location locOf(PatternRewriter &rewriter, MatmulOp op, Value weight) {
  Operation *movement = weight.getDefiningOp();
  if (isa<ConstantOp>(movement))
    return op.getLoc();
  return rewriter.getFusedLoc({op.getLoc(), movement->getLoc()});
}

/// linear(input, weight) of `type`.
static Value createLinear(PatternRewriter &rewriter, Location loc, Type type, Value input,
                          const ConstantMatrix &weight) {
  return LinearOp::create(rewriter, loc, type, input, weight.value,
                          /*scales=*/Value(), /*zero_points=*/Value(), /*bias=*/Value(),
                          weight.isTransposed ? rewriter.getUnitAttr() : UnitAttr(), IntegerAttr(),
                          IntegerAttr(), IntegerAttr(), BoolAttr(),
                          ActivationsAttr::get(rewriter.getContext(), Activations::f32));
}

namespace {

/// matmul(x, W) -> linear(x, W); matmul(x, transpose(W)) -> linear(x, W) {transposed}; and
/// whatever else is moved to be W. W may be the f32 of a matrix of f16 or bf16.
struct MatmulToLinear : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    if (!isa<FloatType>(elementTypeOf(op.getResult())))
      return rewriter.notifyMatchFailure(op, "not a product of floats");
    Value source = skipWidening(op.getRhs());
    if (getDims(op.getLhs()).size() < getDims(source).size())
      return rewriter.notifyMatchFailure(op, "the right operand adds dimensions");
    std::optional<ConstantMatrix> weight = matchConstantMatrix(rewriter, source);
    if (!weight)
      return rewriter.notifyMatchFailure(op, "the right operand is no constant matrix");
    Location loc = locOf(rewriter, op, source);
    rewriter.replaceOp(op, createLinear(rewriter, loc, op.getType(), op.getLhs(), *weight));
    return success();
  }
};

/// matmul(W, transpose(x)) -> transpose(linear(x, transpose(W))). A single column needs no
/// transpose to be a row.
struct LeftMatmulToLinear : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    Dims dims = getDims(op.getRhs());
    if (!isa<FloatType>(elementTypeOf(op.getResult())) || isConstant(op.getRhs()))
      return rewriter.notifyMatchFailure(op, "no product of floats that are computed");
    Value source = skipWidening(op.getLhs());
    if (getDims(source).size() != 2 || dims.size() < 2)
      return rewriter.notifyMatchFailure(op, "the left operand is no matrix for all");
    Value rows = rowsOfColumns(rewriter, op.getRhs());
    if (!rows)
      return rewriter.notifyMatchFailure(op, "the columns are no rows of something else");
    std::optional<ConstantMatrix> weight = matchConstantMatrix(rewriter, source);
    if (!weight)
      return rewriter.notifyMatchFailure(op, "the left operand is no constant matrix");
    weight->isTransposed = !weight->isTransposed;
    Dims outputs = getDims(op.getResult());
    std::swap(outputs[outputs.size() - 2], outputs.back());
    Type type = makeTensorType(outputs, elementTypeOf(op.getResult()));
    Value linear = createLinear(rewriter, locOf(rewriter, op, source), type, rows, *weight);
    rewriter.replaceOp(op, swapLastDims(rewriter, linear));
    return success();
  }

private:
  /// `columns` with its last two dimensions swapped, where that is there already or is a
  /// matter of the shape alone; null otherwise.
  static Value rowsOfColumns(PatternRewriter &rewriter, Value columns) {
    auto transpose = columns.getDefiningOp<TransposeOp>();
    if (transpose && swapsLastDims(transpose))
      return transpose.getInput();
    return getDims(columns).back().isConstant(1) ? swapLastDims(rewriter, columns) : Value();
  }
};

/// linear(reshape(x)) with rows flattened to one dimension -> reshape(linear(x)).
struct SinkRowReshape : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LinearOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getInput().getDefiningOp<ReshapeOp>();
    if (!reshape || !keepsLastDim(reshape) || getDims(reshape.getResult()).size() != 2 ||
        getDims(reshape.getInput()).size() < 3)
      return rewriter.notifyMatchFailure(op, "the rows are not flattened");
    Dims dims = getDims(reshape.getInput());
    dims.back() = getDims(op.getResult()).back();
    auto linear = cast<LinearOp>(rewriter.clone(*op));
    linear.getInputMutable().assign(reshape.getInput());
    linear.getResult().setType(makeTensorType(dims, elementTypeOf(op.getResult())));
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), linear.getResult());
    return success();
  }
};

/// add(linear(x, W), b) -> linear(x, W) bias b, also over a reshape of the rows.
struct AddToBias : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op, PatternRewriter &rewriter) const override {
    ReshapeOp reshape;
    LinearOp linear;
    Value bias;
    bool matches =
        matchEitherOrder(op.getResult(), BinaryKind::add, [&](Value product, Value vector) {
          reshape = product.getDefiningOp<ReshapeOp>();
          if (reshape && keepsLastDim(reshape) && reshape->hasOneUse())
            product = reshape.getInput();
          else
            reshape = {};
          linear = product.getDefiningOp<LinearOp>();
          bias = vector;
          return linear && isConstant(vector);
        });
    if (!matches || linear.getBias() || !linear->hasOneUse())
      return rewriter.notifyMatchFailure(op, "no linear of its own plus a constant");
    DimExpr columns = getDims(linear.getResult()).back();
    Type sumType = reshape ? reshape.getType() : linear.getType();
    if (!isVectorLike(bias) || getDims(bias).back() != columns || op.getType() != sumType)
      return rewriter.notifyMatchFailure(op, "the constant is no vector of outputs");
    rewriter.setInsertionPoint(linear);
    // The bias may come after the product.
    bias.getDefiningOp()->moveBefore(linear);
    Value vector = asVector(rewriter, bias);
    rewriter.modifyOpInPlace(linear, [&] {
      linear.getBiasMutable().assign(vector);
      linear->setLoc(rewriter.getFusedLoc({linear.getLoc(), op.getLoc()}));
    });
    rewriter.replaceOp(op, reshape ? reshape.getResult() : linear.getResult());
    return success();
  }
};

/// gather 0 (table, ids) -> embedding(table, ids).
struct GatherToEmbedding : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherOp op, PatternRewriter &rewriter) const override {
    if (op.getAxis() != 0 || !isConstant(op.getInput()) || getDims(op.getInput()).size() != 2 ||
        !isa<FloatType>(elementTypeOf(op.getInput())))
      return rewriter.notifyMatchFailure(op, "not rows of a constant table");
    rewriter.replaceOpWithNewOp<EmbeddingOp>(op, op.getType(), op.getInput(), op.getIndices(),
                                             /*scales=*/Value(), /*zero_points=*/Value(),
                                             IntegerAttr(), IntegerAttr(), IntegerAttr(),
                                             /*packed=*/BoolAttr());
    return success();
  }
};

struct RecognizeLinear : llmc::impl::RecognizeLinearBase<RecognizeLinear> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<MatmulToLinear, LeftMatmulToLinear, SinkRowReshape, AddToBias, GatherToEmbedding>(
        &getContext());
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
