//===- AttentionBias.h - what is added to an attention's scores -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Masks and position biases reach attention as one tensor. A mask becomes attributes
// (MaskAnalysis.h), linear position biases become slopes, and what is neither stays.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_ATTENTIONBIAS_H
#define LLMC_TRANSFORMS_ATTENTIONBIAS_H

#include "MaskAnalysis.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include <vector>

namespace llmc {

/// A bias in two parts: what a mask says, and the sum of the other terms (null: none).
struct BiasParts {
  MaskMeaning mask;
  mlir::Value rest;
};

/// Splits a sum, or a select between a number that hides a key and a bias, into terms that
/// MaskAnalysis understands and others; nullopt where it understands none, with the reason
/// in `analysis`. The new operations stand behind `bias`.
std::optional<BiasParts> splitBias(mlir::Value bias, const AttentionSizes &sizes,
                                   MaskAnalysis &analysis);

/// `attention` sees what `mask` lets it see, too; key masks are not its attributes.
void addMask(llm::AttentionOp attention, const MaskMeaning &mask);

/// Gives `attention` a bias for `keys` keys, with an element for each of them; null: none.
void setBias(llm::AttentionOp attention, mlir::Value bias, const DimExpr &keys);

/// Finds the numbers m with bias[b, h, i, j] = m[h] * j + c[b, h, i] in samples short and long:
/// ALiBi's, in whatever way the graph computes them. Softmax does not see c. As masks they
/// are found by evaluation (decision 5). Answers are kept by value.
class SlopeFinder {
public:
  /// One per head; nullopt where there are none, or where the bias depends on inputs.
  std::optional<std::vector<float>> find(mlir::Value bias, const AttentionSizes &sizes,
                                         int64_t numHeads);
  /// Gives `attention` slopes in place of its bias where that is what it is.
  void takeSlopes(llm::AttentionOp attention, const AttentionSizes &sizes);

private:
  llvm::DenseMap<mlir::Value, std::optional<std::vector<float>>> answers;
};

} // namespace llmc

#endif // LLMC_TRANSFORMS_ATTENTIONBIAS_H
