//===- Tokenizer.h - Text to token ids and back -----------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a Hugging Face `tokenizer.json` and turns text into the same ids, and
// ids into the same text, as the `tokenizers` package does. Stands alone: it
// uses no compiler and no runtime library.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_TOKENIZER_TOKENIZER_H
#define LLMC_TOKENIZER_TOKENIZER_H

#include "llmc/Tokenizer/Expected.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::tokenizer {

class DecodeChain;
struct Pipeline;

/// An immutable tokenizer. All const functions may be called from several
/// threads at once.
class Tokenizer {
public:
  /// Loads `tokenizer.json` from a model folder, and the ids of the beginning
  /// and end tokens from whichever of tokenizer_config.json,
  /// special_tokens_map.json, generation_config.json and genai_config.json the
  /// folder has. A component this library does not know is an error that
  /// names it. The file's `truncation` and `padding` are not applied.
  static Expected<std::unique_ptr<Tokenizer>> loadFromDirectory(const std::string &directory);

  /// The same from the text of a tokenizer.json, without the other files.
  static Expected<std::unique_ptr<Tokenizer>> loadFromJson(std::string_view text);

  ~Tokenizer();
  Tokenizer(const Tokenizer &) = delete;
  Tokenizer &operator=(const Tokenizer &) = delete;

  /// The ids of `text`. With `addSpecialTokens` the file's post-processor puts
  /// its tokens around them (typically the beginning token). Bytes that are not
  /// UTF-8 read as U+FFFD. Fails only when a regular expression exceeds its
  /// match limit, or a model meets unknown text and has no unknown token.
  Expected<std::vector<int32_t>> encode(std::string_view text, bool addSpecialTokens) const;

  /// The text of `ids`, always valid UTF-8. Ids without a token give nothing;
  /// `skipSpecial` leaves out the special added tokens.
  std::string decode(std::span<const int32_t> ids, bool skipSpecial) const;

  /// The token that begins a text, where a configuration file names one.
  std::optional<int32_t> bosId() const;

  /// The tokens that end a generation: all that the configuration files name,
  /// ascending and without repetition. Empty where none does.
  const std::vector<int32_t> &eosIds() const;

  bool isEos(int32_t id) const;

  /// One more than the largest id.
  size_t vocabSize() const;

  /// The id of a token by its stored spelling, added tokens included.
  std::optional<int32_t> tokenToId(std::string_view token) const;

  /// A token's stored spelling; empty where the id has none.
  std::string_view idToToken(int32_t id) const;

private:
  friend class StreamDecoder;
  explicit Tokenizer(std::unique_ptr<Pipeline> pipeline);

  std::unique_ptr<Pipeline> pipeline;
};

/// Decodes tokens as they are generated. What push() and finish() return,
/// joined, equals Tokenizer::decode of all ids, and every piece is valid UTF-8.
/// Text that a later token can still change (half a character, a run of byte
/// tokens) is held back until it is settled. The tokenizer must outlive it. Its buffers are
/// reserved when it is made: a token allocates nothing, unless it has more than 1 KiB or the
/// tokenizer's decoder has a regular expression.
class StreamDecoder {
public:
  StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial);
  ~StreamDecoder();
  StreamDecoder(StreamDecoder &&) noexcept;
  StreamDecoder &operator=(StreamDecoder &&) noexcept;

  /// Adds one token; returns the text that became certain, often empty. Valid until the
  /// next call.
  std::string_view push(int32_t id);

  /// Ends the text and returns what was held back, valid until the next call.
  /// The next push() begins a new text.
  std::string_view finish();

private:
  const Tokenizer *tokenizer;
  bool skipSpecial;
  std::unique_ptr<DecodeChain> chain;
};

} // namespace llmc::tokenizer

#endif // LLMC_TOKENIZER_TOKENIZER_H
