//===- Attend.h - attention, whichever operator asks for it
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Most of what operators ask for is one llm.attention. Those that show scores or
// probabilities on the way, or change them, are written out in core operations.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_ATTEND_H
#define LLMC_LIB_IMPORT_ONNX_ATTEND_H

#include "Node.h"

namespace llmc::importer {

/// The operands and attributes of llm.attention; see there for what they mean.
struct Attention {
  Value query;         ///< [B, Hq, S, D]
  Value key;           ///< [B, Hkv, T, D]
  Value value;         ///< [B, Hkv, T, Dv]
  Value bias = {};     ///< broadcasts to [B, Hq, S, T]; null: none
  Value pastLens = {}; ///< [B] of i64; null: the block ends with the last key
  Value sinks = {};    ///< [Hq]; null: none
  double scale = 1;
  double softcap = 0;
  bool causal = false;
  int64_t window = 0;
};

/// Fails where query, key and value do not fit together.
void checkOperands(Node &n, const Attention &a);
/// 1 / sqrt(D); fails where D is not constant.
double defaultScale(Node &n, Value query);

Value attend(Node &n, const Attention &a);

/// The same in core operations, with what is computed on the way.
struct AttentionSteps {
  Value scores;        ///< scaled products [B, Hq, S, T]
  Value capped;        ///< after the softcap
  Value biased;        ///< after the bias, -inf where a key is not visible
  Value probabilities; ///< rows without a visible key are 0
  Value result;
};
/// The element type that the attribute `softmax_precision` names, `otherwise` (an ONNX data
/// type) without it; fails for what is no floating-point type.
mlir::Type softmaxPrecision(Node &n, int64_t otherwise);
/// The softmax is computed in elements of `softmaxType`.
AttentionSteps attendInSteps(Node &n, const Attention &a, mlir::Type softmaxType);

/// `query` times the transposed `key`, and `probabilities` times `value`, for grouped heads.
Value groupedScores(Node &n, Value query, Value key);
Value groupedValues(Node &n, Value probabilities, Value value);

/// Which keys a query at position `first + i` sees. `first` is i64 of rank 0 or [B].
struct Sight {
  Value first;
  std::optional<int64_t> left, right; ///< keys before and after its own; nullopt: all
};
/// A bias of 0 and -inf, [S, T] or [B, 1, S, T]; null where all is seen.
Value sightBias(Node &n, const Sight &sight, const DimExpr &queries, const DimExpr &keys,
                mlir::Type element);

/// `cache` with `tokens` in the places from `first` on along `axis`, which is not 0. `first` is
/// i64 of rank 0 or [B]; null: 0. Places behind the cache's end are its first again where
/// `isCircular`, otherwise nothing is written there.
Value writeTokens(Node &n, Value cache, Value tokens, int64_t axis, Value first,
                  bool isCircular = false);

/// A condition as a bias: 0 where it holds, -inf elsewhere.
Value biasWhere(Node &n, Value condition, mlir::Type element);
/// The sum of two biases that may be null.
Value addBias(Node &n, Value bias, Value more);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_ATTEND_H
