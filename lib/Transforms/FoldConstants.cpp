//===- FoldConstants.cpp - evaluate operations on small constants
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "TensorPatterns.h"
#include "llmc/Dialect/LLM/IR/SizeFolds.h"
#include "llmc/Reference/Evaluator.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_FOLDCONSTANTS
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

static bool isSmall(RankedTensorType type, int64_t maxElements) {
  return type && type.hasStaticShape() && type.getNumElements() <= maxElements;
}

/// A matrix in the mapped model file; folding an operation on it would copy it.
static bool isStoredMatrix(ConstantOp constant) {
  auto type = cast<RankedTensorType>(constant.getType());
  return isa<DenseResourceElementsAttr>(constant.getValue()) &&
         llvm::count_if(type.getShape(), [](int64_t size) { return size != 1; }) > 1;
}

/// Products or comparisons that the evaluator makes for one element of the result.
static uint64_t termsPerElement(Operation *op) {
  auto elements = [](Value value) {
    return std::max<uint64_t>(1, cast<RankedTensorType>(value.getType()).getNumElements());
  };
  if (auto reduce = dyn_cast<WindowReduceOp>(op)) {
    uint64_t terms = 1;
    for (int64_t size : reduce.getWindow())
      terms = llvm::SaturatingMultiply<uint64_t>(terms, size);
    return terms;
  }
  if (auto conv = dyn_cast<ConvOp>(op))
    return elements(conv.getWeight());
  if (isa<MatmulOp, LinearOp>(op))
    return cast<RankedTensorType>(op->getOperand(0).getType()).getShape().back();
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return elements(reduce.getInput()) / elements(reduce.getResult());
  return 1;
}

namespace {

/// op(constants..) -> constant, by the reference evaluator.
struct FoldByEvaluation : RewritePattern {
  FoldByEvaluation(MLIRContext *context, int64_t maxElements)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context), maxElements(maxElements) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isa<LLMDialect>(op->getDialect()) || isa<ConstantOp>(op) || op->getNumResults() != 1 ||
        op->getNumOperands() == 0 || op->getNumRegions() != 0)
      return rewriter.notifyMatchFailure(op, "is no operation on values");
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!isSmall(type, maxElements))
      return rewriter.notifyMatchFailure(op, "the result is not small and static");
    for (Value operand : op->getOperands()) {
      auto constant = operand.getDefiningOp<ConstantOp>();
      if (!constant || isStoredMatrix(constant) ||
          !isSmall(cast<RankedTensorType>(constant.getType()), maxElements))
        return rewriter.notifyMatchFailure(op, "an operand is no small constant");
    }
    // A tenth of a second of the evaluator's time; sanitizers make it two.
    constexpr uint64_t kMaxTerms = 1 << 20;
    if (llvm::SaturatingMultiply<uint64_t>(type.getNumElements(), termsPerElement(op)) > kMaxTerms)
      return rewriter.notifyMatchFailure(op, "takes too long to evaluate");
    reference::Evaluator evaluator;
    FailureOr<reference::Tensor> value = evaluator.evaluate(op->getResult(0));
    if (failed(value))
      return rewriter.notifyMatchFailure(op, evaluator.message());
    rewriter.replaceOpWithNewOp<ConstantOp>(op, value->toAttr());
    return success();
  }

private:
  int64_t maxElements;
};

/// Integer arithmetic whose elements are known expressions -> llm.dim_values.
struct FoldSizes : RewritePattern {
  explicit FoldSizes(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 2, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isa<LLMDialect>(op->getDialect()) || isa<ConstantOp, DimValuesOp>(op) ||
        op->getNumResults() != 1 || op->getNumRegions() != 0)
      return rewriter.notifyMatchFailure(op, "is no operation on values");
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!type || !type.hasStaticShape() || !type.getElementType().isInteger())
      return rewriter.notifyMatchFailure(op, "the result is no static integer tensor");
    // Shapes have few elements; an expression for each of many positions helps nobody.
    constexpr int64_t kMaxSizes = 64;
    if (type.getNumElements() > kMaxSizes)
      return rewriter.notifyMatchFailure(op, "the result has too many elements");
    std::optional<Dims> elements = foldSizes(op);
    if (!elements)
      return rewriter.notifyMatchFailure(op, "the elements are not known");
    Value sizes = materializeSizes(rewriter, op->getLoc(), *elements, type);
    if (!sizes)
      return rewriter.notifyMatchFailure(op, "symbolic elements in more than one dimension");
    rewriter.replaceOp(op, sizes);
    return success();
  }
};

/// dim_values of numbers -> constant; iota of one element -> dim_values.
struct FoldKnownValues : OpRewritePattern<DimValuesOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DimValuesOp op, PatternRewriter &rewriter) const override {
    Dims elements = parseExprs(op.getExprs());
    if (!llvm::all_of(elements, [](const DimExpr &e) { return e.constant().has_value(); }))
      return rewriter.notifyMatchFailure(op, "an element is symbolic");
    Value sizes =
        materializeSizes(rewriter, op.getLoc(), elements, cast<RankedTensorType>(op.getType()));
    if (!sizes || sizes.getDefiningOp<DimValuesOp>())
      return rewriter.notifyMatchFailure(op, "the elements do not fit");
    rewriter.replaceOp(op, sizes);
    return success();
  }
};
struct FoldSingleIota : OpRewritePattern<IotaOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(IotaOp op, PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getType());
    std::optional<DimExpr> start = DimExpr::parse(op.getStart());
    if (!start || !type.hasStaticShape() || type.getNumElements() != 1 ||
        !type.getElementType().isInteger())
      return rewriter.notifyMatchFailure(op, "more than one element");
    Value sizes = materializeSizes(rewriter, op.getLoc(), {*start}, type);
    if (!sizes)
      return rewriter.notifyMatchFailure(op, "a symbolic element in more than one dimension");
    rewriter.replaceOp(op, sizes);
    return success();
  }
};

struct FoldConstants : llmc::impl::FoldConstantsBase<FoldConstants> {
  using FoldConstantsBase::FoldConstantsBase;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldByEvaluation>(&getContext(), maxElements);
    patterns.add<FoldSizes, FoldKnownValues, FoldSingleIota>(&getContext());
    populateMovementPatterns(patterns);
    populateElementwisePatterns(patterns);
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    // Not converging is no error: every step keeps the values.
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
