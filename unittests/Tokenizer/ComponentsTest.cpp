//===- ComponentsTest.cpp - Every component against recorded facts --------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// test/Tokenizer/components.json holds small tokenizers, one per component, and
// what Hugging Face's package gives for them (make_components.py beside it).
//
//===----------------------------------------------------------------------===//

#include "JsonFile.h"

using namespace llmc::tokenizer;
using namespace llmc::tokenizer::test;
using nlohmann::json;
using Ids = std::vector<int32_t>;

TEST(TokenizerComponents, MatchHuggingFace) {
  json recorded = readJson(LLMC_TOKENIZER_COMPONENTS);
  ASSERT_TRUE(recorded.is_object()) << LLMC_TOKENIZER_COMPONENTS;
  for (const json &entry : recorded["tokenizers"]) {
    SCOPED_TRACE(entry["name"].get<std::string>());
    json file = entry["parts"];
    file["model"] = recorded["models"][entry["model"].get<std::string>()];
    file["model"].update(entry["changes"]);
    auto tokenizer = Tokenizer::loadFromJson(file.dump());
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    for (const json &fact : entry["encodings"])
      for (bool special : {true, false}) {
        std::string text = fact[0];
        auto ids = (*tokenizer)->encode(text, special);
        ASSERT_TRUE(ids) << ids.error().message;
        EXPECT_EQ(*ids, fact[special ? 1 : 2].get<Ids>()) << testing::PrintToString(text);
      }
    for (const json &fact : entry["decodings"])
      for (bool skip : {true, false}) {
        Ids ids = fact[0];
        EXPECT_EQ(decodeBothWays(**tokenizer, ids, skip), fact[skip ? 1 : 2].get<std::string>())
            << testing::PrintToString(ids);
      }
  }
}
