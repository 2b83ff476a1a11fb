//===- ExpertMatrices.h - the weights of a mixture of experts -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters slice one tensor `[E, K, N]` into the matrices of its experts, or store
// them apart. `llm.expert_linear` wants the one tensor.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_TRANSFORMS_EXPERTMATRICES_H
#define LLMC_LIB_TRANSFORMS_EXPERTMATRICES_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include <optional>

namespace llmc {

/// Constant matrices: `weight[e]` is `[K, N]`, or `[N, K]` where transposed.
struct ExpertMatrices {
  mlir::Value weight;
  bool transposed = false;
};

/// Constants of one type behind one another, as `[count, ..]`; null where they are not that.
mlir::Value stackConstants(mlir::OpBuilder &builder, llvm::ArrayRef<mlir::Value> constants);

/// The tensor whose e-th matrix is `matrices[e]` for all e; matrices that are stored
/// apart are copied behind one another. Nullopt where they are no constants of one
/// shape.
std::optional<ExpertMatrices> matchExpertMatrices(mlir::OpBuilder &builder,
                                                  llvm::ArrayRef<mlir::Value> matrices);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_EXPERTMATRICES_H
