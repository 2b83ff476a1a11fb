//===- MultiHeadAttention.cpp - com.microsoft MultiHeadAttention and its decoder form
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Heads.h"
#include "MicrosoftAttend.h"
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// [B, S, H, P, D] -> part i of P as [B, S, H * D].
static Value unpack(Node &n, Value x, int64_t i) {
  if (n.failed())
    return {};
  Dims dims = n.dims(x);
  return n.reshape(n.slice(x, 3, i, 1), {dims[0], dims[1], dims[2] * dims[4]});
}

/// Puts query, key and value into [B, H, S, D], whichever way they are packed. `bias`
/// belongs to the projections: query's first, then key's and value's.
static CachedAttention splitOperands(Node &n, int64_t heads, Value bias) {
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
  CachedAttention a;
  a.query = split(query);
  a.key = split(key);
  a.value = split(value);
  return a;
}

namespace {

/// Inputs that the two operators have in different places.
struct MultiHeadInputs {
  Value mask, bias, pastKey, pastValue, pastLength, beams, projectionBias;
};

} // namespace

static void multiHeadAttention(Node &n, const MultiHeadInputs &inputs, bool isInBuffers) {
  CachedAttention a = splitOperands(n, n.intAttr("num_heads", 0), inputs.projectionBias);
  checkOperands(n, a);
  if (n.intAttr("unidirectional", 0) && !n.failed())
    n.requireEqual(n.dims(a.query)[2], n.dims(a.key)[2], "unidirectional queries and their keys");
  if (n.failed())
    return;
  isInBuffers &= bool(inputs.pastKey);
  if (isInBuffers && n.input(1) && n.rank(n.input(1)) == 4)
    return n.fail("not supported: keys of an encoder, which are complete, with a past in buffers");
  if (isInBuffers && n.rank(inputs.pastKey) == 4) {
    a.past = pastInBuffer(n, inputs.pastLength, n.dims(inputs.pastKey)[2], n.dims(a.key)[2]);
    appendToBuffers(n, a, inputs.pastKey, inputs.pastValue, inputs.beams);
  } else {
    appendPast(n, a, inputs.pastKey, inputs.pastValue);
  }
  finishAttention(n, a, inputs.mask, inputs.bias);
  n.setOutput(1, a.presentKey);
  n.setOutput(2, a.presentValue);
}

/// Inputs: query, key, value, bias, key_padding_mask, attention_bias, past_key, past_value,
/// past_sequence_length, cache_indirection. With a length the pasts are buffers.
static void multiHeadAttentionOp(Node &n) {
  multiHeadAttention(
      n, {n.input(4), n.input(5), n.input(6), n.input(7), n.input(8), n.input(9), n.input(3)},
      /*isInBuffers=*/bool(n.input(8)));
}

/// Inputs: query, key, value, mask_index, attention_bias, past_key, past_value,
/// past_sequence_length, beam_width, cache_indirection, bias. The buffers of keys are as on
/// CPUs: CUDA's kernels have their channels in another order.
static void decoderAttentionOp(Node &n) {
  std::optional<Dims> width = n.known(n.input(8));
  if (width && width->size() == 1 && !n.input(9) && DimExpr::less(1, width->front()) == true)
    n.fail("beam_width " + width->front().str() + " needs cache_indirection");
  if (n.hasOutput(3) && !n.intAttr("output_qk", 0))
    n.fail("output 3 (qk) needs output_qk");
  multiHeadAttention(
      n, {n.input(3), n.input(4), n.input(5), n.input(6), n.input(7), n.input(9), n.input(10)},
      n.intAttr("past_present_share_buffer", 0) != 0);
}

void llmc::importer::addMultiHeadAttentionOps(OpTable &t) {
  t.add(kMicrosoft, "MultiHeadAttention", 1,
        {multiHeadAttentionOp, 1, 10, 4, "mask_filter_value num_heads scale unidirectional",
         "unidirectional with more keys than queries beside the past"});
  t.add(kMicrosoft, "DecoderMaskedMultiHeadAttention", 1,
        {decoderAttentionOp, 1, 11, 4,
         "mask_filter_value num_heads output_qk past_present_share_buffer scale"});
}
