//===- AttentionOps.cpp - the standard's Attention (opsets 23 to 25)
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In all versions a query's position is the number of valid keys before the
// block plus its index: past_sequence_length, nonpad_kv_seqlen - S, or 0.
// Scores are capped, then biased; a row that sees no key gives zeros.
//
//===----------------------------------------------------------------------===//
#include "Attend.h"
#include "Heads.h"
#include "OpTable.h"
#include <limits>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// The mask (where boolean, true: take part) as a bias; keys that it does not reach are
/// masked. So is a mask of one column for more keys read by the operator's function and by
/// onnx's reference, though its documentation allows broadcasting, too.
static Value maskBias(Node &n, Value mask, Type element, const DimExpr &keys) {
  if (n.failed() || !mask)
    return {};
  mask = n.elementTypeOf(mask).isInteger(1) ? biasWhere(n, mask, element) : n.cast(mask, element);
  if (n.failed() || n.rank(mask) == 0)
    return mask;
  Dims dims = n.dims(mask);
  bool isShorter =
      DimExpr::less(dims.back(), keys) == true || (dims.back().isConstant(1) && !keys.constant());
  if (!isShorter)
    return mask;
  Dims missing = dims;
  missing.back() = keys - dims.back();
  Value hidden = n.scalar(-std::numeric_limits<double>::infinity(), element);
  return n.concat(n.rank(mask) - 1, {mask, n.broadcast(hidden, missing)});
}

/// nullopt where a side of the window is not bounded: -1, or more keys than any tensor has.
static std::optional<int64_t> windowSide(Node &n, StringRef name) {
  int64_t size = n.intAttr(name, -1);
  if (size < -1)
    n.fail(name + " is " + Twine(size) + ", expected -1 or more");
  bool isBounded = size >= 0 && size < n.symbols.maxElements;
  return isBounded ? std::optional(size) : std::nullopt;
}

/// Says which keys are visible by what llm.attention knows, and by a bias where it
/// does not.
static void setVisibility(Node &n, Attention &a, Value nonpad, const DimExpr &before) {
  std::optional<int64_t> left = windowSide(n, "left_window_size");
  std::optional<int64_t> right = windowSide(n, "right_window_size");
  Dims query = n.dims(a.query), key = n.dims(a.key);
  if (n.failed())
    return;
  if (n.intAttr("is_causal", 0))
    right = 0;
  a.causal = right == 0;
  if (nonpad) {
    Value lens = n.binary(BinaryKind::min, n.asI64(nonpad), n.size(key[2]));
    a.pastLens = n.binary(BinaryKind::sub, lens, n.size(query[2]));
  } else if (DimExpr::equal(before + query[2], key[2]) != true && a.causal) {
    // Without lengths llm.attention ends the block at the last key.
    a.pastLens = n.broadcast(n.size(before), {query[0]});
  }
  bool hasPositions = a.pastLens || DimExpr::equal(before + query[2], key[2]) == true;
  if (left && hasPositions)
    a.window = *left + 1;
  Sight rest{a.pastLens ? a.pastLens : n.size(before), {}, {}};
  if (left && !hasPositions)
    rest.left = left;
  if (right && !a.causal)
    rest.right = right;
  a.bias = addBias(n, a.bias, sightBias(n, rest, query[2], key[2], n.elementTypeOf(a.query)));
}

/// The element type of the softmax where it says something: llm.attention computes f16 and
/// bf16 in f32, and rounds once, so that only less precise ones than the scores' count.
static Type softmaxType(Node &n, Type element) {
  Type asked = softmaxPrecision(n, TensorProto::FLOAT);
  if (asked.isF16() || asked.isBF16())
    return asked;
  return element.isF64() ? element : n.builder.getF32Type();
}

/// Output 3: what `qk_matmul_output_mode` chooses.
static Value shownScores(Node &n, const AttentionSteps &steps) {
  int64_t mode = n.intAttr("qk_matmul_output_mode", 0);
  Value stages[] = {steps.scores, steps.capped, steps.biased, steps.probabilities};
  if (mode >= 0 && mode <= 3)
    return stages[mode];
  n.fail("qk_matmul_output_mode is " + Twine(mode) + ", expected 0 to 3");
  return {};
}

static void attentionOp(Node &n) {
  Attention a{n.input(0), n.input(1), n.input(2)};
  bool isFlat = n.rank(a.query) == 3;
  if (isFlat) {
    a.query = splitHeads(n, a.query, n.intAttr("q_num_heads", 0));
    a.key = splitHeads(n, a.key, n.intAttr("kv_num_heads", 0));
    a.value = splitHeads(n, a.value, n.intAttr("kv_num_heads", 0));
  }
  Value pastKey = n.input(4), pastValue = n.input(5), nonpad = n.input(6);
  if (bool(pastKey) != bool(pastValue) || (pastKey && nonpad))
    n.fail("needs past_key and past_value together, and without nonpad_kv_seqlen");
  DimExpr before = 0;
  if (pastKey && !n.failed()) {
    if (n.rank(pastKey) != 4 || n.rank(pastValue) != 4)
      return n.fail("past_key " + llm::formatDims(n.dims(pastKey)) + " has not rank 4");
    a.key = n.concat(2, {pastKey, a.key});
    a.value = n.concat(2, {pastValue, a.value});
    before = n.dims(pastKey)[2];
  }
  checkOperands(n, a);
  if (n.failed())
    return;
  Type element = n.elementTypeOf(a.query);
  Value present = a.value;
  a.value = n.cast(a.value, element);
  a.scale = n.hasAttribute("scale") ? n.floatAttr("scale", 1) : defaultScale(n, a.query);
  a.softcap = n.floatAttr("softcap", 0);
  a.bias = maskBias(n, n.input(3), element, n.dims(a.key)[2]);
  setVisibility(n, a, nonpad, before);
  Type precision = softmaxType(n, element);
  if (n.failed())
    return;
  bool inSteps =
      n.hasOutput(3) || precision.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth();
  Value out;
  if (inSteps) {
    AttentionSteps steps = attendInSteps(n, a, precision);
    out = steps.result;
    if (n.hasOutput(3))
      n.setOutput(3, shownScores(n, steps));
  } else {
    out = attend(n, a);
  }
  n.setOutput(0, isFlat ? mergeHeads(n, out) : out);
  n.setOutput(1, a.key);
  n.setOutput(2, present);
}

void llmc::importer::addAttentionOps(OpTable &t) {
  constexpr StringRef attributes =
      "is_causal kv_num_heads q_num_heads qk_matmul_output_mode scale softcap softmax_precision";
  constexpr StringRef attributes25 =
      "is_causal kv_num_heads q_num_heads qk_matmul_output_mode scale softcap softmax_precision "
      "left_window_size right_window_size";
  t.add("", "Attention", 23, {attentionOp, 3, 6, 4, attributes});
  t.add("", "Attention", 24, {attentionOp, 3, 7, 4, attributes});
  t.add("", "Attention", 25, {attentionOp, 3, 7, 4, attributes25});
}
