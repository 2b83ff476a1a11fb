//===- QuantizedOps.cpp - weights in blocks of few bits
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "Quantization.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

static bool isBytes(Node &n, Value value) {
  return value && n.elementTypeOf(value).isUnsignedInteger(8);
}

namespace {
/// The format of a grouped n-bit weight, from a node's attributes.
struct Format {
  int64_t bits, groupSize;
};
} // namespace

static int64_t readBlockSize(Node &n, int64_t largest) {
  int64_t size = n.intAttr("block_size", 128);
  if (size < 16 || size > largest || (size & (size - 1)))
    n.fail("block_size " + Twine(size) + " is not a power of two from 16 to " + Twine(largest));
  return size;
}

static Format readFormat(Node &n, int64_t largestGroup) {
  Format format{n.intAttr("bits", 4), readBlockSize(n, largestGroup)};
  if (format.bits != 2 && format.bits != 4 && format.bits != 8)
    n.fail("not supported: " + Twine(format.bits) + "-bit weights");
  return format;
}

constexpr int64_t kMaxTableBlock = 65536;

bool llmc::importer::isAnyGiven(ArrayRef<Value> operands) {
  return llvm::any_of(operands, [](Value x) { return isa_and_nonnull<BlockArgument>(x); });
}

//===----------------------------------------------------------------------===//
// MatMulNBits
//===----------------------------------------------------------------------===//

/// Zero points are packed like the weights, rounded up to a byte per row, or floats.
static void checkZeroPoints(Node &n, Value zeroPoints, const Format &format, int64_t rows,
                            int64_t groups) {
  if (!zeroPoints || n.failed())
    return;
  bool isFloat = isa<FloatType>(n.elementTypeOf(zeroPoints));
  if (!isFloat && !isBytes(n, zeroPoints))
    return n.fail("the zero points are neither packed uint8 nor floats");
  int64_t expected = rows * (isFloat ? groups : (groups * format.bits + 7) / 8);
  n.requireEqual(llm::product(n.dims(zeroPoints)), expected,
                 isFloat ? "number of zero points" : "bytes of zero points");
}

namespace {
struct BlockMatrix {
  Value x, weight, scales, zeroPoints;
  Format format;
  int64_t rows, columns, groups;
};
} // namespace

/// The product where input k belongs to group `groupOf[k]`: the matrix is spelt out.
/// onnxruntime 1.31 leaves packed zero points out here, and reads 2-bit weights as 4-bit ones.
static Value productOverGroupIndices(Node &n, const BlockMatrix &m, Value groupOf) {
  Type f32 = n.builder.getF32Type();
  int64_t bytes = m.groups * m.format.groupSize * m.format.bits / 8;
  n.requireEqual(llm::product(n.dims(groupOf)), m.columns, "number of group indices against K");
  auto ofGroups = [&](Value perGroup) { return n.gather(perGroup, 1, groupOf); };
  Value numbers = unpackBits(n, n.reshape(m.weight, {m.rows, bytes}), m.format.bits, m.columns);
  Value zeroPoints;
  if (!m.zeroPoints)
    zeroPoints = n.scalar(double(int64_t(1) << (m.format.bits - 1)), f32);
  else if (isBytes(n, m.zeroPoints))
    zeroPoints = ofGroups(
        unpackBits(n, n.reshape(m.zeroPoints, {m.rows, (m.groups * m.format.bits + 7) / 8}),
                   m.format.bits, m.groups));
  else
    zeroPoints = ofGroups(n.reshape(m.zeroPoints, {m.rows, m.groups}));
  Value centred = n.binary(BinaryKind::sub, n.cast(numbers, f32), n.cast(zeroPoints, f32));
  Value scales = n.cast(ofGroups(n.reshape(m.scales, {m.rows, m.groups})), f32);
  Value matrix = n.cast(n.binary(BinaryKind::mul, centred, scales), n.elementTypeOf(m.x));
  return n.matmul(m.x, n.transpose(matrix, {1, 0}));
}

static void matmulNBitsOp(Node &n) {
  Format format = readFormat(n, 256);
  BlockMatrix m{n.input(0), n.input(1),        n.input(2),        n.input(3),
                format,     n.intAttr("N", 0), n.intAttr("K", 0), 0};
  // onnxruntime's CPU provider takes such bytes for ordinary ones and computes nonsense.
  if (int64_t layout = n.intAttr("weight_prepacked", 0))
    n.fail("not supported: weight_prepacked = " + Twine(layout) + ", a layout of some GPU");
  constexpr int64_t kMaxSize = int64_t(1) << 31;
  if (m.rows < 1 || m.columns < 1 || m.rows > kMaxSize || m.columns > kMaxSize)
    n.fail("K = " + Twine(m.columns) + " and N = " + Twine(m.rows) + " are not sizes of a matrix");
  if (n.failed())
    return;
  m.groups = (m.columns + format.groupSize - 1) / format.groupSize;
  int64_t blob = format.groupSize * format.bits / 8;
  if (!isBytes(n, m.weight))
    return n.fail("the weight is not uint8 data");
  if (!isa<FloatType>(n.elementTypeOf(m.x)) || !isa<FloatType>(n.elementTypeOf(m.scales)))
    return n.fail("the input or the scales are not of a float type");
  n.requireEqual(llm::product(n.dims(m.weight)), m.rows * m.groups * blob, "bytes of the weight");
  n.requireEqual(llm::product(n.dims(m.scales)), m.rows * m.groups, "number of scales");
  n.requireEqual(n.dims(m.x).empty() ? DimExpr(1) : n.dims(m.x).back(), m.columns,
                 "last dimension of the input against K");
  checkZeroPoints(n, m.zeroPoints, format, m.rows, m.groups);
  Value groupOf = n.input(4), bias = n.input(5);
  auto activations =
      n.intAttr("accuracy_level", 0) == 4 ? llm::Activations::int8 : llm::Activations::f32;
  // The symbols of a model's first input are never replaced.
  if (!groupOf && activations == llm::Activations::int8 && !n.dims(m.x).empty() &&
      !n.dims(m.x).back().constant())
    return n.fail("not supported: an input of shape " + llm::formatDims(n.dims(m.x)) +
                  "; its last dimension has to be declared as " + Twine(m.columns));
  if (!groupOf && isAnyGiven({m.weight, m.scales, m.zeroPoints, bias}))
    groupOf = n.binary(BinaryKind::div, n.iota(m.columns), double(format.groupSize));
  if (groupOf) {
    Value product = productOverGroupIndices(n, m, n.reshape(groupOf, {m.columns}));
    return n.setOutput(bias ? n.binary(BinaryKind::add, product, bias) : product);
  }
  Value packed = n.reshape(m.weight, {m.rows, m.groups, blob});
  Value scaleMatrix = n.reshape(m.scales, {m.rows, m.groups});
  mlir::OpBuilder &b = n.builder;
  n.setOutput(n.infer<llm::LinearOp>(
      m.x, packed, scaleMatrix, m.zeroPoints, bias, /*transposed=*/mlir::UnitAttr(),
      b.getI64IntegerAttr(format.bits), b.getI64IntegerAttr(format.groupSize),
      b.getI64IntegerAttr(m.columns), /*packed=*/mlir::BoolAttr(),
      llm::ActivationsAttr::get(b.getContext(), activations)));
}

//===----------------------------------------------------------------------===//
// GatherBlockQuantized
//===----------------------------------------------------------------------===//

/// Rows of a packed table along axis 0 in groups along the last are an embedding.
static void packedRowsOp(Node &n, const Format &format) {
  if (n.failed())
    return;
  Value table = n.input(0), scales = n.input(2);
  std::optional<int64_t> rows = n.dims(table)[0].constant(), bytes = n.dims(table)[1].constant();
  std::optional<int64_t> groups = n.dims(scales)[1].constant();
  constexpr int64_t kMaxSize = int64_t(1) << 31;
  for (std::optional<int64_t> size : {rows, bytes, groups})
    if (!size || *size > kMaxSize)
      return n.fail("the table is not constant");
  int64_t width = *bytes * 8 / format.bits;
  n.requireEqual(n.dims(scales)[0], *rows, "rows of the scales");
  n.requireEqual((width + format.groupSize - 1) / format.groupSize, *groups,
                 "groups of the scales");
  checkZeroPoints(n, n.input(3), format, *rows, *groups);
  mlir::OpBuilder &b = n.builder;
  n.setOutput(n.infer<llm::EmbeddingOp>(
      table, n.input(1), scales, n.input(3), b.getI64IntegerAttr(format.bits),
      b.getI64IntegerAttr(format.groupSize), b.getI64IntegerAttr(width), mlir::BoolAttr()));
}

/// Numbers that are integers, as a table with a parameter per block along `axis`.
static Quantization integerBlocks(Node &n, Value &table, int64_t axis) {
  Value scales = n.input(2), zeroPoints = n.input(3);
  Format format = readFormat(n, kMaxTableBlock);
  if (n.failed() || !isBytes(n, table))
    return {scales, zeroPoints, axis, format.groupSize};
  if (zeroPoints && (!isBytes(n, zeroPoints) || n.rank(zeroPoints) != n.rank(table))) {
    n.fail("the zero points of a packed table are packed uint8 of its rank, found " +
           llm::formatDims(n.dims(zeroPoints)));
    return {};
  }
  // Without zero points bytes are centred, numbers of 4-bit types are not.
  Value centre = n.scalar(double(int64_t(1) << (format.bits - 1)), n.elementTypeOf(table));
  if (zeroPoints)
    zeroPoints = unpackBits(n, zeroPoints, format.bits, n.dims(scales).back());
  else
    zeroPoints = n.broadcast(centre, n.dims(scales));
  table = unpackBits(n, table, format.bits, n.dims(table).back() * (8 / format.bits));
  return {scales, zeroPoints, axis, format.groupSize};
}

/// Numbers that are floats of few bits: blocks may be whole rows, and one scale may serve all
/// elements of another dimension.
static Quantization floatBlocks(Node &n, Value table, int64_t axis) {
  Value scales = n.input(2);
  Dims dims = n.dims(table);
  if (n.input(3))
    n.fail("zero points of floats");
  std::optional<int64_t> whole = dims[axis].constant();
  bool isWhole = n.intAttr("block_size", 128) == 0 && whole && *whole > 0;
  int64_t size = isWhole ? *whole : readBlockSize(n, kMaxTableBlock);
  if (n.failed())
    return {};
  dims[axis] = n.dims(scales)[axis];
  return {n.broadcast(scales, dims), Value(), axis, size};
}

static void gatherBlockQuantizedOp(Node &n) {
  Value table = n.input(0), indices = n.input(1), scales = n.input(2);
  int64_t rank = n.rank(table);
  if (n.failed())
    return;
  if (n.rank(scales) != rank || rank == 0)
    return n.fail("a table of shape " + llm::formatDims(n.dims(table)) + " with scales of shape " +
                  llm::formatDims(n.dims(scales)));
  int64_t gatherAxis = n.axis(n.intAttr("gather_axis", 0), rank);
  int64_t quantizeAxis = n.axis(n.intAttr("quantize_axis", 1), rank);
  if (n.failed())
    return;
  if (isBytes(n, table) && rank == 2 && gatherAxis == 0 && quantizeAxis == 1 &&
      !isAnyGiven({table, scales, n.input(3)}))
    return packedRowsOp(n, readFormat(n, kMaxTableBlock));
  Quantization how = isa<FloatType>(n.elementTypeOf(table)) ? floatBlocks(n, table, quantizeAxis)
                                                            : integerBlocks(n, table, quantizeAxis);
  Type result = n.elementTypeOf(scales);
  if (gatherAxis == quantizeAxis)
    return n.setOutput(n.gather(dequantize(n, table, how, result), gatherAxis, indices));
  how.scale = n.gather(how.scale, gatherAxis, indices);
  if (how.zeroPoint)
    how.zeroPoint = n.gather(how.zeroPoint, gatherAxis, indices);
  if (quantizeAxis > gatherAxis)
    how.axis += n.rank(indices) - 1;
  n.setOutput(dequantize(n, n.gather(table, gatherAxis, indices), how, result));
}

void llmc::importer::addQuantizedOps(OpTable &t) {
  t.add(kMicrosoft, "MatMulNBits", 1,
        {matmulNBitsOp, 3, 6, 1, "K N accuracy_level bits block_size weight_prepacked",
         "weight_prepacked"});
  t.add(kMicrosoft, "GatherBlockQuantized", 1,
        {gatherBlockQuantizedOp, 3, 4, 1, "bits block_size gather_axis quantize_axis"});
}
