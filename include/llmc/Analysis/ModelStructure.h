//===- ModelStructure.h - a recognised graph as layers
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a person wants to know of a model after recognition: which operations each
// decoder layer consists of, and what was left in pieces, and why. Layers are found
// by structure: each begins before one operation that mixes tokens.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_ANALYSIS_MODELSTRUCTURE_H
#define LLMC_ANALYSIS_MODELSTRUCTURE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <map>
#include <string>
#include <vector>

namespace llmc {

/// Discardable attribute that llmc-explain-mismatches puts on an operation which
/// recognition left in pieces: "<nearest pattern>: <first mismatch>".
inline constexpr llvm::StringLiteral kMismatchAttr = "llm.mismatch";

/// One operation of a layer, as text: its name and what sets it apart.
struct StructureLine {
  std::string operation; ///< "linear", "attention", "unary silu"
  std::string details;   ///< "64 -> 172, int4 in groups of 32"
  int count = 1;         ///< neighbours that read the same
};

struct LayerStructure {
  std::vector<StructureLine> lines;
  /// Operations that models are made of (not arithmetic or movement), counted by name.
  std::map<std::string, int> histogram;

  bool operator==(const LayerStructure &other) const;
};

/// Something that recognition would have liked to be one operation.
struct UnmatchedPattern {
  std::string pattern; ///< "attention", "rms_norm", "rotary", "linear"
  std::string where;   ///< the ONNX node's name
  std::string reason;  ///< nearest pattern's first mismatch
};

struct ModelStructure {
  LayerStructure before; ///< embeddings, what comes before the first layer
  std::vector<LayerStructure> layers;
  LayerStructure after; ///< last norm, logits
  std::vector<UnmatchedPattern> unmatched;
};

/// Reads one function of recognised `llm` operations.
ModelStructure analyzeStructure(mlir::func::FuncOp func);

} // namespace llmc

#endif // LLMC_ANALYSIS_MODELSTRUCTURE_H
