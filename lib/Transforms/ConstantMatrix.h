//===- ConstantMatrix.h - matrices that constants are moved into ----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters store a layer's matrix in any shape and reach the one that they multiply with by
// transposes, reshapes and slices: weights `[hidden, heads, dim]` of an einsum, the rows of a
// joined projection. This finds the elements of the matrix in the constant.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_CONSTANTMATRIX_H
#define LLMC_TRANSFORMS_CONSTANTMATRIX_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include <optional>

namespace llmc {

/// A constant matrix `[K, N]`, or `[N, K]` where `isTransposed`.
struct ConstantMatrix {
  mlir::Value value;
  bool isTransposed = false;
};

/// The matrix `[K, N]` that `value`, behind dimensions of size 1, has, where it is a constant
/// behind transposes, reshapes and slices. It shares the constant's bytes where they are the
/// matrix or its transpose, and copies them otherwise. nullopt for everything else.
std::optional<ConstantMatrix> matchConstantMatrix(mlir::OpBuilder &builder, mlir::Value value);

} // namespace llmc

#endif // LLMC_TRANSFORMS_CONSTANTMATRIX_H
