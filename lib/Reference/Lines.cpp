//===- Lines.cpp - reference semantics of running sums and of ranks along a line
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include "llmc/Support/DimExpr.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <numeric>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

/// Calls `visit(at)` for every line along `axis`; `at(i)` is the position of its element i.
static void forEachLine(ArrayRef<int64_t> shape, int64_t axis,
                        llvm::function_ref<void(llvm::function_ref<Shape(int64_t)>)> visit) {
  Shape lines(shape);
  lines[axis] = 1;
  forEachIndex(lines, [&](Index first) {
    Shape index(first);
    visit([&](int64_t i) {
      index[axis] = i;
      return index;
    });
  });
}

FailureOr<Tensor> evaluateOp(CumulativeOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  int64_t axis = op.getAxis(), size = input.dim(axis);
  bool isProduct = op.getKind() == CumulativeKind::prod;
  Tensor result(input.elementType(), input.shape());
  forEachLine(input.shape(), axis, [&](llvm::function_ref<Shape(int64_t)> at) {
    double sum = isProduct;
    uint64_t integerSum = isProduct;
    for (int64_t i = 0; i < size; ++i) {
      int64_t position = offsetOf(input.shape(), at(op.getReverse() ? size - 1 - i : i));
      auto write = [&] {
        if (input.isFloat())
          result.setFloat(position, sum);
        else
          result.setInt(position, int64_t(integerSum));
      };
      if (op.getExclusive())
        write();
      if (input.isFloat()) {
        double x = input.getFloat(position);
        sum = isProduct ? sum * x : sum + x;
      } else {
        uint64_t x = input.getInt(position);
        integerSum = isProduct ? integerSum * x : integerSum + x;
      }
      if (!op.getExclusive())
        write();
    }
  });
  return result;
}

/// Whether element a ranks below b; NaN ranks above all numbers.
static bool ranksBelow(const Tensor &input, int64_t a, int64_t b) {
  if (input.isFloat()) {
    double x = input.getFloat(a), y = input.getFloat(b);
    return std::isnan(y) ? !std::isnan(x) : x < y;
  }
  int64_t x = input.getInt(a), y = input.getInt(b);
  return input.elementType().isUnsignedInteger() ? uint64_t(x) < uint64_t(y) : x < y;
}

FailureOr<Tensor> evaluateOp(TopKIndicesOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  int64_t axis = op.getAxis();
  FailureOr<Shape> shape = frame.resultShape();
  if (failed(shape))
    return failure();
  int64_t count = (*shape)[axis];
  if (count > input.dim(axis))
    return frame.fail("the first " + Twine(count) + " of " + Twine(input.dim(axis)));
  Tensor result(cast<RankedTensorType>(op.getType()).getElementType(), *shape);
  forEachLine(input.shape(), axis, [&](llvm::function_ref<Shape(int64_t)> at) {
    std::vector<int64_t> order(input.dim(axis));
    std::iota(order.begin(), order.end(), 0);
    auto position = [&](int64_t i) { return offsetOf(input.shape(), at(i)); };
    llvm::sort(order, [&](int64_t a, int64_t b) {
      int64_t lower = op.getLargest() ? b : a, upper = op.getLargest() ? a : b;
      if (ranksBelow(input, position(lower), position(upper)))
        return true;
      return !ranksBelow(input, position(upper), position(lower)) && a < b;
    });
    for (int64_t i = 0; i < count; ++i)
      result.setInt(offsetOf(*shape, at(i)), order[i]);
  });
  return result;
}

} // namespace llmc::reference
