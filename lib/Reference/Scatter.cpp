//===- Scatter.cpp - reference semantics of gathered and scattered elements
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

FailureOr<Tensor> evaluateOp(GatherElementsOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &indices = frame[op.getIndices()];
  int64_t axis = op.getAxis(), size = input.dim(axis);
  if (size == 0 && indices.numElements())
    return frame.fail("reads from an empty dimension");
  for (int64_t d = 0; d < input.rank(); ++d)
    if (d != axis && indices.dim(d) > input.dim(d))
      return frame.fail("the indices are larger than the input in dimension " + Twine(d));
  Tensor result(input.elementType(), indices.shape());
  forEachIndex(indices.shape(), [&](Index index) {
    int64_t to = offsetOf(indices.shape(), index), picked = indices.getInt(to);
    Shape source(index);
    source[axis] = std::clamp<int64_t>(picked < 0 ? picked + size : picked, 0, size - 1);
    result.copyElement(to, input, offsetOf(input.shape(), source));
  });
  return result;
}

/// Puts element `from` of the updates on element `to` of the result.
static void combine(ScatterKind kind, Tensor &result, int64_t to, const Tensor &updates,
                    int64_t from) {
  auto choose = [&](auto old, auto update) {
    switch (kind) {
    case ScatterKind::replace:
      return update;
    case ScatterKind::add:
      return old + update;
    case ScatterKind::mul:
      return old * update;
    case ScatterKind::max:
      return std::max(old, update);
    case ScatterKind::min:
      return std::min(old, update);
    }
    llvm_unreachable("a scatter without semantics");
  };
  if (result.isFloat()) {
    double old = result.getFloat(to), update = updates.getFloat(from);
    bool hasNaN = kind != ScatterKind::replace && (std::isnan(old) || std::isnan(update));
    result.setFloat(to, hasNaN ? old + update : choose(old, update));
  } else if (result.elementType().isUnsignedInteger()) {
    result.setInt(to, int64_t(choose(uint64_t(result.getInt(to)), uint64_t(updates.getInt(from)))));
  } else if (kind == ScatterKind::max || kind == ScatterKind::min) {
    result.setInt(to, choose(result.getInt(to), updates.getInt(from)));
  } else { // sums and products wrap around
    result.setInt(to, int64_t(choose(uint64_t(result.getInt(to)), uint64_t(updates.getInt(from)))));
  }
}

FailureOr<Tensor> evaluateOp(ScatterElementsOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &indices = frame[op.getIndices()];
  const Tensor &updates = frame[op.getUpdates()];
  int64_t axis = op.getAxis(), size = input.dim(axis);
  if (indices.shape() != updates.shape())
    return frame.fail("indices and updates differ in their shape");
  for (int64_t d = 0; d < input.rank(); ++d)
    if (d != axis && updates.dim(d) > input.dim(d))
      return frame.fail("the updates are larger than the input in dimension " + Twine(d));
  Tensor result = input.clone();
  forEachIndex(updates.shape(), [&](Index index) {
    int64_t from = offsetOf(updates.shape(), index), picked = indices.getInt(from);
    Shape target(index);
    target[axis] = picked < 0 ? picked + size : picked;
    if (target[axis] >= 0 && target[axis] < size)
      combine(op.getKind(), result, offsetOf(input.shape(), target), updates, from);
  });
  return result;
}

FailureOr<Tensor> evaluateOp(ScatterNDOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &indices = frame[op.getIndices()];
  const Tensor &updates = frame[op.getUpdates()];
  int64_t length = indices.shape().back();
  ArrayRef<int64_t> places = indices.shape().drop_back();
  ArrayRef<int64_t> slice = input.shape().drop_front(length);
  Shape expected(places);
  expected.append(slice.begin(), slice.end());
  if (updates.shape() != ArrayRef(expected))
    return frame.fail("the updates do not have the shape of the places and slices");
  Tensor result = input.clone();
  forEachIndex(updates.shape(), [&](Index index) {
    int64_t tuple = offsetOf(places, index.take_front(places.size())) * length;
    Shape target;
    for (int64_t t = 0; t < length; ++t) {
      int64_t picked = indices.getInt(tuple + t), size = input.dim(t);
      target.push_back(picked < 0 ? picked + size : picked);
      if (target.back() < 0 || target.back() >= size)
        return;
    }
    target.append(index.begin() + places.size(), index.end());
    combine(op.getKind(), result, offsetOf(input.shape(), target), updates,
            offsetOf(updates.shape(), index));
  });
  return result;
}

} // namespace llmc::reference
