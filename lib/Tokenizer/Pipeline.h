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

#include <unordered_map>

namespace llmc::tokenizer {

struct Pipeline {
  Normalizer normalizer;
  std::unique_ptr<Model> model;
  AddedTokens addedTokens;
  PreTokenizer preTokenizer;
  PostProcessor postProcessor;
  std::vector<StageFactory> decoder;
  SpecialIds specialIds;

  /// The added tokens both ways; views into them.
  std::unordered_map<std::string_view, int32_t> addedIds;
  std::unordered_map<int32_t, std::string_view> addedContents;
  size_t numTokens = 0; ///< one more than the largest id

  /// Reads `root`. Mistakes are recorded in the document; the pipeline is then
  /// not to be used.
  static std::unique_ptr<Pipeline> parse(const JsonNode &root);

  Expected<std::vector<int32_t>> encode(std::string_view text, bool addSpecialTokens) const;
  std::optional<int32_t> idOf(std::string_view token) const;
  bool contains(int32_t id) const {
    return model->vocabulary().contains(id) || addedContents.contains(id);
  }
  /// Empty where the id has no token.
  std::string_view tokenOf(int32_t id) const {
    auto added = addedContents.find(id);
    return added == addedContents.end() ? model->vocabulary().tokenOf(id) : added->second;
  }
};

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_PIPELINE_H
