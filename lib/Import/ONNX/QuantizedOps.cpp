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

static Format readFormat(Node &n, ArrayRef<int64_t> allowedBits) {
  Format format{n.intAttr("bits", 4), n.intAttr("block_size", 128)};
  if (!llvm::is_contained(allowedBits, format.bits))
    n.fail("not supported: " + Twine(format.bits) + "-bit weights");
  if (format.groupSize < 16 || format.groupSize > 65536 ||
      (format.groupSize & (format.groupSize - 1)))
    n.fail("block_size " + Twine(format.groupSize) + " is not a power of two from 16 to 65536");
  return format;
}

/// The `count` numbers of `bits` bits in each row of bytes, low bits first, a byte each.
static Value unpack(Node &n, Value bytes, int64_t bits, const DimExpr &count) {
  if (bits == 8 || n.failed())
    return bytes;
  int64_t perByte = 8 / bits;
  Dims dims = n.dims(bytes);
  Dims wide = dims;
  wide.push_back(1);
  Type ui8 = n.elementTypeOf(bytes);
  SmallVector<uint8_t> shifts;
  for (int64_t i = 0; i < perByte; ++i)
    shifts.push_back(uint8_t(i * bits));
  Value shift = n.constant(
      DenseElementsAttr::get(RankedTensorType::get({perByte}, ui8), ArrayRef<uint8_t>(shifts)));
  Value shifted = n.binary(BinaryKind::shift_right, n.reshape(bytes, wide), shift);
  Value numbers = n.binary(BinaryKind::bitwise_and, shifted, double((1 << bits) - 1));
  dims.back() = dims.back() * perByte;
  return n.slice(n.reshape(numbers, dims), dims.size() - 1, 0, count);
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
static Value productOverGroupIndices(Node &n, const BlockMatrix &m, Value groupOf) {
  Type f32 = n.builder.getF32Type();
  int64_t bytes = m.groups * m.format.groupSize * m.format.bits / 8;
  n.requireEqual(llm::product(n.dims(groupOf)), m.columns, "number of group indices against K");
  auto ofGroups = [&](Value perGroup) { return n.gather(perGroup, 1, groupOf); };
  Value numbers = unpack(n, n.reshape(m.weight, {m.rows, bytes}), m.format.bits, m.columns);
  Value zeroPoints;
  if (!m.zeroPoints)
    zeroPoints = n.scalar(double(int64_t(1) << (m.format.bits - 1)), f32);
  else if (isBytes(n, m.zeroPoints))
    zeroPoints =
        ofGroups(unpack(n, n.reshape(m.zeroPoints, {m.rows, (m.groups * m.format.bits + 7) / 8}),
                        m.format.bits, m.groups));
  else
    zeroPoints = ofGroups(n.reshape(m.zeroPoints, {m.rows, m.groups}));
  Value centred = n.binary(BinaryKind::sub, n.cast(numbers, f32), n.cast(zeroPoints, f32));
  Value scales = n.cast(ofGroups(n.reshape(m.scales, {m.rows, m.groups})), f32);
  Value matrix = n.cast(n.binary(BinaryKind::mul, centred, scales), n.elementTypeOf(m.x));
  return n.matmul(m.x, n.transpose(matrix, {1, 0}));
}

static void matmulNBitsOp(Node &n) {
  Format format = readFormat(n, {2, 4, 8});
  BlockMatrix m{n.input(0), n.input(1),        n.input(2),        n.input(3),
                format,     n.intAttr("N", 0), n.intAttr("K", 0), 0};
  if (n.intAttr("weight_prepacked", 0))
    n.fail("not supported: weight_prepacked");
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
  if (n.input(4)) {
    Value product = productOverGroupIndices(n, m, n.reshape(n.input(4), {m.columns}));
    return n.setOutput(n.input(5) ? n.binary(BinaryKind::add, product, n.input(5)) : product);
  }
  auto activations =
      n.intAttr("accuracy_level", 0) == 4 ? llm::Activations::int8 : llm::Activations::f32;
  // The symbols of a model's first input are never replaced.
  if (!n.failed() && activations == llm::Activations::int8 && !n.dims(m.x).empty() &&
      !n.dims(m.x).back().constant())
    return n.fail("not supported: an input of shape " + llm::formatDims(n.dims(m.x)) +
                  "; its last dimension has to be declared as " + Twine(m.columns));
  Value packed = n.reshape(m.weight, {m.rows, m.groups, blob});
  Value scaleMatrix = n.reshape(m.scales, {m.rows, m.groups});
  mlir::OpBuilder &b = n.builder;
  n.setOutput(n.infer<llm::LinearOp>(
      m.x, packed, scaleMatrix, m.zeroPoints, n.input(5), /*transposed=*/mlir::UnitAttr(),
      b.getI64IntegerAttr(format.bits), b.getI64IntegerAttr(format.groupSize),
      b.getI64IntegerAttr(m.columns), /*packed=*/mlir::BoolAttr(),
      llm::ActivationsAttr::get(b.getContext(), activations)));
}

//===----------------------------------------------------------------------===//
// GatherBlockQuantized
//===----------------------------------------------------------------------===//

/// Rows of a packed table along axis 0 in groups along the last are an embedding.
static void packedRowsOp(Node &n, const Format &format) {
  Value table = n.input(0), scales = n.input(2);
  std::optional<int64_t> rows = n.dims(table)[0].constant(), bytes = n.dims(table)[1].constant();
  std::optional<int64_t> groups = n.dims(scales)[1].constant();
  if (!rows || !bytes || !groups)
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

static void gatherBlockQuantizedOp(Node &n) {
  Format format = readFormat(n, {4, 8});
  Value table = n.input(0), indices = n.input(1), scales = n.input(2), zeroPoints = n.input(3);
  if (n.failed())
    return;
  int64_t rank = n.rank(table);
  if (n.rank(scales) != rank)
    return n.fail("a table of shape " + llm::formatDims(n.dims(table)) + " with scales of shape " +
                  llm::formatDims(n.dims(scales)));
  int64_t gatherAxis = n.axis(n.intAttr("gather_axis", 0), rank);
  int64_t quantizeAxis = n.axis(n.intAttr("quantize_axis", 1), rank);
  if (n.failed())
    return;
  bool isPacked = isBytes(n, table);
  if (isPacked && rank == 2 && gatherAxis == 0 && quantizeAxis == 1)
    return packedRowsOp(n, format);
  if (isPacked) {
    if (zeroPoints && (!isBytes(n, zeroPoints) || n.rank(zeroPoints) != rank))
      return n.fail("the zero points of a packed table are packed uint8 of its rank, found " +
                    llm::formatDims(n.dims(zeroPoints)));
    // Without zero points bytes are centred, numbers of 4-bit types are not.
    Value centre = n.scalar(double(int64_t(1) << (format.bits - 1)), n.elementTypeOf(table));
    if (zeroPoints)
      zeroPoints = unpack(n, zeroPoints, format.bits, n.dims(scales).back());
    else
      zeroPoints = n.broadcast(centre, n.dims(scales));
    table = unpack(n, table, format.bits, n.dims(table).back() * (8 / format.bits));
  }
  Quantization how{scales, zeroPoints, quantizeAxis, format.groupSize};
  Type result = n.elementTypeOf(scales);
  if (gatherAxis == quantizeAxis)
    return n.setOutput(n.gather(dequantize(n, table, how, result), gatherAxis, indices));
  how.scale = n.gather(scales, gatherAxis, indices);
  if (zeroPoints)
    how.zeroPoint = n.gather(zeroPoints, gatherAxis, indices);
  if (quantizeAxis > gatherAxis)
    how.axis += n.rank(indices) - 1;
  n.setOutput(dequantize(n, n.gather(table, gatherAxis, indices), how, result));
}

void llmc::importer::addQuantizedOps(OpTable &t) {
  t.add(kMicrosoft, "MatMulNBits", 1,
        {matmulNBitsOp, 3, 6, 1, "K N accuracy_level bits block_size weight_prepacked"});
  t.add(kMicrosoft, "GatherBlockQuantized", 1,
        {gatherBlockQuantizedOp, 3, 4, 1, "bits block_size gather_axis quantize_axis"});
}
