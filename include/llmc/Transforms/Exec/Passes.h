//===- Passes.h - passes from exec to exec
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_EXEC_PASSES_H
#define LLMC_TRANSFORMS_EXEC_PASSES_H

#include "llmc/Dialect/Exec/IR/ExecOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace llmc {
#define GEN_PASS_DECL
#include "llmc/Transforms/Exec/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "llmc/Transforms/Exec/Passes.h.inc"
} // namespace llmc

#endif // LLMC_TRANSFORMS_EXEC_PASSES_H
