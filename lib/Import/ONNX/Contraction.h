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

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_CONTRACTION_H
