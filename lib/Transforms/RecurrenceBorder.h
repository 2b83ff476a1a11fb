//===- RecurrenceBorder.h - where a recurrence begins and ends ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_TRANSFORMS_RECURRENCEBORDER_H
#define LLMC_LIB_TRANSFORMS_RECURRENCEBORDER_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

namespace llmc {

/// A part of a function that may be one recurrence, by its border.
struct RecurrenceBorder {
  mlir::Value past;   ///< [B, H, ., .] or [B, ., .]; null: zeros
  mlir::Value source; ///< the past, or without one some value within the recurrence
  mlir::Value state;  ///< what takes the past's place; null where nothing reads it
  mlir::Value output; ///< a row per token
  DimExpr batch, tokens;
};

/// The operations of a chunk of 64 tokens, with room: no recurrence has more.
constexpr size_t kMaxRecurrenceOperations = 8000;

/// Values that are computed from `from`, in program order; not those behind `ends`.
llvm::SetVector<mlir::Value> collectDependents(mlir::func::FuncOp func, mlir::Value from,
                                               llvm::ArrayRef<mlir::Value> ends = {});

/// Whether `op` gives its first operand's elements in another place: what is kept of a state
/// goes through such operations to the function's results.
bool movesState(mlir::Operation *op);

/// The first tensors with a row per token through which all goes that depends on the
/// border's source, but for the state: what a recurrence gives.
llvm::SmallVector<mlir::Value> findRecurrenceOutputs(mlir::func::FuncOp func,
                                                     const RecurrenceBorder &border);

/// The number of channels that a row has at most: those of a key or value of all heads.
int64_t maxChannels(const RecurrenceBorder &border);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_RECURRENCEBORDER_H
