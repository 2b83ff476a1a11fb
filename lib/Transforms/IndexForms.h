//===- IndexForms.h - integers that follow from sizes and indices ---------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_INDEXFORMS_H
#define LLMC_TRANSFORMS_INDEXFORMS_H

#include "llmc/Support/DimExpr.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include <optional>

namespace llmc {

/// Finds integer tensors each of whose elements is one expression of sizes and of its own
/// indices: `past + i1` for positions, however an exporter counts them (ranges, running sums
/// of ones, slices and reshapes of those). Answers are kept by value: operations may be
/// added while an object is used, not changed.
class IndexForms {
public:
  /// The symbol that stands for an element's index in dimension `axis`.
  static DimExpr index(int64_t axis);
  /// The element at index(0), index(1), ..; nullopt where it is no such expression. No
  /// index of a dimension of size 1 occurs.
  std::optional<DimExpr> lookup(mlir::Value value);

private:
  std::optional<DimExpr> compute(mlir::Operation *op);
  llvm::DenseMap<mlir::Value, std::optional<DimExpr>> known;
};

} // namespace llmc

#endif // LLMC_TRANSFORMS_INDEXFORMS_H
