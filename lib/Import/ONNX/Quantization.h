//===- Quantization.h - integers that stand for numbers
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A number is `(q - zero point) * scale`; scales and zero points belong to a whole
// tensor, to slices along one axis, or to blocks of them.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_QUANTIZATION_H
#define LLMC_LIB_IMPORT_ONNX_QUANTIZATION_H

#include "Node.h"

namespace llmc::importer {

/// How numbers map to integers; `zeroPoint` may be null.
struct Quantization {
  Value scale, zeroPoint;
  int64_t axis = 1;      ///< of a 1-D scale, or of the blocks
  int64_t blockSize = 0; ///< 0: not in blocks
};

/// The numbers of `q`, rounded to `result`.
Value dequantize(Node &n, Value q, const Quantization &how, mlir::Type result);

/// The `count` numbers of `bits` bits in each row of bytes, low bits first, a byte each.
Value unpackBits(Node &n, Value bytes, int64_t bits, const DimExpr &count);

/// Whether one of the operands comes with a call, where operations want constants.
bool isAnyGiven(llvm::ArrayRef<Value> operands);

/// `saturate(round(x / scale) + zeroPoint)` in `result`; the quotient is rounded to
/// `precision`. With `saturate` an 8-bit float takes the largest value for what is beyond.
Value quantize(Node &n, Value x, const Quantization &how, mlir::Type precision, mlir::Type result,
               bool saturate = true);

/// ui8 data, its f32 scale and its ui8 zero point, from the range of x.
struct DynamicallyQuantized {
  Value data, scale, zeroPoint;
};
DynamicallyQuantized quantizeDynamically(Node &n, Value x);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_QUANTIZATION_H
