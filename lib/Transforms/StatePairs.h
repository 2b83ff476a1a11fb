//===- StatePairs.h - inputs that a decoder carries from call to call -----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_STATEPAIRS_H
#define LLMC_TRANSFORMS_STATEPAIRS_H

#include "llmc/Dialect/LLM/IR/Dims.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <string>

namespace llmc {

enum class StateKind {
  attended, ///< [batch, heads, past, dim] that grows and that only attention reads
  tokens,   ///< grows along one dimension and is read by anything
  fixed     ///< the same sizes before and after
};

/// A past argument and the present result that is computed from it.
struct StatePair {
  unsigned argument;
  unsigned result;
  StateKind kind;
  /// The dimension that grows; of a fixed state the one that counts sequences, or -1 where
  /// none does, because a call has one sequence.
  int64_t axis = -1;
};

/// Pairs of a function's arguments and results, in argument order. An input whose
/// sizes all but the batch are numbers is a fixed state where a result of its type is
/// computed from it; the batch may be any of its dimensions. Where an input grows but cannot
/// be a state, fails with the reason and the argument it is about.
struct StatePairs {
  llvm::SmallVector<StatePair> pairs;
  std::optional<unsigned> offender;
  std::string reason;
};
StatePairs findStatePairs(mlir::func::FuncOp func, const DimExpr &batch);

/// What an append made of a past, before it was evicted from or rounded to be `present`.
mlir::Value grownCache(mlir::Value present);
/// What attention reads of a grown cache: the cache, or where a function of each token is computed
/// first and nothing reads the cache otherwise but the return, those. Null where attention is not
/// the only reader.
mlir::Value attendedCache(mlir::Value cache);
/// What a state of this kind holds instead of a grown cache: what attention reads of it; of
/// integers the numbers that they stand for, whatever reads those.
mlir::Value keptCache(mlir::Value cache, StateKind kind);
/// Whether an argument of this type may be a past: floats, or a cache of bytes that stand for them.
bool mayBePast(mlir::Type type);
/// Whether `user` of a grown cache is the return, or only prepares its present for it.
bool isReturnedOnly(mlir::Operation *user);

} // namespace llmc

#endif // LLMC_TRANSFORMS_STATEPAIRS_H
