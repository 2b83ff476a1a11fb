//===- LoopEmitter.h - builds llm.loop
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a handler emits between the making of a LoopEmitter and its `finish` is the body
// of a loop. Values from outside may be used in it as they are.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_LOOPEMITTER_H
#define LLMC_LIB_IMPORT_ONNX_LOOPEMITTER_H

#include "Node.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace llmc::importer {

/// Longer loops are not unrolled. Unrolling 32 steps keeps what recognition needs: chunked
/// recurrences have a handful of chunks, and the steps within a chunk are powers of two up
/// to this.
inline constexpr int64_t kMaxUnrolled = 32;

class LoopEmitter {
public:
  /// Begins a body that runs for 0 .. `trip` - 1, which is never negative.
  LoopEmitter(Node &n, const DimExpr &trip);

  /// One more carried value; `initial` comes from outside. Gives its value in the body.
  Value carry(Value initial);
  /// The number of the iteration, or with `isReversed` that of as many from the end.
  DimExpr position(bool isReversed = false) const;
  int64_t numCarried() const;

  /// What an iteration gives to be stacked up, by its number or from the end.
  struct Slice {
    Value value;
    bool isReversed = false;
  };
  /// Ends the body. Gives the last carried values, and then stacks with the iterations as
  /// first dimension; nothing, having reported why, for what a loop cannot do.
  llvm::SmallVector<Value> finish(llvm::ArrayRef<Value> next, llvm::ArrayRef<Slice> slices);

private:
  DimExpr trip() const;
  void unifyCarried(llvm::ArrayRef<Value> next);
  bool checkBody();

  Node &n;
  mlir::OpBuilder::InsertionGuard guard;
  llm::LoopOp loop; ///< without results and captured values until `finish`
};

/// Runs `emit` on a copy of the node. Where it fails, nothing is left of that, no message
/// is shown, and false is given back with the messages in `problems`.
bool tryEmit(Node &n, llvm::function_ref<void(Node &)> emit,
             llvm::SmallVectorImpl<mlir::Diagnostic> &problems);

/// Runs `emit` after `tryEmit` failed. Where it fails, too, and says nothing, since the
/// first attempt did, that attempt's messages are shown.
void emitInstead(Node &n, llvm::function_ref<void()> emit,
                 llvm::ArrayRef<mlir::Diagnostic> problems);

/// Shows what tryEmit kept back.
void report(llvm::ArrayRef<mlir::Diagnostic> problems, Node &n);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_LOOPEMITTER_H
