//===- WordPiece.cpp - Longest match first --------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bert's model: the longest known beginning of the rest of the word is the next
// token; a word that cannot be covered is one unknown token.
//
//===----------------------------------------------------------------------===//

#include "Model.h"
#include "Unicode.h"

#include <algorithm>

using namespace llmc::tokenizer;

namespace {

class WordPieceModel : public Model {
public:
  explicit WordPieceModel(const JsonNode &node)
      : Model(Vocabulary::fromObject(node.member("vocab"))),
        prefix(node.stringOr("continuing_subword_prefix", "##")),
        // Longer words would take quadratic time.
        maxCharacters(node.countOr("max_input_chars_per_word", 100, 10000)) {
    std::string token = node.stringOr("unk_token", "[UNK]");
    if (std::optional<int32_t> id = words.idOf(token))
      unknown = *id;
    else
      node.member("unk_token").fail("'" + token + "' is not in the vocabulary");
  }

  MaybeError tokenize(std::string_view piece, std::vector<int32_t> &ids) const override {
    size_t before = ids.size();
    if (!coverWord(piece, ids)) {
      ids.resize(before);
      ids.push_back(unknown);
    }
    return std::nullopt;
  }

private:
  bool coverWord(std::string_view piece, std::vector<int32_t> &ids) const {
    auto startsCharacter = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    if (std::count_if(piece.begin(), piece.end(), startsCharacter) > maxCharacters)
      return false;
    std::string candidate;
    for (size_t begin = 0; begin < piece.size();) {
      candidate = begin > 0 ? prefix : "";
      size_t prefixSize = candidate.size();
      candidate += piece.substr(begin);
      std::optional<int32_t> id;
      while (candidate.size() > prefixSize && !(id = words.idOf(candidate))) {
        // Drop the last character.
        while (!startsCharacter(candidate.back()))
          candidate.pop_back();
        candidate.pop_back();
      }
      if (!id)
        return false;
      ids.push_back(*id);
      begin += candidate.size() - prefixSize;
    }
    return true;
  }

  std::string prefix;
  int64_t maxCharacters;
  int32_t unknown = 0;
};

} // namespace

std::unique_ptr<Model> llmc::tokenizer::parseWordPiece(const JsonNode &node) {
  return std::make_unique<WordPieceModel>(node);
}
