//===- PreTokenizers.h - Cutting text into words ----------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The `pre_tokenizer` of a tokenizer.json as one function on a list of pieces;
// the model then works on each piece by itself.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_PRETOKENIZERS_H
#define LLMC_LIB_TOKENIZER_PRETOKENIZERS_H

#include "JsonNode.h"

#include <functional>

namespace llmc::tokenizer {

/// A part of the text on its way to the model.
struct Piece {
  std::string text;
  /// Whether it begins where the user's text begins.
  bool atStart;
};

/// Replaces pieces by smaller ones; empty pieces are dropped.
using PreTokenizer = std::function<MaybeError(std::vector<Piece> &pieces)>;

/// Builds the pre-tokenizer that `node` describes; the identity where it is not
/// present. Mistakes are recorded in the document.
PreTokenizer parsePreTokenizer(const JsonNode &node, int depth = 0);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_PRETOKENIZERS_H
