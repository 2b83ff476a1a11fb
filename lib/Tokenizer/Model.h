//===- Model.h - From a word to token ids -----------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The `model` of a tokenizer.json: BPE, WordPiece or Unigram.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_MODEL_H
#define LLMC_LIB_TOKENIZER_MODEL_H

#include "Vocabulary.h"

namespace llmc::tokenizer {

/// Immutable after loading.
class Model {
public:
  explicit Model(Vocabulary vocabulary) : words(std::move(vocabulary)) {}
  virtual ~Model() = default;

  /// Appends the ids of one non-empty piece of valid UTF-8.
  virtual MaybeError tokenize(std::string_view piece, std::vector<int32_t> &ids) const = 0;

  const Vocabulary &vocabulary() const { return words; }

protected:
  Vocabulary words;
};

/// Builds the model that `node` describes. Never null; useless after a mistake,
/// which is recorded in the document.
std::unique_ptr<Model> parseModel(const JsonNode &node);

std::unique_ptr<Model> parseBPE(const JsonNode &node);
std::unique_ptr<Model> parseWordPiece(const JsonNode &node);
std::unique_ptr<Model> parseUnigram(const JsonNode &node);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_MODEL_H
