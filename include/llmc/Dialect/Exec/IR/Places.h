//===- Places.h - where a plan puts the buffers of a program
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_EXEC_IR_PLACES_H
#define LLMC_DIALECT_EXEC_IR_PLACES_H

#include "llmc/Dialect/Exec/IR/ExecOps.h"

namespace llmc::exec {

/// Where `buffer`, a dispatch's result, a joined one or a loop's stack, begins in the arena;
/// nullopt without a plan and for what lies elsewhere.
std::optional<int64_t> getArenaOffset(mlir::Value buffer);

/// The numbers of those inputs of `dispatch` in whose place the plan puts its result. All
/// of them show one buffer.
llvm::SmallVector<unsigned> getOverwrittenInputs(DispatchOp dispatch);

} // namespace llmc::exec

#endif // LLMC_DIALECT_EXEC_IR_PLACES_H
