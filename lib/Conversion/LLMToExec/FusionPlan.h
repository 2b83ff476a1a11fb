//===- FusionPlan.h - which values a function keeps in memory
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decides for every value of a function, or of a loop's body, whether it is written to memory or
// computed inside the kernels that use it.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_CONVERSION_LLMTOEXEC_FUSIONPLAN_H
#define LLMC_LIB_CONVERSION_LLMTOEXEC_FUSIONPLAN_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace llmc {

class FusionPlan {
public:
  /// Of a function's block, or of a loop's body.
  explicit FusionPlan(mlir::Block &block);

  /// True for values that a kernel writes, arguments and constants that are
  /// weights. A reshape of such a value is a view and not itself in memory.
  bool inMemory(mlir::Value value) const;

private:
  void visit(mlir::Operation *op);
  void store(mlir::Value value);
  /// The root of a strided or row-matrix view must be stored; the value itself
  /// where it is neither.
  void storeForRows(mlir::Value value);
  void storeForStrides(mlir::Value value, bool needsUnitLast);
  bool canInline(mlir::Operation *user, mlir::Value operand);

  llvm::DenseSet<mlir::Value> stored;
  /// For values that are not stored: the anchor whose epilogue they extend.
  llvm::DenseMap<mlir::Value, mlir::Operation *> carried;
};

/// True for operations whose kernels compute element by element.
bool isPointwise(mlir::Operation *op);

/// True for operations that partitioning knows how to put into kernels.
bool hasKernel(mlir::Operation *op);

/// The values that a kernel for `op` writes, where they are in memory: its results, but
/// instead of a matrix that goes back into the state it came from that state.
llvm::SmallVector<mlir::Value> getKernelRoots(mlir::Operation *op);

/// Constants that kernels contain rather than read: splats.
bool isInlineConstant(mlir::Value value);

} // namespace llmc

#endif // LLMC_LIB_CONVERSION_LLMTOEXEC_FUSIONPLAN_H
