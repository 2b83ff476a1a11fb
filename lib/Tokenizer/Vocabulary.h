//===- Vocabulary.h - Tokens and their ids ----------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The two-way table of a model's tokens. Ids may have holes; they have a limit,
// so that a broken file cannot ask for a huge table. The spellings lie in one text.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_VOCABULARY_H
#define LLMC_LIB_TOKENIZER_VOCABULARY_H

#include "JsonNode.h"

#include <array>
#include <functional>
#include <optional>

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
  static Vocabulary fromList(size_t size, const std::function<std::string_view(size_t)> &token);

  std::optional<int32_t> idOf(std::string_view token) const;

  /// Empty where the id has no token.
  std::string_view tokenOf(int32_t id) const {
    return contains(id) ? spelling(id) : std::string_view();
  }
  bool contains(int32_t id) const;

  /// One more than the largest id.
  size_t size() const { return isHole.size(); }

private:
  /// Adds the next id.
  void append(std::string_view token, bool hole);
  std::string_view spelling(int32_t id) const {
    return std::string_view(text).substr(begins[id], begins[id + 1] - begins[id]);
  }
  void indexTokens();
  /// Where in `slots` the token is, or the empty slot where it would be.
  size_t slotOf(std::string_view token) const;

  std::string text;                ///< all tokens, by id
  std::vector<uint32_t> begins{0}; ///< of each token in `text`, and the end
  std::vector<bool> isHole;
  std::vector<int32_t> slots; ///< ids by hash of their token; -1: empty
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
