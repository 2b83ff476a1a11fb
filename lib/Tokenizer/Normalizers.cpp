//===- Normalizers.cpp - Rewriting text before it is cut ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per normalizer type and the table of their names.
//
//===----------------------------------------------------------------------===//

#include "Normalizers.h"
#include "ByteAlphabet.h"
#include "Pattern.h"
#include "Unicode.h"

using namespace llmc::tokenizer;

static Normalizer formNormalizer(NormalForm form) {
  return [form](std::string &text) {
    text = normalize(text, form);
    return MaybeError();
  };
}

static Normalizer parsePrepend(const JsonNode &node) {
  return [prefix = node.requiredString("prepend")](std::string &text) {
    if (!text.empty())
      text.insert(0, prefix);
    return MaybeError();
  };
}

static Normalizer parseReplace(const JsonNode &node) {
  return [pattern = parsePattern(node), content = node.requiredString("content")](
             std::string &text) { return replaceAll(text, pattern, content); };
}

static Normalizer parseStrip(const JsonNode &node) {
  bool left = node.boolOr("strip_left", true);
  bool right = node.boolOr("strip_right", true);
  return [left, right](std::string &text) {
    size_t begin = 0, end = 0;
    bool leading = left;
    // `end` follows the last character that stays.
    for (size_t position = 0; position < text.size();) {
      bool space = isWhitespace(nextCharacter(text, position));
      leading &= space;
      if (leading)
        begin = position;
      if (!space || !right)
        end = position;
    }
    text = end > begin ? text.substr(begin, end - begin) : std::string();
    return MaybeError();
  };
}

static Normalizer stripAccents() {
  return [](std::string &text) {
    std::string kept;
    for (size_t position = 0; position < text.size();) {
      char32_t character = nextCharacter(text, position);
      if (!isMark(character))
        appendUtf8(kept, character);
    }
    text = std::move(kept);
    return MaybeError();
  };
}

/// SentencePiece's cleaning for machine translation: drops control characters
/// and turns unusual spaces into ordinary ones.
static Normalizer nmt() {
  return [](std::string &text) {
    std::string kept;
    for (size_t position = 0; position < text.size();) {
      char32_t c = nextCharacter(text, position);
      bool dropped = (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
                     c == 0x8F || c == 0x9F;
      bool space = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                   (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                   c == 0xFEFF || c == 0xFFFD;
      if (!dropped)
        appendUtf8(kept, space ? U' ' : c);
    }
    text = std::move(kept);
    return MaybeError();
  };
}

static Normalizer parseSequence(const JsonNode &node, int depth) {
  std::vector<Normalizer> steps;
  if (depth >= maxSequenceDepth)
    node.fail("sequences are nested too deeply");
  else
    for (const JsonNode &step : node.member("normalizers").elements())
      steps.push_back(parseNormalizer(step, depth + 1));
  return [steps = std::move(steps)](std::string &text) {
    for (const Normalizer &step : steps)
      if (MaybeError problem = step(text))
        return problem;
    return MaybeError();
  };
}

Normalizer llmc::tokenizer::parseNormalizer(const JsonNode &node, int depth) {
  Normalizer nothing = [](std::string &) { return MaybeError(); };
  if (!node.present())
    return nothing;
  std::string type = node.requiredString("type");
  if (type == "Sequence")
    return parseSequence(node, depth);
  if (type == "NFC")
    return formNormalizer(NormalForm::C);
  if (type == "NFD")
    return formNormalizer(NormalForm::D);
  if (type == "NFKC")
    return formNormalizer(NormalForm::KC);
  if (type == "NFKD")
    return formNormalizer(NormalForm::KD);
  if (type == "Prepend")
    return parsePrepend(node);
  if (type == "Replace")
    return parseReplace(node);
  if (type == "Strip")
    return parseStrip(node);
  if (type == "StripAccents")
    return stripAccents();
  if (type == "Nmt")
    return nmt();
  if (type == "BertNormalizer")
    return parseBertNormalizer(node);
  if (type == "Lowercase")
    return [](std::string &text) {
      text = toLower(text);
      return MaybeError();
    };
  if (type == "ByteLevel")
    return [](std::string &text) {
      text = bytesToAlphabet(text);
      return MaybeError();
    };
  if (type == "Precompiled") {
    if (!node.stringOr("precompiled_charsmap", "").empty())
      node.fail("normalizer 'Precompiled' with a character map is not "
                "supported");
    return nothing;
  }
  node.fail("unknown normalizer '" + type + "'");
  return nothing;
}
