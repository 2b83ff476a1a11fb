//===- GroupQueryAttention.cpp - com.microsoft GroupQueryAttention
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rotary embedding, cache append and causal attention in one node, as
// onnxruntime-genai writes it. seqlens_k[b] is the number of valid keys of
// sequence b after this step, minus one.
//
//===----------------------------------------------------------------------===//
#include "Heads.h"
#include "OpTable.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

namespace {
struct QKV {
  Value query, key, value;
};
} // namespace

/// Query, key and value as [B, H, S, D], from three operands or a packed one.
static QKV splitOperands(Node &n, int64_t heads, int64_t keyHeads) {
  Value query = n.input(0), key = n.input(1), value = n.input(2);
  if (n.rank(query) != 3 || heads < 1 || keyHeads < 1 || heads % keyHeads) {
    n.fail("query " + llm::formatDims(n.dims(query)) + " with num_heads " + Twine(heads) +
           " and kv_num_heads " + Twine(keyHeads));
    return {};
  }
  if (!key) {
    DimExpr width = n.dims(query)[2], all = heads + 2 * keyHeads;
    if (!DimExpr::mod(width, all).isConstant(0)) {
      n.fail("packed width " + width.str() + " does not divide into " + all.str() + " heads");
      return {};
    }
    DimExpr head = DimExpr::floorDiv(width, all);
    DimExpr queryWidth = head * heads, keyWidth = head * keyHeads;
    key = n.slice(query, 2, queryWidth, keyWidth);
    value = n.slice(query, 2, queryWidth + keyWidth, keyWidth);
    query = n.slice(query, 2, 0, queryWidth);
  } else if (!value) {
    n.fail("has a key but no value");
  }
  return {splitHeads(n, query, heads), splitHeads(n, key, keyHeads),
          splitHeads(n, value, keyHeads)};
}

static void rejectUnknown(Node &n) {
  for (int i : {12, 13})
    if (n.input(i))
      n.fail("not supported: input " + Twine(i) + " (cache scales)");
  if (n.hasOutput(3))
    n.fail("not supported: output 3 (output_qk)");
  if (n.intAttr("smooth_softmax", 0) > 0)
    n.fail("not supported: smooth_softmax");
  for (StringRef name : {"k_quant_type", "v_quant_type"})
    if (n.stringAttr(name, "NONE") != "NONE")
      n.fail("not supported: " + name + " = '" + n.stringAttr(name, "") + "'");
  if (!n.input(5) || !n.input(6))
    n.fail("needs seqlens_k and total_sequence_length");
}

/// max(seqlens_k + 1 - S, 0): tokens of each sequence before this step.
static Value pastLengths(Node &n, const DimExpr &batch, const DimExpr &sequence) {
  Type i64 = n.builder.getI64Type();
  Value lens = n.reshape(n.cast(n.input(5), i64), batch);
  Value before = n.binary(BinaryKind::add, lens, n.sizes(DimExpr(1) - sequence, i64, true));
  return n.binary(BinaryKind::max, before, n.scalar(0, i64));
}

static QKV applyRotary(Node &n, QKV qkv, Value pastLens) {
  if (n.failed() || !n.intAttr("do_rotary", 0))
    return qkv;
  Value cos = n.input(7), sin = n.input(8);
  if (!cos || !sin) {
    n.fail("do_rotary needs cos_cache and sin_cache");
    return {};
  }
  Dims dims = n.dims(qkv.query);
  Value positions =
      n.input(9) ? n.cast(n.input(9), n.builder.getI64Type())
                 : n.binary(BinaryKind::add, n.reshape(pastLens, {dims[0], 1}), n.iota(dims[2]));
  std::optional<int64_t> channels = n.rank(cos) == 2 ? n.dims(cos)[1].constant() : std::nullopt;
  if (!channels) {
    n.fail("cos_cache " + llm::formatDims(n.dims(cos)) + " has no constant width");
    return {};
  }
  RotaryOptions options{n.intAttr("rotary_interleaved", 0) != 0, 2 * *channels};
  qkv.query = rotate(n, qkv.query, cos, sin, positions, options);
  qkv.key = rotate(n, qkv.key, cos, sin, positions, options);
  return qkv;
}

static void groupQueryAttentionOp(Node &n) {
  rejectUnknown(n);
  int64_t heads = n.intAttr("num_heads", 0), keyHeads = n.intAttr("kv_num_heads", 0);
  QKV qkv = splitOperands(n, heads, keyHeads);
  if (n.failed())
    return;
  Value pastKey = n.input(3), pastValue = n.input(4);
  Dims query = n.dims(qkv.query);
  Value pastLens = pastLengths(n, query[0], query[2]);
  qkv = applyRotary(n, qkv, pastLens);
  if (bool(pastKey) != bool(pastValue))
    n.fail("needs past_key and past_value together");
  if (pastKey && !n.failed()) {
    if (n.rank(pastKey) != 4 || n.rank(pastValue) != 4)
      return n.fail("past_key " + llm::formatDims(n.dims(pastKey)) + " has not rank 4");
    for (Value past : {pastKey, pastValue}) {
      n.requireEqual(n.dims(past)[0], n.dims(qkv.key)[0], "batch size of the past");
      n.requireEqual(n.dims(past)[1], keyHeads, "heads of the past");
      n.requireEqual(n.dims(past)[3], n.dims(qkv.key)[3], "head size of the past");
    }
    n.requireEqual(n.dims(pastKey)[2], n.dims(pastValue)[2], "lengths of the past");
    qkv.key = n.infer<llm::KVAppendOp>(pastKey, qkv.key, pastLens);
    qkv.value = n.infer<llm::KVAppendOp>(pastValue, qkv.value, pastLens);
  }
  if (n.failed())
    return;
  if (std::optional<Dims> total = n.known(n.input(6)); total && total->size() == 1)
    n.requireEqual(n.dims(qkv.key)[2], total->front(), "total_sequence_length");
  query = n.dims(qkv.query);
  std::optional<int64_t> headSize = query[3].constant();
  double scale = n.floatAttr("scale", 0);
  if (scale == 0 && !headSize)
    return n.fail("not supported: the default scale of a head size that is not constant");
  if (scale == 0)
    scale = 1 / std::sqrt(double(*headSize));
  int64_t window = std::max<int64_t>(n.intAttr("local_window_size", -1), 0);
  Value out = n.make<llm::AttentionOp>(
      llm::makeTensorType(query, n.elementTypeOf(qkv.query)), qkv.query, qkv.key, qkv.value,
      /*bias=*/n.input(10), pastLens, /*sinks=*/n.input(11), llvm::APFloat(scale),
      /*causal=*/true, uint64_t(window), llvm::APFloat(n.floatAttr("softcap", 0)));
  n.setOutput(0, mergeHeads(n, out));
  if (n.hasOutput(1))
    n.setOutput(1, qkv.key);
  if (n.hasOutput(2))
    n.setOutput(2, qkv.value);
}

void llmc::importer::addGroupQueryAttentionOps(OpTable &t) {
  t.add(kMicrosoft, "GroupQueryAttention", 1,
        {groupQueryAttentionOp, 1, 14, 4,
         "do_rotary k_quant_type kv_cache_bit_width kv_num_heads local_window_size num_heads "
         "qk_output rotary_interleaved scale smooth_softmax softcap v_quant_type"});
}
