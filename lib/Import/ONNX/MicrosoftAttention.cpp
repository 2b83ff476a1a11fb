//===- MicrosoftAttention.cpp - com.microsoft Attention on packed projections
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "Heads.h"
#include "MicrosoftAttend.h"
#include "OpTable.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// Index `i` of the first dimension, which goes.
static Value part(Node &n, Value x, int64_t i) {
  if (n.failed())
    return {};
  Dims rest = n.dims(x);
  rest.erase(rest.begin());
  return n.reshape(n.slice(x, 0, i, 1), rest);
}

/// Widths of query, key and value in the merged projection.
static SmallVector<int64_t, 3> projectionWidths(Node &n, const Dims &weights) {
  SmallVector<int64_t> sizes = n.intsAttr("qkv_hidden_sizes");
  std::optional<int64_t> width = weights.size() == 2 ? weights[1].constant() : std::nullopt;
  if (sizes.empty() && width && *width % 3 == 0)
    sizes.assign(3, *width / 3);
  bool fits = width && sizes.size() == 3 &&
              llvm::all_of(sizes, [&](int64_t size) { return size > 0 && size <= *width; }) &&
              sizes[0] + sizes[1] + sizes[2] == *width;
  if (!fits)
    n.fail("weights " + llm::formatDims(weights) + " do not split into query, key and value");
  return {sizes.begin(), sizes.end()};
}

/// Rotates query and key as CUDA's kernels do (CPU ones refuse do_rotary, or ignore it): halves of
/// the first channels against each other, by position / 10000^(2 r / channels).
static void applyRotary(Node &n, CachedAttention &a) {
  if (n.failed() || !n.intAttr("do_rotary", 0))
    return;
  int64_t asked = n.intAttr("rotary_embedding_dim", 0);
  if (!llvm::is_contained({0, 32, 64, 128}, asked))
    return n.fail("rotary_embedding_dim is " + Twine(asked) + ", expected 32, 64 or 128");
  Dims query = n.dims(a.query);
  int64_t channels = asked ? asked : query[3].constant().value_or(0);
  if (channels < 2 || channels % 2 || DimExpr::less(query[3], channels) == true)
    return n.fail("rotates " + Twine(channels) + " channels of " + query[3].str());
  Type f32 = n.builder.getF32Type();
  Value steps = n.cast(n.iota(channels / 2), f32);
  Value rates = n.binary(BinaryKind::pow, n.scalar(10000, f32),
                         n.binary(BinaryKind::div, steps, double(channels) / 2));
  Value position = n.binary(BinaryKind::add, n.iota(query[2], 1, 3), n.size(a.past));
  Value angles = n.binary(BinaryKind::div, n.cast(position, f32), rates);
  Value cos = n.unary(UnaryKind::cos, angles), sin = n.unary(UnaryKind::sin, angles);
  RotaryOptions options{/*interleaved=*/false, channels};
  a.query = rotate(n, a.query, cos, sin, /*positions=*/Value(), options);
  a.key = rotate(n, a.key, cos, sin, /*positions=*/Value(), options);
}

/// `key` and `value` [B, H, T, D] as [2, B, H, T, D].
static Value stack(Node &n, Value key, Value value) {
  if (n.failed())
    return {};
  Dims one = n.dims(key), other = n.dims(value);
  one.insert(one.begin(), 1);
  other.insert(other.begin(), 1);
  return n.concat(0, {n.reshape(key, one), n.reshape(value, other)});
}

/// Query, key and value from their merged projection.
static CachedAttention splitPacked(Node &n, Value packed) {
  CachedAttention a;
  SmallVector<int64_t, 3> widths = projectionWidths(n, n.dims(n.input(1)));
  if (!n.failed() && n.rank(packed) != 3)
    n.fail("input " + llm::formatDims(n.dims(n.input(0))) + " has not rank 3");
  if (n.failed())
    return a;
  int64_t heads = n.intAttr("num_heads", 0), start = 0;
  Value *const operands[] = {&a.query, &a.key, &a.value};
  for (auto [operand, width] : llvm::zip(operands, widths)) {
    *operand = splitHeads(n, n.slice(packed, 2, start, width), heads);
    start += width;
  }
  return a;
}

namespace {

/// Inputs that the two operators have in different places.
struct PackedInputs {
  Value packed; ///< input times weights
  Value mask, past, bias, pastLength;
};

} // namespace

/// Attention over the product of input and weights 0 and 1; `past` is [2, B, H, P, D].
static void packedAttention(Node &n, PackedInputs inputs) {
  if (n.input(2))
    inputs.packed = n.binary(BinaryKind::add, inputs.packed, n.input(2));
  CachedAttention a = splitPacked(n, inputs.packed);
  Value past = inputs.past, keys, values;
  if (past && (n.rank(past) != 5 || !n.dims(past)[0].isConstant(2)))
    n.fail("past " + llm::formatDims(n.dims(past)) + " is not [2, batch, heads, tokens, channels]");
  if (n.failed())
    return;
  bool isInBuffers = past && n.intAttr("past_present_share_buffer", 0);
  if (past) {
    DimExpr length = n.dims(past)[3], tokens = n.dims(a.key)[2];
    a.past = isInBuffers ? pastInBuffer(n, inputs.pastLength, length, tokens) : length;
    keys = part(n, past, 0);
    values = part(n, past, 1);
  }
  applyRotary(n, a);
  if (isInBuffers)
    appendToBuffers(n, a, keys, values, /*beams=*/Value());
  else
    appendPast(n, a, keys, values);
  finishAttention(n, a, inputs.mask, inputs.bias);
  if (n.hasOutput(1))
    n.setOutput(1, stack(n, a.presentKey, a.presentValue));
}

/// Inputs: input, weights, bias, mask_index, past, attention_bias, past_sequence_length.
static void attentionOp(Node &n) {
  Value packed = n.matmul(n.input(0), n.input(1));
  packedAttention(n, {packed, n.input(3), n.input(4), n.input(5), n.input(6)});
}

/// Inputs: input and weights of 8-bit integers, bias, their two scales, mask_index, their two
/// zero points, past.
static void quantizedAttentionOp(Node &n) {
  Value packed =
      scaledProduct(n, n.input(0), n.input(1), n.input(3), n.input(4), n.input(6), n.input(7));
  packed = n.cast(packed, n.elementTypeOf(n.input(3)));
  packedAttention(n, {packed, n.input(5), n.input(8), /*bias=*/Value(), /*pastLength=*/Value()});
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
         "do_rotary mask_filter_value num_heads past_present_share_buffer scale unidirectional",
         "past_present_share_buffer with a past, whose length it has no input for"});
  t.add(kMicrosoft, "RelativePositionBias", 1,
        {relativePositionBiasOp, 3, 3, 1, "is_bidirectional max_distance",
         "lengths that data decides"});
}
