//===- CodebookOps.cpp - weights that are indices of 16 numbers
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// The 4-bit formats of bitsandbytes, as onnxruntime has them: floats of one sign, two
/// exponent and one mantissa bit over 12, and quantiles of the normal distribution
/// (Dettmers et al. 2023, appendix E).
static constexpr float kFloat4[16] = {
    0.0f, 5.208333333e-03f,  0.66666667f,  1.0f,  0.33333333f,  0.5f,  0.16666667f,  0.25f,
    0.0f, -5.208333333e-03f, -0.66666667f, -1.0f, -0.33333333f, -0.5f, -0.16666667f, -0.25f};
static constexpr float kNormalFloat4[16] = {-1.0f,
                                            -0.6961928009986877f,
                                            -0.5250730514526367f,
                                            -0.39491748809814453f,
                                            -0.28444138169288635f,
                                            -0.18477343022823334f,
                                            -0.09105003625154495f,
                                            0.0f,
                                            0.07958029955625534f,
                                            0.16093020141124725f,
                                            0.24611230194568634f,
                                            0.33791524171829224f,
                                            0.44070982933044434f,
                                            0.5626170039176941f,
                                            0.7229568362236023f,
                                            1.0f};

/// The halves of each byte as i64, high bits first.
static Value halves(Node &n, Value bytes, const DimExpr &count) {
  if (n.failed())
    return {};
  Type ui8 = n.elementTypeOf(bytes);
  Value shift = n.constant(
      DenseElementsAttr::get(RankedTensorType::get({2}, ui8), ArrayRef<uint8_t>({4, 0})));
  Value shifted = n.binary(BinaryKind::shift_right, n.reshape(bytes, {count, 1}), shift);
  Value numbers = n.binary(BinaryKind::bitwise_and, shifted, 15.0);
  return n.asI64(n.reshape(numbers, {count * 2}));
}

/// x [.., K] times the transpose of a matrix [N, K]: two elements a byte, and one factor for
/// each block of them, whatever rows the block spans.
static void matmulBnb4Op(Node &n) {
  Value x = n.input(0), bytes = n.input(1), factors = n.input(2);
  int64_t rows = n.intAttr("N", 0), columns = n.intAttr("K", 0), block = n.intAttr("block_size", 0);
  int64_t format = n.intAttr("quant_type", 0);
  constexpr int64_t kMaxSize = int64_t(1) << 31;
  if (rows < 1 || columns < 1 || rows > kMaxSize || columns > kMaxSize)
    n.fail("K = " + Twine(columns) + " and N = " + Twine(rows) + " are not sizes of a matrix");
  if (block < 1 || block > kMaxSize)
    n.fail("block_size " + Twine(block) + " is not the size of a block");
  if (format != 0 && format != 1)
    n.fail("quant_type " + Twine(format) + " is neither 0 (FP4) nor 1 (NF4)");
  if (n.intAttr("transB", 1) != 1)
    n.fail("not supported: transB = 0");
  if (n.failed())
    return;
  if (!n.elementTypeOf(bytes).isUnsignedInteger(8))
    return n.fail("the weight is not uint8 data");
  if (!isa<FloatType>(n.elementTypeOf(x)) || !isa<FloatType>(n.elementTypeOf(factors)))
    return n.fail("the input or the scales are not of a float type");
  int64_t elements = rows * columns, numBytes = (elements + 1) / 2;
  int64_t blocks = (elements + block - 1) / block;
  n.requireEqual(llm::product(n.dims(bytes)), numBytes, "bytes of the weight");
  n.requireEqual(llm::product(n.dims(factors)), blocks, "number of scales");
  n.requireEqual(n.dims(x).empty() ? DimExpr(1) : n.dims(x).back(), columns,
                 "last dimension of the input against K");
  if (n.failed())
    return;
  auto tableType = RankedTensorType::get({16}, n.builder.getF32Type());
  ArrayRef<float> numbers = format == 0 ? ArrayRef(kFloat4) : ArrayRef(kNormalFloat4);
  Value table = n.constant(DenseElementsAttr::get(tableType, numbers));
  Value indices = n.slice(halves(n, bytes, numBytes), 0, 0, elements);
  Value weight = n.gather(table, 0, indices);
  Value scales = n.cast(n.reshape(factors, {blocks, 1}), n.builder.getF32Type());
  scales = n.reshape(n.broadcast(scales, {blocks, block}), {DimExpr(blocks) * block});
  weight = n.binary(BinaryKind::mul, weight, n.slice(scales, 0, 0, elements));
  Value matrix = n.cast(n.reshape(weight, {rows, columns}), n.elementTypeOf(x));
  n.setOutput(n.matmul(x, n.transpose(matrix, {1, 0})));
}

void llmc::importer::addCodebookOps(OpTable &t) {
  t.add(kMicrosoft, "MatMulBnb4", 1,
        {matmulBnb4Op, 3, 3, 1, "K N block_size quant_type training_mode transB"});
}
