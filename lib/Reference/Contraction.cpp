//===- Contraction.cpp - reference semantics of reductions and products
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

static double combine(ReduceKind kind, double a, double b) {
  bool hasNaN = std::isnan(a) || std::isnan(b);
  switch (kind) {
  case ReduceKind::sum:
  case ReduceKind::mean:
    return a + b;
  case ReduceKind::prod:
    return a * b;
  case ReduceKind::max:
    return hasNaN ? a + b : std::fmax(a, b);
  case ReduceKind::min:
    return hasNaN ? a + b : std::fmin(a, b);
  }
  llvm_unreachable("a reduction without semantics");
}

/// Sums and products wrap around.
static int64_t combine(ReduceKind kind, int64_t a, int64_t b, bool isUnsigned) {
  bool isLess = isUnsigned ? uint64_t(a) < uint64_t(b) : a < b;
  switch (kind) {
  case ReduceKind::sum:
  case ReduceKind::mean:
    return uint64_t(a) + uint64_t(b);
  case ReduceKind::prod:
    return uint64_t(a) * uint64_t(b);
  case ReduceKind::max:
    return isLess ? b : a;
  case ReduceKind::min:
    return isLess ? a : b;
  }
  llvm_unreachable("a reduction without semantics");
}

Accumulator::Accumulator(ReduceKind kind, Type element) : kind(kind) {
  bool isMax = kind == ReduceKind::max, isExtreme = isMax || kind == ReduceKind::min;
  double infinity = std::numeric_limits<double>::infinity();
  real = isMax ? -infinity : isExtreme ? infinity : kind == ReduceKind::prod;
  isUnsigned = element.isUnsignedInteger() || element.isInteger(1);
  integer = kind == ReduceKind::prod;
  if (!isExtreme || !isa<IntegerType>(element))
    return;
  unsigned bits = element.getIntOrFloatBitWidth();
  if (isUnsigned)
    integer = isMax ? 0 : int64_t(APInt::getMaxValue(bits).getZExtValue());
  else
    integer = isMax ? APInt::getSignedMinValue(bits).getSExtValue()
                    : APInt::getSignedMaxValue(bits).getSExtValue();
}

void Accumulator::add(const Tensor &tensor, int64_t index) {
  if (tensor.isFloat())
    real = combine(kind, real, tensor.getFloat(index));
  else
    integer = combine(kind, integer, tensor.getInt(index), isUnsigned);
}

void Accumulator::store(Tensor &tensor, int64_t index, int64_t count) const {
  bool isMean = kind == ReduceKind::mean;
  if (tensor.isFloat())
    tensor.setFloat(index, isMean ? real / double(count) : real);
  else
    tensor.setInt(index, isMean && count ? integer / count : integer);
}

FailureOr<Tensor> evaluateOp(ReduceOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  Shape kept(input.shape()), shape;
  int64_t reducedCount = 1;
  for (int64_t axis : op.getAxes()) {
    reducedCount *= kept[axis];
    kept[axis] = 1;
  }
  for (auto [axis, size] : llvm::enumerate(kept))
    if (op.getKeepdims() || !llvm::is_contained(op.getAxes(), int64_t(axis)))
      shape.push_back(size);
  Tensor result(input.elementType(), kept);
  std::vector<Accumulator> sums(result.numElements(),
                                Accumulator(op.getKind(), input.elementType()));
  forEachIndex(input.shape(), [&](Index index) {
    sums[broadcastOffset(kept, index)].add(input, offsetOf(input.shape(), index));
  });
  for (int64_t i = 0; i < result.numElements(); ++i)
    sums[i].store(result, i, reducedCount);
  return result.reshaped(shape);
}

FailureOr<Tensor> evaluateOp(SoftmaxOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  int64_t axis = op.getAxis(), size = input.dim(axis);
  Tensor result(input.elementType(), input.shape());
  Shape lines(input.shape());
  lines[axis] = size ? 1 : 0;
  forEachIndex(lines, [&](Index first) {
    Shape index(first);
    auto at = [&](int64_t i) {
      index[axis] = i;
      return offsetOf(input.shape(), index);
    };
    double maximum = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < size; ++i)
      maximum = combine(ReduceKind::max, maximum, input.getFloat(at(i)));
    for (int64_t i = 0; i < size; ++i)
      sum += std::exp(input.getFloat(at(i)) - maximum);
    for (int64_t i = 0; i < size; ++i)
      result.setFloat(at(i), std::exp(input.getFloat(at(i)) - maximum) / sum);
  });
  return result;
}

FailureOr<Tensor> evaluateOp(MatmulOp op, const OpFrame &frame) {
  const Tensor &lhs = frame[op.getLhs()], &rhs = frame[op.getRhs()];
  int64_t rows = lhs.dim(lhs.rank() - 2), depth = lhs.dim(lhs.rank() - 1);
  int64_t columns = rhs.dim(rhs.rank() - 1);
  ArrayRef<int64_t> lhsBatch = lhs.shape().drop_back(2), rhsBatch = rhs.shape().drop_back(2);
  FailureOr<Shape> batch = broadcastShapes(lhsBatch, rhsBatch);
  if (failed(batch) || rhs.dim(rhs.rank() - 2) != depth)
    return frame.fail("operands do not fit");
  Shape shape = *batch;
  shape.append({rows, columns});
  Tensor result(lhs.elementType(), shape);
  forEachIndex(shape, [&](Index index) {
    Index leading = index.drop_back(2);
    int64_t m = index[index.size() - 2], n = index.back();
    int64_t row = (broadcastOffset(lhsBatch, leading) * rows + m) * depth;
    int64_t matrix = broadcastOffset(rhsBatch, leading) * depth * columns;
    double sum = 0;
    int64_t integerSum = 0;
    for (int64_t k = 0; k < depth; ++k)
      if (lhs.isFloat())
        sum += lhs.getFloat(row + k) * rhs.getFloat(matrix + k * columns + n);
      else
        integerSum += lhs.getInt(row + k) * rhs.getInt(matrix + k * columns + n);
    if (lhs.isFloat())
      result.setFloat(offsetOf(shape, index), sum);
    else
      result.setInt(offsetOf(shape, index), integerSum);
  });
  return result;
}

} // namespace llmc::reference
