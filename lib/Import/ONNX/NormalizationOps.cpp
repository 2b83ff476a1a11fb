//===- NormalizationOps.cpp - layer and root-mean-square norms
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

static void requireLastAxis(Node &n, Value x) {
  int64_t axis = n.axis(n.intAttr("axis", -1), n.rank(x));
  if (axis + 1 != n.rank(x))
    n.fail("not supported: normalisation from axis " + Twine(axis) + " of rank " +
           Twine(n.rank(x)) + "; only the last dimension is");
}

static void rejectStatistics(Node &n, int first, int last) {
  for (int i = first; i <= last; ++i)
    if (n.hasOutput(i))
      n.fail("not supported: output " + Twine(i) + " (statistics of the norm)");
}

static llvm::APFloat epsilonOf(Node &n, double missing = 1e-5) {
  return llvm::APFloat(n.floatAttr("epsilon", missing));
}
/// onnxruntime's default for the skip forms.
static constexpr double kSkipEpsilon = 1e-12;

static void layerNormOp(Node &n) {
  requireLastAxis(n, n.input(0));
  rejectStatistics(n, 1, 2);
  n.setOutput(n.infer<llm::LayerNormOp>(n.input(0), n.input(1), n.input(2), epsilonOf(n)));
}

static void rmsNormOp(Node &n) {
  requireLastAxis(n, n.input(0));
  rejectStatistics(n, 1, 1);
  n.setOutput(n.infer<llm::RMSNormOp>(n.input(0), n.input(1), epsilonOf(n)));
}

/// (input + skip + bias); also output 3, where it is used.
static Value skipSum(Node &n, Value bias) {
  rejectStatistics(n, 1, 2);
  Value sum = n.binary(BinaryKind::add, n.input(0), n.input(1));
  if (bias)
    sum = n.binary(BinaryKind::add, sum, bias);
  if (n.hasOutput(3))
    n.setOutput(3, sum);
  return sum;
}

static void skipLayerNormOp(Node &n) {
  Value sum = skipSum(n, n.input(4));
  n.setOutput(n.infer<llm::LayerNormOp>(sum, n.input(2), n.input(3), epsilonOf(n, kSkipEpsilon)));
}

static void skipRMSNormOp(Node &n) {
  Value sum = skipSum(n, n.input(3));
  n.setOutput(n.infer<llm::RMSNormOp>(sum, n.input(2), epsilonOf(n, kSkipEpsilon)));
}

void llmc::importer::addNormalizationOps(OpTable &t) {
  t.add("", "LayerNormalization", 17, {layerNormOp, 2, 3, 3, "axis epsilon stash_type"});
  t.add("", "RMSNormalization", 23, {rmsNormOp, 2, 2, 1, "axis epsilon stash_type"});
  // onnxruntime-genai writes this operator in the default domain.
  t.add("", "SimplifiedLayerNormalization", 1, {rmsNormOp, 2, 2, 2, "axis epsilon stash_type"});
  t.add(kMicrosoft, "SimplifiedLayerNormalization", 1,
        {rmsNormOp, 2, 2, 2, "axis epsilon stash_type"});
  t.add(kMicrosoft, "SkipLayerNormalization", 1, {skipLayerNormOp, 3, 5, 4, "epsilon"});
  t.add(kMicrosoft, "SkipSimplifiedLayerNormalization", 1, {skipRMSNormOp, 3, 4, 4, "epsilon"});
}
