//===- MicrosoftAttend.h - what com.microsoft's attention operators share
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Masks add mask_filter_value (a large negative number), so that a row of
// masked keys only still has a softmax; `unidirectional` hides keys for good.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_MICROSOFTATTEND_H
#define LLMC_LIB_IMPORT_ONNX_MICROSOFTATTEND_H

#include "Attend.h"

namespace llmc::importer {

/// Attention of a call's tokens. Key and value are those tokens' own until the past is put
/// before them.
struct CachedAttention : Attention {
  DimExpr past = 0;         ///< tokens before the call's
  bool isInBuffers = false; ///< they lie in longer buffers, and data says how many they are
  Value presentKey, presentValue;
};

/// The pasts [B, H, P, D] before the new keys and values; fails where only one is there.
void appendPast(Node &n, CachedAttention &a, Value pastKey, Value pastValue);

/// How many tokens lie in a buffer [.., capacity, D] before `tokens` new ones, as the one
/// integer `length` says.
DimExpr pastInBuffer(Node &n, Value length, const DimExpr &capacity, const DimExpr &tokens);
/// The first `a.past` tokens of buffers [B, H, capacity, D] before the new keys and values,
/// which the presents have in their places behind them. Where `beams` [B / W, W, capacity] is
/// there and the call has one token, past token t of sequence j of W is that of sequence
/// beams[.., j, t] of the same W.
void appendToBuffers(Node &n, CachedAttention &a, Value keys, Value values, Value beams);

/// Attributes, mask and bias to `a`, and its result to output 0; output 3 is the scores that
/// the softmax is taken of.
void finishAttention(Node &n, CachedAttention &a, Value mask, Value bias);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_MICROSOFTATTEND_H
