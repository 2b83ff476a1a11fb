//===- TokenRows.h - tensors with a row per token -------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters keep what a token brings in any order of dimensions: [B, H, T, D], [B, C, T]
// behind a convolution, [B, T, C], and for one token without a dimension for it.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_TRANSFORMS_TOKENROWS_H
#define LLMC_LIB_TRANSFORMS_TOKENROWS_H

#include "llmc/Dialect/LLM/IR/Dims.h"
#include "mlir/IR/Builders.h"
#include <optional>

namespace llmc {

/// Which dimensions of a tensor count sequences, tokens and channels. Dimensions of 1 that
/// are none of these are in no list.
struct TokenRows {
  DimExpr batch, tokens;
  std::optional<unsigned> batchAxis, tokenAxis; ///< absent only where the size is 1
  llvm::SmallVector<unsigned> channelAxes;
  int64_t channels = 1; ///< product of the sizes of channelAxes
};

/// Whether rows may have elements of this type: f32, f16 or bf16. Recurrences of narrow floats
/// are computed in f32.
bool isRowElement(mlir::Type type);

/// The layout of a tensor of such elements with at most `maxChannels` numbers per token in at most
/// two dimensions; nullopt where it has none.
std::optional<TokenRows> findTokenRows(mlir::Value value, const DimExpr &batch,
                                       const DimExpr &tokens, int64_t maxChannels);

/// `value` in elements of another type.
mlir::Value castTo(mlir::OpBuilder &builder, mlir::Value value, mlir::Type element);

/// `value` as `[B, heads, T, width]`; fewer heads in it are repeated, each as often. Null
/// where the number of channels does not fit.
mlir::Value makeHeadRows(mlir::OpBuilder &builder, mlir::Value value, const TokenRows &rows,
                         int64_t heads, int64_t width);

/// The inverse: `[B, heads, T, width]` as a tensor of `type`, laid out as `rows` says.
mlir::Value fromHeadRows(mlir::OpBuilder &builder, mlir::Value value, const TokenRows &rows,
                         mlir::Type type);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_TOKENROWS_H
