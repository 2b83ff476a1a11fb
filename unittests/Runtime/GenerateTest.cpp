//===- GenerateTest.cpp - prefill, decode, and what sequences hold --------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyModule.h"

#include "llmc/Runtime.hpp"

#include <gtest/gtest.h>
#include <thread>

using namespace llmc;
using namespace llmc::test;

namespace {

std::vector<float> logitsOf(const Session &session, size_t row = 0) {
  std::span<const float> logits = session.logits(row);
  return {logits.begin(), logits.end()};
}

std::vector<int64_t> someTokens(size_t count, int64_t seed) {
  std::vector<int64_t> tokens;
  for (size_t i = 0; i < count; ++i)
    tokens.push_back((seed * 13 + static_cast<int64_t>(i) * 7) % toyVocab);
  return tokens;
}

/// Both toy modules, on one thread and on two.
struct Setting {
  llmc_module_query_fn query;
  uint32_t threads;
};

class Generate : public testing::TestWithParam<Setting> {
protected:
  void SetUp() override {
    ASSERT_EQ(module.loadStatic(GetParam().query, {}, &error), LLMC_STATUS_OK) << error.message;
    llmc_session_options_t options = Session::defaultOptions();
    options.threads = GetParam().threads;
    ASSERT_EQ(session.create(module, options, &error), LLMC_STATUS_OK) << error.message;
  }

  Module module;
  Session session;
  Error error;
};

INSTANTIATE_TEST_SUITE_P(Toys, Generate,
                         testing::Values(Setting{statefulQuery, 1}, Setting{statefulQuery, 2},
                                         Setting{recurrentQuery, 1}, Setting{recurrentQuery, 2}));

TEST_P(Generate, PrefillInChunksThenDecode) {
  for (size_t prompt = 1; prompt <= 17; ++prompt) {
    ASSERT_EQ(session.reset(), LLMC_STATUS_OK);
    std::vector<int64_t> tokens = someTokens(prompt, 3);
    ASSERT_EQ(session.prefill(tokens, &error), LLMC_STATUS_OK) << error.message;
    ASSERT_EQ(logitsOf(session), toyLogits(tokens)) << prompt;
    for (int64_t next : {9, 0, 63}) {
      tokens.push_back(next);
      ASSERT_EQ(session.decode({&next, 1}, &error), LLMC_STATUS_OK);
      ASSERT_EQ(logitsOf(session), toyLogits(tokens));
    }
    EXPECT_EQ(session.length(), prompt + 3);
  }
}

TEST_P(Generate, BatchRowsAreIndependent) {
  std::vector<int64_t> rows[3], all;
  for (int64_t r = 0; r < 3; ++r) {
    rows[r] = someTokens(11, r);
    all.insert(all.end(), rows[r].begin(), rows[r].end());
  }
  ASSERT_EQ(session.prefill(3, all, &error), LLMC_STATUS_OK) << error.message;
  for (size_t r = 0; r < 3; ++r)
    EXPECT_EQ(logitsOf(session, r), toyLogits(rows[r]));
  // Only the first two go on: lengths then differ.
  int64_t next[3] = {1, 2, 3};
  ASSERT_EQ(session.decode({next, 2}, &error), LLMC_STATUS_OK);
  ASSERT_EQ(session.decode({next, 3}, &error), LLMC_STATUS_OK);
  for (size_t r = 0; r < 3; ++r) {
    if (r < 2)
      rows[r].push_back(next[r]);
    rows[r].push_back(next[r]);
    EXPECT_EQ(logitsOf(session, r), toyLogits(rows[r]));
    EXPECT_EQ(session.length(r), rows[r].size());
  }
}

TEST_P(Generate, CapacityIsRefusedAndChangesNothing) {
  std::vector<int64_t> tokens = someTokens(39, 1);
  ASSERT_EQ(session.prefill(tokens, &error), LLMC_STATUS_OK) << error.message;
  std::vector<int64_t> two = {1, 2};
  EXPECT_EQ(session.prefill(two, &error), LLMC_STATUS_CAPACITY);
  EXPECT_STREQ(error.message, "sequence 0 holds 39 tokens; 2 more exceed max_seq 40");
  EXPECT_EQ(session.length(), 39u);
  EXPECT_EQ(logitsOf(session), toyLogits(tokens));
  ASSERT_EQ(session.decode({two.data(), 1}, &error), LLMC_STATUS_OK);
  tokens.push_back(1);
  EXPECT_EQ(logitsOf(session), toyLogits(tokens));
  EXPECT_EQ(session.decode({two.data(), 1}, &error), LLMC_STATUS_CAPACITY);
  int64_t four[4] = {};
  EXPECT_EQ(session.decode(four, &error), LLMC_STATUS_CAPACITY);
}

TEST_P(Generate, BadTokensAndArguments) {
  int64_t bad[2] = {5, toyVocab};
  EXPECT_EQ(session.prefill(bad, &error), LLMC_STATUS_OUT_OF_RANGE);
  EXPECT_STREQ(error.message, "token 64 at row 0, position 1 is outside of 0 to 63");
  bad[1] = -1;
  EXPECT_EQ(session.prefill(bad, &error), LLMC_STATUS_OUT_OF_RANGE);
  EXPECT_EQ(session.length(), 0u);
  EXPECT_TRUE(session.logits().empty());
  EXPECT_EQ(session.prefill({}, &error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(llmc_session_decode(session.get(), 1, nullptr, &error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(llmc_session_prefill(session.get(), 2, SIZE_MAX / 2, bad, &error),
            LLMC_STATUS_CAPACITY);
  size_t length;
  EXPECT_EQ(llmc_session_length(session.get(), 3, &length, &error), LLMC_STATUS_INVALID_ARGUMENT);
}

TEST_P(Generate, Truncate) {
  std::vector<int64_t> tokens = someTokens(14, 5);
  ASSERT_EQ(session.prefill(tokens), LLMC_STATUS_OK);
  EXPECT_EQ(session.truncate(0, 15, &error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(session.truncate(3, 0, &error), LLMC_STATUS_INVALID_ARGUMENT);
  if (GetParam().query == recurrentQuery) {
    EXPECT_EQ(session.truncate(0, 7, &error), LLMC_STATUS_UNSUPPORTED);
    ASSERT_EQ(session.truncate(0, 0, &error), LLMC_STATUS_OK);
    tokens.clear();
  } else {
    ASSERT_EQ(session.truncate(0, 7, &error), LLMC_STATUS_OK);
    tokens.resize(7);
  }
  EXPECT_TRUE(session.logits().empty());
  EXPECT_EQ(session.length(), tokens.size());
  std::vector<int64_t> more = someTokens(9, 8);
  ASSERT_EQ(session.prefill(more), LLMC_STATUS_OK);
  tokens.insert(tokens.end(), more.begin(), more.end());
  EXPECT_EQ(logitsOf(session), toyLogits(tokens));
}

TEST(SessionOptions, SmallerThanTheModule) {
  Module module;
  Error error;
  ASSERT_EQ(module.loadStatic(statefulQuery), LLMC_STATUS_OK);
  llmc_session_options_t options = Session::defaultOptions();
  options.max_batch = 1;
  options.max_seq = 6;
  options.threads = 1000;
  Session session;
  ASSERT_EQ(session.create(module, options, &error), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(session.info().max_seq, 6u);
  EXPECT_EQ(session.info().state_bytes, 4096u); // 2 blocks, up to a page
  EXPECT_LE(session.info().threads, std::thread::hardware_concurrency());
  EXPECT_EQ(session.prefill(someTokens(7, 0), &error), LLMC_STATUS_CAPACITY);
  EXPECT_EQ(session.prefill(2, someTokens(2, 0), &error), LLMC_STATUS_CAPACITY);
  options.max_seq = 41;
  EXPECT_EQ(session.create(module, options, &error), LLMC_STATUS_OUT_OF_RANGE);
  options.max_seq = 0;
  options.max_batch = 4;
  EXPECT_EQ(session.create(module, options, &error), LLMC_STATUS_OUT_OF_RANGE);
}

/// Counts, and refuses everything from the given allocation on.
struct FailingAllocator {
  int left;
  int64_t live = 0;

  llmc_allocator_t get() {
    return {this,
            [](void *user, size_t size, size_t alignment) -> void * {
              auto *self = static_cast<FailingAllocator *>(user);
              if (self->left-- <= 0)
                return nullptr;
              self->live += static_cast<int64_t>(size);
              return aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
            },
            [](void *user, void *memory, size_t size, size_t) {
              static_cast<FailingAllocator *>(user)->live -= static_cast<int64_t>(size);
              free(memory);
            }};
  }
};

TEST(SessionOptions, AllocatorThatFailsAnywhere) {
  Module module;
  ASSERT_EQ(module.loadStatic(recurrentQuery), LLMC_STATUS_OK);
  bool succeeded = false;
  for (int allowed = 0; !succeeded; ++allowed) {
    ASSERT_LT(allowed, 100);
    FailingAllocator allocator{allowed};
    {
      llmc_session_options_t options = Session::defaultOptions();
      options.allocator = allocator.get();
      Session session;
      Error error;
      Status status = session.create(module, options, &error);
      succeeded = status == LLMC_STATUS_OK;
      if (!succeeded) {
        EXPECT_EQ(status, LLMC_STATUS_OUT_OF_MEMORY) << error.message;
      } else {
        EXPECT_EQ(session.prefill(someTokens(9, 1)), LLMC_STATUS_OK);
      }
    }
    EXPECT_EQ(allocator.live, 0);
  }
  llmc_session_options_t options = Session::defaultOptions();
  options.allocator.allocate = FailingAllocator{1}.get().allocate;
  Session session;
  EXPECT_EQ(session.create(module, options), LLMC_STATUS_INVALID_ARGUMENT);
}

TEST(Concurrency, TwoModulesTwoSessionsTwoThreads) {
  Module modules[2];
  ASSERT_EQ(modules[0].loadStatic(statefulQuery), LLMC_STATUS_OK);
  ASSERT_EQ(modules[1].loadStatic(recurrentQuery), LLMC_STATUS_OK);
  auto work = [&](const Module &module, int64_t seed) {
    llmc_session_options_t options = Session::defaultOptions();
    options.threads = 2;
    Session session;
    ASSERT_EQ(session.create(module, options), LLMC_STATUS_OK);
    for (int64_t round = 0; round < 100; ++round) {
      ASSERT_EQ(session.reset(), LLMC_STATUS_OK);
      std::vector<int64_t> tokens = someTokens(12, seed + round);
      ASSERT_EQ(session.prefill(tokens), LLMC_STATUS_OK);
      for (int64_t next = 0; next < 20; ++next) {
        ASSERT_EQ(session.decode({&next, 1}), LLMC_STATUS_OK);
        tokens.push_back(next);
        ASSERT_EQ(logitsOf(session), toyLogits(tokens));
      }
    }
  };
  std::thread others[3];
  others[0] = std::thread(work, std::cref(modules[0]), 1);
  others[1] = std::thread(work, std::cref(modules[1]), 2);
  others[2] = std::thread(work, std::cref(modules[0]), 3); // shares a module
  for (std::thread &other : others)
    other.join();
}

} // namespace
