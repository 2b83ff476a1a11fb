//===- IntegerProductOps.cpp - products of quantised tensors
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operands are widened to i32 and freed of their zero points, so that sums are
// exact. `llmc-recognize-quantized-linear` finds the 8-bit operands again.
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "OpTable.h"
#include "Quantization.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// `x - zeroPoint` in i32; a 1-D zero point lies along `axis` (counted from the end).
static Value widen(Node &n, Value x, Value zeroPoint, int64_t axisFromEnd) {
  Type i32 = n.builder.getI32Type();
  Value wide = n.cast(x, i32);
  if (!zeroPoint || n.failed())
    return wide;
  Dims dims = n.dims(zeroPoint);
  if (llm::product(dims).isConstant(1)) {
    dims.clear();
  } else if (dims.size() == 1) {
    n.requireEqual(n.rank(x) < axisFromEnd ? DimExpr(1) : *(n.dims(x).end() - axisFromEnd), dims[0],
                   "size of the axis against the zero point");
    dims.resize(axisFromEnd, 1);
  }
  return n.binary(BinaryKind::sub, wide, n.cast(n.reshape(zeroPoint, dims), i32));
}

Value llmc::importer::integerProduct(Node &n, Value a, Value b, Value aZeroPoint,
                                     Value bZeroPoint) {
  for (Value operand : {a, b})
    if (Type type = n.elementTypeOf(operand); type && !type.isInteger(8))
      n.fail("an operand is not of 8-bit integers");
  // One after the other: compilers differ in the order of arguments.
  Value left = widen(n, a, aZeroPoint, 2), right = widen(n, b, bZeroPoint, 1);
  return numpyMatmul(n, left, right);
}

/// A scale beside the columns of a product; `axisFromEnd` as for zero points.
static Value scaleBeside(Node &n, Value scale, int64_t axisFromEnd) {
  Dims dims = n.dims(scale);
  if (llm::product(dims).isConstant(1))
    dims.clear();
  else if (dims.size() == 1)
    dims.resize(axisFromEnd, 1);
  return n.cast(n.reshape(scale, dims), n.builder.getF32Type());
}

static Value scaled(Node &n, Value product, Value aScale, Value bScale) {
  Value scale = n.binary(BinaryKind::mul, scaleBeside(n, aScale, 2), scaleBeside(n, bScale, 1));
  return n.binary(BinaryKind::mul, n.cast(product, n.builder.getF32Type()), scale);
}

Value llmc::importer::scaledProduct(Node &n, Value a, Value b, Value aScale, Value bScale,
                                    Value aZeroPoint, Value bZeroPoint) {
  return scaled(n, integerProduct(n, a, b, aZeroPoint, bZeroPoint), aScale, bScale);
}

static void matmulIntegerOp(Node &n) {
  n.setOutput(integerProduct(n, n.input(0), n.input(1), n.input(2), n.input(3)));
}

/// Inputs: a, its scale and zero point, the same of b, scale and zero point of y.
static void qlinearMatmulOp(Node &n) {
  Value y =
      scaledProduct(n, n.input(0), n.input(3), n.input(1), n.input(4), n.input(2), n.input(5));
  Value scale = n.input(6), zeroPoint = n.input(7);
  if (!llm::product(n.dims(scale)).isConstant(1))
    return n.fail("not supported: a y_scale of shape " + llm::formatDims(n.dims(scale)));
  Type f32 = n.builder.getF32Type();
  n.setOutput(quantize(n, y, {scale, zeroPoint}, f32, n.elementTypeOf(zeroPoint)));
}

static void addBias(Node &n, Value product, Value bias) {
  n.setOutput(bias ? n.binary(BinaryKind::add, product, bias) : product);
}

static void dynamicQuantizeMatmulOp(Node &n) {
  if (!n.elementTypeOf(n.input(0)).isF32())
    return n.fail("the input is not of f32");
  DynamicallyQuantized a = quantizeDynamically(n, n.input(0));
  Value product =
      scaledProduct(n, a.data, n.input(1), a.scale, n.input(2), a.zeroPoint, n.input(3));
  addBias(n, product, n.input(4));
}

static void matmulIntegerToFloatOp(Node &n) {
  Value y =
      scaledProduct(n, n.input(0), n.input(1), n.input(2), n.input(3), n.input(4), n.input(5));
  addBias(n, n.cast(y, n.elementTypeOf(n.input(2))), n.input(6));
}

void llmc::importer::addIntegerProductOps(OpTable &t) {
  t.add("", "MatMulInteger", 10, {matmulIntegerOp, 2, 4, 1});
  t.add("", "QLinearMatMul", 10, {qlinearMatmulOp, 8, 8, 1});
  t.add(kMicrosoft, "DynamicQuantizeMatMul", 1, {dynamicQuantizeMatmulOp, 3, 5, 1});
  t.add(kMicrosoft, "MatMulIntegerToFloat", 1, {matmulIntegerToFloatOp, 4, 7, 1});
}
