//===- RecognizeConvolutions.cpp - short causal convolutions --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A depthwise convolution whose padding and slice are such that output s reads nothing
// behind position s:
//
//   slice(conv(concat(past, x), w))  =>  causal_conv(x, w) past last of past
//
// With P past positions, p0 zeros of padding and K taps the slice from P + p0 - (K - 1)
// is the one that does it.
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZECONVOLUTIONS
#include "llmc/Transforms/Passes.h.inc"

namespace {

Value makeSlice(OpBuilder &builder, Location loc, Value value, const DimExpr &start,
                const DimExpr &count) {
  Dims dims = getDims(value), starts(dims.size(), DimExpr(0));
  if (start.isConstant(0) && dims.back() == count)
    return value;
  dims.back() = count;
  starts.back() = start;
  return SliceOp::create(builder, loc, makeTensorType(dims, elementTypeOf(value)), value,
                         makeExprs(builder.getContext(), starts),
                         SmallVector<int64_t>(dims.size(), 1));
}

/// Whether the slice takes a range of the last dimension only.
bool slicesLastOnly(SliceOp slice) {
  Dims from = getDims(slice.getInput()), to = getDims(slice.getResult());
  Dims starts = parseExprs(slice.getStarts());
  for (size_t d = 0; d + 1 < from.size(); ++d)
    if (from[d] != to[d] || !starts[d].isConstant(0))
      return false;
  return llvm::all_of(slice.getSteps(), [](int64_t step) { return step == 1; });
}

/// slice(f(slice(conv))) -> f(slice(slice(conv))): what is cut off need not be computed.
struct SliceBeforeActivation : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto unary = op.getInput().getDefiningOp<UnaryOp>();
    Value source = unary ? unary.getInput() : Value();
    if (auto slice = source ? source.getDefiningOp<SliceOp>() : SliceOp())
      source = slice.getInput();
    if (!source || !source.getDefiningOp<ConvOp>() || !unary->hasOneUse())
      return rewriter.notifyMatchFailure(op, "no activation of a convolution");
    Value sliced =
        SliceOp::create(rewriter, op.getLoc(),
                        makeTensorType(getDims(op.getResult()), elementTypeOf(unary.getInput())),
                        unary.getInput(), op.getStarts(), op.getSteps());
    rewriter.replaceOpWithNewOp<UnaryOp>(op, op.getType(), unary.getKind(), sliced);
    return success();
  }
};

/// See the head of the file.
struct ConvToCausalConv : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &rewriter) const override {
    Dims input = getDims(op.getInput()), weight = getDims(op.getWeight());
    bool isDepthwise = input.size() == 3 && input[1].isConstant(int64_t(op.getGroups())) &&
                       weight[0] == input[1] && weight[1].isConstant(1);
    if (!isDepthwise || op.getStrides()[0] != 1 || op.getDilations()[0] != 1)
      return rewriter.notifyMatchFailure(op, "not depthwise along a sequence");
    // All uses are one slice, or the whole of the result counts.
    Value result = op.getResult();
    DimExpr start = 0;
    if (op->hasOneUse())
      if (auto slice = dyn_cast<SliceOp>(*op->user_begin()); slice && slicesLastOnly(slice)) {
        start = parseExprs(slice.getStarts()).back();
        result = slice.getResult();
        // Slices of slices are one.
        while (result.hasOneUse()) {
          auto outer = dyn_cast<SliceOp>(*result.user_begin());
          if (!outer || !slicesLastOnly(outer))
            break;
          start = start + parseExprs(outer.getStarts()).back();
          result = outer.getResult();
        }
      }
    int64_t taps = *weight[2].constant();
    DimExpr first = start + (taps - 1) - op.getPads()[0]; // position that output 0 is of
    DimExpr count = getDims(result).back();
    if (!first.provablyNonNegative())
      return rewriter.notifyMatchFailure(op, "starts before the sequence");
    rewriter.setInsertionPoint(result.getDefiningOp());
    Location loc = rewriter.getFusedLoc({op.getLoc(), result.getLoc()});
    Value taken = op.getInput(), past;
    if (auto concat = taken.getDefiningOp<ConcatOp>();
        concat && concat.getAxis() == 2 && concat.getInputs().size() == 2) {
      DimExpr before = getDims(concat.getInputs()[0]).back();
      DimExpr after = getDims(concat.getInputs()[1]).back();
      if (before == first && after == count && (before - (taps - 1)).provablyNonNegative()) {
        past = makeSlice(rewriter, loc, concat.getInputs()[0], before - (taps - 1), taps - 1);
        taken = concat.getInputs()[1];
        first = 0;
      }
    }
    if (!(getDims(taken).back() - first - count).provablyNonNegative())
      return rewriter.notifyMatchFailure(op, "reads behind the sequence");
    Value matrix = ReshapeOp::create(
        rewriter, loc, makeTensorType({weight[0], weight[2]}, elementTypeOf(op.getWeight())),
        op.getWeight());
    Value causal =
        CausalConvOp::create(rewriter, loc, taken.getType(), taken, matrix, op.getBias(), past);
    rewriter.replaceAllUsesWith(result, makeSlice(rewriter, loc, causal, first, count));
    return success();
  }
};

struct RecognizeConvolutions : impl::RecognizeConvolutionsBase<RecognizeConvolutions> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SliceBeforeActivation, ConvToCausalConv>(&getContext());
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
} // namespace llmc
