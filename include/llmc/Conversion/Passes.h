//===- Passes.h - passes between dialects
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CONVERSION_PASSES_H
#define LLMC_CONVERSION_PASSES_H

#include "llmc/Dialect/Exec/IR/ExecOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace llmc {
#define GEN_PASS_DECL
#include "llmc/Conversion/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "llmc/Conversion/Passes.h.inc"
} // namespace llmc

#endif // LLMC_CONVERSION_PASSES_H
