//===- Contraction.h - products that several operators share
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_CONTRACTION_H
#define LLMC_LIB_IMPORT_ONNX_CONTRACTION_H

#include "Node.h"

namespace llmc::importer {

/// numpy's matmul: a vector gets a dimension that the result loses again.
Value numpyMatmul(Node &n, Value a, Value b);

/// What Gemm and Conv are of the node's operands and attributes.
Value gemm(Node &n);
Value convolution(Node &n);

/// The product of 8-bit integers without their zero points, in i32.
Value integerProduct(Node &n, Value a, Value b, Value aZeroPoint, Value bZeroPoint);

/// The numbers that a product of quantised matrices stands for, in f32; the zero points may
/// be null.
Value scaledProduct(Node &n, Value a, Value b, Value aScale, Value bScale, Value aZeroPoint,
                    Value bZeroPoint);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_CONTRACTION_H
