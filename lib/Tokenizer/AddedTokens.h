//===- AddedTokens.h - Tokens that are found before the model ---*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The `added_tokens` of a tokenizer.json: strings that become one token
// wherever they occur, either in the user's text or in its normalized form.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_ADDEDTOKENS_H
#define LLMC_LIB_TOKENIZER_ADDEDTOKENS_H

#include "Model.h"
#include "Normalizers.h"
#include "PreTokenizers.h"
#include "PrefixTable.h"

#include <unordered_set>

namespace llmc::tokenizer {

/// One added token.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  /// Take the white space on that side with it.
  bool takesLeft = false, takesRight = false;
  /// Only between characters that belong to no word.
  bool singleWord = false;
  /// Look for it after normalization.
  bool normalized = false;
  bool special = false;
};

/// A token, or text for the model where `id` is negative.
struct Segment {
  int32_t id;
  Piece piece;
};

class AddedTokens {
public:
  AddedTokens() = default;

  /// Reads the array; an id that contradicts the model's vocabulary is a
  /// mistake. Nothing where `node` is not present.
  static AddedTokens parse(const JsonNode &node, const Model &model, const Normalizer &normalizer);

  /// Cuts valid UTF-8 at the added tokens and normalizes the text between.
  MaybeError split(std::string_view text, const Normalizer &normalizer,
                   std::vector<Segment> &segments) const;

  bool isSpecial(int32_t id) const { return specialIds.contains(id); }
  const std::vector<AddedToken> &all() const { return tokens; }

private:
  void cut(const Piece &piece, const PrefixTable &table, std::vector<Segment> &segments) const;

  std::vector<AddedToken> tokens;
  std::unordered_set<int32_t> specialIds;
  /// Values are indices into `tokens`.
  PrefixTable inText, inNormalized;
};

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_ADDEDTOKENS_H
