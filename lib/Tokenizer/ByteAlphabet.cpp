//===- ByteAlphabet.cpp - GPT-2's printable spelling of bytes -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both directions as tables, computed at compile time.
//
//===----------------------------------------------------------------------===//

#include "ByteAlphabet.h"
#include "Unicode.h"

#include <array>
#include <cstdint>

using namespace llmc::tokenizer;

namespace {

struct Tables {
  std::array<char16_t, 256> toCharacter{};
  /// By character; -1 outside the alphabet. 256 + 68: the 68 bytes that are not
  /// printable follow Latin-1.
  std::array<int16_t, 256 + 68> toByte{};
};

constexpr Tables makeTables() {
  Tables tables;
  tables.toByte.fill(-1);
  char16_t nextFree = 256;
  for (int byte = 0; byte < 256; ++byte) {
    bool printable =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    char16_t character = printable ? static_cast<char16_t>(byte) : nextFree++;
    tables.toCharacter[byte] = character;
    tables.toByte[character] = static_cast<int16_t>(byte);
  }
  return tables;
}

constexpr Tables tables = makeTables();

} // namespace

std::string llmc::tokenizer::bytesToAlphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char byte : bytes)
    appendUtf8(text, tables.toCharacter[static_cast<unsigned char>(byte)]);
  return text;
}

bool llmc::tokenizer::appendAlphabetBytes(std::string_view text, std::string &bytes) {
  size_t before = bytes.size();
  for (size_t position = 0; position < text.size();) {
    char32_t character = nextCharacter(text, position);
    if (character >= tables.toByte.size() || tables.toByte[character] < 0) {
      bytes.resize(before);
      return false;
    }
    bytes += static_cast<char>(tables.toByte[character]);
  }
  return true;
}
