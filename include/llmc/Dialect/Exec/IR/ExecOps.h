//===- ExecOps.h - the exec dialect's C++ classes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_EXEC_IR_EXECOPS_H
#define LLMC_DIALECT_EXEC_IR_EXECOPS_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Support/DimExpr.h"
#include "mlir/IR/SymbolTable.h"

#include "llmc/Dialect/Exec/IR/ExecDialect.h.inc"
#include "llmc/Dialect/Exec/IR/ExecEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "llmc/Dialect/Exec/IR/ExecAttrs.h.inc"
#define GET_OP_CLASSES
#include "llmc/Dialect/Exec/IR/ExecOps.h.inc"

namespace llmc::exec {

/// The join that the result of a dispatch is a part of, through any chain of views; null
/// where it is none.
JoinOp getJoin(mlir::Value result);

/// What `value` is a view of, behind any chain of views.
mlir::Value skipViews(mlir::Value value);

/// A buffer of a loop: of its result `number`, which is a carried value or a stack.
struct LoopPlace {
  LoopOp loop;
  unsigned number;
  bool isCarried() { return number < loop.getNumCarried(); }
};

/// Where an iteration leaves the result of a dispatch, through any chain of views; nullopt
/// where `exec.yield` does not give it.
std::optional<LoopPlace> getLoopPlace(mlir::Value result);

/// The value whose memory `value` lies in, behind any chain of views: of a part it is the
/// joined buffer, of what a loop carries its initial value, of a slice the loop's stack.
mlir::Value getBuffer(mlir::Value value);

/// Whether `value`, behind any chain of views, has no buffer of its own: a part of a joined
/// one, or what a loop carries or stacks.
bool isPart(mlir::Value value);

/// The dispatches' results (or argument or weight) whose bytes `value` shows: of a joined
/// buffer all its parts, of what a loop carries the initial and the next value.
llvm::SmallVector<mlir::Value> getSources(mlir::Value value);

/// How long the use of `buffer` by `op` lasts: the outermost loop around `op` that the buffer
/// comes from outside of, since all its iterations use it; `op` where there is none.
mlir::Operation *getLastingUse(mlir::Operation *op, mlir::Value buffer);

/// Where a part begins in the joined buffer, in elements.
DimExpr getPartOffset(JoinOp join, unsigned part);

/// The state that a dispatch changes: its input of which a result is the new contents.
/// Null where `op` changes none.
mlir::Value getWrittenState(mlir::Operation *op);

/// The state whose old contents are gone once `op` has run: a fixed one that it writes
/// (tokens are appended behind those that others read). Null where there is none.
mlir::Value getOverwrittenState(mlir::Operation *op);

} // namespace llmc::exec

#endif // LLMC_DIALECT_EXEC_IR_EXECOPS_H
