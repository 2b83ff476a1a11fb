//===- PerSequenceLengths.h - each sequence's own past in computed numbers -===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_PERSEQUENCELENGTHS_H
#define LLMC_TRANSFORMS_PERSEQUENCELENGTHS_H

#include "llmc/Support/DimExpr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace llmc {

/// Where numbers of `func` are computed from the size `past`, which all sequences of a
/// batch share, computes them from `pastLens[batch]` instead: positions
/// `iota(start = past)`, what is gathered by them or computed from them. A value that the
/// sequences shared gets a first dimension `batch` until it meets one that has it. What
/// cannot be given one stays as it is. As sizes of tensors `past` and `seq` remain.
void usePerSequenceLengths(mlir::func::FuncOp func, mlir::Value pastLens, const DimExpr &seq);

} // namespace llmc

#endif // LLMC_TRANSFORMS_PERSEQUENCELENGTHS_H
