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

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <string>

namespace llmc {

/// One term of the mask. Additive: `value` is added to the scores. Otherwise
/// `value` is an i1 condition; scores stay where it equals `keepWhere`, and
/// become `replacement` elsewhere. `factor` multiplies what is added or put there.
struct MaskTerm {
  mlir::Value value;
  bool additive = true;
  bool keepWhere = true;
  mlir::Value replacement;
  double factor = 1;
};

/// How a rank-4 `[B, Hkv, T, D]` operand comes from `source`: by a permutation,
/// where it is not the identity.
struct KeyOperand {
  mlir::Value source;
  llvm::SmallVector<int64_t> permutation{0, 1, 2, 3};
};

struct AttentionPattern {
  mlir::Value query; // [B, Hq, S, D]
  KeyOperand key;
  mlir::Value value; // [B, Hkv, T, Dv]
  double scale = 1.0;
  double softcap = 0.0;
  llvm::SmallVector<MaskTerm> mask; // innermost first
  mlir::Value sinks;                // [Hq]
  llvm::SmallVector<mlir::Location> locations;
};

/// The number of every element of a constant.
std::optional<double> splatNumber(mlir::Value value);

/// `value` without repetition of its heads (dimension 1): the tensor whose head
/// h serves the `group` heads from `h * group` on.
mlir::Value stripRepeatedHeads(mlir::Value value);

/// The attention that `product` ends, or nullopt with a reason.
std::optional<AttentionPattern> matchAttention(llm::MatmulOp product, std::string &reason);

} // namespace llmc

#endif // LLMC_TRANSFORMS_ATTENTIONPATTERN_H
