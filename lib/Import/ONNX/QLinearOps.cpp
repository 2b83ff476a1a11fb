//===- QLinearOps.cpp - operators whose operands and results are quantised
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Computed in f32 between a dequantisation and a quantisation; onnxruntime's own
// kernels round to the same integers or to their neighbours.
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "OpTable.h"
#include "Quantization.h"
#include "llvm/ADT/Sequence.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// The numbers of the integers at `input`; their scale and zero point follow.
static Value numbersAt(Node &n, int input) {
  Value q = n.input(input), scale = n.input(input + 1);
  if (!q || !scale)
    n.fail("needs inputs " + Twine(input) + " and " + Twine(input + 1));
  if (n.failed())
    return {};
  if (!llm::product(n.dims(scale)).isConstant(1))
    n.fail("not supported: a scale of shape " + llm::formatDims(n.dims(scale)));
  return dequantize(n, q, {scale, n.input(input + 2)}, n.builder.getF32Type());
}

/// Sets the output to y as integers of `result`, with the scale and the zero point at `scale`
/// and behind it.
static void setQuantized(Node &n, Value y, int scale, Type result) {
  if (!n.input(scale))
    n.fail("needs input " + Twine(scale));
  if (n.failed())
    return;
  n.setOutput(quantize(n, y, {n.input(scale), n.input(scale + 1)}, n.builder.getF32Type(), result));
}

template <BinaryKind kind> static void qlinearBinaryOp(Node &n) {
  Value a = numbersAt(n, 0), b = numbersAt(n, 3);
  setQuantized(n, n.binary(kind, a, b), 6, n.elementTypeOf(n.input(0)));
}

static void setFunction(Node &n, Value y) { setQuantized(n, y, 3, n.elementTypeOf(n.input(0))); }

static void qlinearSigmoidOp(Node &n) {
  setFunction(n, n.unary(UnaryKind::sigmoid, numbersAt(n, 0)));
}

static void qlinearLeakyReluOp(Node &n) {
  Value x = numbersAt(n, 0);
  Value scaled = n.binary(BinaryKind::mul, x, n.floatAttr("alpha", 0.01));
  setFunction(n, n.select(n.compare(llm::ComparePredicate::lt, x, 0.0), scaled, x));
}

/// Over one axis, or, as before opset 13, over all dimensions from the axis on.
static void qlinearSoftmaxOp(Node &n) {
  Value x = numbersAt(n, 0);
  Dims shape = n.dims(x);
  int64_t rank = n.rank(x), opset = n.intAttr("opset", 13);
  int64_t axis = n.axis(n.intAttr("axis", opset < 13 ? 1 : -1), rank);
  if (n.failed())
    return;
  SmallVector<int64_t> swap = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (opset < 13) {
    Dims flat(shape.begin(), shape.begin() + axis);
    flat.push_back(llm::product(ArrayRef(shape).drop_front(axis)));
    x = n.reshape(x, flat);
  } else {
    std::swap(swap[axis], swap[rank - 1]);
    x = n.transpose(x, swap);
  }
  Value y = n.infer<llm::SoftmaxOp>(uint64_t(n.rank(x) - 1), x);
  y = opset < 13 ? n.reshape(y, shape) : n.transpose(y, swap);
  if (!n.input(3))
    n.fail("needs input 3");
  if (n.failed())
    return;
  // onnxruntime multiplies by the integer below 1 / scale: 254 of the usual 1 / 255.
  Type f32 = n.builder.getF32Type();
  Value one = n.scalar(1, f32);
  Value steps = n.unary(UnaryKind::floor, n.binary(BinaryKind::div, one, n.cast(n.input(3), f32)));
  n.setOutput(quantize(n, y, {n.binary(BinaryKind::div, one, steps), n.input(4)}, f32,
                       n.elementTypeOf(n.input(0))));
}

static void qlinearGlobalAveragePoolOp(Node &n) {
  Value x = numbersAt(n, 0);
  int64_t rank = n.rank(x);
  bool isLast = n.intAttr("channels_last", 0) != 0;
  if (!n.failed() && rank < 3)
    n.fail("needs an input of rank 3 or more, found " + llm::formatDims(n.dims(x)));
  if (n.failed())
    return;
  SmallVector<int64_t> spatial =
      llvm::to_vector(llvm::seq<int64_t>(isLast ? 1 : 2, isLast ? rank - 1 : rank));
  setFunction(n, n.reduce(llm::ReduceKind::mean, x, spatial, /*keepdims=*/true));
}

/// Inputs: scale and zero point of the result, then each part with its own.
static void qlinearConcatOp(Node &n) {
  if (n.numInputs() < 5 || n.numInputs() % 3 != 2)
    return n.fail("has " + Twine(n.numInputs()) + " inputs, which are not triples after two");
  SmallVector<Value> parts;
  for (int i = 2; i < n.numInputs(); i += 3)
    parts.push_back(numbersAt(n, i));
  if (n.failed())
    return;
  Value all = n.concat(n.axis(n.intAttr("axis", 0), n.rank(parts.front())), parts);
  setQuantized(n, all, 0, n.elementTypeOf(n.input(2)));
}

static void qlinearWhereOp(Node &n) {
  Value x = numbersAt(n, 1), y = numbersAt(n, 4);
  setQuantized(n, n.select(n.input(0), x, y), 7, n.elementTypeOf(n.input(1)));
}

/// alpha * A' * B' + C, where C counts in units of the product's scale; the result is of f32
/// without a scale of its own.
static void qGemmOp(Node &n) {
  Value a = n.input(0), b = n.input(3);
  for (auto [operand, name] : {std::pair(&a, "transA"), std::pair(&b, "transB")}) {
    if (n.rank(*operand) != 2)
      return n.fail("needs matrices, found " + llm::formatDims(n.dims(*operand)));
    if (n.intAttr(name, 0))
      *operand = n.transpose(*operand, {1, 0});
  }
  Type f32 = n.builder.getF32Type();
  Value scaleA = n.cast(n.input(1), f32), scaleB = n.cast(n.input(4), f32);
  Value scale = n.binary(BinaryKind::mul, scaleA, scaleB);
  if (double alpha = n.floatAttr("alpha", 1); alpha != 1)
    scale = n.binary(BinaryKind::mul, scale, alpha);
  Value sum = integerProduct(n, a, b, n.input(2), n.input(5));
  if (n.input(6))
    sum = n.binary(BinaryKind::add, sum, n.input(6));
  Value y = n.binary(BinaryKind::mul, n.cast(sum, f32), scale);
  if (!n.input(7))
    return n.setOutput(y);
  setQuantized(n, y, 7, n.elementTypeOf(n.input(0)));
}

void llmc::importer::addQLinearOps(OpTable &t) {
  t.add(kMicrosoft, "QLinearAdd", 1, {qlinearBinaryOp<BinaryKind::add>, 2, 8, 1});
  t.add(kMicrosoft, "QLinearMul", 1, {qlinearBinaryOp<BinaryKind::mul>, 2, 8, 1});
  t.add(kMicrosoft, "QLinearSigmoid", 1, {qlinearSigmoidOp, 2, 5, 1});
  t.add(kMicrosoft, "QLinearLeakyRelu", 1, {qlinearLeakyReluOp, 2, 5, 1, "alpha"});
  t.add(kMicrosoft, "QLinearSoftmax", 1, {qlinearSoftmaxOp, 2, 5, 1, "axis opset"});
  t.add(kMicrosoft, "QLinearGlobalAveragePool", 1,
        {qlinearGlobalAveragePoolOp, 2, 5, 1, "channels_last"});
  t.add(kMicrosoft, "QLinearConcat", 1, {qlinearConcatOp, 1, kVariadic, 1, "axis"});
  t.add(kMicrosoft, "QLinearWhere", 1, {qlinearWhereOp, 3, 9, 1});
  t.add(kMicrosoft, "QGemm", 1, {qGemmOp, 6, 9, 1, "alpha transA transB"});
}
