//===- RobustnessTest.cpp - Unfriendly texts and long ones ----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Broken UTF-8, texts without spaces, arbitrary ids, several threads.
//
//===----------------------------------------------------------------------===//

#include "JsonFile.h"

#include <chrono>
#include <random>
#include <thread>

using namespace llmc::tokenizer;
using namespace llmc::tokenizer::test;
using Ids = std::vector<int32_t>;

namespace {

/// Every byte, and merges of 2, 4, ... equal letters.
std::unique_ptr<Tokenizer> makeTokenizer() {
  nlohmann::json vocab, merges = nlohmann::json::array();
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    vocab[name] = byte;
  }
  std::string run = "a";
  vocab[run] = 256;
  for (int i = 1; i <= 10; ++i) {
    merges.push_back({run, run});
    run += run;
    vocab[run] = 256 + i;
  }
  nlohmann::json file = {
      {"model", {{"type", "BPE"}, {"byte_fallback", true}, {"vocab", vocab}, {"merges", merges}}},
      {"decoder",
       {{"type", "Sequence"}, {"decoders", {{{"type", "ByteFallback"}}, {{"type", "Fuse"}}}}}}};
  auto tokenizer = Tokenizer::loadFromJson(file.dump());
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? std::move(*tokenizer) : nullptr;
}

} // namespace

TEST(TokenizerRobustness, BrokenUtf8ReadsAsReplacementCharacters) {
  auto tokenizer = makeTokenizer();
  ASSERT_TRUE(tokenizer);
  const std::string sign = "\xEF\xBF\xBD";
  // As Python's errors="replace": one for each maximal part of a character.
  const std::pair<std::string, std::string> cases[] = {
      {"\xFF", sign},
      {"x\xE4\xB8", "x" + sign},
      {"\xE4\xB8x", sign + "x"},
      {"\xC0\x80", sign + sign},
      {"\xED\xA0\x80", sign + sign + sign},
      {"\xF0\x9F\x98", sign},
      {"\xF4\x90\x80\x80", sign + sign + sign + sign},
      {"\xE4\xB8\xAD", "\xE4\xB8\xAD"}};
  for (const auto &[bytes, repaired] : cases) {
    auto ids = tokenizer->encode(bytes, false);
    ASSERT_TRUE(ids) << ids.error().message;
    EXPECT_EQ(tokenizer->decode(*ids, false), repaired);
  }
}

TEST(TokenizerRobustness, LongWordTakesNoQuadraticTime) {
  auto tokenizer = makeTokenizer();
  ASSERT_TRUE(tokenizer);
  std::string text(400 * 1024, 'a');
  auto start = std::chrono::steady_clock::now();
  auto ids = tokenizer->encode(text, false);
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(ids) << ids.error().message;
  EXPECT_EQ(*ids, Ids(400, 266));
  // About 0.1 s; merging by repeated scans would take minutes.
  EXPECT_LT(seconds.count(), 10);
}

TEST(TokenizerRobustness, StreamEqualsWholeForRandomIds) {
  auto tokenizer = makeTokenizer();
  ASSERT_TRUE(tokenizer);
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    Ids ids(random() % 12);
    for (int32_t &id : ids) // Many of the bytes that long characters have.
      id = static_cast<int32_t>(random() % 3 ? 128 + random() % 130 : random() % 300);
    decodeBothWays(*tokenizer, ids, round % 2);
  }
}

TEST(TokenizerRobustness, StreamIsReusableAfterFinish) {
  auto tokenizer = makeTokenizer();
  ASSERT_TRUE(tokenizer);
  StreamDecoder stream(*tokenizer, false);
  EXPECT_EQ(stream.push(0xE4), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.push(256), "a");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TokenizerRobustness, ThreadsShareOneTokenizer) {
  auto tokenizer = makeTokenizer();
  ASSERT_TRUE(tokenizer);
  auto expected = tokenizer->encode("aaaa \xE4\xB8\xAD", false);
  ASSERT_TRUE(expected);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int &count : wrong)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i)
        count += *tokenizer->encode("aaaa \xE4\xB8\xAD", false) != *expected;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}
