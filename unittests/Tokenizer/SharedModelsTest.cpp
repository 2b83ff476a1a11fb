//===- SharedModelsTest.cpp - Real tokenizers against recorded facts ------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ids and texts that Hugging Face's package gave for the tokenizers of the
// recorded models. Skipped where LLMC_SHARED_MODELS is not set.
//
//===----------------------------------------------------------------------===//

#include "JsonFile.h"

#include <filesystem>

using namespace llmc::tokenizer;
using namespace llmc::tokenizer::test;
using nlohmann::json;
using Ids = std::vector<int32_t>;

namespace {

class SharedModels : public testing::Test {
protected:
  void SetUp() override {
    if (root.empty())
      GTEST_SKIP() << "LLMC_SHARED_MODELS is not set";
  }

  static std::unique_ptr<Tokenizer> load(const std::string &folder) {
    auto tokenizer = Tokenizer::loadFromDirectory(root + "/" + folder);
    if (tokenizer)
      return std::move(*tokenizer);
    ADD_FAILURE() << tokenizer.error().message;
    return nullptr;
  }

  static inline const std::string root = LLMC_SHARED_MODELS;
};

} // namespace

TEST_F(SharedModels, TokenizerCases) {
  json recorded = readJson(root + "/tokenizer_cases.json");
  ASSERT_TRUE(recorded.is_array());
  for (const json &entry : recorded) {
    std::filesystem::path path = entry["tokenizer"].get<std::string>();
    SCOPED_TRACE(path);
    auto tokenizer = load(path.parent_path());
    ASSERT_TRUE(tokenizer);
    for (const json &fact : entry["cases"]) {
      SCOPED_TRACE(fact["text"].dump());
      std::string text = fact["text"];
      auto ids = tokenizer->encode(text, /*addSpecialTokens=*/true);
      ASSERT_TRUE(ids) << ids.error().message;
      EXPECT_EQ(*ids, fact["ids"].get<Ids>());
      auto plain = tokenizer->encode(text, /*addSpecialTokens=*/false);
      ASSERT_TRUE(plain) << plain.error().message;
      EXPECT_EQ(*plain, fact["ids_no_special"].get<Ids>());
      EXPECT_EQ(decodeBothWays(*tokenizer, *ids, true), fact["decoded"].get<std::string>());
      EXPECT_EQ(decodeBothWays(*tokenizer, *ids, false),
                fact["decoded_with_special"].get<std::string>());
    }
  }
}

TEST_F(SharedModels, PromptsAndGreedyTexts) {
  for (const char *folder : {"stories15M/optimum", "stories15M/genai-int4", "minimind2-small",
                             "demo/optimum", "demo/genai-int4", "demo/hf23"}) {
    SCOPED_TRACE(folder);
    json expected = readJson(root + "/" + folder + "/expected.json");
    ASSERT_TRUE(expected.is_object());
    auto tokenizer = load(folder);
    ASSERT_TRUE(tokenizer);
    Ids ids = expected["prompt_ids"];
    std::string prompt = expected["prompt"];
    auto with = tokenizer->encode(prompt, true);
    ASSERT_TRUE(with) << with.error().message;
    EXPECT_EQ(*with, ids);
    Ids greedy = expected["greedy_ids"];
    ids.insert(ids.end(), greedy.begin(), greedy.end());
    EXPECT_EQ(decodeBothWays(*tokenizer, ids, true), expected["greedy_text"].get<std::string>());
  }
}

TEST_F(SharedModels, BeginAndEndTokens) {
  auto stories = load("stories15M/genai-int4");
  ASSERT_TRUE(stories);
  EXPECT_EQ(stories->bosId(), 1);
  EXPECT_EQ(stories->eosIds(), Ids({2}));
  EXPECT_TRUE(stories->isEos(2));
  EXPECT_FALSE(stories->isEos(1));
  EXPECT_EQ(stories->vocabSize(), 32000u);
  auto chat = load("minimind2-small");
  ASSERT_TRUE(chat);
  EXPECT_EQ(chat->idToToken(*chat->bosId()), "<|im_start|>");
  EXPECT_EQ(chat->eosIds(), Ids({*chat->tokenToId("<|im_end|>")}));
}
