//===- Layout.h - reshape groups and strided views
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which dimensions of a reshape correspond, and whether a value is a strided
// window of another one, so that a kernel can address it without a copy.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_ANALYSIS_LAYOUT_H
#define LLMC_ANALYSIS_LAYOUT_H

#include "llmc/Dialect/LLM/IR/Dims.h"
#include <optional>

namespace llmc {

/// Dimensions [inBegin, inEnd) and [outBegin, outEnd) hold the same elements.
struct ReshapeGroup {
  size_t inBegin, inEnd, outBegin, outEnd;
};

/// Smallest groups of dimensions with provably equal products, in order; nullopt
/// where the products cannot be matched. Dimensions of size 1 join a neighbour.
std::optional<llvm::SmallVector<ReshapeGroup>> matchReshape(llvm::ArrayRef<DimExpr> in,
                                                            llvm::ArrayRef<DimExpr> out);

/// A value whose element i is element `offset + sum_d i_d * strides_d` of the
/// row-major memory of `root`.
struct StridedView {
  mlir::Value root;
  DimExpr offset;
  llm::Dims dims;
  llm::Dims strides;
};

/// Looks through reshape, transpose, slice and broadcast. The root is the first
/// value that is none of them.
std::optional<StridedView> getStridedView(mlir::Value value);

/// Row-major strides.
llm::Dims contiguousStrides(llvm::ArrayRef<DimExpr> dims);

/// The view as a matrix [rows, last dim] with unit column stride and one row
/// stride, if it is one.
struct RowMatrix {
  mlir::Value root;
  DimExpr offset, rows, columns, rowStride;
};
std::optional<RowMatrix> getRowMatrix(mlir::Value value);

} // namespace llmc

#endif // LLMC_ANALYSIS_LAYOUT_H
