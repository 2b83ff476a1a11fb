//===- ProgramSymbols.h - the symbols of a program and their bounds
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_EXEC_IR_PROGRAMSYMBOLS_H
#define LLMC_DIALECT_EXEC_IR_PROGRAMSYMBOLS_H

#include "llmc/Dialect/Exec/IR/ExecOps.h"
#include "llmc/Support/DimExpr.h"
#include "llvm/ADT/SmallVector.h"

namespace llmc::exec {

struct ProgramSymbol {
  std::string name;
  int64_t min, max;
};

/// The program's `symbols` attribute, in the order of the module ABI.
llvm::SmallVector<ProgramSymbol> getSymbols(ProgramOp program);

/// Pairs of sizes that must be equal when the program runs.
llvm::SmallVector<std::pair<DimExpr, DimExpr>> getRequirements(ProgramOp program);

/// The largest value that `expr` can take in the program; infinity if unbounded.
int64_t upperBound(ProgramOp program, const DimExpr &expr);

/// How many dispatches a step issues at most, those of loops once for each iteration;
/// infinity where that is unbounded or no number.
int64_t countDispatches(ProgramOp program);

/// A team counts the tiles of each dispatch of a step for itself, in two cache lines: this
/// is half a gigabyte of them.
inline constexpr int64_t kMaxDispatches = int64_t(1) << 22;

/// Bytes of one element in memory (i1 takes one).
int64_t elementBytes(mlir::Type elementType);

/// How many matrices of `columns` x `outputs` a packed weight holds, one after another:
/// more than one where the value has a leading dimension of experts.
int64_t numMatrices(WeightOp weight);

/// Bits of a number of a weight in row blocks.
int64_t numBits(WeightOp weight);

/// Weights of at least kOwnPagesBytes begin on a page and share none with others, so that
/// modules which are loaded together can share them in memory.
inline constexpr int64_t kPageBytes = 4096, kOwnPagesBytes = 16 * kPageBytes;

/// On an `llm.embedding`: its table lies in the artifact as panels, those of a linear with
/// the same matrix. Outside kernels a packed one names what the row blocks of the linear
/// hold: [scales, zero points if any].
inline constexpr llvm::StringLiteral kPanelsAttr = "exec.panels";

} // namespace llmc::exec

#endif // LLMC_DIALECT_EXEC_IR_PROGRAMSYMBOLS_H
