//===- BenchPlanTest.cpp - configurations, shares and reports ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BenchPlan.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace llmc::run;

namespace {

TEST(BenchPlan, EveryCombinationOnce) {
  BenchPlan plan = planBench({{8, 16, 8}, {0, 32}, {1, 2, 1}, 4}, 64);
  EXPECT_TRUE(plan.notes.empty());
  // (2 prompts + 1 decode) x 2 contexts x 2 thread counts
  ASSERT_EQ(plan.configs.size(), 12u);
  EXPECT_TRUE(plan.configs[0].isPrefill);
  EXPECT_EQ(plan.configs[1].threads, 2);
  EXPECT_FALSE(plan.configs[11].isPrefill);
  EXPECT_EQ(plan.configs[11].context, 32);
  EXPECT_EQ(plan.configs[11].numTokens(), 4);
}

TEST(BenchPlan, WhatDoesNotFitLeavesANote) {
  BenchPlan plan = planBench({{128, 512}, {0, 200, 1024}, {1}, 64}, 256);
  ASSERT_EQ(plan.configs.size(), 3u);
  EXPECT_EQ(plan.configs[0].promptTokens, 128);
  EXPECT_EQ(plan.configs[1].newTokens, 64); // context 0
  EXPECT_EQ(plan.configs[2].newTokens, 56); // context 200, cut short
  ASSERT_EQ(plan.notes.size(), 7u);
  EXPECT_EQ(plan.notes[0], "left out prefill of 512 tokens at context 0: does "
                           "not fit into the 256 tokens that the model was "
                           "compiled for");
  EXPECT_EQ(plan.notes[5], "decode at context 200: 56 new tokens, up to the model's 256");
}

TEST(BenchPlan, Median) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({7}), 7);
}

TEST(BenchPlan, BytesOfStepsAndChunks) {
  ModelCost cost;
  cost.weightBytesPerStep = 1000;
  cost.cacheBytesPerToken = 10;
  cost.stateBytesPerSequence = 5;
  // Two decode steps after 3 tokens: the second reads one token more.
  EXPECT_EQ(cost.bytesRead(3, 2, 1), 2 * 1005 + 40 + 50);
  // Prefill of 6 in chunks of 4: two steps.
  EXPECT_EQ(cost.bytesRead(0, 6, 4), 2 * 1005 + 40 + 60);
  EXPECT_EQ(cost.bytesRead(0, 1, 0), 1005 + 10);
}

TEST(BenchPlan, Shares) {
  ModelCost cost;
  cost.weightBytesPerStep = 1000;
  cost.multiplyAddsPerToken = 500;
  BenchResult result = makeResult({false, 0, 10, 0, 1}, 2.0, cost, {1, 10000.0, 50000.0}, 512);
  EXPECT_DOUBLE_EQ(result.tokensPerSecond, 5);
  EXPECT_DOUBLE_EQ(result.bandwidthShare, 0.5);
  EXPECT_DOUBLE_EQ(result.peakShare, 0.1);
}

TEST(BenchPlan, JsonHasTheAgreedMembers) {
  BenchResult result{{true, 128, 0, 0, 2}, 10.5, 0.25, 0.5};
  auto list = nlohmann::json::parse(jsonText({result}));
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0], nlohmann::json::parse(R"({
      "phase": "prefill", "prompt_tokens": 128, "context": 0, "threads": 2,
      "tokens_per_second": 10.5, "bandwidth_share": 0.25,
      "peak_share": 0.5})"));
  EXPECT_EQ(jsonText({}), "[]\n");
}

TEST(BenchPlan, TableColumnsLineUp) {
  std::string text = tableText(
      {{{true, 128, 0, 0, 2}, 10.5, 0.25, 0.5}, {{false, 0, 64, 1024, 1}, 123456.7, 1, 0.01}});
  size_t width = text.find('\n');
  EXPECT_EQ(text.size(), 3 * (width + 1));
  EXPECT_EQ(text[2 * width + 1], '\n');
}

TEST(ModelCost, MetadataWins) {
  llmc_module_info_t info = {};
  info.weights_bytes = 4096;
  info.state_bytes_per_token = 64;
  ModelCost cost = computeModelCost(info, R"({"__metadata__": {"multiply_adds_per_token": "77",
                "weight_bytes_per_step": "99"}})");
  EXPECT_TRUE(cost.hasMultiplyAdds);
  EXPECT_EQ(cost.multiplyAddsPerToken, 77u);
  EXPECT_EQ(cost.weightBytesPerStep, 99u);
  EXPECT_EQ(cost.cacheBytesPerToken, 64u);
}

TEST(ModelCost, WeightElementsStandIn) {
  llmc_module_info_t info = {};
  info.weights_bytes = 4096;
  ModelCost cost = computeModelCost(info, R"({"__metadata__": {"multiply_adds_per_token": "many"},
                "w": {"dtype": "F32", "shape": [8, 16]},
                "norm": {"dtype": "F32", "shape": [16]}})");
  EXPECT_FALSE(cost.hasMultiplyAdds);
  EXPECT_EQ(cost.multiplyAddsPerToken, 128u);
  EXPECT_EQ(cost.weightBytesPerStep, 4096u);
}

TEST(ModelCost, BrokenHeadersAreIgnored) {
  llmc_module_info_t info = {};
  info.weights_bytes = 4096;
  for (const char *text : {"", "[", "[1]", "{\"w\": {\"shape\": [-1, \"x\"]}}",
                           "{\"w\": {\"shape\": [1e99, 18446744073709551615]}}", "{\"w\": 3}",
                           "{\"__metadata__\": 1}"})
    EXPECT_EQ(computeModelCost(info, text).multiplyAddsPerToken, 1024u) << text;
}

} // namespace
