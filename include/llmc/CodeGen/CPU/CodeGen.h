//===- CodeGen.h - from an exec module to an object file
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_CODEGEN_H
#define LLMC_CODEGEN_CPU_CODEGEN_H

#include "llmc/CodeGen/CPU/Microkernels.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace llmc {

/// The LLMC_DTYPE_* of the module ABI for a tensor's element type.
uint32_t abiDataType(mlir::Type element);

/// What the module descriptor says beside what the IR says.
struct ModuleProperties {
  std::string name;
  int64_t maxBatch = 0, maxSeq = 0, prefillChunk = 0;
  int64_t blockTokens = 0; ///< tokens per cache block, a power of two
  uint64_t weightsBytes = 0, weightsChecksum = 0;
};

namespace cpu {

/// LLMC_CPU_* bits (llmc-c/ModuleABI.h) that code of a level needs.
uint64_t requiredCpu(IsaLevel level);

/// LLVM IR of the module before optimisation: kernels, programs and descriptor.
/// Emits diagnostics and returns null on failure.
std::unique_ptr<llvm::Module> lowerToLLVM(mlir::ModuleOp module, IsaLevel level,
                                          const ModuleProperties &properties,
                                          llvm::LLVMContext &context);

/// Links the microkernels in, optimises, and writes an x86-64 ELF object.
mlir::LogicalResult emitObject(llvm::Module &module, IsaLevel level, mlir::Location loc,
                               llvm::SmallVectorImpl<char> &object);

} // namespace cpu
} // namespace llmc

#endif // LLMC_CODEGEN_CPU_CODEGEN_H
