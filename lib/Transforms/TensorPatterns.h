//===- TensorPatterns.h - local rewrites of tensor operations
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rewrites that keep every element's value and leave less to do, or fewer
// spellings to recognise. llmc-fold-constants applies them.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_TENSORPATTERNS_H
#define LLMC_TRANSFORMS_TENSORPATTERNS_H

#include "mlir/IR/PatternMatch.h"

namespace llmc {

/// Slices, concatenations, transposes, reshapes, broadcasts.
void populateMovementPatterns(mlir::RewritePatternSet &patterns);
/// Casts, selects, and broadcasts around elementwise operations.
void populateElementwisePatterns(mlir::RewritePatternSet &patterns);

} // namespace llmc

#endif // LLMC_TRANSFORMS_TENSORPATTERNS_H
