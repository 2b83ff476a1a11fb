//===- Attention.cpp - reference semantics of rotary, attention and kv_append
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

FailureOr<Tensor> evaluateOp(RotaryOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  const Tensor &cos = frame[op.getCos()], &sin = frame[op.getSin()];
  ArrayRef<int64_t> shape = input.shape();
  int64_t half = cos.dim(2);
  if ((cos.dim(0) != 1 && cos.dim(0) != shape[0]) || cos.dim(1) != shape[2] || 2 * half > shape[3])
    return frame.fail("cos and sin do not fit the input");
  Tensor result(input.elementType(), shape);
  forEachIndex(shape, [&](Index index) {
    int64_t batch = index[0], position = index[2], channel = index[3];
    int64_t at = offsetOf(shape, index);
    if (channel >= 2 * half) {
      result.setFloat(at, input.getFloat(at));
      return;
    }
    // The channel is x_a or x_b of its pair; the partner lies `distance` away.
    bool isFirst = op.getInterleaved() ? channel % 2 == 0 : channel < half;
    int64_t pair = op.getInterleaved() ? channel / 2 : channel % half;
    int64_t distance = op.getInterleaved() ? 1 : half;
    int64_t angle = ((cos.dim(0) == 1 ? 0 : batch) * cos.dim(1) + position) * half + pair;
    double x = input.getFloat(at);
    double partner = input.getFloat(isFirst ? at + distance : at - distance);
    double sine = isFirst ? -sin.getFloat(angle) : sin.getFloat(angle);
    result.setFloat(at, x * cos.getFloat(angle) + partner * sine);
  });
  return result;
}

/// The softmax of `scores`; masked ones are -inf. `sink` is one more score
/// whose value is not used. Zeros where nothing is visible.
static std::vector<double> probabilities(std::vector<double> scores, std::optional<double> sink) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double maximum = sink.value_or(-infinity), sum = 0;
  for (double score : scores)
    maximum = std::isnan(score) ? score : std::fmax(maximum, score);
  if (maximum == -infinity)
    return std::vector<double>(scores.size(), 0.0);
  for (double &score : scores)
    sum += score = std::exp(score - maximum);
  if (sink)
    sum += std::exp(*sink - maximum);
  for (double &score : scores)
    score /= sum;
  return scores;
}

/// `x` in the steps of a rounding.
static double rounded(double x, std::optional<ArrayRef<double>> rounding) {
  ArrayRef<double> rest = rounding.value_or(ArrayRef<double>());
  for (; !rest.empty(); rest = rest.drop_front(3))
    x = rest[0] * std::clamp(std::nearbyint(x / rest[0]), rest[1], rest[2]);
  return x;
}

FailureOr<Tensor> evaluateOp(AttentionOp op, const OpFrame &frame) {
  if (isa<StateType>(op.getKey().getType()))
    return frame.fail("states have no reference semantics");
  const Tensor &query = frame[op.getQuery()];
  const Tensor &key = frame[op.getKey()], &value = frame[op.getValue()];
  auto optional = [&](Value operand) { return operand ? &frame[operand] : nullptr; };
  const Tensor *bias = optional(op.getBias()), *pastLens = optional(op.getPastLens());
  const Tensor *sinks = optional(op.getSinks()), *slopes = optional(op.getSlopes());
  int64_t batches = query.dim(0), heads = query.dim(1), queries = query.dim(2);
  int64_t keyHeads = key.dim(1), keys = key.dim(2), depth = query.dim(3), valueDepth = value.dim(3);
  if (key.dim(0) != batches || key.dim(3) != depth || value.dim(2) != keys ||
      (pastLens && pastLens->numElements() != batches))
    return frame.fail("operands do not fit");
  if (bias && !broadcastsTo(bias->shape(), {batches, heads, queries, keys}))
    return frame.fail("the bias does not broadcast to the scores");
  if (slopes && slopes->numElements() != heads)
    return frame.fail("there is not one slope per head");
  double scale = op.getScale().convertToDouble(), softcap = op.getSoftcap().convertToDouble();
  int64_t window = op.getWindow();

  Tensor result(query.elementType(), {batches, heads, queries, valueDepth});
  forEachIndex({batches, heads, queries}, [&](Index row) {
    int64_t b = row[0], h = row[1], i = row[2];
    int64_t keyHead = b * keyHeads + h / (heads / keyHeads);
    int64_t past = pastLens ? pastLens->getInt(b) : keys - queries;
    int64_t position = past + i;
    std::vector<double> scores;
    for (int64_t j = 0; j < keys; ++j) {
      bool visible = j < past + queries && (!op.getCausal() || j <= position) &&
                     (window == 0 || j > position - window);
      double score = 0;
      for (int64_t d = 0; d < depth; ++d)
        score += query.getFloat(((b * heads + h) * queries + i) * depth + d) *
                 key.getFloat((keyHead * keys + j) * depth + d);
      score = rounded(score * scale, op.getScoreRounding());
      if (softcap > 0)
        score = softcap * std::tanh(score / softcap);
      if (slopes)
        score += slopes->getFloat(h) * double(j - position);
      if (bias)
        score += bias->getFloat(broadcastOffset(bias->shape(), {b, h, i, j}));
      score = rounded(score, op.getBiasedRounding());
      scores.push_back(visible ? score : -std::numeric_limits<double>::infinity());
    }
    std::optional<double> sink;
    if (sinks)
      sink = sinks->getFloat(h);
    std::vector<double> weights = probabilities(std::move(scores), sink);
    for (double &weight : weights)
      weight = rounded(weight, op.getWeightRounding());
    for (int64_t d = 0; d < valueDepth; ++d) {
      double sum = 0;
      for (int64_t j = 0; j < keys; ++j)
        if (weights[j] != 0) // a hidden key's value may be anything
          sum += weights[j] * value.getFloat((keyHead * keys + j) * valueDepth + d);
      result.setFloat(((b * heads + h) * queries + i) * valueDepth + d, sum);
    }
  });
  return result;
}

FailureOr<Tensor> evaluateOp(KVAppendOp op, const OpFrame &frame) {
  const Tensor &past = frame[op.getPast()], &tokens = frame[op.getTokens()];
  const Tensor &lengths = frame[op.getPastLens()];
  int64_t batches = tokens.dim(0), count = tokens.dim(2);
  if (past.dim(0) != batches || lengths.numElements() != batches)
    return frame.fail("operands do not fit");
  Tensor result(tokens.elementType(), {batches, tokens.dim(1), past.dim(2) + count, tokens.dim(3)});
  forEachIndex(result.shape(), [&](Index index) {
    int64_t length = lengths.getInt(index[0]), position = index[2];
    bool isPast = position < length;
    if (!isPast && position >= length + count)
      return; // zero
    Shape source(index);
    source[2] = isPast ? position : position - length;
    const Tensor &from = isPast ? past : tokens;
    if (source[2] < from.dim(2))
      result.setFloat(offsetOf(result.shape(), index),
                      from.getFloat(offsetOf(from.shape(), source)));
  });
  return result;
}

FailureOr<Tensor> evaluateOp(KVEvictOp op, const OpFrame &frame) {
  const Tensor &cache = frame[op.getCache()], &evicted = frame[op.getEvicted()];
  FailureOr<Shape> shape = frame.resultShape();
  if (failed(shape))
    return failure();
  if (evicted.numElements() != cache.dim(0))
    return frame.fail("operands do not fit");
  Tensor result(cache.elementType(), *shape);
  forEachIndex(result.shape(), [&](Index index) {
    Shape source(index);
    source[2] += evicted.getInt(index[0]);
    if (source[2] >= 0 && source[2] < cache.dim(2))
      result.setFloat(offsetOf(result.shape(), index),
                      cache.getFloat(offsetOf(cache.shape(), source)));
  });
  return result;
}

} // namespace llmc::reference
