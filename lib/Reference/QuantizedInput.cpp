//===- QuantizedInput.cpp - rows rounded to int8 and read back
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row of `llm.quantize_input` is 32 B signed bytes, B f32 scales and B i32
// sums for B blocks of 32 inputs, little endian.
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include "llvm/ADT/bit.h"
#include <cmath>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

constexpr int64_t kBlock = 32;
constexpr int64_t kBytesPerBlock = kBlock + sizeof(float) + sizeof(int32_t);

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
  int64_t columns = input.shape().back(), blocks = (columns + kBlock - 1) / kBlock;
  int64_t rows = columns ? input.numElements() / columns : 0;
  Shape shape(input.shape());
  shape.back() = blocks * kBytesPerBlock;
  Tensor result(cast<RankedTensorType>(op.getType()).getElementType(), shape);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t block = 0; block < blocks; ++block) {
      int64_t first = row * columns + block * kBlock;
      int64_t size = std::min(kBlock, columns - block * kBlock);
      float absmax = 0;
      for (int64_t i = 0; i < size; ++i)
        absmax = std::max(absmax, float(std::fabs(input.getFloat(first + i))));
      float scale = absmax / 127;
      int32_t sum = 0;
      int64_t target = row * shape.back();
      for (int64_t i = 0; i < size; ++i) {
        int32_t q =
            scale == 0 ? 0 : int32_t(std::nearbyint(float(input.getFloat(first + i)) / scale));
        sum += q;
        result.setInt(target + block * kBlock + i, q);
      }
      storeWord(result, target + blocks * kBlock + 4 * block, llvm::bit_cast<uint32_t>(scale));
      storeWord(result, target + blocks * (kBlock + 4) + 4 * block, uint32_t(sum));
    }
  return result;
}

Tensor dequantizeInput(const Tensor &bytes, int64_t columns) {
  int64_t rowBytes = bytes.shape().back(), blocks = rowBytes / kBytesPerBlock;
  int64_t rows = rowBytes ? bytes.numElements() / rowBytes : 0;
  Shape shape(bytes.shape());
  shape.back() = columns;
  Tensor result(Float32Type::get(bytes.elementType().getContext()), shape);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t c = 0; c < columns; ++c) {
      int64_t source = row * rowBytes;
      auto q = int8_t(bytes.getInt(source + c));
      auto scale =
          llvm::bit_cast<float>(loadWord(bytes, source + blocks * kBlock + 4 * (c / kBlock)));
      result.setFloat(row * columns + c, q * double(scale));
    }
  return result;
}

} // namespace llmc::reference
