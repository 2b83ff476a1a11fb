//===- Pattern.cpp - Finding and splitting by a pattern -------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kinds of pattern, and Hugging Face's five ways to split by them.
//
//===----------------------------------------------------------------------===//

#include "Pattern.h"
#include "Unicode.h"

#include <algorithm>

using namespace llmc::tokenizer;

/// Appends a match and the gap before it, if any.
static void addMatch(std::vector<Part> &parts, size_t &last, size_t begin, size_t end) {
  if (last < begin)
    parts.push_back({last, begin, false});
  parts.push_back({begin, end, true});
  last = end;
}

static void addTail(std::vector<Part> &parts, size_t last, size_t size) {
  if (last < size)
    parts.push_back({last, size, false});
}

Pattern llmc::tokenizer::literalPattern(std::string literal) {
  return [literal = std::move(literal)](std::string_view text, std::vector<Part> &parts) {
    size_t last = 0;
    if (!literal.empty())
      for (size_t at = text.find(literal); at != std::string_view::npos;
           at = text.find(literal, last))
        addMatch(parts, last, at, at + literal.size());
    addTail(parts, last, text.size());
    return MaybeError();
  };
}

Pattern llmc::tokenizer::regexPattern(Regex regex) {
  // std::function copies its content; Regex cannot be copied.
  auto shared = std::make_shared<const Regex>(std::move(regex));
  return [shared](std::string_view text, std::vector<Part> &parts) {
    std::vector<Regex::Range> matches;
    if (MaybeError problem = shared->findAll(text, matches))
      return problem;
    size_t last = 0;
    for (Regex::Range match : matches)
      addMatch(parts, last, match.begin, match.end);
    addTail(parts, last, text.size());
    return MaybeError();
  };
}

Pattern llmc::tokenizer::characterPattern(bool (*matches)(char32_t)) {
  return [matches](std::string_view text, std::vector<Part> &parts) {
    size_t last = 0;
    for (size_t position = 0; position < text.size();) {
      size_t begin = position;
      if (matches(nextCharacter(text, position)))
        addMatch(parts, last, begin, position);
    }
    addTail(parts, last, text.size());
    return MaybeError();
  };
}

Pattern llmc::tokenizer::invertedPattern(Pattern pattern) {
  return [pattern = std::move(pattern)](std::string_view text, std::vector<Part> &parts) {
    MaybeError problem = pattern(text, parts);
    for (Part &part : parts)
      part.isMatch = !part.isMatch;
    return problem;
  };
}

std::optional<std::string> llmc::tokenizer::parseLiteral(const JsonNode &owner) {
  JsonNode node = owner.member("pattern");
  if (node.isString())
    return node.asString();
  if (JsonNode literal = node.member("String"); literal.present())
    return literal.asString();
  return std::nullopt;
}

Pattern llmc::tokenizer::parsePattern(const JsonNode &owner) {
  if (std::optional<std::string> literal = parseLiteral(owner))
    return literalPattern(std::move(*literal));
  JsonNode node = owner.member("pattern");
  JsonNode expression = node.member("Regex");
  if (expression.present()) {
    Expected<Regex> regex = Regex::compile(expression.asString());
    if (regex)
      return regexPattern(std::move(*regex));
    expression.fail(regex.error().message);
  } else {
    node.fail("expected {\"String\": ..} or {\"Regex\": ..}");
  }
  return literalPattern("");
}

SplitBehavior llmc::tokenizer::parseBehavior(const JsonNode &owner, SplitBehavior fallback) {
  static constexpr std::pair<std::string_view, SplitBehavior> names[] = {
      {"Removed", SplitBehavior::Removed},
      {"Isolated", SplitBehavior::Isolated},
      {"MergedWithPrevious", SplitBehavior::MergedWithPrevious},
      {"MergedWithNext", SplitBehavior::MergedWithNext},
      {"Contiguous", SplitBehavior::Contiguous}};
  JsonNode node = owner.member("behavior");
  if (!node.present())
    return fallback;
  std::string found = node.asString();
  for (auto [name, behavior] : names)
    if (found == name)
      return behavior;
  node.fail("unknown split behavior '" + found + "'");
  return fallback;
}

std::vector<Regex::Range> llmc::tokenizer::splitParts(const std::vector<Part> &parts,
                                                      SplitBehavior behavior) {
  std::vector<Regex::Range> pieces;
  bool previousMatch = false;
  auto addWithNext = [&](const Part &part) {
    if (part.isMatch && !previousMatch && !pieces.empty())
      pieces.back().begin = part.begin;
    else
      pieces.push_back({part.begin, part.end});
    previousMatch = part.isMatch;
  };
  if (behavior == SplitBehavior::MergedWithNext) {
    // A match joins the piece behind it: walk from the end.
    std::for_each(parts.rbegin(), parts.rend(), addWithNext);
    std::reverse(pieces.begin(), pieces.end());
    return pieces;
  }
  for (const Part &part : parts) {
    bool joins = false;
    switch (behavior) {
    case SplitBehavior::Removed:
      if (part.isMatch)
        continue;
      break;
    case SplitBehavior::MergedWithPrevious:
      joins = part.isMatch && !previousMatch;
      break;
    case SplitBehavior::Contiguous:
      joins = part.isMatch == previousMatch;
      break;
    case SplitBehavior::Isolated:
    case SplitBehavior::MergedWithNext:
      break;
    }
    if (joins && !pieces.empty())
      pieces.back().end = part.end;
    else
      pieces.push_back({part.begin, part.end});
    previousMatch = part.isMatch;
  }
  return pieces;
}

MaybeError llmc::tokenizer::replaceAll(std::string &text, const Pattern &pattern,
                                       std::string_view content) {
  std::vector<Part> parts;
  if (MaybeError problem = pattern(text, parts))
    return problem;
  std::string result;
  result.reserve(text.size());
  for (const Part &part : parts)
    result +=
        part.isMatch ? content : std::string_view(text).substr(part.begin, part.end - part.begin);
  text = std::move(result);
  return std::nullopt;
}
