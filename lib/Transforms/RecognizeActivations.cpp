//===- RecognizeActivations.cpp - decomposed SiLU and GELU
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZEACTIVATIONS
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

namespace {

/// A tree of products taken apart: `number` times the factors.
struct Factors {
  double number = 1;
  SmallVector<Value> values;

  /// Divisions by a number count, powers 2 and 3 are repeated factors. `stop`
  /// stays whole even where it is a product itself.
  static Factors of(Value value, Value stop = {}) {
    Factors factors;
    factors.collect(value, stop, /*depth=*/0);
    return factors;
  }

  bool isNear(double expected, Type element) const {
    // Products of two or three rounded literals.
    double tolerance = 3e-6;
    if (auto type = dyn_cast<FloatType>(element); type && type.getWidth() < 32)
      tolerance = 3 * std::ldexp(1.0, -int(type.getFPMantissaWidth()));
    return std::fabs(number - expected) <= tolerance * std::fabs(expected);
  }
  /// Whether the factors are exactly `count` times x.
  bool arePowerOf(Value x, size_t count) const {
    return values.size() == count && llvm::all_of(values, [&](Value v) { return v == x; });
  }

private:
  void collect(Value value, Value stop, int depth) {
    constexpr int kMaxDepth = 4; // the longest chain that exporters write
    if (std::optional<double> splat = matchSplat(value)) {
      number *= *splat;
      return;
    }
    auto op = value.getDefiningOp<BinaryOp>();
    if (value != stop && op && depth < kMaxDepth) {
      if (op.getKind() == BinaryKind::mul) {
        collect(op.getLhs(), stop, depth + 1);
        return collect(op.getRhs(), stop, depth + 1);
      }
      std::optional<double> rhs = matchSplat(op.getRhs());
      if (op.getKind() == BinaryKind::div && rhs) {
        number /= *rhs;
        return collect(op.getLhs(), stop, depth + 1);
      }
      if (op.getKind() == BinaryKind::pow && (rhs == 2.0 || rhs == 3.0)) {
        values.append(size_t(*rhs), op.getLhs());
        return;
      }
    }
    values.push_back(value);
  }
};

/// 1 + f(argument): the argument; else null.
Value matchOnePlus(Value value, UnaryKind kind) {
  auto sum = matchWithSplat(value, BinaryKind::add);
  return sum && sum->second == 1 ? matchUnary(sum->first, kind) : Value();
}

/// x where `argument` is x / sqrt(2).
Value matchErfArgument(Value argument) {
  BinaryOp op = argument.getDefiningOp<BinaryOp>();
  if (!op)
    return {};
  for (Value x : op->getOperands()) {
    Factors factors = Factors::of(argument, x);
    if (factors.arePowerOf(x, 1) && factors.isNear(M_SQRT1_2, elementTypeOf(x)))
      return x;
  }
  return {};
}

/// x where `argument` is sqrt(2/pi) (x + 0.044715 x^3) or
/// sqrt(2/pi) x (1 + 0.044715 x^2).
Value matchTanhArgument(Value argument) {
  constexpr double kCubic = 0.044715;
  const double kScale = std::sqrt(2 / M_PI);
  for (Value factor : Factors::of(argument).values) {
    Value x;
    matchEitherOrder(factor, BinaryKind::add, [&](Value linear, Value rest) {
      Factors outer = Factors::of(argument, factor);
      if (!outer.isNear(kScale, elementTypeOf(argument)))
        return false;
      Factors cubic = Factors::of(rest, linear);
      if (outer.values.size() == 1 && cubic.arePowerOf(linear, 3))
        x = linear;
      // 1 + 0.044715 x^2, with x the other factor
      if (outer.values.size() == 2 && isSplatOf(linear, 1)) {
        Value other = outer.values[outer.values[0] == factor];
        cubic = Factors::of(rest, other);
        if (cubic.arePowerOf(other, 2))
          x = other;
      }
      if (!cubic.isNear(kCubic, elementTypeOf(argument)))
        x = {};
      return bool(x);
    });
    if (x)
      return x;
  }
  return {};
}

/// x / 2 * (1 + erf(..)) and x / 2 * (1 + tanh(..)) in any association.
struct ToGelu : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op, PatternRewriter &rewriter) const override {
    if (op.getKind() != BinaryKind::mul && op.getKind() != BinaryKind::div)
      return rewriter.notifyMatchFailure(op, "no product");
    for (Value gate : Factors::of(op.getResult()).values) {
      UnaryKind kind = UnaryKind::gelu_erf;
      Value x;
      if (Value argument = matchOnePlus(gate, UnaryKind::erf)) {
        x = matchErfArgument(argument);
      } else if (Value argument = matchOnePlus(gate, UnaryKind::tanh)) {
        x = matchTanhArgument(argument);
        kind = UnaryKind::gelu_tanh;
      }
      if (!x || x.getType() != op.getType())
        continue;
      Factors product = Factors::of(op.getResult(), x);
      bool matches = product.isNear(0.5, elementTypeOf(x)) && product.values.size() == 2 &&
                     llvm::is_contained(product.values, x) &&
                     llvm::is_contained(product.values, gate);
      if (!matches)
        continue;
      rewriter.replaceOp(op, UnaryOp::create(rewriter, fuseLocations(op, x), kind, x));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no factor 1 + erf(x / sqrt 2) or 1 + tanh(..)");
  }
};

/// x * sigmoid(x) -> silu(x).
struct ToSilu : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op, PatternRewriter &rewriter) const override {
    Value x;
    bool matches = matchEitherOrder(op.getResult(), BinaryKind::mul, [&](Value input, Value gate) {
      x = input;
      return matchUnary(gate, UnaryKind::sigmoid) == input;
    });
    if (!matches)
      return rewriter.notifyMatchFailure(op, "not x * sigmoid(x)");
    rewriter.replaceOp(op, UnaryOp::create(rewriter, fuseLocations(op, x), UnaryKind::silu, x));
    return success();
  }
};

/// 1 / (1 + exp(-x)) -> sigmoid(x).
struct ToSigmoid : RewritePattern {
  explicit ToSigmoid(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isa<UnaryOp, BinaryOp>(op))
      return failure();
    Value result = op->getResult(0), sum = matchUnary(result, UnaryKind::reciprocal);
    if (BinaryOp quotient = matchBinary(result, BinaryKind::div);
        quotient && isSplatOf(quotient.getLhs(), 1))
      sum = quotient.getRhs();
    Value negated = sum ? matchOnePlus(sum, UnaryKind::exp) : Value();
    Value x = negated ? matchUnary(negated, UnaryKind::neg) : Value();
    if (!x || x.getType() != result.getType())
      return rewriter.notifyMatchFailure(op, "not 1 / (1 + exp(-x))");
    rewriter.replaceOp(op, UnaryOp::create(rewriter, fuseLocations(op, x), UnaryKind::sigmoid, x));
    return success();
  }
};

struct RecognizeActivations : llmc::impl::RecognizeActivationsBase<RecognizeActivations> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ToGelu, ToSilu, ToSigmoid>(&getContext());
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
