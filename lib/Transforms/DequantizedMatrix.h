//===- DequantizedMatrix.h - constant matrices of few bits ----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds constants that are dequantised, one matrix or a stack of them, and lays them out as
// products with n-bit weights take them.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_DEQUANTIZEDMATRIX_H
#define LLMC_TRANSFORMS_DEQUANTIZEDMATRIX_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Reference/Tensor.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace llmc {

/// `(q - zero point) * scale` before a reshape to `[rows, columns]`, or to
/// `[count, rows, columns]`; the parameters broadcast to the shape of q.
struct DequantizedMatrix {
  mlir::ElementsAttr data; ///< q
  mlir::LocationAttr loc;
  llvm::SmallVector<int64_t> shape; ///< of q where the parameters meet it
  reference::Tensor scale;
  std::optional<reference::Tensor> zeroPoint;
  std::optional<int64_t> count; ///< of matrices; none where `value` is a single one
  int64_t rows, columns;
};

/// The constant of 2, 4 or 8 bits that `value`, of f32, dequantises; nullopt for others.
std::optional<DequantizedMatrix> matchDequantized(mlir::Value value);

/// The largest groups of inputs that kernels take and that fill `block`; 0 where none does.
int64_t kernelGroupSize(int64_t block);

/// The operands of a product with grouped n-bit weights: `weight[N, groups, blob]`, of a stack
/// `[count, N, groups, blob]`, the others alike.
struct GroupedWeight {
  mlir::Value weight, scales, zeroPoints; ///< zero points may be null
  int64_t bits, groupSize, columns;
};

/// Copies the numbers to heap constants in the order that products want; inputs are the rows
/// or, where `transposed`, the columns. Nullopt where scales or zero points differ within
/// every group of inputs that kernels take.
std::optional<GroupedWeight> layOut(mlir::OpBuilder &builder, DequantizedMatrix &matrix,
                                    bool transposed);

} // namespace llmc

#endif // LLMC_TRANSFORMS_DEQUANTIZEDMATRIX_H
