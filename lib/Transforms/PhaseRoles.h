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

struct PhaseRoles {
  unsigned tokens;
  unsigned logits;                       ///< result
  llvm::SmallVector<unsigned> masks;     ///< [batch, past + seq], 1 where a token is
  llvm::SmallVector<unsigned> positions; ///< [batch, seq]
  llvm::SmallVector<StatePair> states;   ///< in argument order
  std::string batch, seq;                ///< symbols; no seq where a step is one token
  llvm::SmallVector<std::string> pasts;  ///< symbols, all the same length

  bool takesOneToken() const { return seq.empty(); }
};

/// "'attention_mask'", or the argument's number where it has no name.
std::string describeArgument(mlir::func::FuncOp func, unsigned argument);

/// The argument that holds token ids, as [batch, seq] or [batch, 1].
std::optional<unsigned> findTokens(mlir::func::FuncOp func);

/// nullopt where something is missing, with the reason.
std::optional<PhaseRoles> findPhaseRoles(mlir::func::FuncOp func, std::string &reason);

} // namespace llmc

#endif // LLMC_TRANSFORMS_PHASEROLES_H
