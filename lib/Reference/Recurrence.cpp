//===- Recurrence.cpp - reference semantics of causal_conv and linear_attention
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

FailureOr<Tensor> evaluateOp(CausalConvOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &weight = frame[op.getWeight()];
  const Tensor *bias = op.getBias() ? &frame[op.getBias()] : nullptr;
  const Tensor *past = op.getPast() ? &frame[op.getPast()] : nullptr;
  int64_t channels = input.dim(1), length = input.dim(2), width = weight.dim(1);
  if (weight.dim(0) != channels || (bias && bias->numElements() != channels) ||
      (past && ArrayRef(past->shape()) != ArrayRef<int64_t>{input.dim(0), channels, width - 1}))
    return frame.fail("operands do not fit");
  Tensor result(input.elementType(), input.shape());
  forEachIndex(input.shape(), [&](Index index) {
    int64_t row = index[0] * channels + index[1];
    double sum = bias ? bias->getFloat(index[1]) : 0;
    for (int64_t k = 0; k < width; ++k) {
      int64_t at = index[2] + k - (width - 1);
      double x = at >= 0 ? input.getFloat(row * length + at)
                 : past  ? past->getFloat(row * (width - 1) + width - 1 + at)
                         : 0;
      sum += weight.getFloat(index[1] * width + k) * x;
    }
    result.setFloat(row * length + index[2], sum);
  });
  return result;
}

namespace {
/// One key head of one sequence: its matrix and the query heads that read it.
class Recurrence {
public:
  Recurrence(LinearAttentionOp op, const OpFrame &frame)
      : op(op), query(frame[op.getQuery()]), key(frame[op.getKey()]), value(frame[op.getValue()]),
        decay(op.getDecay() ? &frame[op.getDecay()] : nullptr),
        rates(op.getRates() ? &frame[op.getRates()] : nullptr),
        beta(op.getBeta() ? &frame[op.getBeta()] : nullptr),
        past(op.getPast() ? &frame[op.getPast()] : nullptr), keyHeads(key.dim(1)),
        group(keyHeads ? query.dim(1) / keyHeads : 0), tokens(key.dim(2)), keyDim(key.dim(3)),
        valueDim(value.dim(3)), scale(op.getScale().convertToDouble()) {}

  bool fits() const {
    auto isPerToken = [&](const Tensor *tensor) {
      return !tensor || (tensor->dim(0) == key.dim(0) && tensor->dim(1) == keyHeads &&
                         tensor->dim(2) == tokens);
    };
    return query.dim(0) == key.dim(0) && query.dim(2) == tokens && query.dim(3) == keyDim &&
           value.dim(0) == key.dim(0) && value.dim(1) == keyHeads && value.dim(2) == tokens &&
           query.dim(1) == group * keyHeads && isPerToken(decay) && isPerToken(beta) &&
           (!rates ||
            (decay && ArrayRef(rates->shape()) == ArrayRef<int64_t>{keyHeads, keyDim, valueDim})) &&
           (!past ||
            ArrayRef(past->shape()) == ArrayRef<int64_t>{key.dim(0), keyHeads, keyDim, valueDim});
  }

  void run(int64_t batch, int64_t head, Tensor &output, Tensor &state) {
    int64_t at = batch * keyHeads + head;
    matrix.assign(keyDim * valueDim, 0.0);
    for (int64_t i = 0; past && i < keyDim * valueDim; ++i)
      matrix[i] = past->getFloat(at * keyDim * valueDim + i);
    for (int64_t t = 0; t < tokens; ++t) {
      step(at * tokens + t, head);
      for (int64_t g = 0; g < group; ++g) {
        int64_t row = ((batch * keyHeads + head) * group + g) * tokens + t;
        for (int64_t j = 0; j < valueDim; ++j) {
          double sum = 0;
          for (int64_t i = 0; i < keyDim; ++i)
            sum += matrix[i * valueDim + j] * query.getFloat(row * keyDim + i);
          output.setFloat(row * valueDim + j, scale * sum);
        }
      }
    }
    for (int64_t i = 0; i < keyDim * valueDim; ++i)
      state.setFloat(at * keyDim * valueDim + i, matrix[i]);
  }

private:
  /// What matrix element (i, j) is multiplied with at token `row`.
  double factor(int64_t row, int64_t head, int64_t i, int64_t j) const {
    int64_t width = decay->dim(3), channel = rates ? j : i;
    double exponent = decay->getFloat(row * width + (width == 1 ? 0 : channel));
    return std::exp(rates ? exponent * rates->getFloat((head * keyDim + i) * valueDim + j)
                          : exponent);
  }

  /// Takes token `row` into the matrix of key head `head`.
  void step(int64_t row, int64_t head) {
    for (int64_t i = 0; decay && i < keyDim; ++i)
      for (int64_t j = 0; j < valueDim; ++j)
        matrix[i * valueDim + j] *= factor(row, head, i, j);
    for (int64_t j = 0; j < valueDim; ++j) {
      double update = value.getFloat(row * valueDim + j);
      if (op.getDelta()) {
        for (int64_t i = 0; i < keyDim; ++i)
          update -= matrix[i * valueDim + j] * key.getFloat(row * keyDim + i);
        update *= beta ? beta->getFloat(row) : 1.0;
      }
      for (int64_t i = 0; i < keyDim; ++i)
        matrix[i * valueDim + j] += key.getFloat(row * keyDim + i) * update;
    }
  }

  LinearAttentionOp op;
  const Tensor &query, &key, &value;
  const Tensor *decay, *rates, *beta, *past;
  int64_t keyHeads, group, tokens, keyDim, valueDim;
  double scale;
  std::vector<double> matrix; ///< [keyDim][valueDim]
};
} // namespace

FailureOr<SmallVector<Tensor>> evaluateOp(LinearAttentionOp op, const OpFrame &frame) {
  const Tensor &query = frame[op.getQuery()], &value = frame[op.getValue()];
  Recurrence recurrence(op, frame);
  if (!recurrence.fits())
    return frame.fail("operands do not fit");
  Shape keys(frame[op.getKey()].shape());
  auto elementOf = [](Value result) {
    return cast<RankedTensorType>(result.getType()).getElementType();
  };
  Tensor output(elementOf(op.getOutput()), {query.dim(0), query.dim(1), keys[2], value.dim(3)});
  Tensor state(elementOf(op.getState()), {keys[0], keys[1], keys[3], value.dim(3)});
  for (int64_t b = 0; b < keys[0]; ++b)
    for (int64_t h = 0; h < keys[1]; ++h)
      recurrence.run(b, h, output, state);
  return SmallVector<Tensor>{output, state};
}

} // namespace llmc::reference
