//===- QuantizedInput.cpp - rows rounded to int8 and read back
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row of `llm.quantize_input` is U B signed bytes, B f32 scales and B i32 sums for B
// units of U inputs, little endian.
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include "llvm/ADT/bit.h"
#include <cmath>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

static void storeWord(Tensor &bytes, int64_t offset, uint32_t word) {
  for (int64_t i = 0; i < 4; ++i)
    bytes.setInt(offset + i, word >> (8 * i) & 0xff);
}

static uint32_t loadWord(const Tensor &bytes, int64_t offset) {
  uint32_t word = 0;
  for (int64_t i = 0; i < 4; ++i)
    word |= uint32_t(bytes.getInt(offset + i)) << (8 * i);
  return word;
}

FailureOr<Tensor> evaluateOp(QuantizeInputOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  int64_t group = op.getGroupSize(), unit = QuantizeInputOp::unitOf(group);
  int64_t columns = input.shape().back(), units = (columns + unit - 1) / unit;
  int64_t rows = columns ? input.numElements() / columns : 0;
  Shape shape(input.shape());
  shape.back() = units * QuantizeInputOp::unitBytes(group);
  Tensor result(cast<RankedTensorType>(op.getType()).getElementType(), shape);
  auto at = [&](int64_t row, int64_t column) {
    return float(input.getFloat(row * columns + column));
  };
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t u = 0; u < units; ++u) {
      int64_t first = u * unit / group * group;
      float absmax = 0;
      for (int64_t c = first; c < std::min(first + group, columns); ++c)
        absmax = std::max(absmax, std::fabs(at(row, c)));
      float scale = absmax / 127;
      int32_t sum = 0;
      int64_t target = row * shape.back();
      for (int64_t c = u * unit; c < std::min((u + 1) * unit, columns); ++c) {
        int32_t q = scale == 0 ? 0 : int32_t(std::nearbyint(at(row, c) / scale));
        sum += q;
        result.setInt(target + c, q);
      }
      storeWord(result, target + units * unit + 4 * u, llvm::bit_cast<uint32_t>(scale));
      storeWord(result, target + units * (unit + 4) + 4 * u, uint32_t(sum));
    }
  return result;
}

Tensor dequantizeInput(const Tensor &bytes, int64_t columns, int64_t groupSize) {
  int64_t unit = QuantizeInputOp::unitOf(groupSize);
  int64_t rowBytes = bytes.shape().back(), units = (columns + unit - 1) / unit;
  int64_t rows = rowBytes ? bytes.numElements() / rowBytes : 0;
  Shape shape(bytes.shape());
  shape.back() = columns;
  Tensor result(Float32Type::get(bytes.elementType().getContext()), shape);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t c = 0; c < columns; ++c) {
      int64_t source = row * rowBytes;
      auto q = int8_t(bytes.getInt(source + c));
      auto scale = llvm::bit_cast<float>(loadWord(bytes, source + units * unit + 4 * (c / unit)));
      result.setFloat(row * columns + c, q * double(scale));
    }
  return result;
}

} // namespace llmc::reference
