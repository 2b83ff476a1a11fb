//===- ChunkSizes.h - sizes of a graph that holds for one chunk -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters unroll recurrences over chunks of tokens. Sizes of such a graph contain
// `min(chunk, tokens)`, and may contradict each other beyond one chunk.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_TRANSFORMS_CHUNKSIZES_H
#define LLMC_LIB_TRANSFORMS_CHUNKSIZES_H

#include "llmc/Support/DimExpr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <optional>
#include <string>

namespace llmc {

/// The constant c of a `min(c, symbol)` in the function's sizes beyond which the sizes
/// contradict each other: the graph holds for at most c tokens.
std::optional<int64_t> findChunk(mlir::func::FuncOp func, const std::string &symbol);

/// The largest constant up to 512 by which sizes divide something with `symbol`: chunks of
/// a graph that takes any number of them.
std::optional<int64_t> findPeriod(mlir::func::FuncOp func, const std::string &symbol);

/// Simplifies every size in the function for 1 <= `symbol` <= `most`: what is linear
/// there becomes so.
void simplifySizesWithin(mlir::func::FuncOp func, const std::string &symbol, int64_t most);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_CHUNKSIZES_H
