//===- Movement.cpp - reference semantics of data movement
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

/// result[index] = input[sourceOffset(index)].
static Tensor rearrange(const Tensor &input, ArrayRef<int64_t> shape,
                        llvm::function_ref<int64_t(Index)> sourceOffset) {
  Tensor result(input.elementType(), shape);
  int64_t target = 0;
  forEachIndex(shape,
               [&](Index index) { result.copyElement(target++, input, sourceOffset(index)); });
  return result;
}

FailureOr<Tensor> evaluateOp(ReshapeOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  // One size without a value follows from the number of elements.
  Shape shape;
  int64_t known = 1, open = -1;
  for (const DimExpr &dim : getDims(op.getResult())) {
    std::optional<int64_t> size = frame.evaluate(dim);
    if (!size && open >= 0)
      return frame.fail(Twine("two sizes without a value in ") +
                        formatDims(getDims(op.getResult())));
    if (size)
      known *= *size;
    else
      open = shape.size();
    shape.push_back(size.value_or(0));
  }
  if (open >= 0 && known > 0)
    known *= shape[open] = input.numElements() / known;
  if (known != input.numElements())
    return frame.fail(Twine(input.numElements()) + " elements become " + Twine(known));
  return input.reshaped(shape);
}

FailureOr<Tensor> evaluateOp(BroadcastOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  FailureOr<Shape> shape = frame.resultShape();
  if (failed(shape))
    return failure();
  if (!broadcastsTo(input.shape(), *shape))
    return frame.fail("the input does not broadcast to the result");
  Tensor result(input.elementType(), *shape);
  forEachBroadcast<1>(*shape, {&input}, [&](int64_t target, const auto &offsets) {
    result.copyElement(target, input, offsets[0]);
  });
  return result;
}

FailureOr<Tensor> evaluateOp(TransposeOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  Shape shape, source(input.rank());
  for (int64_t axis : op.getPermutation())
    shape.push_back(input.dim(axis));
  return rearrange(input, shape, [&](Index index) {
    for (auto [axis, position] : llvm::zip_equal(op.getPermutation(), index))
      source[axis] = position;
    return offsetOf(input.shape(), source);
  });
}

FailureOr<Tensor> evaluateOp(SliceOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  FailureOr<Shape> shape = frame.resultShape();
  if (failed(shape))
    return failure();
  Shape starts;
  for (auto [axis, expr] : llvm::enumerate(parseExprs(op.getStarts()))) {
    std::optional<int64_t> start = frame.evaluate(expr);
    if (!start)
      return frame.fail(Twine("the start '") + expr.str() + "' has no value");
    int64_t size = (*shape)[axis], last = *start + (size - 1) * op.getSteps()[axis];
    if (size > 0 && (std::min(*start, last) < 0 || std::max(*start, last) >= input.dim(axis)))
      return frame.fail("leaves dimension " + Twine(axis) + " of size " + Twine(input.dim(axis)));
    starts.push_back(*start);
  }
  Shape source(input.rank());
  return rearrange(input, *shape, [&](Index index) {
    for (size_t axis = 0; axis < index.size(); ++axis)
      source[axis] = starts[axis] + index[axis] * op.getSteps()[axis];
    return offsetOf(input.shape(), source);
  });
}

FailureOr<Tensor> evaluateOp(ConcatOp op, const OpFrame &frame) {
  int64_t axis = op.getAxis();
  Shape shape(frame[op.getInputs().front()].shape());
  shape[axis] = 0;
  for (Value value : op.getInputs()) {
    const Tensor &input = frame[value];
    for (int64_t i = 0; i < input.rank(); ++i)
      if (i != axis && input.dim(i) != shape[i])
        return frame.fail("inputs differ in dimension " + Twine(i));
    shape[axis] += input.dim(axis);
  }
  Tensor result(frame[op.getInputs().front()].elementType(), shape);
  int64_t begin = 0; // of this input along the axis
  for (Value value : op.getInputs()) {
    const Tensor &input = frame[value];
    forEachIndex(input.shape(), [&](Index index) {
      Shape target(index);
      target[axis] += begin;
      result.copyElement(offsetOf(shape, target), input, offsetOf(input.shape(), index));
    });
    begin += input.dim(axis);
  }
  return result;
}

/// Negative counts from the end; outside is the nearest inside.
static int64_t clampIndex(int64_t index, int64_t size) {
  return std::clamp<int64_t>(index < 0 ? index + size : index, 0, size - 1);
}

FailureOr<Tensor> evaluateOp(GatherOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &indices = frame[op.getIndices()];
  int64_t axis = op.getAxis();
  ArrayRef<int64_t> before = input.shape().take_front(axis);
  ArrayRef<int64_t> after = input.shape().drop_front(axis + 1);
  Shape shape(before);
  shape.append(indices.shape().begin(), indices.shape().end());
  shape.append(after.begin(), after.end());
  if (input.dim(axis) == 0 && !llvm::is_contained(shape, 0))
    return frame.fail("reads from an empty dimension");
  return rearrange(input, shape, [&](Index index) {
    Index picked = index.slice(axis, indices.rank());
    Shape source(index.take_front(axis));
    source.push_back(
        clampIndex(indices.getInt(offsetOf(indices.shape(), picked)), input.dim(axis)));
    source.append(index.end() - after.size(), index.end());
    return offsetOf(input.shape(), source);
  });
}

FailureOr<Tensor> evaluateOp(GatherNDOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &indices = frame[op.getIndices()];
  int64_t batch = op.getBatchDims(), tuple = indices.shape().back();
  ArrayRef<int64_t> outer = indices.shape().drop_back();
  ArrayRef<int64_t> inner = input.shape().drop_front(batch + tuple);
  Shape shape(outer);
  shape.append(inner.begin(), inner.end());
  return rearrange(input, shape, [&](Index index) {
    int64_t row = offsetOf(outer, index.take_front(outer.size()));
    Shape source(index.take_front(batch));
    for (int64_t t = 0; t < tuple; ++t)
      source.push_back(clampIndex(indices.getInt(row * tuple + t), input.dim(batch + t)));
    source.append(index.end() - inner.size(), index.end());
    return offsetOf(input.shape(), source);
  });
}

FailureOr<Tensor> evaluateOp(NonZeroOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  FailureOr<Shape> shape = frame.resultShape();
  if (failed(shape))
    return failure();
  Tensor result(cast<RankedTensorType>(op.getType()).getElementType(), *shape);
  int64_t row = 0;
  forEachIndex(input.shape(), [&](Index index) {
    if (row == (*shape)[0] || !input.getBool(offsetOf(input.shape(), index)))
      return;
    for (int64_t axis = 0; axis < input.rank(); ++axis)
      result.setInt(row * input.rank() + axis, index[axis]);
    ++row;
  });
  if (row != (*shape)[0])
    return frame.fail(Twine((*shape)[0]) + " rows for " + Twine(row) + " elements");
  return result;
}

} // namespace llmc::reference
