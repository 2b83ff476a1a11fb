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

namespace {
/// An operand of a norm with the normalised dimensions put together.
struct Rows {
  Dims shape;       ///< of the operand
  int64_t axis = 0; ///< first normalised dimension
  Value input;      ///< [.., width]
  DimExpr width;
};
} // namespace

static Rows rowsOf(Node &n, Value x) {
  Rows rows;
  rows.shape = n.dims(x);
  rows.axis = n.axis(n.intAttr("axis", -1), n.rank(x));
  if (n.failed())
    return rows;
  Dims flat = rows.shape;
  flat.truncate(rows.axis);
  rows.width = llm::product(ArrayRef(rows.shape).drop_front(rows.axis));
  flat.push_back(rows.width);
  rows.input = n.reshape(x, flat);
  return rows;
}

/// A scale or bias as the vector that the norm wants; null where it varies along other
/// dimensions than the normalised ones.
static Value vectorOf(Node &n, Value x, const Rows &rows) {
  if (n.failed() || !x)
    return {};
  Dims dims = n.dims(x), normalised(ArrayRef(rows.shape).drop_front(rows.axis));
  while (dims.size() > normalised.size() && dims.front().isConstant(1))
    dims.erase(dims.begin());
  if (dims.size() > normalised.size())
    return {};
  return n.reshape(n.broadcast(n.reshape(x, dims), normalised), {rows.width});
}

static llvm::APFloat epsilonOf(Node &n, double missing = 1e-5) {
  return llvm::APFloat(n.floatAttr("epsilon", missing));
}
/// onnxruntime's default for the skip forms.
static constexpr double kSkipEpsilon = 1e-12;

/// [.., 1, 1] for the rows' statistics [.., 1].
static Value statisticOf(Node &n, Value perRow, const Rows &rows) {
  Dims shape = rows.shape;
  std::fill(shape.begin() + rows.axis, shape.end(), DimExpr(1));
  return n.reshape(perRow, shape);
}

/// 1 / sqrt(mean of squares + epsilon), in f32 where the elements are shorter.
static Value inverseDeviation(Node &n, Value centred, double epsilon) {
  Value square = n.binary(BinaryKind::mul, centred, centred);
  Value mean = n.reduce(llm::ReduceKind::mean, square, {n.rank(centred) - 1}, /*keepdims=*/true);
  return n.unary(UnaryKind::rsqrt, n.binary(BinaryKind::add, mean, epsilon));
}

static Value inStatisticsType(Node &n, Value x) {
  return n.elementTypeOf(x) == n.builder.getF64Type() ? x : n.cast(x, n.builder.getF32Type());
}

/// The mean and the inverse deviation of each row as outputs `first` and `first + 1`.
static void setStatistics(Node &n, const Rows &rows, int first, double epsilon) {
  if (n.failed() || (!n.hasOutput(first) && !n.hasOutput(first + 1)))
    return;
  Value x = inStatisticsType(n, rows.input);
  Value mean = n.reduce(llm::ReduceKind::mean, x, {n.rank(x) - 1}, /*keepdims=*/true);
  Value inverse = inverseDeviation(n, n.binary(BinaryKind::sub, x, mean), epsilon);
  n.setOutput(first, statisticOf(n, mean, rows));
  n.setOutput(first + 1, statisticOf(n, inverse, rows));
}

static Value ones(Node &n, const DimExpr &count, Type element) {
  return n.broadcast(n.scalar(1, element), count);
}

/// The layer norm of `x` from the node's axis on, times `scale` plus `bias`.
static Value layerNorm(Node &n, const Rows &rows, Value scale, Value bias, llvm::APFloat epsilon) {
  if (n.failed())
    return {};
  Type element = n.elementTypeOf(rows.input);
  Value weight = vectorOf(n, scale, rows), offset = vectorOf(n, bias, rows);
  bool isInside = weight && bool(offset) == bool(bias);
  Value result =
      n.infer<llm::LayerNormOp>(rows.input, isInside ? weight : ones(n, rows.width, element),
                                isInside ? offset : Value(), epsilon);
  if (n.failed())
    return {};
  result = n.reshape(result, rows.shape);
  if (isInside)
    return result;
  result = n.binary(BinaryKind::mul, result, scale);
  return bias ? n.binary(BinaryKind::add, result, bias) : result;
}

/// The scale may have another type, which is then the result's.
static Value rmsNorm(Node &n, Rows rows, Value scale, llvm::APFloat epsilon) {
  if (n.failed())
    return {};
  Type given = n.elementTypeOf(rows.input), type = n.elementTypeOf(scale);
  if (given != type) {
    Type wide = given.getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth() ? given : type;
    wide = wide.getIntOrFloatBitWidth() < 32 ? n.builder.getF32Type() : wide;
    rows.input = n.cast(rows.input, wide);
    scale = n.cast(scale, wide);
  }
  Value weight = vectorOf(n, scale, rows);
  Value result = n.infer<llm::RMSNormOp>(
      rows.input, weight ? weight : ones(n, rows.width, n.elementTypeOf(scale)), epsilon);
  if (n.failed())
    return {};
  result = n.reshape(result, rows.shape);
  return n.cast(weight ? result : n.binary(BinaryKind::mul, result, scale), type);
}

static void layerNormOp(Node &n) {
  llvm::APFloat epsilon = epsilonOf(n);
  Rows rows = rowsOf(n, n.input(0));
  n.setOutput(0, layerNorm(n, rows, n.input(1), n.input(2), epsilon));
  setStatistics(n, rows, 1, epsilon.convertToDouble());
}

static void setInverseRMS(Node &n, const Rows &rows, int output, double epsilon) {
  if (n.failed() || !n.hasOutput(output))
    return;
  Value inverse = inverseDeviation(n, inStatisticsType(n, rows.input), epsilon);
  n.setOutput(output, statisticOf(n, inverse, rows));
}

static void rmsNormOp(Node &n) {
  llvm::APFloat epsilon = epsilonOf(n);
  Rows rows = rowsOf(n, n.input(0));
  n.setOutput(0, rmsNorm(n, rows, n.input(1), epsilon));
  setInverseRMS(n, rows, 1, epsilon.convertToDouble());
}

/// (input + skip + bias); also output 3.
static Value skipSum(Node &n, Value bias) {
  Value sum = n.binary(BinaryKind::add, n.input(0), n.input(1));
  if (bias)
    sum = n.binary(BinaryKind::add, sum, bias);
  n.setOutput(3, sum);
  return sum;
}

static void skipLayerNormOp(Node &n) {
  llvm::APFloat epsilon = epsilonOf(n, kSkipEpsilon);
  Rows rows = rowsOf(n, skipSum(n, n.input(4)));
  n.setOutput(0, layerNorm(n, rows, n.input(2), n.input(3), epsilon));
  setStatistics(n, rows, 1, epsilon.convertToDouble());
}

static void skipRMSNormOp(Node &n) {
  llvm::APFloat epsilon = epsilonOf(n, kSkipEpsilon);
  Rows rows = rowsOf(n, skipSum(n, n.input(3)));
  n.setOutput(0, rmsNorm(n, rows, n.input(2), epsilon));
  setInverseRMS(n, rows, 2, epsilon.convertToDouble());
  // The norm takes no mean away; onnxruntime gives zeros.
  if (n.hasOutput(1) && !n.failed()) {
    Dims shape = rows.shape;
    std::fill(shape.begin() + rows.axis, shape.end(), DimExpr(1));
    n.setOutput(1, n.broadcast(n.scalar(0, n.builder.getF32Type()), shape));
  }
}

/// How many tokens of each row the mask [B, S] lets take part, as i32; 0 without a mask.
static Value tokensOf(Node &n, Value mask, const DimExpr &batch) {
  Type i32 = n.builder.getI32Type();
  if (!mask)
    return n.broadcast(n.scalar(0, i32), {batch});
  return n.reduce(llm::ReduceKind::sum, n.cast(mask, i32), {1}, /*keepdims=*/false);
}

/// Inputs: ids [B, S], segment ids, tables of words, positions and segments, scale, bias,
/// mask [B, S], position ids. Outputs: the norm of the embeddings' sum, tokens, the sum.
static void embedLayerNormOp(Node &n) {
  Value ids = n.input(0), segments = n.input(1), mask = n.input(7), positions = n.input(8);
  for (int input : {2, 3, 5, 6})
    if (!n.input(input))
      return n.fail("needs input " + Twine(input));
  if (n.rank(ids) != 2)
    return n.fail("needs ids of rank 2, found " + llm::formatDims(n.dims(ids)));
  if (bool(segments) != bool(n.input(4)))
    return n.fail("needs segment_ids and segment_embedding together");
  if (mask && n.rank(mask) != 2)
    return n.fail("needs a mask of rank 2, found " + llm::formatDims(n.dims(mask)));
  auto embed = [&](int table, Value indices) {
    if (n.rank(n.input(table)) != 2)
      n.fail("needs a table of rank 2, found " + llm::formatDims(n.dims(n.input(table))));
    return n.gather(n.input(table), 0, n.asI64(indices));
  };
  llvm::APFloat epsilon = epsilonOf(n, kSkipEpsilon);
  Value sum = embed(2, ids);
  Value place = embed(3, positions ? positions : n.iota(n.dims(ids)[1]));
  sum = n.binary(BinaryKind::add, sum, place);
  if (segments)
    sum = n.binary(BinaryKind::add, sum, embed(4, segments));
  n.setOutput(0, layerNorm(n, rowsOf(n, sum), n.input(5), n.input(6), epsilon));
  if (n.hasOutput(1))
    n.setOutput(1, tokensOf(n, mask, n.dims(ids)[0]));
  n.setOutput(2, sum);
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
  t.add(kMicrosoft, "EmbedLayerNormalization", 1,
        {embedLayerNormOp, 1, 9, 3, "epsilon mask_index_type"});
}
