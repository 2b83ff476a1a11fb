//===- RecurrencePattern.h - graphs that compute a recurrence -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_TRANSFORMS_RECURRENCEPATTERN_H
#define LLMC_LIB_TRANSFORMS_RECURRENCEPATTERN_H

#include "RecurrenceBorder.h"
#include <optional>
#include <string>

namespace llmc {

/// What computes the same.
struct RecurrenceMatch {
  mlir::Value output;
  mlir::Value state; ///< null where the border has none
};

/// Makes `llm.linear_attention` in front of the border's users where that agrees with the
/// graph on random data for each of these numbers of tokens. Otherwise changes nothing and
/// says in `reason` why not; nothing where it is unlike any.
std::optional<RecurrenceMatch> matchRecurrence(mlir::func::FuncOp func,
                                               const RecurrenceBorder &border,
                                               llvm::ArrayRef<int64_t> tokenCounts,
                                               std::string &reason);

/// For each matrix that a call is given, multiplies and replaces, but that no recurrence was
/// recognised of: calls `explain` with what replaces it, and why.
void explainRecurrences(
    mlir::func::FuncOp func,
    llvm::function_ref<void(mlir::Operation *state, llvm::StringRef reason)> explain);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_RECURRENCEPATTERN_H
