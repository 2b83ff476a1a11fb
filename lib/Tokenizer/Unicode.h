//===- Unicode.h - UTF-8 and character classes ------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the components need to know about characters: reading and writing
// UTF-8, repairing broken input, and the classes that Hugging Face's
// components are defined with.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_UNICODE_H
#define LLMC_LIB_TOKENIZER_UNICODE_H

#include <cstddef>
#include <string>
#include <string_view>

namespace llmc::tokenizer {

/// U+FFFD in UTF-8: stands for bytes that are no text.
inline constexpr std::string_view replacementCharacter = "\xEF\xBF\xBD";

/// How the bytes at some position read as UTF-8.
struct Utf8Prefix {
  enum Kind { Complete, Invalid, Truncated } kind;
  /// Bytes of the character, or of what one replacement character stands for;
  /// for Truncated: all bytes that are left.
  size_t size;
};

/// Reads the first character of non-empty `bytes`. Truncated means that more
/// bytes could still complete it.
Utf8Prefix classifyUtf8(std::string_view bytes);

/// `bytes` with every broken sequence replaced by U+FFFD (one for each maximal
/// part of a well-formed sequence, as Python and Rust do).
std::string toValidUtf8(std::string_view bytes);

/// The character at `position` of valid UTF-8; advances past it.
char32_t nextCharacter(std::string_view text, size_t &position);

/// Bytes of the character that starts with `lead`, in valid UTF-8.
size_t characterSize(unsigned char lead);

void appendUtf8(std::string &text, char32_t character);

/// The Unicode property White_Space.
bool isWhitespace(char32_t character);
/// General categories M, Mn, N and P (P with all ASCII punctuation).
bool isMark(char32_t character);
bool isNonspacingMark(char32_t character);
bool isNumeric(char32_t character);
bool isPunctuation(char32_t character);
/// General category C.
bool isOther(char32_t character);
/// Letters, marks, decimal digits, connectors, joiners: what `\w` matches in
/// Rust, where it bounds added tokens.
bool isWordCharacter(char32_t character);

/// Lower case of every character by itself (a final sigma is not special).
std::string toLower(std::string_view text);

enum class NormalForm { C, D, KC, KD };
std::string normalize(std::string_view text, NormalForm form);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_UNICODE_H
