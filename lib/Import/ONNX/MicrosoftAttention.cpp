//===- MicrosoftAttention.cpp - com.microsoft Attention and its multi-head forms
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Masks add mask_filter_value (a large negative number), so that a row of
// masked keys only still has a softmax; `unidirectional` hides keys for good.
//
//===----------------------------------------------------------------------===//
#include "Attend.h"
#include "Contraction.h"
#include "Heads.h"
#include "OpTable.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// What a padding mask lets take part, as i1 that broadcasts to [B, H, S, T]: from
/// [B] ends, [2 B] ends then starts, or a mask of [B, T] or [B, S, T].
static Value takesPart(Node &n, Value mask, const DimExpr &batch, const DimExpr &keys) {
  Dims dims = n.dims(mask);
  if (n.failed())
    return {};
  if (dims.size() == 1) {
    bool hasStarts = DimExpr::equal(dims[0], batch * 2) == true;
    if (!hasStarts && DimExpr::equal(dims[0], batch) != true) {
      n.fail("not supported: a mask of " + llm::formatDims(dims) + " for a batch of " +
             batch.str());
      return {};
    }
    Value bounds = n.asI64(mask), key = n.iota(keys);
    Value ends = n.reshape(n.slice(bounds, 0, 0, batch), {batch, 1, 1, 1});
    Value inside = n.compare(llm::ComparePredicate::lt, key, ends);
    if (!hasStarts)
      return inside;
    Value starts = n.reshape(n.slice(bounds, 0, batch, batch), {batch, 1, 1, 1});
    return n.binary(BinaryKind::logical_and, inside,
                    n.compare(llm::ComparePredicate::ge, key, starts));
  }
  if (dims.size() != 2 && dims.size() != 3) {
    n.fail("not supported: a mask of " + llm::formatDims(dims));
    return {};
  }
  Dims shape = {dims[0], 1, dims.size() == 3 ? dims[1] : DimExpr(1), dims.back()};
  return n.compare(llm::ComparePredicate::gt, n.reshape(mask, shape), 0.0);
}

/// attention_bias and the mask as one bias; null where there is neither.
static Value biasOf(Node &n, const Attention &a, Value mask, Value bias) {
  if (n.failed() || !mask)
    return bias;
  Type element = n.elementTypeOf(a.query);
  double filter = n.floatAttr("mask_filter_value", -10000);
  Value visible = takesPart(n, mask, n.dims(a.query)[0], n.dims(a.key)[2]);
  return addBias(n, bias, n.select(visible, n.scalar(0, element), n.scalar(filter, element)));
}

static void finishAttention(Node &n, Attention &a, Value mask, Value bias) {
  checkOperands(n, a);
  if (n.failed())
    return;
  a.scale = n.floatAttr("scale", 0);
  if (a.scale == 0)
    a.scale = defaultScale(n, a.query);
  a.causal = n.intAttr("unidirectional", 0) != 0;
  a.bias = biasOf(n, a, mask, bias);
  n.setOutput(0, mergeHeads(n, attend(n, a)));
}

/// Index `i` of the first dimension, which goes.
static Value part(Node &n, Value x, int64_t i) {
  if (n.failed())
    return {};
  Dims rest = n.dims(x);
  rest.erase(rest.begin());
  return n.reshape(n.slice(x, 0, i, 1), rest);
}

/// The past before the new keys and values; fails where only one of them is there.
static void appendPast(Node &n, Attention &a, Value pastKey, Value pastValue) {
  if (bool(pastKey) != bool(pastValue))
    n.fail("needs past_key and past_value together");
  if (!pastKey || n.failed())
    return;
  a.key = n.concat(2, {pastKey, a.key});
  a.value = n.concat(2, {pastValue, a.value});
}

/// Widths of query, key and value in the merged projection.
static SmallVector<int64_t, 3> projectionWidths(Node &n, const Dims &weights) {
  SmallVector<int64_t> sizes = n.intsAttr("qkv_hidden_sizes");
  std::optional<int64_t> width = weights.size() == 2 ? weights[1].constant() : std::nullopt;
  if (sizes.empty() && width && *width % 3 == 0)
    sizes.assign(3, *width / 3);
  bool fits = width && sizes.size() == 3 && sizes[0] > 0 && sizes[1] > 0 && sizes[2] > 0 &&
              sizes[0] + sizes[1] + sizes[2] == *width;
  if (!fits)
    n.fail("weights " + llm::formatDims(weights) + " do not split into query, key and value");
  return {sizes.begin(), sizes.end()};
}

/// Attention over the product of input and weights 0 and 1; `past` is [2, B, H, P, D].
static void packedAttention(Node &n, Value packed, Value mask, Value past, Value attentionBias) {
  for (StringRef name : {"past_present_share_buffer", "do_rotary"})
    if (n.intAttr(name, 0))
      n.fail("not supported: " + name);
  SmallVector<int64_t, 3> widths = projectionWidths(n, n.dims(n.input(1)));
  if (n.input(2))
    packed = n.binary(BinaryKind::add, packed, n.input(2));
  if (n.failed())
    return;
  if (n.rank(packed) != 3)
    return n.fail("input " + llm::formatDims(n.dims(n.input(0))) + " has not rank 3");
  int64_t heads = n.intAttr("num_heads", 0), start = 0;
  Attention a;
  Value *const operands[] = {&a.query, &a.key, &a.value};
  for (auto [operand, width] : llvm::zip(operands, widths)) {
    *operand = splitHeads(n, n.slice(packed, 2, start, width), heads);
    start += width;
  }
  if (past) {
    if (n.rank(past) != 5 || !n.dims(past)[0].isConstant(2))
      return n.fail("past " + llm::formatDims(n.dims(past)) + " is not [2, batch, ..]");
    appendPast(n, a, part(n, past, 0), part(n, past, 1));
  }
  finishAttention(n, a, mask, attentionBias);
  if (!n.hasOutput(1) || n.failed())
    return;
  Dims one = n.dims(a.key);
  one.insert(one.begin(), 1);
  n.setOutput(1, n.concat(0, {n.reshape(a.key, one), n.reshape(a.value, one)}));
}

/// Inputs: input, weights, bias, mask_index, past, attention_bias.
static void attentionOp(Node &n) {
  packedAttention(n, n.matmul(n.input(0), n.input(1)), n.input(3), n.input(4), n.input(5));
}

/// Inputs: input and weights of 8-bit integers, bias, their two scales, mask_index, their two
/// zero points, past.
static void quantizedAttentionOp(Node &n) {
  Value packed =
      scaledProduct(n, n.input(0), n.input(1), n.input(3), n.input(4), n.input(6), n.input(7));
  packedAttention(n, n.cast(packed, n.elementTypeOf(n.input(3))), n.input(5), n.input(8), {});
}

/// [B, S, H, P, D] -> part i of P as [B, S, H * D].
static Value unpack(Node &n, Value x, int64_t i) {
  if (n.failed())
    return {};
  Dims dims = n.dims(x);
  return n.reshape(n.slice(x, 3, i, 1), {dims[0], dims[1], dims[2] * dims[4]});
}

/// Puts query, key and value into [B, H, S, D], whichever way they are packed. `bias`
/// belongs to the projections: query's first, then key's and value's.
static Attention splitOperands(Node &n, int64_t heads, Value bias) {
  Value query = n.input(0), key = n.input(1), value = n.input(2);
  if (n.rank(query) == 5 && n.dims(query)[3].isConstant(3) && !key) {
    key = unpack(n, query, 1);
    value = unpack(n, query, 2);
    query = unpack(n, query, 0);
  } else if (key && n.rank(key) == 5 && n.dims(key)[3].isConstant(2) && !value) {
    value = unpack(n, key, 1);
    key = unpack(n, key, 0);
  } else if (!key && n.rank(query) == 3 && DimExpr::mod(n.dims(query)[2], 3).isConstant(0)) {
    DimExpr width = DimExpr::floorDiv(n.dims(query)[2], 3);
    key = n.slice(query, 2, width, width);
    value = n.slice(query, 2, width * 2, width);
    query = n.slice(query, 2, 0, width);
  }
  if (!n.failed() && (!key || !value || n.rank(key) != n.rank(value) || n.rank(query) != 3))
    n.fail("query " + llm::formatDims(n.dims(query)) + ", key " + llm::formatDims(n.dims(key)) +
           " and value " + llm::formatDims(n.dims(value)) + " are packed in no known way");
  if (bias && n.rank(bias) != 1)
    n.fail("bias " + llm::formatDims(n.dims(bias)) + " has not rank 1");
  DimExpr start = 0;
  auto addOwnBias = [&](Value x) {
    if (!bias || n.failed())
      return x;
    DimExpr width = n.dims(x)[2], first = start;
    start = start + width;
    return n.binary(BinaryKind::add, x, n.slice(bias, 0, first, width));
  };
  auto split = [&](Value x) {
    // Keys and values of an encoder come with their heads apart, and complete.
    return n.rank(x) == 4 ? x : splitHeads(n, addOwnBias(x), heads);
  };
  Attention a;
  a.query = split(query);
  a.key = split(key);
  a.value = split(value);
  return a;
}

static void multiHeadAttention(Node &n, Value mask, Value bias, int past, Value projectionBias) {
  if (n.hasOutput(3))
    n.fail("not supported: output 3 (qk)");
  if (n.intAttr("past_present_share_buffer", 0))
    n.fail("not supported: past_present_share_buffer");
  Attention a = splitOperands(n, n.intAttr("num_heads", 0), projectionBias);
  appendPast(n, a, n.input(past), n.input(past + 1));
  finishAttention(n, a, mask, bias);
  n.setOutput(1, a.key);
  n.setOutput(2, a.value);
}

/// Inputs: query, key, value, bias, key_padding_mask, attention_bias, past_key, past_value,
/// past_sequence_length, cache_indirection.
static void multiHeadAttentionOp(Node &n) {
  if (n.input(9))
    n.fail("not supported: input 9 (cache_indirection)");
  multiHeadAttention(n, n.input(4), n.input(5), 6, n.input(3));
}

/// Inputs: query, key, value, mask_index, attention_bias, past_key, past_value,
/// past_sequence_length, beam_width, cache_indirection, bias.
static void decoderAttentionOp(Node &n) {
  if (n.input(9))
    n.fail("not supported: input 9 (cache_indirection)");
  multiHeadAttention(n, n.input(3), n.input(4), 5, n.input(10));
}

/// The bucket of each distance from a query to a key, [S, T], as T5 has them: near distances
/// one by one, far ones on a logarithmic scale up to `maxDistance`.
static Value bucketsOf(Node &n, const DimExpr &queries, const DimExpr &keys, int64_t buckets,
                       int64_t maxDistance, bool isBidirectional) {
  Type i64 = n.builder.getI64Type(), f32 = n.builder.getF32Type();
  auto binary = [&](BinaryKind kind, Value a, Value b) { return n.binary(kind, a, b); };
  Value key = n.iota(keys, 1, 2), query = n.iota(queries, 0, 2);
  Value distance = binary(BinaryKind::sub, key, query);
  Value zero = n.scalar(0, i64), base = zero;
  if (isBidirectional) {
    buckets /= 2;
    Value isAhead = n.compare(llm::ComparePredicate::gt, distance, zero);
    base = n.select(isAhead, n.scalar(double(buckets), i64), zero);
    distance = n.unary(UnaryKind::abs, distance);
  } else {
    distance = binary(BinaryKind::max, binary(BinaryKind::sub, zero, distance), zero);
  }
  int64_t near = buckets / 2;
  if (near < 1 || maxDistance <= near) {
    n.fail("max_distance " + Twine(maxDistance) + " with " + Twine(buckets) + " buckets");
    return {};
  }
  // The logarithm of a near distance is not taken, but computed.
  Value far = n.cast(binary(BinaryKind::max, distance, n.scalar(double(near), i64)), f32);
  far = n.unary(UnaryKind::log, n.binary(BinaryKind::div, far, double(near)));
  far = n.binary(BinaryKind::div, far, std::log(double(maxDistance) / double(near)));
  far = n.cast(n.binary(BinaryKind::mul, far, double(buckets - near)), i64);
  far = binary(BinaryKind::add, far, n.scalar(double(near), i64));
  far = binary(BinaryKind::min, far, n.scalar(double(buckets - 1), i64));
  Value isNear = n.compare(llm::ComparePredicate::lt, distance, double(near));
  return binary(BinaryKind::add, base, n.select(isNear, distance, far));
}

/// Inputs: table [buckets, H] whose columns lie one after the other in memory, query length,
/// key length. Output: [1, H, S, T].
static void relativePositionBiasOp(Node &n) {
  Dims table = n.dims(n.input(0)), lengths;
  std::optional<int64_t> buckets =
      table.size() == 2 ? table[0].constant() : std::optional<int64_t>();
  if (!buckets)
    n.fail("needs a table of constant size, found " + llm::formatDims(table));
  for (int input : {1, 2}) {
    Dims length = n.knownInts(input, "a length");
    if (!n.failed() && length.size() != 1)
      n.fail("a length is one number");
    lengths.append(length);
  }
  int64_t maxDistance = n.intAttr("max_distance", 0);
  bool isBidirectional = n.intAttr("is_bidirectional", 0) != 0;
  if (n.failed())
    return;
  Value indices = bucketsOf(n, lengths[0], lengths[1], *buckets, maxDistance, isBidirectional);
  Value bias = n.gather(n.reshape(n.input(0), {table[1], table[0]}), 1, indices);
  n.setOutput(n.reshape(bias, {1, table[1], lengths[0], lengths[1]}));
}

void llmc::importer::addMicrosoftAttentionOps(OpTable &t) {
  t.add(kMicrosoft, "Attention", 1,
        {attentionOp, 2, 7, 2,
         "do_rotary mask_filter_value num_heads past_present_share_buffer qkv_hidden_sizes "
         "rotary_embedding_dim scale unidirectional"});
  t.add(kMicrosoft, "QAttention", 1,
        {quantizedAttentionOp, 5, 9, 2,
         "do_rotary mask_filter_value num_heads past_present_share_buffer rotary_embedding_dim "
         "scale unidirectional"});
  t.add(kMicrosoft, "RelativePositionBias", 1,
        {relativePositionBiasOp, 3, 3, 1, "is_bidirectional max_distance",
         "lengths that data decides"});
  t.add(kMicrosoft, "MultiHeadAttention", 1,
        {multiHeadAttentionOp, 1, 10, 4, "mask_filter_value num_heads scale unidirectional"});
  t.add(kMicrosoft, "DecoderMaskedMultiHeadAttention", 1,
        {decoderAttentionOp, 1, 11, 4,
         "mask_filter_value num_heads output_qk past_present_share_buffer scale"});
}
