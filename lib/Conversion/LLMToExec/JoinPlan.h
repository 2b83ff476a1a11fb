//===- JoinPlan.h - which concatenations are written in place
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A concatenation in memory need not be a kernel that copies: what computes its operands
// can write straight into it (exec.join). That goes where operands are contiguous in it or
// its rows are theirs, some distance apart.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_CONVERSION_LLMTOEXEC_JOINPLAN_H
#define LLMC_LIB_CONVERSION_LLMTOEXEC_JOINPLAN_H

#include "FusionPlan.h"
#include "llmc/Support/DimExpr.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace llmc {

class JoinPlan {
public:
  JoinPlan(mlir::Block &block, const FusionPlan &fusion);

  /// Whether `op` becomes an exec.join.
  bool contains(llm::ConcatOp op) const { return joined.contains(op); }

  /// Whether the kernel that computes this operand of a joined concatenation writes it
  /// into the whole. Others take a kernel that does nothing else.
  bool isPlaced(mlir::OpOperand &operand) const { return placed.contains(&operand); }

  /// How many elements lie between rows of a value that a kernel writes; nullopt where
  /// they are contiguous.
  std::optional<DimExpr> getRowStride(mlir::Value value) const;

  /// The same for any operand of a concatenation.
  static std::optional<DimExpr> getRowStride(llm::ConcatOp op);

private:
  bool canPlace(mlir::OpOperand &operand) const;

  const FusionPlan &fusion;
  llvm::DenseSet<mlir::Operation *> joined;
  llvm::DenseSet<mlir::OpOperand *> placed;
  llvm::DenseMap<mlir::Value, llm::ConcatOp> wholes; ///< of each placed value in memory
};

} // namespace llmc

#endif // LLMC_LIB_CONVERSION_LLMTOEXEC_JOINPLAN_H
