//===- KernelLowering.h - an exec.kernel as a function over pointers
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every kernel becomes `func @name(inputs..., outputs..., [block_table, stride, slots],
// symbols..., tile)` that computes one tile of its output. How a kernel is cut
// into tiles depends on its shapes only, never on the number of threads.
//
// Where a plan puts a result over inputs, the kernel has a variant that reads their
// elements through the result's pointer, right before it writes them: so no two pointers
// of a kernel ever lead to memory that one of them writes, and all are `noalias`.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_CODEGEN_CPU_KERNELLOWERING_H
#define LLMC_LIB_CODEGEN_CPU_KERNELLOWERING_H

#include "llmc/CodeGen/CPU/Microkernels.h"
#include "llmc/Dialect/Exec/IR/ExecOps.h"
#include "llmc/Support/DimExpr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace llmc::cpu {

struct LoweredKernel {
  std::vector<std::string> symbols; ///< in argument order
  DimExpr tiles;                    ///< how many tiles cover the output
  bool usesStates = false;
};

struct KernelTarget {
  IsaLevel level;
  int64_t blockTokens; ///< tokens per cache block, a power of two
};

/// The name of the function for `kernel` with its result over these inputs.
std::string kernelName(llvm::StringRef kernel, llvm::ArrayRef<unsigned> overwritten);

/// Adds the kernel's function to `module`; its result lies where the inputs `overwritten`
/// do. Emits a diagnostic and fails for what has no code yet (element types that
/// microkernels do not take).
mlir::FailureOr<LoweredKernel> lowerKernel(exec::KernelOp kernel,
                                           llvm::ArrayRef<unsigned> overwritten,
                                           mlir::ModuleOp module, const KernelTarget &target);

} // namespace llmc::cpu

#endif // LLMC_LIB_CODEGEN_CPU_KERNELLOWERING_H
