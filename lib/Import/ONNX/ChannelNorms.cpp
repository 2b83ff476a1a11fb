//===- ChannelNorms.cpp - normalisation by statistics of channels
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

/// A vector per channel as [1, C, 1..] beside a tensor of `rank`.
static Value perChannel(Node &n, Value vector, int64_t rank) {
  if (n.rank(vector) != 1)
    n.fail("needs one number per channel, found " + llm::formatDims(n.dims(vector)));
  if (n.failed())
    return {};
  Dims shape(std::max<int64_t>(rank, 2), 1);
  shape[1] = n.dims(vector)[0];
  return n.reshape(vector, shape);
}

/// (x - mean) / sqrt(variance + epsilon).
static Value standardize(Node &n, Value x, Value mean, Value variance, double epsilon) {
  Value deviation = n.unary(UnaryKind::sqrt, n.binary(BinaryKind::add, variance, epsilon));
  return n.binary(BinaryKind::div, n.binary(BinaryKind::sub, x, mean), deviation);
}

/// With mean and variance of x itself over `axes`.
static Value standardizeOver(Node &n, Value x, ArrayRef<int64_t> axes, double epsilon) {
  Value mean = n.reduce(ReduceKind::mean, x, axes, true);
  Value centred = n.binary(BinaryKind::sub, x, mean);
  Value variance =
      n.reduce(ReduceKind::mean, n.binary(BinaryKind::mul, centred, centred), axes, true);
  return standardize(n, x, mean, variance, epsilon);
}

static SmallVector<int64_t> axesFrom(Node &n, Value x, int64_t first) {
  return llvm::to_vector(llvm::seq<int64_t>(first, std::max(first, n.rank(x))));
}

static Value scaleAndShift(Node &n, Value x, Value scale, Value bias) {
  return n.binary(BinaryKind::add, n.binary(BinaryKind::mul, x, scale), bias);
}

static void batchNormOp(Node &n) {
  Value x = n.input(0);
  if (n.intAttr("training_mode", 0) != 0 || n.hasOutput(1))
    return n.fail("not supported: training_mode");
  if (n.intAttr("spatial", 1) != 1)
    return n.fail("not supported: spatial = 0");
  int64_t rank = n.rank(x);
  Type type = n.elementTypeOf(x);
  auto operand = [&](int i) { return n.cast(perChannel(n, n.input(i), rank), type); };
  Value normal = standardize(n, x, operand(3), operand(4), n.floatAttr("epsilon", 1e-5));
  n.setOutput(scaleAndShift(n, normal, operand(1), operand(2)));
}

static void instanceNormOp(Node &n) {
  Value x = n.input(0);
  Value normal = standardizeOver(n, x, axesFrom(n, x, 2), n.floatAttr("epsilon", 1e-5));
  n.setOutput(scaleAndShift(n, normal, perChannel(n, n.input(1), n.rank(x)),
                            perChannel(n, n.input(2), n.rank(x))));
}

/// Scale and bias are those of each channel since opset 21, of each group before.
static void groupNormOp(Node &n) {
  Value x = n.input(0);
  Dims dims = n.dims(x);
  int64_t groups = n.intAttr("num_groups", 0);
  if (dims.size() < 2 || groups < 1)
    return n.fail(Twine(groups) + " groups of " + llm::formatDims(dims));
  Dims split = dims;
  split[1] = DimExpr::floorDiv(dims[1], groups);
  split.insert(split.begin() + 1, groups);
  Value grouped = n.reshape(x, split);
  Value normal = standardizeOver(n, grouped, axesFrom(n, grouped, 2), n.floatAttr("epsilon", 1e-5));
  bool perGroup = n.opset() < 21;
  int64_t rank = int64_t(perGroup ? split.size() : dims.size());
  if (!perGroup)
    normal = n.reshape(normal, dims);
  Value result =
      scaleAndShift(n, normal, perChannel(n, n.input(1), rank), perChannel(n, n.input(2), rank));
  n.setOutput(n.reshape(result, dims));
}

static void meanVarianceNormOp(Node &n) {
  Value x = n.input(0);
  SmallVector<int64_t> axes =
      n.hasAttribute("axes") ? n.intsAttr("axes") : SmallVector<int64_t>{0, 2, 3};
  for (int64_t &axis : axes)
    axis = n.axis(axis, n.rank(x));
  // Added to the deviation itself, as in ONNX's definition.
  constexpr double kEpsilon = 1e-9;
  Value mean = n.reduce(ReduceKind::mean, x, axes, true);
  Value meanOfSquares = n.reduce(ReduceKind::mean, n.binary(BinaryKind::mul, x, x), axes, true);
  Value variance = n.binary(BinaryKind::sub, meanOfSquares, n.binary(BinaryKind::mul, mean, mean));
  Value deviation = n.binary(BinaryKind::add, n.unary(UnaryKind::sqrt, variance), kEpsilon);
  n.setOutput(n.binary(BinaryKind::div, n.binary(BinaryKind::sub, x, mean), deviation));
}

/// x / (bias + alpha / size * sum of squares of `size` neighbouring channels) ^ beta.
static void lrnOp(Node &n) {
  Value x = n.input(0);
  Dims dims = n.dims(x);
  int64_t size = n.intAttr("size", 0);
  if (dims.size() < 2 || size < 1)
    return n.fail("the window is " + Twine(size) + " channels of " + llm::formatDims(dims));
  // The channels become a dimension that a window of 1-D slides over.
  Value squares = n.reshape(n.binary(BinaryKind::mul, x, x),
                            {dims[0], 1, dims[1], llm::product(ArrayRef(dims).drop_front(2))});
  SmallVector<int64_t> window{size, 1}, ones{1, 1}, pads{(size - 1) / 2, 0, size / 2, 0};
  Value sum = n.reshape(
      n.infer<llm::WindowReduceOp>(ReduceKind::sum, squares, window, ones, ones, pads), dims);
  Value scaled = n.binary(BinaryKind::mul, sum, n.floatAttr("alpha", 1e-4) / double(size));
  Value base = n.binary(BinaryKind::add, scaled, n.floatAttr("bias", 1));
  n.setOutput(
      n.binary(BinaryKind::div, x, n.binary(BinaryKind::pow, base, n.floatAttr("beta", 0.75))));
}

void llmc::importer::addChannelNormOps(OpTable &t) {
  t.add("", "BatchNormalization", 7,
        {batchNormOp, 5, 5, 5, "epsilon momentum spatial", "training_mode"});
  t.add("", "BatchNormalization", 14,
        {batchNormOp, 5, 5, 3, "epsilon momentum training_mode", "training_mode"});
  t.add("", "InstanceNormalization", 6, {instanceNormOp, 3, 3, 1, "epsilon"});
  t.add("", "GroupNormalization", 18, {groupNormOp, 3, 3, 1, "epsilon num_groups stash_type"});
  t.add("", "MeanVarianceNormalization", 9, {meanVarianceNormOp, 1, 1, 1, "axes"});
  t.add("", "LRN", 1, {lrnOp, 1, 1, 1, "alpha beta bias size"});
}
