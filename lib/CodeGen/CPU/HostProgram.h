//===- HostProgram.h - exec.program as code that every worker runs
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_CODEGEN_CPU_HOSTPROGRAM_H
#define LLMC_LIB_CODEGEN_CPU_HOSTPROGRAM_H

#include "KernelLowering.h"
#include "llvm/ADT/StringMap.h"

namespace llmc::cpu {

/// Names of the functions that a program becomes.
std::string entryName(exec::ProgramOp program);
std::string shapesName(exec::ProgramOp program);
/// Of a function that only a program with requirements has.
std::string unmetName(exec::ProgramOp program);

/// Adds to `module` the phase's entry function `void (step, worker)`, which takes
/// tiles of each dispatch from the team, and its shapes function
/// `void (symbols, dims)` (llmc-c/ModuleABI.h).
mlir::LogicalResult lowerProgram(exec::ProgramOp program, mlir::ModuleOp module,
                                 const llvm::StringMap<LoweredKernel> &kernels);

} // namespace llmc::cpu

#endif // LLMC_LIB_CODEGEN_CPU_HOSTPROGRAM_H
