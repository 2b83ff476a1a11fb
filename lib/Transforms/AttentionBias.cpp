//===- AttentionBias.cpp - what is added to an attention's scores ---------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "AttentionBias.h"
#include "AttentionPattern.h"
#include "SampledComputation.h"
#include "mlir/IR/Builders.h"
#include <array>
#include <cmath>

using namespace mlir;
using llmc::reference::Tensor;

namespace llmc {

/// select(c, -big, x) = select(c, -big, 0) + x where -big hides a key whatever x is.
static std::optional<std::pair<Value, Value>> splitSelect(OpBuilder &builder,
                                                          llm::SelectOp select) {
  for (bool hidesLeft : {true, false}) {
    Value hidden = hidesLeft ? select.getLhs() : select.getRhs();
    Value bias = hidesLeft ? select.getRhs() : select.getLhs();
    std::optional<double> number = splatNumber(hidden);
    if (!number || *number > -1e4 || splatNumber(bias))
      continue;
    Type element = cast<RankedTensorType>(hidden.getType()).getElementType();
    Location loc = select.getLoc();
    auto scalar = RankedTensorType::get({}, element);
    Value zero = llm::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(scalar, builder.getFloatAttr(element, 0.0).getValue()));
    Value mask = llm::SelectOp::create(builder, loc, select.getCondition(),
                                       hidesLeft ? hidden : zero, hidesLeft ? zero : hidden);
    return std::pair(mask, bias);
  }
  return std::nullopt;
}

static void collectTerms(OpBuilder &builder, Value bias, SmallVectorImpl<Value> &terms) {
  if (auto sum = bias.getDefiningOp<llm::BinaryOp>();
      sum && sum.getKind() == llm::BinaryKind::add) {
    collectTerms(builder, sum.getLhs(), terms);
    collectTerms(builder, sum.getRhs(), terms);
    return;
  }
  if (auto select = bias.getDefiningOp<llm::SelectOp>())
    if (std::optional<std::pair<Value, Value>> parts = splitSelect(builder, select)) {
      terms.push_back(parts->first);
      collectTerms(builder, parts->second, terms);
      return;
    }
  terms.push_back(bias);
}

/// Adds `term` to what `mask` says; false where two key masks would be needed.
static bool merge(MaskMeaning &mask, const MaskMeaning &term) {
  if (mask.keyMask && term.keyMask && mask.keyMask != term.keyMask)
    return false;
  mask.causal |= term.causal;
  if (term.window && (!mask.window || term.window < mask.window))
    mask.window = term.window;
  if (term.keyMask)
    mask.keyMask = term.keyMask;
  return true;
}

std::optional<BiasParts> splitBias(Value bias, const AttentionSizes &sizes,
                                   MaskAnalysis &analysis) {
  if (std::optional<MaskMeaning> mask = analysis.analyze(bias, sizes))
    return BiasParts{*mask, Value()};
  if (!bias.getDefiningOp())
    return std::nullopt;
  OpBuilder builder(bias.getContext());
  builder.setInsertionPointAfterValue(bias);
  SmallVector<Value> terms;
  collectTerms(builder, bias, terms);
  BiasParts parts;
  bool isSplit = false;
  for (Value term : terms) {
    std::optional<MaskMeaning> mask;
    if (terms.size() > 1)
      mask = analysis.analyze(term, sizes);
    if (mask && merge(parts.mask, *mask))
      isSplit = true;
    else
      parts.rest = parts.rest ? llm::BinaryOp::create(builder, bias.getLoc(), llm::BinaryKind::add,
                                                      parts.rest, term)
                              : term;
  }
  return isSplit ? std::optional(parts) : std::nullopt;
}

void addMask(llm::AttentionOp attention, const MaskMeaning &mask) {
  attention.setCausal(attention.getCausal() || mask.causal);
  int64_t window = attention.getWindow();
  if (mask.window && (!window || mask.window < window))
    attention.setWindow(mask.window);
}

void setBias(llm::AttentionOp attention, Value bias, const DimExpr &keys) {
  attention.getBiasMutable().clear();
  if (!bias)
    return;
  llm::Dims dims = llm::getDims(bias);
  if (dims.empty() || dims.back().isConstant(1)) {
    if (dims.empty())
      dims.push_back(keys);
    dims.back() = keys;
    OpBuilder builder(attention);
    Type element = cast<RankedTensorType>(bias.getType()).getElementType();
    bias = llm::BroadcastOp::create(builder, attention.getLoc(), llm::makeTensorType(dims, element),
                                    bias);
  }
  attention.getBiasMutable().assign(bias);
}

/// Sizes of the samples. Roundings of narrow types, and tables that end, show in long ones.
static constexpr std::array<int64_t, 3> kSlopeSamples[] = {
    {2, 0, 5}, {1, 3, 1}, {2, 7, 4}, {1, 40, 8}, {1, 120, 7}, {1, 396, 4}, {1, 1100, 2}};

/// The bias at these sizes; an empty tensor where it has others (a table that is too
/// short, a constant size). Takes what it computes from `elementsLeft`.
static FailureOr<Tensor> evaluateBias(const SampledComputation &computation, Value bias,
                                      const AttentionSizes &sizes,
                                      const std::array<int64_t, 3> &sample, int64_t &elementsLeft) {
  reference::Evaluator evaluator({}, elementsLeft);
  auto [batch, past, queries] = sample;
  if (!bindSizes(evaluator, sizes, batch, past, queries) || !computation.defineSizes(evaluator))
    return failure();
  FailureOr<Tensor> value = evaluator.evaluate(bias);
  elementsLeft = evaluator.remainingElements();
  return value;
}

/// The element of `bias` for a score, which it broadcasts to.
static double biasAt(const Tensor &bias, std::array<int64_t, 4> score) {
  int64_t offset = 0, lead = 4 - bias.rank();
  for (int64_t axis = 0; axis < bias.rank(); ++axis)
    offset = offset * bias.dim(axis) + (bias.dim(axis) == 1 ? 0 : score[lead + axis]);
  return bias.getFloat(offset);
}

/// Whether `bias` broadcasts to [batch, numHeads, queries, keys] and has all keys.
static bool hasSizes(const Tensor &bias, std::array<int64_t, 4> sizes) {
  if (bias.rank() == 0 || bias.rank() > 4 || bias.dim(bias.rank() - 1) != sizes[3])
    return false;
  for (int64_t axis = 0, lead = 4 - bias.rank(); axis < bias.rank(); ++axis)
    if (bias.dim(axis) != 1 && bias.dim(axis) != sizes[lead + axis])
      return false;
  return true;
}

/// Whether every row is slopes[h] * j + c, but for rounding in f32.
static bool hasSlopes(const Tensor &bias, ArrayRef<float> slopes, std::array<int64_t, 4> sizes) {
  // Equal rows are looked at once.
  auto countRows = [&](int64_t axis) {
    int64_t own = axis - (4 - bias.rank());
    return own < 0 || bias.dim(own) == 1 ? 1 : sizes[axis];
  };
  for (int64_t b = 0; b < countRows(0); ++b)
    for (int64_t h = 0; h < sizes[1]; ++h)
      for (int64_t i = 0; i < countRows(2); ++i) {
        double first = biasAt(bias, {b, h, i, 0}), last = biasAt(bias, {b, h, i, sizes[3] - 1});
        // A product and a sum, each rounded to 2^-24 of what is at most the larger end.
        double tolerance = 4 * 0x1p-24 * std::fmax(std::abs(first), std::abs(last));
        for (int64_t j = 0; j < sizes[3]; ++j)
          if (!(std::abs(biasAt(bias, {b, h, i, j}) - first - double(slopes[h]) * double(j)) <=
                tolerance))
            return false;
      }
  return true;
}

static std::optional<std::vector<float>> findSlopes(Value bias, const AttentionSizes &sizes,
                                                    int64_t numHeads) {
  constexpr size_t kMaxOperations = 1000; // as for masks
  auto *function = bias.getParentRegion()->getParentOp();
  std::optional<SampledComputation> computation =
      collectComputation(cast<func::FuncOp>(function), {bias}, kMaxOperations);
  if (!computation ||
      llvm::any_of(computation->leaves, [](Value leaf) { return isa<BlockArgument>(leaf); }))
    return std::nullopt;
  std::vector<float> slopes;
  int64_t elementsLeft = reference::Evaluator::kMaxElements;
  // The longest first: its slopes are the most precise.
  for (const std::array<int64_t, 3> &sample : llvm::reverse(kSlopeSamples)) {
    std::array<int64_t, 3> own = {sizes.batch.constant().value_or(sample[0]), sample[1],
                                  sizes.queries.constant().value_or(sample[2])};
    FailureOr<Tensor> value = evaluateBias(*computation, bias, sizes, own, elementsLeft);
    std::array<int64_t, 4> all = {own[0], numHeads, own[2], own[1] + own[2]};
    if (failed(value) || !hasSizes(*value, all))
      continue;
    if (slopes.empty())
      for (int64_t h = 0; h < numHeads; ++h)
        slopes.push_back(
            float((biasAt(*value, {0, h, 0, all[3] - 1}) - biasAt(*value, {0, h, 0, 0})) /
                  double(all[3] - 1)));
    if (!hasSlopes(*value, slopes, all))
      return std::nullopt;
  }
  return slopes.empty() ? std::nullopt : std::optional(slopes);
}

std::optional<std::vector<float>> SlopeFinder::find(Value bias, const AttentionSizes &sizes,
                                                    int64_t numHeads) {
  if (auto found = answers.find(bias); found != answers.end())
    return found->second;
  return answers[bias] = findSlopes(bias, sizes, numHeads);
}

void SlopeFinder::takeSlopes(llm::AttentionOp attention, const AttentionSizes &sizes) {
  std::optional<int64_t> heads = llm::getDims(attention.getQuery())[1].constant();
  if (!attention.getBias() || attention.getSlopes() || !heads)
    return;
  std::optional<std::vector<float>> slopes = find(attention.getBias(), sizes, *heads);
  if (!slopes)
    return;
  OpBuilder builder(attention);
  auto type = RankedTensorType::get({*heads}, builder.getF32Type());
  attention.getSlopesMutable().assign(llm::ConstantOp::create(
      builder, attention.getLoc(), DenseElementsAttr::get(type, ArrayRef<float>(*slopes))));
  attention.getBiasMutable().clear();
}

} // namespace llmc
