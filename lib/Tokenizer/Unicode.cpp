//===- Unicode.cpp - UTF-8 and character classes --------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// UTF-8 by hand (its error rules must match other programs exactly), tables
// from utf8proc.
//
//===----------------------------------------------------------------------===//

#include "Unicode.h"

#include <cstdlib>
#include <utf8proc.h>

using namespace llmc::tokenizer;

Utf8Prefix llmc::tokenizer::classifyUtf8(std::string_view bytes) {
  auto byteAt = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  unsigned char lead = byteAt(0);
  if (lead < 0x80)
    return {Utf8Prefix::Complete, 1};
  // The second byte's range excludes overlong forms, surrogates and values
  // above U+10FFFF.
  size_t size = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    low = lead == 0xE0 ? 0xA0 : 0x80;
    high = lead == 0xED ? 0x9F : 0xBF;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    low = lead == 0xF0 ? 0x90 : 0x80;
    high = lead == 0xF4 ? 0x8F : 0xBF;
  } else {
    return {Utf8Prefix::Invalid, 1};
  }
  for (size_t i = 1; i < size; ++i) {
    if (i == bytes.size())
      return {Utf8Prefix::Truncated, i};
    if (byteAt(i) < low || byteAt(i) > high)
      return {Utf8Prefix::Invalid, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8Prefix::Complete, size};
}

std::string llmc::tokenizer::toValidUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    Utf8Prefix prefix = classifyUtf8(bytes);
    text +=
        prefix.kind == Utf8Prefix::Complete ? bytes.substr(0, prefix.size) : replacementCharacter;
    bytes.remove_prefix(prefix.size);
  }
  return text;
}

size_t llmc::tokenizer::characterSize(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

char32_t llmc::tokenizer::nextCharacter(std::string_view text, size_t &position) {
  auto lead = static_cast<unsigned char>(text[position]);
  size_t size = characterSize(lead);
  char32_t character = size == 1 ? lead : lead & (0xFF >> (size + 1));
  for (size_t i = 1; i < size && position + i < text.size(); ++i)
    character = character << 6 | (static_cast<unsigned char>(text[position + i]) & 0x3F);
  position += size;
  return character;
}

void llmc::tokenizer::appendUtf8(std::string &text, char32_t character) {
  utf8proc_uint8_t bytes[4];
  utf8proc_ssize_t size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes);
  text.append(reinterpret_cast<const char *>(bytes), size);
}

static utf8proc_category_t categoryOf(char32_t character) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(character));
}

bool llmc::tokenizer::isWhitespace(char32_t c) {
  if (c < 0x80)
    return c == ' ' || (c >= 9 && c <= 13);
  if (c == 0x85)
    return true;
  utf8proc_category_t category = categoryOf(c);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}

bool llmc::tokenizer::isMark(char32_t character) {
  utf8proc_category_t category = categoryOf(character);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
         category == UTF8PROC_CATEGORY_ME;
}

bool llmc::tokenizer::isNonspacingMark(char32_t character) {
  return categoryOf(character) == UTF8PROC_CATEGORY_MN;
}

bool llmc::tokenizer::isNumeric(char32_t character) {
  utf8proc_category_t category = categoryOf(character);
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL ||
         category == UTF8PROC_CATEGORY_NO;
}

bool llmc::tokenizer::isPunctuation(char32_t c) {
  if (c < 0x80)
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  utf8proc_category_t category = categoryOf(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool llmc::tokenizer::isOther(char32_t character) {
  utf8proc_category_t category = categoryOf(character);
  return category == UTF8PROC_CATEGORY_CN ||
         (category >= UTF8PROC_CATEGORY_CC && category <= UTF8PROC_CATEGORY_CO);
}

bool llmc::tokenizer::isWordCharacter(char32_t character) {
  utf8proc_category_t category = categoryOf(character);
  // Enclosed Latin letters: symbols by category, but alphabetic.
  if ((character >= 0x24B6 && character <= 0x24E9) ||
      (character >= 0x1F130 && character <= 0x1F149) ||
      (character >= 0x1F150 && character <= 0x1F169) ||
      (character >= 0x1F170 && character <= 0x1F189))
    return true;
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         isMark(character) || character == 0x200C || character == 0x200D ||
         category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL ||
         category == UTF8PROC_CATEGORY_PC;
}

std::string llmc::tokenizer::toLower(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t position = 0; position < text.size();) {
    char32_t c = nextCharacter(text, position);
    // The one character whose lower case is two: I with a dot above.
    if (c == 0x130)
      result += "i\xCC\x87";
    else
      appendUtf8(result, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
  return result;
}

std::string llmc::tokenizer::normalize(std::string_view text, NormalForm form) {
  int options = UTF8PROC_STABLE;
  bool composes = form == NormalForm::C || form == NormalForm::KC;
  options |= composes ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::KC || form == NormalForm::KD)
    options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t *mapped = nullptr;
  utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(text.data()),
                                       static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                       static_cast<utf8proc_option_t>(options));
  // Only running out of memory can fail on valid UTF-8.
  std::string result =
      size < 0 ? std::string(text)
               : std::string(reinterpret_cast<char *>(mapped), static_cast<size_t>(size));
  std::free(mapped);
  return result;
}
