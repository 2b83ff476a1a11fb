//===- RecognizeNorms.cpp - decomposed normalisations
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Three steps that build on each other: x / sqrt(mean(x^2) + eps) becomes an
// rms_norm with ones as weight; a product with a vector becomes its weight; an
// rms_norm of x - mean(x) is a layer_norm.
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZENORMS
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

/// v where `value` is 1 / sqrt(v), in each spelling.
static Value matchInverseRoot(Value value) {
  if (Value v = matchUnary(value, UnaryKind::rsqrt))
    return v;
  if (Value root = matchUnary(value, UnaryKind::reciprocal))
    return matchUnary(root, UnaryKind::sqrt);
  if (BinaryOp quotient = matchBinary(value, BinaryKind::div);
      quotient && isSplatOf(quotient.getLhs(), 1))
    return matchUnary(quotient.getRhs(), UnaryKind::sqrt);
  if (BinaryOp power = matchBinary(value, BinaryKind::pow);
      power && isSplatOf(power.getRhs(), -0.5))
    return power.getLhs();
  return {};
}

/// v where `value` is sqrt(v) or pow(v, 0.5).
static Value matchRoot(Value value) {
  if (Value v = matchUnary(value, UnaryKind::sqrt))
    return v;
  BinaryOp power = matchBinary(value, BinaryKind::pow);
  return power && isSplatOf(power.getRhs(), 0.5) ? power.getLhs() : Value();
}

/// The operand of a mean over the last dimension that keeps it as 1: a mean, or
/// a sum divided by its length.
static Value matchLastMean(Value value) {
  std::optional<double> factor;
  if (auto product = matchWithSplat(value, BinaryKind::mul)) {
    value = product->first;
    factor = product->second;
  } else if (auto quotient = matchWithSplat(value, BinaryKind::div)) {
    value = quotient->first;
    factor = 1 / quotient->second;
  }
  auto reduce = value.getDefiningOp<ReduceOp>();
  if (!reduce || !reduce.getKeepdims() || reduce.getAxes().size() != 1)
    return {};
  Dims dims = getDims(reduce.getInput());
  if (reduce.getAxes()[0] + 1 != int64_t(dims.size()) || !dims.back().constant())
    return {};
  double length = double(*dims.back().constant());
  bool isMean = factor
                    ? reduce.getKind() == ReduceKind::sum && std::abs(*factor * length - 1) < 1e-6
                    : reduce.getKind() == ReduceKind::mean;
  return isMean ? reduce.getInput() : Value();
}

namespace {
/// What normalises a vector: weight * x / sqrt(mean(x^2) + epsilon).
struct RootMeanSquare {
  double epsilon, weight;
};
} // namespace

/// `value` is mean(x^2) + epsilon, or sum(x^2) + n * epsilon for n elements: an L2 norm
/// is that of the mean with weights of 1 / sqrt(n). An optimiser may have dropped an epsilon
/// that is too small for it.
static std::optional<RootMeanSquare> matchMeanSquare(Value value, Value x) {
  auto sum = matchWithSplat(value, BinaryKind::add);
  if (!sum)
    sum.emplace(value, 0.0);
  if (Value squares = matchLastMean(sum->first); squares && isSquareOf(squares, x))
    return RootMeanSquare{sum->second, 1.0};
  auto reduce = sum->first.getDefiningOp<ReduceOp>();
  Dims dims = getDims(x);
  if (!reduce || reduce.getKind() != ReduceKind::sum || !reduce.getKeepdims() ||
      reduce.getAxes() != ArrayRef<int64_t>{int64_t(dims.size()) - 1} || !dims.back().constant() ||
      !isSquareOf(reduce.getInput(), x))
    return std::nullopt;
  double length = double(*dims.back().constant());
  return RootMeanSquare{sum->second / length, 1 / std::sqrt(length)};
}

namespace {

/// x * (1 / sqrt(mean(x^2) + eps)), x / sqrt(mean(x^2) + eps) -> rms_norm(x, splat).
struct ToRMSNorm : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op, PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getType());
    Value x;
    std::optional<RootMeanSquare> root;
    if (op.getKind() == BinaryKind::div) {
      x = op.getLhs();
      if (Value v = matchRoot(op.getRhs()))
        root = matchMeanSquare(v, x);
    } else {
      matchEitherOrder(op.getResult(), BinaryKind::mul, [&](Value input, Value scale) {
        x = input;
        if (Value v = matchInverseRoot(scale))
          root = matchMeanSquare(v, x);
        return root.has_value();
      });
    }
    if (!root || x.getType() != type)
      return rewriter.notifyMatchFailure(op, "not x / sqrt(mean(x^2) + epsilon)");
    auto splatType = makeTensorType(getDims(x).back(), type.getElementType());
    auto splat = DenseElementsAttr::get(splatType,
                                        rewriter.getFloatAttr(type.getElementType(), root->weight));
    Location loc = fuseLocations(op, x);
    Value weight = ConstantOp::create(rewriter, loc, splat);
    rewriter.replaceOp(
        op, RMSNormOp::create(rewriter, loc, x, weight, rewriter.getF64FloatAttr(root->epsilon)));
    return success();
  }
};

/// rms_norm(x, ones) * w -> rms_norm(x, w), layer_norm alike. Where the norm was
/// computed on f32 of a half-precision x and cast back, the casts go: the
/// operation computes in f32 and rounds once where the graph rounded twice.
template <typename NormOp> struct ScaleToWeight : OpRewritePattern<BinaryOp> {
  using OpRewritePattern<BinaryOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op, PatternRewriter &rewriter) const override {
    CastOp cast;
    NormOp norm;
    Value weight;
    bool matches =
        matchEitherOrder(op.getResult(), BinaryKind::mul, [&](Value product, Value vector) {
          cast = product.getDefiningOp<CastOp>();
          if (cast && cast->hasOneUse())
            product = cast.getInput();
          else
            cast = {};
          norm = product.getDefiningOp<NormOp>();
          weight = vector;
          return norm && norm->hasOneUse() && isSplatOf(norm.getWeight(), 1) && hasNoBias(norm);
        });
    if (!matches)
      return rewriter.notifyMatchFailure(op, "no norm of its own times a value");
    Value input = norm.getInput();
    if (cast) {
      auto widening = input.getDefiningOp<CastOp>();
      if (!widening || widening.getInput().getType() != op.getType() ||
          !elementTypeOf(input).isF32())
        return rewriter.notifyMatchFailure(op, "the cast is not back to the input's type");
      input = widening.getInput();
    }
    if (input.getType() != op.getType() || !isVectorLike(weight) ||
        getDims(weight).back() != getDims(input).back())
      return rewriter.notifyMatchFailure(op, "the factor is no vector of the last dimension");
    Location loc = rewriter.getFusedLoc({norm.getLoc(), op.getLoc()});
    Value vector = asVector(rewriter, weight);
    rewriter.replaceOp(op, makeNorm(rewriter, loc, input, vector, norm));
    return success();
  }

private:
  static bool hasNoBias(RMSNormOp) { return true; }
  static bool hasNoBias(LayerNormOp norm) { return !norm.getBias(); }
  static Value makeNorm(OpBuilder &builder, Location loc, Value x, Value weight, RMSNormOp norm) {
    return RMSNormOp::create(builder, loc, x, weight, norm.getEpsilonAttr());
  }
  static Value makeNorm(OpBuilder &builder, Location loc, Value x, Value weight, LayerNormOp norm) {
    return LayerNormOp::create(builder, loc, x.getType(), x, weight, Value(),
                               norm.getEpsilonAttr());
  }
};

/// rms_norm(x - mean(x), w) -> layer_norm(x, w).
struct ToLayerNorm : OpRewritePattern<RMSNormOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(RMSNormOp op, PatternRewriter &rewriter) const override {
    BinaryOp difference = matchBinary(op.getInput(), BinaryKind::sub);
    if (!difference || matchLastMean(difference.getRhs()) != difference.getLhs() ||
        difference.getLhs().getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "the input is not x - mean(x)");
    Location loc =
        rewriter.getFusedLoc({op.getLoc(), difference.getLoc(), difference.getRhs().getLoc()});
    rewriter.replaceOp(op, LayerNormOp::create(rewriter, loc, op.getType(), difference.getLhs(),
                                               op.getWeight(), Value(), op.getEpsilonAttr()));
    return success();
  }
};

/// layer_norm(x, w) + b -> layer_norm(x, w) bias b.
struct AddToNormBias : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op, PatternRewriter &rewriter) const override {
    LayerNormOp norm;
    Value bias;
    bool matches =
        matchEitherOrder(op.getResult(), BinaryKind::add, [&](Value product, Value vector) {
          norm = product.getDefiningOp<LayerNormOp>();
          bias = vector;
          // A vector of activations is a residual, not a parameter.
          return norm && !norm.getBias() && norm->hasOneUse() && isConstant(vector);
        });
    if (!matches || op.getType() != norm.getType() || !isVectorLike(bias) ||
        getDims(bias).back() != getDims(norm.getInput()).back())
      return rewriter.notifyMatchFailure(op, "no layer_norm of its own plus a constant vector");
    Location loc = rewriter.getFusedLoc({norm.getLoc(), op.getLoc()});
    Value vector = asVector(rewriter, bias);
    rewriter.replaceOp(op, LayerNormOp::create(rewriter, loc, norm.getType(), norm.getInput(),
                                               norm.getWeight(), vector, norm.getEpsilonAttr()));
    return success();
  }
};

struct RecognizeNorms : llmc::impl::RecognizeNormsBase<RecognizeNorms> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ToRMSNorm, ScaleToWeight<RMSNormOp>, ScaleToWeight<LayerNormOp>, ToLayerNorm,
                 AddToNormBias>(&getContext());
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
