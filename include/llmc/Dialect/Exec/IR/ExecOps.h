//===- ExecOps.h - the exec dialect's C++ classes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_EXEC_IR_EXECOPS_H
#define LLMC_DIALECT_EXEC_IR_EXECOPS_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/SymbolTable.h"

#include "llmc/Dialect/Exec/IR/ExecDialect.h.inc"
#include "llmc/Dialect/Exec/IR/ExecEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "llmc/Dialect/Exec/IR/ExecAttrs.h.inc"
#define GET_OP_CLASSES
#include "llmc/Dialect/Exec/IR/ExecOps.h.inc"

namespace llmc::exec {

/// The value whose bytes `value` shows, behind any chain of views.
mlir::Value getBuffer(mlir::Value value);

/// The state that a dispatch changes: its input of which a result is the new contents.
/// Null where `op` changes none.
mlir::Value getWrittenState(mlir::Operation *op);

/// The state whose old contents are gone once `op` has run: a fixed one that it writes
/// (tokens are appended behind those that others read). Null where there is none.
mlir::Value getOverwrittenState(mlir::Operation *op);

} // namespace llmc::exec

#endif // LLMC_DIALECT_EXEC_IR_EXECOPS_H
