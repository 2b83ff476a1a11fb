//===- AttentionOps.cpp - the standard's Attention (opset 23 and 24)
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In both versions a query's position is the number of valid keys before the
// block plus its index: past_sequence_length, nonpad_kv_seqlen - S, or 0.
//
//===----------------------------------------------------------------------===//
#include "Heads.h"
#include "OpTable.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// A boolean mask (true: take part) as a bias; keys that it does not reach
/// are masked.
static Value maskBias(Node &n, Value mask, Type element, const DimExpr &keys) {
  if (n.failed())
    return {};
  double inf = std::numeric_limits<double>::infinity();
  if (n.elementTypeOf(mask).isInteger(1))
    mask = n.select(mask, n.scalar(0, element), n.scalar(-inf, element));
  if (n.failed() || n.rank(mask) == 0)
    return mask;
  Dims dims = n.dims(mask);
  if (DimExpr::less(dims.back(), keys) != true || dims.back().isConstant(1))
    return mask;
  Dims missing = dims;
  missing.back() = keys - dims.back();
  return n.concat(n.rank(mask) - 1, {mask, n.broadcast(n.scalar(-inf, element), missing)});
}

/// Lower-triangular bias [S, T] for a block at position 0.
static Value causalBias(Node &n, const DimExpr &queries, const DimExpr &keys, Type element) {
  Value row = n.reshape(n.iota(queries), {queries, 1});
  Value visible = n.compare(llm::ComparePredicate::le, n.iota(keys), row);
  return n.select(visible, n.scalar(0, element),
                  n.scalar(-std::numeric_limits<double>::infinity(), element));
}

static Value addBias(Node &n, Value bias, Value more) {
  return bias ? n.binary(BinaryKind::add, bias, more) : more;
}

static void attentionOp(Node &n) {
  Value q = n.input(0), k = n.input(1), v = n.input(2);
  if (n.hasOutput(3))
    return n.fail("not supported: output 3 (qk_matmul_output)");
  int64_t precision = n.intAttr("softmax_precision", TensorProto::FLOAT);
  if (precision == TensorProto::DOUBLE)
    return n.fail("not supported: softmax_precision of double");
  bool isFlat = n.rank(q) == 3;
  if (isFlat) {
    q = splitHeads(n, q, n.intAttr("q_num_heads", 0));
    k = splitHeads(n, k, n.intAttr("kv_num_heads", 0));
    v = splitHeads(n, v, n.intAttr("kv_num_heads", 0));
  }
  if (!n.failed() && (n.rank(q) != 4 || n.rank(k) != 4 || n.rank(v) != 4))
    n.fail("query, key and value need rank 3 or 4");
  Value pastKey = n.input(4), pastValue = n.input(5), nonpad = n.input(6);
  if (bool(pastKey) != bool(pastValue) || (pastKey && nonpad))
    n.fail("needs past_key and past_value together, and without nonpad_kv_seqlen");
  if (pastKey) {
    k = n.concat(2, {pastKey, k});
    v = n.concat(2, {pastValue, v});
  }
  if (n.failed())
    return;
  n.requireEqual(n.dims(q)[0], n.dims(k)[0], "batch sizes");
  n.requireEqual(n.dims(q)[3], n.dims(k)[3], "head sizes of query and key");
  n.requireEqual(n.dims(k)[2], n.dims(v)[2], "numbers of keys and values");
  n.requireEqual(n.dims(k)[1], n.dims(v)[1], "heads of key and value");
  Dims query = n.dims(q), key = n.dims(k);
  Type element = n.elementTypeOf(q);
  if (n.failed() || !DimExpr::mod(query[1], key[1]).isConstant(0))
    return n.fail(query[1].str() + " query heads do not divide into " + key[1].str());

  Value bias = n.input(3) ? maskBias(n, n.input(3), element, key[2]) : Value();
  Value pastLens;
  if (nonpad)
    pastLens = n.binary(BinaryKind::sub, n.cast(nonpad, n.builder.getI64Type()),
                        n.sizes(query[2], n.builder.getI64Type()));
  bool causal = n.intAttr("is_causal", 0) != 0;
  // llm.attention aligns a block without past_lens with the last key; so does
  // the standard with a past. Without one the block starts at key 0.
  if (causal && !pastKey && !nonpad && DimExpr::equal(query[2], key[2]) != true) {
    causal = false;
    bias = addBias(n, bias, causalBias(n, query[2], key[2], element));
  }
  std::optional<int64_t> headSize = query[3].constant();
  if (!n.hasAttribute("scale") && !headSize)
    return n.fail("not supported: the default scale of a head size that is not constant");
  double scale = n.floatAttr("scale", headSize ? 1 / std::sqrt(double(*headSize)) : 0);
  Dims result = query;
  result[3] = n.dims(v)[3];
  Value out = n.make<llm::AttentionOp>(llm::makeTensorType(result, element), q, k, v, bias,
                                       pastLens, /*sinks=*/Value(), llvm::APFloat(scale), causal,
                                       uint64_t(0), llvm::APFloat(n.floatAttr("softcap", 0)));
  n.setOutput(0, isFlat ? mergeHeads(n, out) : out);
  if (n.hasOutput(1))
    n.setOutput(1, k);
  if (n.hasOutput(2))
    n.setOutput(2, v);
}

void llmc::importer::addAttentionOps(OpTable &t) {
  constexpr StringRef attributes =
      "is_causal kv_num_heads q_num_heads qk_matmul_output_mode scale softcap softmax_precision";
  t.add("", "Attention", 23, {attentionOp, 3, 6, 4, attributes});
  t.add("", "Attention", 24, {attentionOp, 3, 7, 4, attributes});
}
