//===- Pipeline.h - The parts of a tokenizer --------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything that a tokenizer.json describes, in the order in which a text
// passes it.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_PIPELINE_H
#define LLMC_LIB_TOKENIZER_PIPELINE_H

#include "AddedTokens.h"
#include "Decoders.h"
#include "PostProcessor.h"
#include "SpecialIds.h"

namespace llmc::tokenizer {

struct Pipeline {
  Normalizer normalizer;
  std::unique_ptr<Model> model;
  AddedTokens addedTokens;
  PreTokenizer preTokenizer;
  PostProcessor postProcessor;
  std::vector<StageFactory> decoder;
  SpecialIds specialIds;

  /// Spellings by id, of the model and the added tokens; views into both.
  std::vector<std::string_view> tokens;
  std::vector<bool> hasToken;
  std::unordered_map<std::string_view, int32_t> addedIds;

  /// Reads `root`. Mistakes are recorded in the document; the pipeline is then
  /// not to be used.
  static std::unique_ptr<Pipeline> parse(const JsonNode &root);

  Expected<std::vector<int32_t>> encode(std::string_view text, bool addSpecialTokens) const;
  std::optional<int32_t> idOf(std::string_view token) const;
  bool contains(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < hasToken.size() && hasToken[id];
  }
};

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_PIPELINE_H
