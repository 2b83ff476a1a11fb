//===- Pattern.h - Finding and splitting by a pattern -----------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pattern cuts a text into matches and gaps; a split behaviour says which of
// these become pieces. Shared by normalizers, pre-tokenizers and decoders.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_PATTERN_H
#define LLMC_LIB_TOKENIZER_PATTERN_H

#include "JsonNode.h"
#include "Regex.h"

#include <functional>

namespace llmc::tokenizer {

/// One part of a text, either matched or between matches.
struct Part {
  size_t begin, end;
  bool isMatch;
};

/// Cuts a whole text into parts, in order and without holes.
using Pattern = std::function<MaybeError(std::string_view text, std::vector<Part> &parts)>;

/// Every occurrence of a string; an empty string matches nothing.
Pattern literalPattern(std::string literal);
Pattern regexPattern(Regex regex);
/// Every single character for which `matches` holds.
Pattern characterPattern(bool (*matches)(char32_t));
/// Swaps matches and gaps.
Pattern invertedPattern(Pattern pattern);

/// The string of member "pattern", if it is one and no expression.
std::optional<std::string> parseLiteral(const JsonNode &owner);

/// Reads `{"String": ".."}` or `{"Regex": ".."}` from member "pattern" (a plain
/// string is a literal). Records mistakes in the document.
Pattern parsePattern(const JsonNode &owner);

enum class SplitBehavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

/// Reads member "behavior".
SplitBehavior parseBehavior(const JsonNode &owner, SplitBehavior fallback);

/// The pieces that remain of `parts`; some may be empty.
std::vector<Regex::Range> splitParts(const std::vector<Part> &parts, SplitBehavior behavior);

/// Replaces every match in `text` by `content`.
MaybeError replaceAll(std::string &text, const Pattern &pattern, std::string_view content);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_PATTERN_H
