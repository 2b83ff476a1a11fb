//===- MicrosoftAttend.cpp - what com.microsoft's attention operators share
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "MicrosoftAttend.h"
#include "Heads.h"
#include <limits>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

//===----------------------------------------------------------------------===//
// The past
//===----------------------------------------------------------------------===//

/// Whether there are two pasts, of rank 4 and for the new keys and values.
static bool checkPasts(Node &n, CachedAttention &a, Value pastKey, Value pastValue) {
  if (bool(pastKey) != bool(pastValue))
    n.fail("needs past_key and past_value together");
  if (n.failed() || !pastKey)
    return false;
  for (auto [past, fresh] : {std::pair(pastKey, a.key), std::pair(pastValue, a.value)}) {
    if (n.rank(past) != 4 || n.rank(fresh) != 4) {
      n.fail("past " + llm::formatDims(n.dims(past)) + " is not [batch, heads, tokens, channels]");
      return false;
    }
    n.requireEqual(n.dims(past)[0], n.dims(fresh)[0], "batch size of the past");
    n.requireEqual(n.dims(past)[1], n.dims(fresh)[1], "heads of the past");
    n.requireEqual(n.dims(past)[3], n.dims(fresh)[3], "head size of the past");
  }
  n.requireEqual(n.dims(pastKey)[2], n.dims(pastValue)[2], "lengths of the past");
  return !n.failed();
}

void llmc::importer::appendPast(Node &n, CachedAttention &a, Value pastKey, Value pastValue) {
  if (checkPasts(n, a, pastKey, pastValue)) {
    a.past = n.dims(pastKey)[2];
    a.key = n.concat(2, {pastKey, a.key});
    a.value = n.concat(2, {pastValue, a.value});
  }
  a.presentKey = a.key;
  a.presentValue = a.value;
}

DimExpr llmc::importer::pastInBuffer(Node &n, Value length, const DimExpr &capacity,
                                     const DimExpr &tokens) {
  if (!n.failed() && !length)
    n.fail("a past in longer buffers needs past_sequence_length");
  DimExpr bound = DimExpr::max(capacity - tokens, 0);
  DimExpr past = n.defineSize(length, bound);
  if (DimExpr::less(past, 0) == true || DimExpr::less(capacity, past + tokens) == true)
    n.fail(tokens.str() + " tokens at " + past.str() + " of buffers for " + capacity.str());
  return past;
}

/// `buffer` [B, H, P, D] with token t of sequence b read from sequence
/// b / W * W + beams[b / W, b % W, t].
static Value readBeams(Node &n, Value buffer, Value beams) {
  Dims dims = n.dims(buffer), beam = n.dims(beams);
  Value first = n.binary(BinaryKind::mul, n.iota(beam[0], 0, 3), n.size(beam[1]));
  Value sequence = n.reshape(n.binary(BinaryKind::add, beams, first), {dims[0], dims[2], 1});
  Value token = n.broadcast(n.iota(dims[2], 1, 3), {dims[0], dims[2], 1});
  Value read = n.infer<llm::GatherNDOp>(uint64_t(0), n.transpose(buffer, {0, 2, 1, 3}),
                                        n.concat(2, {sequence, token}));
  return n.transpose(read, {0, 2, 1, 3});
}

/// Which beam each past token is read from; null where that is its own for sure. onnxruntime
/// reads beams for calls of one token only.
static Value beamsOf(Node &n, const CachedAttention &a, Value beams, const DimExpr &capacity) {
  DimExpr tokens = n.failed() ? DimExpr(0) : n.dims(a.query)[2];
  if (!beams || n.failed() || DimExpr::equal(tokens, 1) == false)
    return {};
  if (n.rank(beams) != 3) {
    n.fail("cache_indirection " + llm::formatDims(n.dims(beams)) + " has not rank 3");
    return {};
  }
  n.requireEqual(n.dims(beams)[2], capacity, "tokens of cache_indirection");
  n.requireEqual(n.dims(beams)[0] * n.dims(beams)[1], n.dims(a.query)[0],
                 "sequences of cache_indirection");
  beams = n.slice(n.asI64(beams), 2, 0, a.past);
  if (n.failed() || tokens.isConstant(1))
    return beams;
  Value isStep = n.compare(llm::ComparePredicate::eq, n.size(n.dims(a.query)[2]), 1);
  return n.select(isStep, beams, n.iota(n.dims(beams)[1], 1, 3));
}

void llmc::importer::appendToBuffers(Node &n, CachedAttention &a, Value keys, Value values,
                                     Value beams) {
  if (!checkPasts(n, a, keys, values))
    return;
  a.isInBuffers = true;
  beams = beamsOf(n, a, beams, n.dims(keys)[2]);
  Value first = n.size(a.past);
  auto append = [&](Value buffer, Value &tokens) {
    Value present = writeTokens(n, buffer, tokens, 2, first);
    Value past = n.slice(buffer, 2, 0, a.past);
    if (beams && !n.failed())
      past = readBeams(n, past, beams);
    tokens = n.concat(2, {past, tokens});
    return present;
  };
  a.presentKey = append(keys, a.key);
  a.presentValue = append(values, a.value);
}

//===----------------------------------------------------------------------===//
// Masks and scores
//===----------------------------------------------------------------------===//

/// `x` with a last dimension for the keys. What data decides no size can be checked against:
/// there keys behind the end read its last element.
static Value forKeys(Node &n, Value x, const CachedAttention &a, const Twine &what) {
  if (n.failed())
    return {};
  DimExpr keys = n.dims(a.key)[2];
  if (a.isInBuffers)
    return n.gather(x, n.rank(x) - 1, n.iota(keys));
  n.requireEqual(n.dims(x).back(), keys, what);
  return x;
}

/// From [B] ends, [2 B] ends then starts, or [3 B + 2] ends and where sequences start in two
/// lists of all tokens, which kernels without padding read.
static Value insideBounds(Node &n, Value bounds, const CachedAttention &a) {
  Dims dims = n.dims(bounds);
  DimExpr batch = n.dims(a.query)[0];
  auto is = [&](const DimExpr &size) { return DimExpr::equal(dims[0], size) == true; };
  bool hasStarts = is(batch * 2);
  if (!hasStarts && !is(batch) && !is(batch * 3 + 2)) {
    n.fail("not supported: a mask of " + llm::formatDims(dims) + " for a batch of " + batch.str());
    return {};
  }
  bounds = n.asI64(bounds);
  Value key = n.iota(n.dims(a.key)[2]);
  Value ends = n.reshape(n.slice(bounds, 0, 0, batch), {batch, 1, 1, 1});
  Value inside = n.compare(llm::ComparePredicate::lt, key, ends);
  if (!hasStarts)
    return inside;
  Value starts = n.reshape(n.slice(bounds, 0, batch, batch), {batch, 1, 1, 1});
  return n.binary(BinaryKind::logical_and, inside,
                  n.compare(llm::ComparePredicate::ge, key, starts));
}

/// The call's rows and columns of a mask [B, 1, M, M] for all positions.
static Value ofAllPositions(Node &n, Value mask, const CachedAttention &a) {
  Dims dims = n.dims(mask);
  DimExpr keys = n.dims(a.key)[2];
  n.requireEqual(dims[1], 1, "heads of the mask");
  n.requireEqual(dims[2], dims[3], "rows and columns of the mask");
  if (a.causal || DimExpr::less(dims[3], keys) == true)
    n.fail("a mask of " + llm::formatDims(dims) + " for " + keys.str() + " keys" +
           (a.causal ? ", and unidirectional" : ""));
  if (n.failed())
    return {};
  Value rows = n.binary(BinaryKind::add, n.iota(n.dims(a.query)[2]), n.size(a.past));
  return n.gather(n.gather(mask, 2, rows), 3, n.iota(n.dims(a.key)[2]));
}

/// What a mask lets take part, as i1 that broadcasts to [B, H, S, T].
static Value takesPart(Node &n, Value mask, const CachedAttention &a) {
  Dims dims = n.dims(mask);
  if (n.failed())
    return {};
  if (dims.size() == 1)
    return insideBounds(n, mask, a);
  if (dims.size() < 2 || dims.size() > 4) {
    n.fail("not supported: a mask of " + llm::formatDims(dims));
    return {};
  }
  if (!dims[0].isConstant(1))
    n.requireEqual(dims[0], n.dims(a.query)[0], "batch size of the mask");
  if (dims.size() == 4) {
    mask = ofAllPositions(n, mask, a);
  } else {
    mask = forKeys(n, mask, a, "keys of the mask");
    dims = n.dims(mask);
    if (n.failed())
      return {};
    mask = n.reshape(mask, {dims[0], 1, dims.size() == 3 ? dims[1] : DimExpr(1), dims.back()});
  }
  return n.compare(llm::ComparePredicate::gt, mask, 0.0);
}

/// attention_bias, where each dimension may be 1.
static Value biasOf(Node &n, Value bias, const CachedAttention &a) {
  if (n.failed() || !bias)
    return {};
  if (n.rank(bias) > 4) {
    n.fail("attention_bias " + llm::formatDims(n.dims(bias)) + " has more than 4 dimensions");
    return {};
  }
  bias = n.cast(bias, n.elementTypeOf(a.query));
  if (n.rank(bias) > 0 && !n.dims(bias).back().isConstant(1))
    bias = forKeys(n, bias, a, "keys of attention_bias");
  for (int64_t back = 2; back <= n.rank(bias) && !n.failed(); ++back)
    if (DimExpr size = n.dims(bias)[n.rank(bias) - back]; !size.isConstant(1))
      n.requireEqual(size, n.dims(a.query)[4 - back], "attention_bias");
  return bias;
}

/// onnxruntime gives the lowest number where a query must not see a key.
static Value shownScores(Node &n, const CachedAttention &a, const AttentionSteps &steps) {
  if (n.failed() || !a.causal)
    return steps.biased;
  Value lowest = n.scalar(std::numeric_limits<float>::lowest(), n.elementTypeOf(steps.biased));
  Value isHidden =
      n.compare(llm::ComparePredicate::eq, steps.biased, -std::numeric_limits<double>::infinity());
  return n.select(isHidden, lowest, steps.biased);
}

/// In f32 at least: the scores that are shown have a type of their own.
static void attendAndShow(Node &n, CachedAttention &a) {
  Type element = n.elementTypeOf(a.query), shown = n.declaredElement(3);
  Type wide = element.isF64() ? element : Type(n.builder.getF32Type());
  for (Value *operand : {&a.query, &a.key, &a.value, &a.bias})
    if (*operand)
      *operand = n.cast(*operand, wide);
  AttentionSteps steps = attendInSteps(n, a, wide);
  n.setOutput(0, mergeHeads(n, n.cast(steps.result, element)));
  n.setOutput(
      3, n.cast(shownScores(n, a, steps), isa_and_nonnull<FloatType>(shown) ? shown : element));
}

void llmc::importer::finishAttention(Node &n, CachedAttention &a, Value mask, Value bias) {
  checkOperands(n, a);
  if (n.failed())
    return;
  a.scale = n.floatAttr("scale", 0);
  if (a.scale == 0)
    a.scale = defaultScale(n, a.query);
  a.causal = n.intAttr("unidirectional", 0) != 0;
  a.bias = biasOf(n, bias, a);
  if (mask && !n.failed()) {
    Type element = n.elementTypeOf(a.query);
    double filter = n.floatAttr("mask_filter_value", -10000);
    Value visible = takesPart(n, mask, a);
    a.bias = addBias(n, a.bias, n.select(visible, n.scalar(0, element), n.scalar(filter, element)));
  }
  if (n.hasOutput(3))
    return attendAndShow(n, a);
  n.setOutput(0, mergeHeads(n, attend(n, a)));
}
