//===- AllocationTest.cpp - llmc-run allocates nothing per token ----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of what `generate` does for a token: the choice from the logits, and its text. The
// runtime's part is counted in unittests/Runtime, too.
//
//===----------------------------------------------------------------------===//
#include "../Runtime/CountingMalloc.h"

#include "Commands.h"
#include "CountingArtifact.h"
#include "Sampler.h"
#include "TokenPrinter.h"

#include <cstdio>
#include <filesystem>
#include <gtest/gtest.h>

using namespace llmc::run;

namespace {

TEST(Allocation, NoneInSampling) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = static_cast<float>((i * 7919) % 1000) / 100;
  for (SamplerOptions options : {SamplerOptions{}, SamplerOptions{.temperature = 1},
                                 SamplerOptions{.temperature = 0.7, .topK = 40, .topP = 0.9}}) {
    Sampler sampler(options);
    sampler.sample(logits); // takes room for all candidates
    numAllocations = 0;
    isCounting = true;
    int64_t sum = 0;
    for (int i = 0; i < 100; ++i)
      sum += sampler.sample(logits);
    isCounting = false;
    EXPECT_EQ(numAllocations, 0u);
    EXPECT_GT(sum, 0);
  }
}

/// Tokens 0 to 5 under a decoder: long ones, half a character, bytes, a suffix.
std::string tokenizerJson(const std::string &decoder) {
  std::string longToken(500, 'x');
  return R"({"added_tokens": [], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "decoder": )" +
         decoder + R"(, "model": {"type": "BPE", "merges": [], "vocab": {"\u2581Once": 0, ")" +
         longToken + R"(": 1, "<0xE2>": 2, "\u00c3": 3, "##upon</w>": 4, "\u0120time": 5}}})";
}

TEST(Allocation, NoneInPrinting) {
  const char *decoders[] = {
      "null",
      R"({"type": "ByteLevel"})",
      R"({"type": "BPEDecoder", "suffix": "</w>"})",
      R"({"type": "WordPiece", "prefix": "##", "cleanup": true})",
      R"({"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": true})",
      R"({"type": "Sequence", "decoders": [
          {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
          {"type": "ByteFallback"}, {"type": "Fuse"},
          {"type": "Strip", "content": " ", "start": 1, "stop": 1}]})"};
  for (const char *decoder : decoders)
    for (bool printIds : {false, true}) {
      auto tokenizer = llmc::tokenizer::Tokenizer::loadFromJson(tokenizerJson(decoder));
      ASSERT_TRUE(tokenizer) << tokenizer.error().message;
      testing::internal::CaptureStdout();
      std::printf("-"); // makes the buffer of the standard output
      TokenPrinter printer(**tokenizer, printIds);
      numAllocations = 0;
      isCounting = true;
      for (int32_t i = 0; i < 200; ++i)
        printer.push(i * 7 % 6);
      printer.finish();
      isCounting = false;
      std::string text = testing::internal::GetCapturedStdout();
      EXPECT_EQ(numAllocations, 0u) << decoder;
      EXPECT_GT(text.size(), printIds ? 300u : 10'000u) << decoder;
    }
}

/// Allocations of `generate` for so many new tokens, loading included.
uint64_t allocationsOfGenerate(const std::string &folder, int count, bool printIds) {
  std::string text = std::to_string(count), model = folder + "/m.llmc";
  const char *arguments[] = {
      "llmc-run",  "generate", model.c_str(), "--tokenizer",      folder.c_str(), "--prompt", "a",
      "--threads", "1",        "--no-echo",   "--max-new-tokens", text.c_str(),   "--ids"};
  testing::internal::CaptureStdout();
  numAllocations = 0;
  isCounting = true;
  int exitCode = runTool(printIds ? 13 : 12, const_cast<char **>(arguments));
  isCounting = false;
  std::string printed = testing::internal::GetCapturedStdout();
  EXPECT_EQ(exitCode, 0);
  EXPECT_EQ(printed, (printIds ? std::string("3 4 5 6 7").substr(0, 2 * count - 1)
                               : std::string("bcdef").substr(0, count)) +
                         "\n");
  return numAllocations;
}

TEST(Allocation, NoneForAnotherToken) {
  std::string folder = testing::TempDir() + "/llmc_run_allocations", error;
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(writeFileAtomically(folder + "/m.llmc", makeArtifact(), error)) << error;
  ASSERT_TRUE(writeFileAtomically(folder + "/tokenizer.json", TokenizerJson, error)) << error;
  for (bool printIds : {false, true}) {
    for (int count : {1, 2}) // what the process allocates once
      allocationsOfGenerate(folder, count, printIds);
    uint64_t ofTwo = allocationsOfGenerate(folder, 2, printIds);
    EXPECT_GT(ofTwo, 0u);
    EXPECT_EQ(allocationsOfGenerate(folder, 5, printIds), ofTwo);
  }
  std::filesystem::remove_all(folder);
}

TEST(Counter, Counts) {
  numAllocations = 0;
  isCounting = true;
  int *volatile number = new int; // volatile: the pair must not be optimised away
  delete number;
  isCounting = false;
  EXPECT_GE(numAllocations, 1u);
}

} // namespace
