//===- Model.cpp - Choosing the model by its type -------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Old files leave the type out; then the members tell.
//
//===----------------------------------------------------------------------===//

#include "Model.h"

using namespace llmc::tokenizer;

namespace {

/// Stands in for a model that could not be read.
class NoModel : public Model {
public:
  NoModel() : Model(Vocabulary()) {}
  MaybeError tokenize(std::string_view, std::vector<int32_t> &) const override {
    return Error{"the tokenizer has no model"};
  }
};

} // namespace

std::unique_ptr<Model> llmc::tokenizer::parseModel(const JsonNode &node) {
  if (!node.isObject()) {
    node.fail("expected an object");
    return std::make_unique<NoModel>();
  }
  std::string guess = node.member("merges").present()  ? "BPE"
                      : node.member("vocab").isArray() ? "Unigram"
                                                       : "WordPiece";
  std::string type = node.stringOr("type", guess);
  if (type == "BPE")
    return parseBPE(node);
  if (type == "WordPiece")
    return parseWordPiece(node);
  if (type == "Unigram")
    return parseUnigram(node);
  node.fail("unknown model '" + type + "'");
  return std::make_unique<NoModel>();
}
