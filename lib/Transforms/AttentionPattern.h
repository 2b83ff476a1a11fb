//===- AttentionPattern.h - the shape of decomposed attention -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds softmax(q k^T * scale + mask) v behind a matmul, without changing IR.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_ATTENTIONPATTERN_H
#define LLMC_TRANSFORMS_ATTENTIONPATTERN_H

#include "LeadingDims.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <string>

namespace llmc {

/// One term of the mask. Additive: `tensor` is added to the scores. Otherwise
/// `tensor` is an i1 condition; scores stay where it equals `keepWhere`, and
/// become `replacement` elsewhere. `factor` multiplies what is added or put there.
struct MaskTerm {
  LedTensor tensor;
  mlir::Type element; ///< of what is added or put there
  bool additive = true;
  bool keepWhere = true;
  double replacement = 0;
  double factor = 1;
};

/// A factor of whole rows of scores: the query's factor, or what divides it.
struct RowFactor {
  LedTensor tensor;
  bool divides = false;
};

struct AttentionPattern {
  LedTensor query;           // [.., S, D]
  LedTensor key;             // [.., T, D]
  LedTensor value;           // [.., T, Dv]
  bool isTransposed = false; ///< the result is [.., Dv, S]
  std::optional<HeadLayout> layout;
  double scale = 1.0;
  double softcap = 0.0;
  llvm::SmallVector<RowFactor> rowFactors;
  llvm::SmallVector<MaskTerm> mask; // innermost first
  mlir::Value sinks;                // [Hq]
  /// Triples step, low, high of each rounding, in the order they are applied.
  llvm::SmallVector<double> scoreRounding, biasedRounding, weightRounding;
  llvm::SmallVector<mlir::Location> locations;
};

/// The number of every element of a constant.
std::optional<double> splatNumber(mlir::Value value);

/// The attention that `product` ends, or nullopt with a reason.
std::optional<AttentionPattern> matchAttention(llm::MatmulOp product, std::string &reason);

} // namespace llmc

#endif // LLMC_TRANSFORMS_ATTENTIONPATTERN_H
