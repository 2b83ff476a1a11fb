//===- StateWindow.h - how far back a state of tokens is read
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_ANALYSIS_STATEWINDOW_H
#define LLMC_ANALYSIS_STATEWINDOW_H

#include "mlir/IR/BuiltinOps.h"

namespace llmc {

/// How many tokens back the exec programs of `module` read the state of tokens that is
/// called `name`: the widest window of the attentions that read it, 0 where something
/// reads all of it.
int64_t getStateWindow(mlir::ModuleOp module, llvm::StringRef name);

} // namespace llmc

#endif // LLMC_ANALYSIS_STATEWINDOW_H
