//===- ModelFolderTest.cpp - The files around tokenizer.json --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the beginning and end tokens come from, and mistakes in those files.
//
//===----------------------------------------------------------------------===//

#include "llmc/Tokenizer/Tokenizer.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace llmc::tokenizer;
using Ids = std::vector<int32_t>;

namespace {

/// A model folder that is removed at the end.
class ModelFolder : public testing::Test {
protected:
  void SetUp() override {
    folder = testing::TempDir() + "llmc-tokenizer-" + std::to_string(getpid());
    std::filesystem::create_directories(folder);
    write("tokenizer.json",
          R"({"model": {"type": "BPE", "vocab": {"a": 0, "<s>": 1, "</s>": 2},
              "merges": []},
              "added_tokens": [{"id": 5, "content": "<end>", "special": true}]})");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void write(const std::string &name, const std::string &text) const {
    std::ofstream(folder + "/" + name) << text;
  }
  std::string loadError() const {
    auto tokenizer = Tokenizer::loadFromDirectory(folder);
    return tokenizer ? "" : tokenizer.error().message;
  }

  std::string folder;
};

} // namespace

TEST_F(ModelFolder, NeedsOnlyTokenizerJson) {
  auto tokenizer = Tokenizer::loadFromDirectory(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_FALSE((*tokenizer)->bosId());
  EXPECT_TRUE((*tokenizer)->eosIds().empty());
  EXPECT_EQ((*tokenizer)->vocabSize(), 6u);
  EXPECT_EQ((*tokenizer)->idToToken(5), "<end>");
  EXPECT_EQ((*tokenizer)->idToToken(4), "");
  EXPECT_EQ((*tokenizer)->idToToken(-1), "");
  EXPECT_EQ((*tokenizer)->decode(Ids({0, 4, -7, 99, 0}), false), "a a");
}

TEST_F(ModelFolder, UnitesEndTokens) {
  write("tokenizer_config.json", R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>"})");
  write("special_tokens_map.json", R"({"bos_token": null})");
  write("generation_config.json", R"({"bos_token_id": 0, "eos_token_id": [5, 2]})");
  write("genai_config.json", R"({"model": {"eos_token_id": 7}})");
  auto tokenizer = Tokenizer::loadFromDirectory(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->bosId(), 1);
  EXPECT_EQ((*tokenizer)->eosIds(), Ids({2, 5, 7}));
}

TEST_F(ModelFolder, NumbersAloneSuffice) {
  write("genai_config.json", R"({"model": {"bos_token_id": 1, "eos_token_id": [2, 2]}})");
  auto tokenizer = Tokenizer::loadFromDirectory(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->bosId(), 1);
  EXPECT_EQ((*tokenizer)->eosIds(), Ids({2}));
}

TEST_F(ModelFolder, NamesTheWrongFileAndPlace) {
  write("tokenizer_config.json", R"({"eos_token": "<none>"})");
  EXPECT_EQ(loadError(), folder + "/tokenizer_config.json: eos_token: '<none>' "
                                  "is not in the vocabulary");
  write("tokenizer_config.json", "{}");
  write("generation_config.json", R"({"eos_token_id": [1, "x"]})");
  EXPECT_EQ(loadError(), folder + "/generation_config.json: eos_token_id[1]: "
                                  "expected a token id, found string");
  write("generation_config.json", R"({"eos_token_id": -1})");
  EXPECT_EQ(loadError(), folder + "/generation_config.json: eos_token_id: "
                                  "expected a token id, found a negative "
                                  "number");
  write("generation_config.json", R"({"eos_token_id")");
  EXPECT_NE(loadError().find("generation_config.json: not valid JSON"), std::string::npos);
}

TEST_F(ModelFolder, MissingTokenizer) {
  std::filesystem::remove(folder + "/tokenizer.json");
  EXPECT_EQ(loadError(), folder + "/tokenizer.json: no such file");
  std::filesystem::create_directory(folder + "/tokenizer.json");
  EXPECT_EQ(loadError(), folder + "/tokenizer.json: cannot read the file");
}
