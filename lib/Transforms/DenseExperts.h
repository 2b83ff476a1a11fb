//===- DenseExperts.h - mixtures that compute every expert for all tokens -===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters stack the experts' matrices and multiply in batches, an expert each:
//
//   y = sum over e of f(x, W[e], ..) * w[.., e]      w is 0 where e was not chosen
//
// With ids[T, K] of the chosen experts that is sum_j f(x, W[ids[:, j]], ..) * w[:, ids[:, j]].
// Where the weight stands does not matter: that what the other experts add is zero is
// followed through products and functions with f(0) = 0 up to scores, and these are
// evaluated on random ids. A mixture whose weights are never zero stays as it is.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_TRANSFORMS_DENSEEXPERTS_H
#define LLMC_LIB_TRANSFORMS_DENSEEXPERTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace llmc {

/// Replaces every such sum by products with matrices chosen per row. Whether there was any.
bool replaceDenseExperts(mlir::func::FuncOp func);

/// Calls `explain` with each sum over stacked experts that is left, and why.
void explainDenseExperts(
    mlir::func::FuncOp func,
    llvm::function_ref<void(mlir::Operation *sum, llvm::StringRef reason)> explain);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_DENSEEXPERTS_H
