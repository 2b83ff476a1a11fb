//===- Convolution.cpp - reference semantics of sliding windows
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include <cmath>
#include <optional>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

/// The spatial part of an input index for position `y` of the result and `k` of the
/// window; nullopt outside the input.
static std::optional<Shape> windowIndex(ArrayRef<int64_t> input, Index y, Index k,
                                        ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
                                        ArrayRef<int64_t> pads) {
  Shape source;
  for (size_t d = 0; d < input.size(); ++d) {
    source.push_back(y[d] * strides[d] + k[d] * dilations[d] - pads[d]);
    if (source.back() < 0 || source.back() >= input[d])
      return std::nullopt;
  }
  return source;
}

FailureOr<Tensor> evaluateOp(ConvOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &weight = frame[op.getWeight()];
  const Tensor *bias = op.getBias() ? &frame[op.getBias()] : nullptr;
  FailureOr<Shape> shape = frame.resultShape();
  if (failed(shape))
    return failure();
  int64_t channels = weight.dim(1), groups = op.getGroups(), outputs = weight.dim(0);
  if (input.dim(1) != channels * groups || outputs % groups != 0)
    return frame.fail("channels and groups do not fit");
  Tensor result(input.elementType(), *shape);
  Shape window(weight.shape().drop_front(2));
  ArrayRef<int64_t> extent = input.shape().drop_front(2);
  forEachIndex(*shape, [&](Index index) {
    int64_t m = index[1], first = m / (outputs / groups) * channels;
    double sum = bias && bias->isFloat() ? bias->getFloat(m) : 0;
    uint64_t integerSum = bias && !bias->isFloat() ? bias->getInt(m) : 0;
    for (int64_t c = 0; c < channels; ++c)
      forEachIndex(window, [&](Index k) {
        auto source = windowIndex(extent, index.drop_front(2), k, op.getStrides(),
                                  op.getDilations(), op.getPads());
        if (!source)
          return;
        Shape weightAt{m, c}, inputAt{index[0], first + c};
        weightAt.append(k.begin(), k.end());
        inputAt.append(*source);
        int64_t w = offsetOf(weight.shape(), weightAt), x = offsetOf(input.shape(), inputAt);
        if (input.isFloat())
          sum += weight.getFloat(w) * input.getFloat(x);
        else
          integerSum += uint64_t(weight.getInt(w)) * uint64_t(input.getInt(x));
      });
    if (input.isFloat())
      result.setFloat(offsetOf(*shape, index), sum);
    else
      result.setInt(offsetOf(*shape, index), int64_t(integerSum));
  });
  return result;
}

FailureOr<Tensor> evaluateOp(WindowReduceOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  if (op.getKind() == ReduceKind::mean)
    return frame.fail("a mean over windows is not defined");
  FailureOr<Shape> shape = frame.resultShape();
  if (failed(shape))
    return failure();
  Tensor result(input.elementType(), *shape);
  Shape window(op.getWindow());
  ArrayRef<int64_t> extent = input.shape().drop_front(2);
  // An accumulator starts as the result of no elements.
  forEachIndex(*shape, [&](Index index) {
    Accumulator accumulator(op.getKind(), input.elementType());
    forEachIndex(window, [&](Index k) {
      auto source = windowIndex(extent, index.drop_front(2), k, op.getStrides(), op.getDilations(),
                                op.getPads());
      if (!source)
        return;
      Shape inputAt{index[0], index[1]};
      inputAt.append(*source);
      accumulator.add(input, offsetOf(input.shape(), inputAt));
    });
    accumulator.store(result, offsetOf(*shape, index));
  });
  return result;
}

} // namespace llmc::reference
