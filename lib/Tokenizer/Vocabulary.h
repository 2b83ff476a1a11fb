//===- Vocabulary.h - Tokens and their ids ----------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The two-way table of a model's tokens. Ids may have holes; they have a limit,
// so that a broken file cannot ask for a huge table.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_VOCABULARY_H
#define LLMC_LIB_TOKENIZER_VOCABULARY_H

#include "JsonNode.h"

#include <array>
#include <optional>
#include <unordered_map>

namespace llmc::tokenizer {

/// Ids are below this; the largest vocabularies in use have about 2^20 tokens.
inline constexpr int32_t idLimit = 1 << 22;

class Vocabulary {
public:
  Vocabulary() = default;
  Vocabulary(const Vocabulary &) = delete;
  Vocabulary(Vocabulary &&) = default;
  Vocabulary &operator=(Vocabulary &&) = default;

  /// Reads `{"token": id, ..}`; two tokens with one id are a mistake.
  static Vocabulary fromObject(const JsonNode &node);

  /// Numbers the tokens by position; a repeated one means its last position.
  static Vocabulary fromList(std::vector<std::string> tokens);

  std::optional<int32_t> idOf(std::string_view token) const;

  /// Empty where the id has no token.
  std::string_view tokenOf(int32_t id) const {
    return contains(id) ? std::string_view(tokens[id]) : std::string_view();
  }
  bool contains(int32_t id) const;

  /// One more than the largest id.
  size_t size() const { return tokens.size(); }

private:
  void indexTokens();

  std::vector<std::string> tokens;
  std::vector<bool> isHole;
  /// Views into `tokens`, which never changes again.
  std::unordered_map<std::string_view, int32_t> ids;
};

/// SentencePiece's tokens "<0x00>" .. "<0xFF>" for bytes of unknown characters.
class ByteTokens {
public:
  ByteTokens() { ids.fill(-1); }
  explicit ByteTokens(const Vocabulary &vocabulary);

  /// Appends one token for each byte, or nothing if any byte has none.
  bool append(std::string_view bytes, std::vector<int32_t> &to) const;

private:
  std::array<int32_t, 256> ids;
};

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_VOCABULARY_H
