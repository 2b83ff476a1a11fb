//===- PhaseRoles.h - what a decoder's inputs and outputs are for ---------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Roles of a functional decoder's arguments and results, found by structure;
// names only break ties.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_PHASEROLES_H
#define LLMC_TRANSFORMS_PHASEROLES_H

#include "StatePairs.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallVector.h"
#include <string>

namespace llmc {

/// How many sequences and tokens a call has: symbols, or 1.
struct TokenSizes {
  DimExpr batch, seq;
  bool isTimeMajor = false; ///< ids, and logits, are [seq, batch]
};

struct PhaseRoles {
  unsigned tokens;
  unsigned logits;                       ///< result [batch, seq or 1, vocabulary], or of less rank
  llvm::SmallVector<unsigned> masks;     ///< [batch, past + seq], 1 where a token is
  llvm::SmallVector<unsigned> positions; ///< [batch, seq]
  llvm::SmallVector<StatePair> states;   ///< in argument order
  llvm::SmallVector<std::string> pasts;  ///< symbols, all the same length
  TokenSizes sizes;

  bool takesOneToken() const { return sizes.seq.isConstant(1); }
  bool takesOneSequence() const { return sizes.batch.isConstant(1); }
};

/// "'attention_mask'", or the argument's number where it has no name.
std::string describeArgument(mlir::func::FuncOp func, unsigned argument);

/// The argument that holds token ids, as [batch, seq], [seq, batch], [batch] or [seq].
std::optional<unsigned> findTokens(mlir::func::FuncOp func);

/// What the dimensions of the argument `tokens` count, whatever they are.
TokenSizes tokenSizes(mlir::func::FuncOp func, unsigned tokens);

/// nullopt where something is missing, with the reason.
std::optional<PhaseRoles> findPhaseRoles(mlir::func::FuncOp func, std::string &reason);

} // namespace llmc

#endif // LLMC_TRANSFORMS_PHASEROLES_H
