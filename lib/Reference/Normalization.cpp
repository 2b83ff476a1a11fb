//===- Normalization.cpp - reference semantics of rms_norm and layer_norm
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include <cmath>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

FailureOr<Tensor> evaluateOp(RMSNormOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &weight = frame[op.getWeight()];
  int64_t size = input.shape().back();
  Tensor result(input.elementType(), input.shape());
  for (int64_t row = 0; row < input.numElements(); row += size) {
    double squares = 0;
    for (int64_t i = 0; i < size; ++i)
      squares += input.getFloat(row + i) * input.getFloat(row + i);
    double root = std::sqrt(squares / double(size) + op.getEpsilon().convertToDouble());
    for (int64_t i = 0; i < size; ++i)
      result.setFloat(row + i, input.getFloat(row + i) / root * weight.getFloat(i));
  }
  return result;
}

FailureOr<Tensor> evaluateOp(LayerNormOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &weight = frame[op.getWeight()];
  const Tensor *bias = op.getBias() ? &frame[op.getBias()] : nullptr;
  int64_t size = input.shape().back();
  Tensor result(input.elementType(), input.shape());
  for (int64_t row = 0; row < input.numElements(); row += size) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < size; ++i)
      sum += input.getFloat(row + i);
    double mean = sum / double(size);
    for (int64_t i = 0; i < size; ++i)
      squares += (input.getFloat(row + i) - mean) * (input.getFloat(row + i) - mean);
    double root = std::sqrt(squares / double(size) + op.getEpsilon().convertToDouble());
    for (int64_t i = 0; i < size; ++i)
      result.setFloat(row + i, (input.getFloat(row + i) - mean) / root * weight.getFloat(i) +
                                   (bias ? bias->getFloat(i) : 0));
  }
  return result;
}

} // namespace llmc::reference
