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
    Location loc = op.getLoc();
    if (Operation *movement = source.getDefiningOp(); !isa<ConstantOp>(movement))
      loc = rewriter.getFusedLoc({loc, movement->getLoc()});
    auto linear = LinearOp::create(rewriter, loc, op.getType(), op.getLhs(), weight->value,
                                   /*scales=*/Value(), /*zero_points=*/Value(), /*bias=*/Value(),
                                   weight->isTransposed ? rewriter.getUnitAttr() : UnitAttr(),
                                   IntegerAttr(), IntegerAttr(), IntegerAttr(), BoolAttr(),
                                   ActivationsAttr::get(getContext(), Activations::f32));
    rewriter.replaceOp(op, linear);
    return success();
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
    patterns.add<MatmulToLinear, SinkRowReshape, AddToBias, GatherToEmbedding>(&getContext());
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
