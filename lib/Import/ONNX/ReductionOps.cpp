//===- ReductionOps.cpp - reductions and softmax
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

/// The axes to reduce; nullopt where nothing is to be reduced.
static std::optional<SmallVector<int64_t>> reductionAxes(Node &n) {
  int64_t rank = n.rank(n.input(0));
  SmallVector<int64_t> axes = n.input(1) ? n.constantInts(1, "axes") : n.intsAttr("axes");
  for (int64_t &axis : axes)
    axis = n.axis(axis, rank);
  llvm::sort(axes);
  if (!axes.empty())
    return axes;
  if (n.intAttr("noop_with_empty_axes", 0))
    return std::nullopt;
  for (int64_t i = 0; i < rank; ++i)
    axes.push_back(i);
  return axes;
}

static void reduceAs(Node &n, ReduceKind kind, Value x) {
  auto axes = reductionAxes(n);
  n.setOutput(axes ? n.reduce(kind, x, *axes, n.intAttr("keepdims", 1) != 0) : x);
}

template <ReduceKind kind> static void reduceOp(Node &n) { reduceAs(n, kind, n.input(0)); }

static void reduceSumSquareOp(Node &n) {
  reduceAs(n, ReduceKind::sum, n.binary(BinaryKind::mul, n.input(0), n.input(0)));
}

static void reduceL1Op(Node &n) {
  reduceAs(n, ReduceKind::sum, n.unary(UnaryKind::abs, n.input(0)));
}

static void reduceL2Op(Node &n) {
  reduceSumSquareOp(n);
  if (!n.failed())
    n.setOutput(n.unary(UnaryKind::sqrt, n.results[0]));
}

static void reduceLogSumOp(Node &n) {
  reduceOp<ReduceKind::sum>(n);
  if (!n.failed())
    n.setOutput(n.unary(UnaryKind::log, n.results[0]));
}

/// Before opset 13 the axes from `axis` on are one: a softmax over a matrix.
static Value softmaxOf(Node &n) {
  Value x = n.input(0);
  Dims dims = n.dims(x);
  int64_t axis = n.axis(n.intAttr("axis", n.opset() < 13 ? 1 : -1), dims.size());
  if (n.opset() >= 13 || axis + 1 == int64_t(dims.size()))
    return n.infer<llm::SoftmaxOp>(uint64_t(axis), x);
  ArrayRef<DimExpr> all(dims);
  Value matrix =
      n.reshape(x, {llm::product(all.take_front(axis)), llm::product(all.drop_front(axis))});
  return n.reshape(n.infer<llm::SoftmaxOp>(uint64_t(1), matrix), dims);
}

static void softmaxOp(Node &n) { n.setOutput(softmaxOf(n)); }

/// x - max - log(sum(exp(x - max))), stable where log(softmax) is not.
static void logSoftmaxOp(Node &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x), first = n.axis(n.intAttr("axis", n.opset() < 13 ? 1 : -1), rank);
  SmallVector<int64_t> axes{first};
  for (int64_t i = first + 1; n.opset() < 13 && i < rank; ++i)
    axes.push_back(i);
  Value shifted = n.binary(BinaryKind::sub, x, n.reduce(ReduceKind::max, x, axes, true));
  Value sum = n.reduce(ReduceKind::sum, n.unary(UnaryKind::exp, shifted), axes, true);
  n.setOutput(n.binary(BinaryKind::sub, shifted, n.unary(UnaryKind::log, sum)));
}

void llmc::importer::addReductionOps(OpTable &t) {
  auto add = [&](StringRef name, int64_t inputSince, Handler handler) {
    t.add("", name, 1, {handler, 1, 1, 1, "axes keepdims"});
    t.add("", name, inputSince, {handler, 1, 2, 1, "keepdims noop_with_empty_axes"});
  };
  add("ReduceSum", 13, reduceOp<ReduceKind::sum>);
  add("ReduceMean", 18, reduceOp<ReduceKind::mean>);
  add("ReduceMax", 18, reduceOp<ReduceKind::max>);
  add("ReduceMin", 18, reduceOp<ReduceKind::min>);
  add("ReduceProd", 18, reduceOp<ReduceKind::prod>);
  add("ReduceSumSquare", 18, reduceSumSquareOp);
  add("ReduceL1", 18, reduceL1Op);
  add("ReduceL2", 18, reduceL2Op);
  add("ReduceLogSum", 18, reduceLogSumOp);
  t.add("", "Softmax", 1, {softmaxOp, 1, 1, 1, "axis"});
  t.add("", "LogSoftmax", 1, {logSoftmaxOp, 1, 1, 1, "axis"});
}
