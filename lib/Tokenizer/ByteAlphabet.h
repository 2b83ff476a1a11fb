//===- ByteAlphabet.h - GPT-2's printable spelling of bytes -----*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Byte-level vocabularies spell each of the 256 bytes as one printable
// character: printable Latin-1 bytes as themselves, the others, in order, as
// U+0100, U+0101, ...
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_BYTEALPHABET_H
#define LLMC_LIB_TOKENIZER_BYTEALPHABET_H

#include <string>
#include <string_view>

namespace llmc::tokenizer {

/// `bytes` in that alphabet.
std::string bytesToAlphabet(std::string_view bytes);

/// Appends the bytes that `text` spells; false, and nothing appended, if any character is
/// outside.
bool appendAlphabetBytes(std::string_view text, std::string &bytes);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_BYTEALPHABET_H
