//===- SizeFolds.h - arithmetic on symbolic sizes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters compute shapes with tensor operations: gather of a shape, concat,
// multiply, select. Where the operands' elements are known expressions, so are
// the result's. The importer and llmc-fold-constants share these rules.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_LLM_IR_SIZEFOLDS_H
#define LLMC_DIALECT_LLM_IR_SIZEFOLDS_H

#include "llmc/Dialect/LLM/IR/Dims.h"
#include "mlir/IR/Builders.h"

namespace llmc::llm {

/// The elements of the single integer or i1 result of `op` as expressions, in
/// row-major order; nullopt where they do not follow from known operands, the
/// result has more than 4096 elements, or an intermediate could overflow.
std::optional<Dims> foldSizes(mlir::Operation *op);

/// A known number: numerator / denominator, the denominator positive.
struct Ratio {
  DimExpr numerator;
  int64_t denominator = 1;
  /// The numerator where the number is an integer for sure.
  std::optional<DimExpr> integer() const {
    return denominator == 1 ? std::optional(numerator) : std::nullopt;
  }
};

/// The element of `value` at `index`, which has an expression for each dimension, where
/// the operations in front of it determine that one: also of a float, or of a tensor of
/// symbolic size. Floats are taken to be exact, as they are for sizes below 2^20.
std::optional<Ratio> getElement(mlir::Value value, Dims index);

/// `llm.constant` for constant elements, `llm.dim_values` for others of rank 0 or 1, and
/// for at most 16 of a higher rank; null where neither can express them.
mlir::Value materializeSizes(mlir::OpBuilder &builder, mlir::Location loc,
                             llvm::ArrayRef<DimExpr> elements, mlir::RankedTensorType type);

} // namespace llmc::llm

#endif // LLMC_DIALECT_LLM_IR_SIZEFOLDS_H
