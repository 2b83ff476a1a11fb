//===- WeightPacking.h - the bytes of a weight in the artifact
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_CODEGEN_WEIGHTPACKING_H
#define LLMC_LIB_CODEGEN_WEIGHTPACKING_H

#include "llmc/CodeGen/CPU/Microkernels.h"
#include "llmc/Dialect/Exec/IR/ExecOps.h"
#include "llvm/Support/raw_ostream.h"

namespace llmc {

/// Writes exactly `weight.bytes` bytes in the weight's layout.
mlir::LogicalResult writePackedWeight(exec::WeightOp weight, cpu::IsaLevel level,
                                      llvm::raw_ostream &stream);

} // namespace llmc

#endif // LLMC_LIB_CODEGEN_WEIGHTPACKING_H
