//===- BertNormalizer.cpp - Bert's text cleaning --------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Cleans control characters, sets spaces around Chinese characters, drops
// accents and lowers case, in this order, each if asked for.
//
//===----------------------------------------------------------------------===//

#include "Normalizers.h"
#include "Unicode.h"

using namespace llmc::tokenizer;

namespace {

struct BertOptions {
  bool cleanText, spaceChinese, stripAccents, lowercase;
};

} // namespace

/// The blocks that Bert's own tokenizer counts as Chinese.
static bool isChinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static std::string clean(std::string_view text) {
  std::string result;
  for (size_t position = 0; position < text.size();) {
    char32_t c = nextCharacter(text, position);
    bool plainSpace = c == '\t' || c == '\n' || c == '\r';
    if (c == 0 || c == 0xFFFD || (!plainSpace && isOther(c)))
      continue;
    appendUtf8(result, isWhitespace(c) ? U' ' : c);
  }
  return result;
}

static std::string spaceChinese(std::string_view text) {
  std::string result;
  for (size_t position = 0; position < text.size();) {
    char32_t c = nextCharacter(text, position);
    if (isChinese(c))
      result += ' ';
    appendUtf8(result, c);
    if (isChinese(c))
      result += ' ';
  }
  return result;
}

static std::string withoutAccents(std::string_view text) {
  std::string decomposed = normalize(text, NormalForm::D);
  std::string result;
  for (size_t position = 0; position < decomposed.size();) {
    char32_t c = nextCharacter(decomposed, position);
    if (!isNonspacingMark(c))
      appendUtf8(result, c);
  }
  return result;
}

Normalizer llmc::tokenizer::parseBertNormalizer(const JsonNode &node) {
  BertOptions options;
  options.cleanText = node.boolOr("clean_text", true);
  options.spaceChinese = node.boolOr("handle_chinese_chars", true);
  options.lowercase = node.boolOr("lowercase", true);
  // Unset means: together with lower case.
  options.stripAccents = node.boolOr("strip_accents", options.lowercase);
  return [options](std::string &text) {
    if (options.cleanText)
      text = clean(text);
    if (options.spaceChinese)
      text = spaceChinese(text);
    if (options.stripAccents)
      text = withoutAccents(text);
    if (options.lowercase)
      text = toLower(text);
    return MaybeError();
  };
}
