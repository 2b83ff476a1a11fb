//===- SampledComputation.h - evaluating a part of a function -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where a graph is too large or too varied to match, a recogniser states what it
// should compute and compares that with the reference evaluator on random samples.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_TRANSFORMS_SAMPLEDCOMPUTATION_H
#define LLMC_LIB_TRANSFORMS_SAMPLEDCOMPUTATION_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Reference/Evaluator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include <random>

namespace llmc {

/// What some values are computed from, with the sizes that the function defines on the
/// way.
struct SampledComputation {
  llvm::SetVector<mlir::Operation *> operations; ///< users before what they use
  llvm::SetVector<mlir::Value> leaves;           ///< block arguments and `stop` values
  llvm::StringSet<> free;                        ///< symbols that nothing in it defines
  llvm::SmallVector<llm::DefineSizeOp> sizes;

  /// Random values from 1 to `most` for the free symbols.
  reference::SymbolValues sampleSymbols(std::mt19937 &random, int64_t most) const;
  /// Whether no tensor in it has so many elements, whatever is drawn, that samples take long.
  bool isSmall() const;
  /// Gives the sizes their values from data that is bound.
  bool defineSizes(reference::Evaluator &evaluator) const;
};

/// Follows `roots` to block arguments, constants and the values for which `stop` holds;
/// nullopt where that takes more than `maxOperations`.
std::optional<SampledComputation> collectComputation(
    mlir::func::FuncOp func, llvm::ArrayRef<mlir::Value> roots, size_t maxOperations,
    llvm::function_ref<bool(mlir::Value)> stop = [](mlir::Value) { return false; });

/// The elements of an integer tensor; nullopt where it cannot be evaluated.
std::optional<std::vector<int64_t>> evaluateInts(reference::Evaluator &evaluator,
                                                 mlir::Value value);

/// Adds the symbols in the sizes of a tensor type.
void addSymbols(mlir::Type type, llvm::StringSet<> &symbols);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_SAMPLEDCOMPUTATION_H
