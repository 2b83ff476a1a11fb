//===- InPlace.h - which inputs a kernel's result may be written over
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A result may lie where an input lay if its kernel reads nothing of the input but the
// element that it is about to write, or, where it computes rows, the row. Tiles then read
// only what they alone overwrite, in whatever order they run. docs/MemoryPlanning.md says
// what follows for code generation.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_ANALYSIS_INPLACE_H
#define LLMC_ANALYSIS_INPLACE_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

namespace llmc {

/// Those block arguments behind `result`, which a kernel's block of llm operations computes,
/// in whose place it may be written; in their order.
llvm::SmallVector<mlir::BlockArgument> getOverwritableArguments(mlir::Value result);

} // namespace llmc

#endif // LLMC_ANALYSIS_INPLACE_H
