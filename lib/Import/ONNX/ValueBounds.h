//===- ValueBounds.h - how large computed integers can become
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A size that data decides needs a bound that buffers are planned at. Exporters
// compute such sizes by counting: sums of ones that were scattered, running sums of
// counts. The rules here bound those in sizes of the model's inputs.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_VALUEBOUNDS_H
#define LLMC_LIB_IMPORT_ONNX_VALUEBOUNDS_H

#include "llmc/Support/DimExpr.h"
#include "mlir/IR/Value.h"
#include <optional>

namespace llmc::importer {

/// What no element of `value` is above; nullopt where no rule knows.
std::optional<DimExpr> upperBound(mlir::Value value);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_VALUEBOUNDS_H
