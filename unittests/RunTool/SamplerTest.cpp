//===- SamplerTest.cpp - choices of tokens -------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

using namespace llmc::run;

namespace {

constexpr float NaN = std::numeric_limits<float>::quiet_NaN();
constexpr float Inf = std::numeric_limits<float>::infinity();

std::map<int32_t, int> histogram(const SamplerOptions &options, std::vector<float> logits,
                                 int draws) {
  Sampler sampler(options);
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i)
    ++counts[sampler.sample(logits)];
  return counts;
}

TEST(Sampler, ArgmaxTakesTheFirstOfEquals) {
  EXPECT_EQ(argmax(std::vector<float>{1, 3, 3, 2}), 1);
  EXPECT_EQ(argmax(std::vector<float>{NaN, -5, NaN}), 1);
  EXPECT_EQ(argmax(std::vector<float>{NaN, NaN}), 0);
  EXPECT_EQ(argmax(std::vector<float>{-Inf, -Inf}), 0);
}

TEST(Sampler, TemperatureZeroIsGreedy) {
  EXPECT_EQ(Sampler({}).sample(std::vector<float>{0, 1, 0.5f}), 1);
}

TEST(Sampler, FollowsTheDistribution) {
  SamplerOptions options;
  options.temperature = 1;
  std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  std::map<int32_t, int> counts = histogram(options, logits, 20000);
  // Three standard deviations of 20000 draws are about 0.011.
  EXPECT_NEAR(counts[0] / 20000.0, 0.5, 0.011);
  EXPECT_NEAR(counts[1] / 20000.0, 0.3, 0.011);
  EXPECT_NEAR(counts[2] / 20000.0, 0.2, 0.011);
}

TEST(Sampler, TemperatureSharpens) {
  SamplerOptions options;
  options.temperature = 0.5; // squares the ratio of probabilities
  std::map<int32_t, int> counts = histogram(options, {std::log(2.0f), std::log(1.0f)}, 20000);
  EXPECT_NEAR(counts[0] / 20000.0, 0.8, 0.011);
}

TEST(Sampler, TopKAndTopPCut) {
  std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};
  SamplerOptions options;
  options.temperature = 1;
  options.topK = 2;
  std::map<int32_t, int> counts = histogram(options, logits, 2000);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_GT(counts[1], counts[3]);

  options.topK = 0;
  options.topP = 0.65; // 0.4 is not enough, 0.4 + 0.3 is
  counts = histogram(options, logits, 2000);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_TRUE(counts.count(1) && counts.count(3));

  options.topP = 0; // the most likely one always stays
  EXPECT_EQ(histogram(options, logits, 100).size(), 1u);
}

TEST(Sampler, TopKTiesGoToTheLowerToken) {
  SamplerOptions options;
  options.temperature = 1;
  options.topK = 1;
  EXPECT_EQ(histogram(options, {2, 2, 2}, 50), (std::map<int32_t, int>{{0, 50}}));
}

TEST(Sampler, SeedFixesTheSequence) {
  SamplerOptions options;
  options.temperature = 1;
  options.seed = 42;
  std::vector<float> flat(1000, 0.0f);
  Sampler first(options), second(options);
  std::vector<int32_t> tokens;
  for (int i = 0; i < 5; ++i) {
    tokens.push_back(first.sample(flat));
    EXPECT_EQ(tokens.back(), second.sample(flat));
  }
  // mt19937_64's first numbers for seed 42, scaled to 1000.
  EXPECT_EQ(tokens[0], 755);
  EXPECT_EQ(tokens[1], 639);
}

TEST(Sampler, OddLogitsStillGiveAToken) {
  SamplerOptions options;
  options.temperature = 1;
  EXPECT_EQ(Sampler(options).sample(std::vector<float>{NaN, NaN}), 0);
  EXPECT_EQ(Sampler(options).sample(std::vector<float>{-Inf, -Inf}), 0);
  EXPECT_EQ(Sampler(options).sample(std::vector<float>{1, Inf, 2}), 1);
  EXPECT_EQ(Sampler(options).sample(std::vector<float>{-Inf, 3, NaN}), 1);
  options.temperature = 1e-300;
  EXPECT_EQ(Sampler(options).sample(std::vector<float>{1, 5, 2}), 1);
}

} // namespace
