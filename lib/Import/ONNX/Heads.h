//===- Heads.h - attention heads in a hidden dimension
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_HEADS_H
#define LLMC_LIB_IMPORT_ONNX_HEADS_H

#include "Node.h"

namespace llmc::importer {

/// [B, S, H * D] -> [B, H, S, D]. Fails where H does not divide the last size.
Value splitHeads(Node &n, Value x, int64_t heads);
/// [B, H, S, D] -> [B, S, H * D].
Value mergeHeads(Node &n, Value x);

struct RotaryOptions {
  bool interleaved = false;
  /// Channels to rotate; 0: all.
  int64_t channels = 0;
};
/// Rotates `x[B, H, S, D]` with rows of `cos` and `sin[positions, R]` at
/// `positions[B or 1, S]`, or with `cos` and `sin[B or 1, S, R]` as they are where
/// `positions` is null.
Value rotate(Node &n, Value x, Value cos, Value sin, Value positions, RotaryOptions options);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_HEADS_H
