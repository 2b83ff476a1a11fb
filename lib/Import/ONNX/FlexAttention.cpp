//===- FlexAttention.cpp - attention with the model's own score functions
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ai.onnx.preview FlexAttention: `score_mod` and `prob_mod` are graphs over the
// whole [B, Hq, S, T]; they are imported where they are applied.
//
//===----------------------------------------------------------------------===//
#include "Attend.h"
#include "OpTable.h"
#include "Scope.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// `x` through the graph of an attribute, where there is one. Shape and type stay.
static Value applyGraph(Node &n, StringRef name, Value x) {
  const AttributeProto *found = n.attribute(name);
  if (n.failed() || !found)
    return x;
  if (!found->has_g() || found->g().output_size() != 1) {
    n.fail(name + " is not a graph with one output");
    return {};
  }
  SmallVector<Value> results;
  if (!n.walk().importInline(found->g(), n.scope(), results, x)) {
    n.failQuietly();
    return {};
  }
  Dims before = n.dims(x), after = n.dims(results[0]);
  if (before.size() != after.size() || n.elementTypeOf(x) != n.elementTypeOf(results[0])) {
    n.fail(name + " turns " + llm::formatDims(before) + " into " + llm::formatDims(after) +
           " or another element type");
    return {};
  }
  for (size_t i = 0; i < before.size(); ++i)
    n.requireEqual(before[i], after[i], name + ": dimension " + Twine(i));
  return results[0];
}

static void flexAttentionOp(Node &n) {
  Attention a{n.input(0), n.input(1), n.input(2)};
  checkOperands(n, a);
  if (n.failed())
    return;
  a.scale = n.hasAttribute("scale") ? n.floatAttr("scale", 1) : defaultScale(n, a.query);
  Type element = n.elementTypeOf(a.query),
       precision = softmaxPrecision(n, element.isF64() ? TensorProto::DOUBLE : TensorProto::FLOAT);
  bool isPlain = !n.hasAttribute("score_mod") && !n.hasAttribute("prob_mod") &&
                 precision.getIntOrFloatBitWidth() >= element.getIntOrFloatBitWidth();
  if (isPlain)
    return n.setOutput(attend(n, a));
  Type wide =
      precision.getIntOrFloatBitWidth() > element.getIntOrFloatBitWidth() ? precision : element;
  Value scores = groupedScores(n, n.cast(a.query, wide), n.cast(a.key, wide));
  scores = n.cast(n.binary(BinaryKind::mul, scores, a.scale), precision);
  scores = applyGraph(n, "score_mod", scores);
  Value weights = applyGraph(n, "prob_mod", n.infer<llm::SoftmaxOp>(uint64_t(3), scores));
  n.setOutput(n.cast(groupedValues(n, weights, n.cast(a.value, precision)), element));
}

void llmc::importer::addFlexAttentionOps(OpTable &t) {
  t.add("ai.onnx.preview", "FlexAttention", 1,
        {flexAttentionOp, 3, 3, 1, "prob_mod scale score_mod softmax_precision"});
}
