//===- QuantizedOps.cpp - weights in few bits
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"

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

static Format readFormat(Node &n) {
  Format format{n.intAttr("bits", 4), n.intAttr("block_size", 128)};
  if (format.bits != 4 && format.bits != 8)
    n.fail("not supported: " + Twine(format.bits) + "-bit weights; 4 and 8 are");
  if (format.groupSize < 16 || format.groupSize > 65536 ||
      (format.groupSize & (format.groupSize - 1)))
    n.fail("block_size " + Twine(format.groupSize) + " is not a power of two from 16 to 65536");
  return format;
}

/// Zero points are packed like the weights, rounded up to a byte per row.
static void checkZeroPoints(Node &n, Value zeroPoints, const Format &format, int64_t rows,
                            int64_t groups) {
  if (!zeroPoints || n.failed())
    return;
  if (!isBytes(n, zeroPoints))
    return n.fail("not supported: zero points of a type other than packed uint8");
  int64_t expected = rows * ((groups * format.bits + 7) / 8);
  n.requireEqual(llm::product(n.dims(zeroPoints)), expected, "bytes of zero points");
}

static void matmulNBitsOp(Node &n) {
  Format format = readFormat(n);
  int64_t rows = n.intAttr("N", 0), columns = n.intAttr("K", 0);
  Value x = n.input(0), weight = n.input(1), scales = n.input(2);
  if (n.input(4))
    n.fail("not supported: input 4 (g_idx)");
  if (n.intAttr("weight_prepacked", 0))
    n.fail("not supported: weight_prepacked");
  constexpr int64_t kMaxSize = int64_t(1) << 31;
  if (rows < 1 || columns < 1 || rows > kMaxSize || columns > kMaxSize)
    n.fail("K = " + Twine(columns) + " and N = " + Twine(rows) + " are not sizes of a matrix");
  if (n.failed())
    return;
  int64_t groups = (columns + format.groupSize - 1) / format.groupSize;
  int64_t blob = format.groupSize * format.bits / 8;
  if (!isBytes(n, weight))
    return n.fail("the weight is not uint8 data");
  n.requireEqual(llm::product(n.dims(weight)), rows * groups * blob, "bytes of the weight");
  n.requireEqual(llm::product(n.dims(scales)), rows * groups, "number of scales");
  n.requireEqual(n.dims(x).empty() ? DimExpr(1) : n.dims(x).back(), columns,
                 "last dimension of the input against K");
  checkZeroPoints(n, n.input(3), format, rows, groups);
  auto activations =
      n.intAttr("accuracy_level", 0) == 4 ? llm::Activations::int8 : llm::Activations::f32;
  Value packed = n.reshape(weight, {rows, groups, blob});
  Value scaleMatrix = n.reshape(scales, {rows, groups});
  mlir::OpBuilder &b = n.builder;
  n.setOutput(n.infer<llm::LinearOp>(
      x, packed, scaleMatrix, n.input(3), n.input(5), /*transposed=*/mlir::UnitAttr(),
      b.getI64IntegerAttr(format.bits), b.getI64IntegerAttr(format.groupSize),
      b.getI64IntegerAttr(columns), /*packed=*/mlir::BoolAttr(),
      llm::ActivationsAttr::get(b.getContext(), activations)));
}

/// Rows of a quantised table: gather along axis 0, groups along the last.
static void gatherBlockQuantizedOp(Node &n) {
  Format format = readFormat(n);
  Value table = n.input(0), scales = n.input(2);
  if (n.failed())
    return;
  if (n.rank(table) != 2 || n.rank(scales) != 2)
    return n.fail("not supported: a table of shape " + llm::formatDims(n.dims(table)));
  int64_t gatherAxis = n.axis(n.intAttr("gather_axis", 0), 2);
  int64_t quantizeAxis = n.axis(n.intAttr("quantize_axis", 1), 2);
  if (gatherAxis != 0 || quantizeAxis != 1)
    return n.fail("not supported: gather_axis " + Twine(gatherAxis) + ", quantize_axis " +
                  Twine(quantizeAxis));
  if (!isBytes(n, table))
    return n.fail("not supported: a table of another type than uint8 or uint4");
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
      b.getI64IntegerAttr(format.groupSize), b.getI64IntegerAttr(width)));
}

void llmc::importer::addQuantizedOps(OpTable &t) {
  t.add(kMicrosoft, "MatMulNBits", 1,
        {matmulNBitsOp, 3, 6, 1, "K N accuracy_level bits block_size weight_prepacked"});
  t.add(kMicrosoft, "GatherBlockQuantized", 1,
        {gatherBlockQuantizedOp, 3, 4, 1, "bits block_size gather_axis quantize_axis"});
}
