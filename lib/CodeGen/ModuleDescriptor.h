//===- ModuleDescriptor.h - the constant tables of ModuleABI.h
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_CODEGEN_MODULEDESCRIPTOR_H
#define LLMC_LIB_CODEGEN_MODULEDESCRIPTOR_H

#include "llmc/CodeGen/CPU/CodeGen.h"

namespace llmc {

/// Adds the descriptor's constants and `llmc_module_query` to `code`, whose phase
/// functions have the names that HostProgram.h gives.
void addModuleDescriptor(llvm::Module &code, mlir::ModuleOp module,
                         const ModuleProperties &properties, uint64_t requiredCpu);

} // namespace llmc

#endif // LLMC_LIB_CODEGEN_MODULEDESCRIPTOR_H
