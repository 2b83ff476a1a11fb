//===- Normalizers.h - Rewriting text before it is cut ----------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The `normalizer` of a tokenizer.json as one function on a string.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_NORMALIZERS_H
#define LLMC_LIB_TOKENIZER_NORMALIZERS_H

#include "JsonNode.h"

#include <functional>

namespace llmc::tokenizer {

/// Rewrites valid UTF-8 in place.
using Normalizer = std::function<MaybeError(std::string &text)>;

/// The deepest nesting of Sequence components that is read.
inline constexpr int maxSequenceDepth = 16;

/// Builds the normalizer that `node` describes; nothing to do where it is not
/// present. Mistakes are recorded in the document.
Normalizer parseNormalizer(const JsonNode &node, int depth = 0);

/// Bert's text cleaning, in its own file.
Normalizer parseBertNormalizer(const JsonNode &node);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_NORMALIZERS_H
