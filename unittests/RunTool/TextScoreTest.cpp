//===- TextScoreTest.cpp - windows and likelihoods -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TextScore.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace llmc::run;

namespace {

using Windows = std::vector<std::vector<int64_t>>;

TEST(TextScore, WindowsStartWithTheBeginningToken) {
  std::vector<int32_t> tokens = {10, 11, 12, 13, 14, 15, 16};
  EXPECT_EQ(cutWindows(tokens, 1, 4, 0), (Windows{{1, 10, 11, 12}, {1, 13, 14, 15}}));
  EXPECT_EQ(cutWindows(tokens, 1, 4, 1), (Windows{{1, 10, 11, 12}}));
  EXPECT_EQ(cutWindows(tokens, 1, 2, 3), (Windows{{1, 10}, {1, 11}, {1, 12}}));
}

TEST(TextScore, OnlyPieceMayBeShort) {
  EXPECT_EQ(cutWindows(std::vector<int32_t>{10}, 1, 4, 5), (Windows{{1, 10}}));
  EXPECT_TRUE(cutWindows({}, 1, 4, 0).empty());
}

TEST(TextScore, LikelihoodIsLogSoftmax) {
  std::vector<float> logits = {std::log(1.0f), std::log(3.0f)};
  EXPECT_NEAR(negativeLogLikelihood(logits, 1), -std::log(0.75), 1e-7);
  // Large logits do not overflow.
  EXPECT_NEAR(negativeLogLikelihood(std::vector<float>{1e4f, 1e4f}, 0), std::log(2.0), 1e-12);
  EXPECT_DOUBLE_EQ(negativeLogLikelihood(std::vector<float>{1e4f, 0.0f}, 1), 1e4);
}

} // namespace
