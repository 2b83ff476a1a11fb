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

#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include <optional>

namespace llmc {

/// Constant matrices: `weight[e]` is `[K, N]`, or `[N, K]` where transposed, or n-bit as in
/// `llm.expert_linear`, with the operands and attributes that it needs.
struct ExpertMatrices {
  mlir::Value weight;
  bool transposed = false;
  mlir::Value scales, zeroPoints;
  mlir::IntegerAttr bits, groupSize, columns;
  /// `[E, N]`; null where the products have none.
  mlir::Value bias;
  /// Whether inputs are rounded to int8 first, with a scale per group of the weights.
  bool roundsInput = false;
};

/// `value` behind a swap of its last two dimensions, which turns `transposed` over.
mlir::Value stripTranspose(mlir::Value value, bool &transposed);

/// `value`, a constant or a reshape of one, as a constant of another shape; null for others.
mlir::Value reshapeConstant(mlir::OpBuilder &builder, mlir::Value value,
                            llvm::ArrayRef<DimExpr> dims);

/// Constants of one type behind one another, as `[count, ..]`; null where they are not that.
mlir::Value stackConstants(mlir::OpBuilder &builder, llvm::ArrayRef<mlir::Value> constants);

/// The constant that `value`, `[E, K, N]` or where `transposed` `[E, N, K]`, is, also behind a
/// swap of K and N or dequantised.
std::optional<ExpertMatrices> matchMatrixStack(mlir::OpBuilder &builder, mlir::Value value,
                                               bool transposed = false);

/// What `value` is that was computed of the gathered matrices `W[ids]`, and scales and zero
/// points gathered alike, computed of all experts' instead: `value` is its gather by `ids`.
/// Null where it is no such value; `builder` may have made something nevertheless.
mlir::Value beforeGather(mlir::OpBuilder &builder, mlir::Value value, mlir::Value &ids);

/// The input of a product with a constant: of an `llm.matmul`, or of an `llm.linear` with
/// n-bit weights. Null for others.
mlir::Value inputOfProduct(mlir::Value product);

/// The tensor whose e-th matrix is what `products[e]` multiplies with, for all e; matrices
/// that are stored apart are copied behind one another. Nullopt where they are no
/// constants of one shape and type.
std::optional<ExpertMatrices> matchExpertProducts(mlir::OpBuilder &builder,
                                                  llvm::ArrayRef<mlir::Value> products);

/// The product of `input` with matrices that `ids` choose.
mlir::Value makeExpertLinear(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value input,
                             mlir::Value ids, const ExpertMatrices &matrices);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_EXPERTMATRICES_H
