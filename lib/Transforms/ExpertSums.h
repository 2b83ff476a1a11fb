//===- ExpertSums.h - sums over the experts of a mixture ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters unroll the loop over a mixture's experts. Each adds what it makes of its tokens:
//
//   y[rows_e] += f_e(x[rows_e]) * w[rows_e, choice]     the rows that chose expert e, or
//   y += f_e(x) * w_e                                   all rows, w_e 0 where not chosen
//
// With ids[T, K] of experts and weights[T, K] both are sum_j f(x, ids[:, j]) * weights[:, j],
// in which only chosen experts are computed. The f_e are matched in lockstep; which rows and
// weights an expert takes is computed in many spellings, and evaluated on random ids.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_TRANSFORMS_EXPERTSUMS_H
#define LLMC_LIB_TRANSFORMS_EXPERTSUMS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace llmc {

/// Replaces every such sum by products with matrices chosen per row. Whether there was any.
bool replaceExpertSums(mlir::func::FuncOp func);

/// Calls `explain` with each sum of scattered rows that is left, and why.
void explainExpertSums(
    mlir::func::FuncOp func,
    llvm::function_ref<void(mlir::Operation *sum, llvm::StringRef reason)> explain);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_EXPERTSUMS_H
