//===- PreTokenizers.cpp - Cutting text into words ------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Most types are a pattern and a split behaviour; ByteLevel and Metaspace also
// rewrite the text.
//
//===----------------------------------------------------------------------===//

#include "PreTokenizers.h"
#include "ByteAlphabet.h"
#include "Normalizers.h"
#include "Pattern.h"
#include "Unicode.h"

using namespace llmc::tokenizer;

/// How GPT-2 cuts text, as its format defines it.
static constexpr std::string_view gpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

static MaybeError splitPieces(std::vector<Piece> &pieces, const Pattern &pattern,
                              SplitBehavior behavior) {
  std::vector<Piece> result;
  std::vector<Part> parts;
  for (const Piece &piece : pieces) {
    parts.clear();
    if (MaybeError problem = pattern(piece.text, parts))
      return problem;
    for (Regex::Range range : splitParts(parts, behavior))
      if (range.end > range.begin)
        result.push_back({piece.text.substr(range.begin, range.end - range.begin),
                          piece.atStart && range.begin == 0});
  }
  pieces = std::move(result);
  return std::nullopt;
}

static PreTokenizer splitter(Pattern pattern, SplitBehavior behavior) {
  return [pattern = std::move(pattern), behavior](std::vector<Piece> &pieces) {
    return splitPieces(pieces, pattern, behavior);
  };
}

/// A splitter by one of the library's own expressions, which do compile.
static PreTokenizer splitterByRegex(const JsonNode &node, std::string_view expression,
                                    SplitBehavior behavior, bool inverted) {
  Expected<Regex> regex = Regex::compile(expression);
  if (!regex) {
    node.fail(regex.error().message);
    return [](std::vector<Piece> &) { return MaybeError(); };
  }
  Pattern pattern = regexPattern(std::move(*regex));
  return splitter(inverted ? invertedPattern(std::move(pattern)) : pattern, behavior);
}

static PreTokenizer parseByteLevel(const JsonNode &node) {
  bool addPrefixSpace = node.boolOr("add_prefix_space", true);
  PreTokenizer split = [](std::vector<Piece> &) { return MaybeError(); };
  if (node.boolOr("use_regex", true))
    split = splitterByRegex(node, gpt2Pattern, SplitBehavior::Isolated,
                            /*inverted=*/false);
  return [addPrefixSpace, split](std::vector<Piece> &pieces) {
    if (addPrefixSpace)
      for (Piece &piece : pieces)
        if (!piece.text.starts_with(' '))
          piece.text.insert(0, " ");
    if (MaybeError problem = split(pieces))
      return problem;
    for (Piece &piece : pieces)
      piece.text = bytesToAlphabet(piece.text);
    return MaybeError();
  };
}

static PreTokenizer parseMetaspace(const JsonNode &node) {
  enum Scheme { First, Always, Never } scheme = Always;
  std::string replacement = node.stringOr("replacement", "\xE2\x96\x81");
  // Older files have add_prefix_space and no scheme.
  bool addPrefixSpace = node.boolOr("add_prefix_space", true);
  std::string name = node.stringOr("prepend_scheme", addPrefixSpace ? "always" : "never");
  if (name == "first")
    scheme = First;
  else if (name == "never")
    scheme = Never;
  else if (name != "always")
    node.member("prepend_scheme").fail("unknown prepend scheme '" + name + "'");
  bool splits = node.boolOr("split", true);
  Pattern space = literalPattern(" ");
  Pattern mark = literalPattern(replacement);
  return [=](std::vector<Piece> &pieces) {
    for (Piece &piece : pieces) {
      if (MaybeError problem = replaceAll(piece.text, space, replacement))
        return problem;
      bool prepends = scheme == Always || (scheme == First && piece.atStart);
      if (prepends && !piece.text.starts_with(replacement))
        piece.text.insert(0, replacement);
    }
    return splits ? splitPieces(pieces, mark, SplitBehavior::MergedWithNext) : MaybeError();
  };
}

/// `\w+|[^\w\s]+`, but in Rust's meaning: its words have joiners and lack the
/// numbers that are no decimal digits.
static PreTokenizer whitespacePreTokenizer(const JsonNode &node) {
  return splitterByRegex(node,
                         R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D}]+)"
                         R"(|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D}\s]+)",
                         SplitBehavior::Removed, /*inverted=*/true);
}

static PreTokenizer parseSplit(const JsonNode &node) {
  Pattern pattern = parsePattern(node);
  if (!node.member("behavior").present())
    node.fail("expected a behavior");
  return splitter(node.boolOr("invert", false) ? invertedPattern(pattern) : pattern,
                  parseBehavior(node, SplitBehavior::Isolated));
}

static PreTokenizer bertPreTokenizer() {
  return [space = characterPattern(isWhitespace),
          mark = characterPattern(isPunctuation)](std::vector<Piece> &pieces) {
    if (MaybeError problem = splitPieces(pieces, space, SplitBehavior::Removed))
      return problem;
    return splitPieces(pieces, mark, SplitBehavior::Isolated);
  };
}

static PreTokenizer parseSequence(const JsonNode &node, int depth) {
  std::vector<PreTokenizer> steps;
  if (depth >= maxSequenceDepth)
    node.fail("sequences are nested too deeply");
  else
    for (const JsonNode &step : node.member("pretokenizers").elements())
      steps.push_back(parsePreTokenizer(step, depth + 1));
  return [steps = std::move(steps)](std::vector<Piece> &pieces) {
    for (const PreTokenizer &step : steps)
      if (MaybeError problem = step(pieces))
        return problem;
    return MaybeError();
  };
}

PreTokenizer llmc::tokenizer::parsePreTokenizer(const JsonNode &node, int depth) {
  PreTokenizer nothing = [](std::vector<Piece> &) { return MaybeError(); };
  if (!node.present())
    return nothing;
  std::string type = node.requiredString("type");
  if (type == "Sequence")
    return parseSequence(node, depth);
  if (type == "ByteLevel")
    return parseByteLevel(node);
  if (type == "Metaspace")
    return parseMetaspace(node);
  if (type == "Split")
    return parseSplit(node);
  if (type == "Whitespace")
    return whitespacePreTokenizer(node);
  if (type == "WhitespaceSplit")
    return splitter(characterPattern(isWhitespace), SplitBehavior::Removed);
  if (type == "Digits")
    return splitter(characterPattern(isNumeric), node.boolOr("individual_digits", false)
                                                     ? SplitBehavior::Isolated
                                                     : SplitBehavior::Contiguous);
  if (type == "Punctuation")
    return splitter(characterPattern(isPunctuation), parseBehavior(node, SplitBehavior::Isolated));
  if (type == "CharDelimiterSplit")
    return splitter(literalPattern(node.requiredString("delimiter")), SplitBehavior::Removed);
  if (type == "BertPreTokenizer")
    return bertPreTokenizer();
  node.fail("unknown pre-tokenizer '" + type + "'");
  return nothing;
}
