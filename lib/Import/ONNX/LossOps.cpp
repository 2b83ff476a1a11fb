//===- LossOps.cpp - losses of classification, forward
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;
using llm::ReduceKind;

/// The loss of each target, with the node's weights, ignored class and reduction:
/// `scores` are log-probabilities [N, C, d..], `target` classes [N, d..].
static Value likelihoodLoss(Node &n, Value scores, Value target, Value weights) {
  Dims shape = n.dims(target);
  if (n.failed() || shape.empty() || n.rank(scores) != int64_t(shape.size()) + 1) {
    n.fail("scores " + llm::formatDims(n.dims(scores)) + " for targets " + llm::formatDims(shape));
    return {};
  }
  Type type = n.elementTypeOf(scores);
  Value zero = n.scalar(0, type), index = n.asI64(target), ignored;
  if (n.hasAttribute("ignore_index")) {
    ignored = n.compare(llm::ComparePredicate::eq, index, double(n.intAttr("ignore_index", 0)));
    index = n.select(ignored, n.size(0), index);
  }
  Dims column = shape;
  column.insert(column.begin() + 1, 1);
  Value score = n.infer<llm::GatherElementsOp>(uint64_t(1), scores, n.reshape(index, column));
  Value loss = n.unary(UnaryKind::neg, n.reshape(score, shape));
  Value weight = weights ? n.gather(weights, 0, index) : n.broadcast(n.scalar(1, type), shape);
  if (ignored)
    weight = n.select(ignored, zero, weight);
  // An ignored score may be infinite.
  if (ignored)
    loss = n.select(ignored, zero, loss);
  loss = n.binary(BinaryKind::mul, loss, weight);
  std::string reduction = n.stringAttr("reduction", "mean");
  if (reduction == "none")
    return loss;
  if (reduction != "mean" && reduction != "sum")
    n.fail("reduction is '" + reduction + "', expected none, sum or mean");
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, shape.size()));
  Value sum = n.reduce(ReduceKind::sum, loss, axes, false);
  if (reduction == "sum")
    return sum;
  return n.binary(BinaryKind::div, sum, n.reduce(ReduceKind::sum, weight, axes, false));
}

static void negativeLogLikelihoodOp(Node &n) {
  n.setOutput(likelihoodLoss(n, n.input(0), n.input(1), n.input(2)));
}

static void softmaxCrossEntropyOp(Node &n) {
  Value x = n.input(0);
  Value shifted = n.binary(BinaryKind::sub, x, n.reduce(ReduceKind::max, x, {1}, true));
  Value sum = n.reduce(ReduceKind::sum, n.unary(UnaryKind::exp, shifted), {1}, true);
  Value logits = n.binary(BinaryKind::sub, shifted, n.unary(UnaryKind::log, sum));
  n.setOutput(0, likelihoodLoss(n, logits, n.input(1), n.input(2)));
  if (n.hasOutput(1))
    n.setOutput(1, logits);
}

void llmc::importer::addLossOps(OpTable &t) {
  t.add("", "NegativeLogLikelihoodLoss", 12,
        {negativeLogLikelihoodOp, 2, 3, 1, "ignore_index reduction"});
  t.add("", "SoftmaxCrossEntropyLoss", 12,
        {softmaxCrossEntropyOp, 2, 3, 2, "ignore_index reduction"});
}
