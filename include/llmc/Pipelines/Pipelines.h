//===- Pipelines.h - from an ONNX file to an artifact
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_PIPELINES_PIPELINES_H
#define LLMC_PIPELINES_PIPELINES_H

#include "llmc/Pipelines/CompilerOptions.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

namespace llmc {

/// All dialects that compilation creates.
void registerDialects(mlir::DialectRegistry &registry);
/// All passes of llmc and the pass pipelines of its phases, for llmc-opt.
void registerPasses();

void addNormalizePasses(mlir::OpPassManager &passes);
/// With `explain`, operations that recognition left in pieces say why (kMismatchAttr).
void addRecognizePasses(mlir::OpPassManager &passes, bool explain = false);
void addSpecializePasses(mlir::OpPassManager &passes, const CompilerOptions &options);
void addPartitionPasses(mlir::OpPassManager &passes);
void addPlanPasses(mlir::OpPassManager &passes, int64_t panelWidth);

/// Runs the phases in order. Diagnostics go to the context's handler; nothing is
/// written unless everything succeeds. With `stopAfter` the IR goes to `printed`.
mlir::LogicalResult compile(const CompilerOptions &options, mlir::MLIRContext &context,
                            llvm::raw_ostream &printed);

} // namespace llmc

#endif // LLMC_PIPELINES_PIPELINES_H
