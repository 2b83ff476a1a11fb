//===- SequencesTest.cpp - forks, windows, batches of any sequences -------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToySequences.h"

#include <algorithm>
#include <random>

using namespace llmc;
using namespace llmc::test;

namespace {

llmc_session_options_t options(uint32_t threads, uint32_t maxSequences, uint64_t cacheTokens = 0) {
  llmc_session_options_t options = Session::defaultOptions();
  options.threads = threads;
  options.max_sequences = maxSequences;
  options.cache_tokens = cacheTokens;
  return options;
}

class Sequences : public testing::TestWithParam<llmc_module_query_fn> {};
INSTANTIATE_TEST_SUITE_P(Toys, Sequences,
                         testing::Values(statefulQuery, recurrentQuery, windowedQuery));

TEST_P(Sequences, CreateForkAndFreeNumbers) {
  ToySequences toys;
  toys.create(GetParam(), options(1, 4));
  uint32_t number = 9;
  for (uint32_t i = 0; i < 4; ++i) {
    ASSERT_EQ(toys.session.createSequence(number), LLMC_STATUS_OK);
    EXPECT_EQ(number, i);
  }
  EXPECT_EQ(toys.session.createSequence(number, &toys.error), LLMC_STATUS_CAPACITY);
  EXPECT_STREQ(toys.error.message, "all 4 sequences of the session are in use");
  EXPECT_EQ(toys.session.fork(1, number, &toys.error), LLMC_STATUS_CAPACITY);
  EXPECT_EQ(number, 3u);
  toys.free(2);
  toys.free(1);
  EXPECT_EQ(toys.session.info().num_sequences, 2u);
  EXPECT_EQ(toys.session.fork(1, number, &toys.error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_STREQ(toys.error.message, "sequence 1 is not in use");
  EXPECT_EQ(toys.session.fork(4, number, &toys.error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_STREQ(toys.error.message, "sequence 4 of 4");
  EXPECT_EQ(toys.session.freeSequence(4, &toys.error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(toys.fork(0), 1u);
  ASSERT_EQ(toys.session.reset(), LLMC_STATUS_OK);
  EXPECT_EQ(toys.session.info().num_sequences, 0u);
}

TEST_P(Sequences, StepsRefuseWrongSequences) {
  ToySequences toys;
  toys.create(GetParam(), options(1, 4));
  EXPECT_EQ(toys.session.decode(std::vector<uint32_t>{1, 2, 1}, Tokens{1, 2, 3}, &toys.error),
            LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_STREQ(toys.error.message, "sequence 1 is in rows 0 and 2 of one step");
  EXPECT_EQ(toys.session.decode(std::vector<uint32_t>{4}, Tokens{1}, &toys.error),
            LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(toys.session.decode(std::vector<uint32_t>{0, 1, 2, 3}, Tokens{1, 2, 3, 4}, &toys.error),
            LLMC_STATUS_CAPACITY);
  EXPECT_STREQ(toys.error.message, "batch is 4, the session takes 3");
  EXPECT_EQ(toys.session.info().num_sequences, 0u);
}

TEST_P(Sequences, ForkSharesBlocksUntilAnAppend) {
  ToySequences toys;
  toys.create(GetParam(), options(1, 4));
  toys.prefill(2, someTokens(6, 1)); // a full block and half of one
  EXPECT_EQ(toys.usedBlocks(), 2u);
  uint32_t first = toys.fork(2), second = toys.fork(2);
  EXPECT_EQ(toys.usedBlocks(), 2u);
  EXPECT_EQ(logitsOf(toys.session), toys.expected(2)); // the step's are still there
  toys.decode({first, second, 2}, {1, 2, 3});          // two of three copy the half block
  EXPECT_EQ(toys.usedBlocks(), 4u);
  toys.free(2);
  toys.free(second);
  EXPECT_EQ(toys.usedBlocks(), 2u);
  toys.decode({first}, {7});
  toys.free(first);
  EXPECT_EQ(toys.usedBlocks(), 0u);
}

/// Any order of forks, frees, prefills and decodes, against each sequence alone.
TEST_P(Sequences, RandomLives) {
  for (uint32_t threads : {1u, 2u}) {
    ToySequences toys;
    toys.create(GetParam(), options(threads, 6));
    std::mt19937 random(threads);
    auto below = [&](size_t bound) { return static_cast<size_t>(random() % bound); };
    auto pick = [&] { return std::next(toys.held.begin(), ptrdiff_t(below(toys.held.size()))); };
    for (int event = 0; event < 2000; ++event) {
      size_t kind = below(10);
      if (toys.held.empty() || (kind == 0 && toys.held.size() < 6)) {
        uint32_t fresh = 0;
        ASSERT_EQ(toys.session.createSequence(fresh), LLMC_STATUS_OK);
        toys.prefill(fresh, someTokens(1 + below(20), event));
      } else if (kind == 1 && toys.held.size() < 6) {
        toys.fork(pick()->first);
      } else if (kind == 2) {
        toys.free(pick()->first);
      } else if (kind == 3) {
        auto [number, tokens] = *pick();
        if (tokens.size() < 40)
          toys.prefill(number, someTokens(1 + below(40 - tokens.size()), event));
      } else {
        std::vector<uint32_t> batch;
        for (auto &[number, tokens] : toys.held)
          if (batch.size() < 3 && tokens.size() < 40 && below(2))
            batch.push_back(number);
        std::shuffle(batch.begin(), batch.end(), random);
        if (!batch.empty())
          toys.decode(batch, someTokens(batch.size(), event));
      }
      if (testing::Test::HasFailure())
        FAIL() << "at event " << event;
    }
    while (!toys.held.empty())
      toys.free(toys.held.begin()->first);
    EXPECT_EQ(toys.usedBlocks(), 0u);
  }
}

TEST(SmallPool, RefusesWhatDoesNotFitAndChangesNothing) {
  ToySequences toys;
  toys.create(statefulQuery, options(1, 4, /*cacheTokens=*/13)); // 4 blocks
  EXPECT_EQ(toys.session.info().num_blocks, 4u);
  toys.prefill(0, someTokens(6, 1));
  uint32_t fork = toys.fork(0);
  // Copying the half block and 2 more for 7 tokens: 3 of the 2 that are free.
  EXPECT_EQ(toys.session.prefill(std::span(&fork, 1), someTokens(7, 2), &toys.error),
            LLMC_STATUS_CAPACITY);
  EXPECT_STREQ(toys.error.message, "the step needs 3 cache blocks of 4 tokens, 2 of 4 are free");
  EXPECT_EQ(toys.usedBlocks(), 2u);
  EXPECT_EQ(logitsOf(toys.session), toys.expected(0));
  // Of two rows that share a block, one copies it.
  toys.decode({0, fork}, {1, 2});
  EXPECT_EQ(toys.usedBlocks(), 3u);
  toys.free(0);
  toys.prefill(fork, someTokens(9, 2));
  EXPECT_EQ(toys.usedBlocks(), 4u);
}

TEST(Window, OldBlocksAreGivenBack) {
  ToySequences toys;
  toys.create(windowedQuery, options(1, 3));
  // A step reads 5 tokens back and writes 5: at most 10 / 4 + 1 blocks, rounded up.
  EXPECT_EQ(toys.session.info().num_blocks, 3u * 4);
  toys.prefill(0, someTokens(40, 1));
  EXPECT_EQ(toys.usedBlocks(), 2u); // tokens 35 to 39
  ASSERT_EQ(toys.session.truncate(0, 38, &toys.error), LLMC_STATUS_OK) << toys.error.message;
  toys.held[0].resize(38);
  EXPECT_EQ(toys.session.truncate(0, 36, &toys.error), LLMC_STATUS_UNSUPPORTED);
  EXPECT_STREQ(toys.error.message, "sequence 0 has given its first 32 tokens back: with a window "
                                   "of 6, it cannot be cut to 36");
  toys.decode({0}, {5});
  uint32_t fork = toys.fork(0);
  toys.decode({fork, 0}, {6, 7});
  ASSERT_EQ(toys.session.truncate(0, 0), LLMC_STATUS_OK);
  toys.held[0].clear();
  toys.prefill(0, someTokens(9, 3));
}

TEST(Truncate, ForkOfABeginning) {
  ToySequences toys;
  toys.create(statefulQuery, options(1, 3));
  toys.prefill(0, someTokens(11, 1));
  uint32_t fork = toys.fork(0);
  ASSERT_EQ(toys.session.truncate(fork, 5), LLMC_STATUS_OK);
  toys.held[fork].resize(5);
  toys.prefill(fork, someTokens(8, 4));
  toys.decode({0, fork}, {1, 2}); // neither has disturbed the other
  EXPECT_EQ(toys.usedBlocks(), 3u + 3u);
}

} // namespace
