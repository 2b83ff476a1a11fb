//===- MaskAnalysis.h - what an attention mask means ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters compute masks in dozens of ways; instead of matching them, the
// mask's subgraph is evaluated on sample sizes and sample padding masks, and
// compared with what `llm.attention` can say by itself:
//
//   visible(b, i, j) = (!causal || j <= p) && (window == 0 || j > p - window)
//                      && (no key mask || keyMask[b, j] != 0),   p = T - S + i
//
// A query that sees no key under that formula is not compared when there is a
// key mask: its own key is masked, so it is padding, and no query that counts
// ever reads what it computes. Exporters differ for such rows (uniform, zero,
// NaN), and llm.attention gives zeros.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_MASKANALYSIS_H
#define LLMC_TRANSFORMS_MASKANALYSIS_H

#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Reference/Evaluator.h"
#include "llvm/ADT/DenseMap.h"
#include <string>

namespace llmc {

/// The sizes of an attention whose mask is analysed.
struct AttentionSizes {
  DimExpr batch, queries, keys; // B, S, T

  /// How many keys come before the first query.
  DimExpr past() const { return keys - queries; }
};

/// Gives `evaluator` the symbols of `sizes`; false where they cannot have these values.
bool bindSizes(reference::Evaluator &evaluator, const AttentionSizes &sizes, int64_t batch,
               int64_t past, int64_t queries);

struct MaskMeaning {
  bool causal = false;
  int64_t window = 0;          ///< 0: none
  mlir::BlockArgument keyMask; ///< 2-D [B, T] integer or i1; null: none
};

/// Analyses masks of one function. Layers share mask values, so answers are
/// kept by value.
class MaskAnalysis {
public:
  /// What the additive mask `bias`, broadcast to [B, heads, S, T], means; nullopt
  /// where the formula above cannot say it, with the reason in `reason()`.
  std::optional<MaskMeaning> analyze(mlir::Value bias, const AttentionSizes &sizes);
  /// Whether `condition`, broadcast to [B, heads, S, Dv], holds only for queries
  /// that see no key.
  bool isOnlyTrueWithoutKeys(mlir::Value condition, const MaskMeaning &meaning,
                             const AttentionSizes &sizes);
  llvm::StringRef reason() const { return reasonText; }

private:
  struct Slice;
  struct Sample;
  std::optional<MaskMeaning> analyzeUncached(mlir::Value bias, const AttentionSizes &sizes);
  std::optional<Slice> collect(mlir::Value root);
  /// Takes what it computes from `elementsLeft`.
  llvm::FailureOr<reference::Tensor> evaluate(mlir::Value root, const Slice &slice,
                                              const AttentionSizes &sizes, const Sample &sample,
                                              int64_t &elementsLeft);
  bool fail(const llvm::Twine &text);

  llvm::DenseMap<mlir::Value, std::optional<MaskMeaning>> answers;
  std::string reasonText;
};

} // namespace llmc

#endif // LLMC_TRANSFORMS_MASKANALYSIS_H
