//===- AllocationTest.cpp - steps do not allocate -------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Generated tokens, and prompts once a first one has been read, take no memory.
//
//===----------------------------------------------------------------------===//

#include "CountingMalloc.h"
#include "ToyModule.h"

#include "llmc/Runtime.hpp"

#include <gtest/gtest.h>

namespace {

class Allocation : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Threads, Allocation, testing::Values(1, 2));

TEST_P(Allocation, NoneInDecode) {
  llmc::Module module;
  llmc::Session session;
  ASSERT_EQ(module.loadStatic(llmc::test::statefulQuery), LLMC_STATUS_OK);
  llmc_session_options_t options = llmc::Session::defaultOptions();
  options.threads = GetParam();
  ASSERT_EQ(session.create(module, options), LLMC_STATUS_OK);
  int64_t tokens[3] = {1, 2, 3};
  uint64_t inDecode = 0, steps = 0;
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(session.reset(), LLMC_STATUS_OK);
    ASSERT_EQ(session.prefill(3, tokens), LLMC_STATUS_OK);
    for (int i = 0; i < 38; ++i, ++steps) {
      // The first round warms oneTBB's pools up.
      numAllocations = 0;
      isCounting = round > 0;
      llmc_status_t status = llmc_session_decode(session.get(), 3, tokens, nullptr);
      isCounting = false;
      ASSERT_EQ(status, LLMC_STATUS_OK);
      inDecode += numAllocations;
    }
  }
  EXPECT_EQ(inDecode, 0u) << "in " << steps << " steps";
}

TEST_P(Allocation, NoneInPrefillAfterTheFirst) {
  for (llmc_module_query_fn query :
       {llmc::test::statefulQuery, llmc::test::recurrentQuery, llmc::test::windowedQuery}) {
    llmc::Module module;
    llmc::Session session;
    ASSERT_EQ(module.loadStatic(query), LLMC_STATUS_OK);
    llmc_session_options_t options = llmc::Session::defaultOptions();
    options.threads = GetParam();
    ASSERT_EQ(session.create(module, options), LLMC_STATUS_OK);
    const int64_t tokens[20] = {1, 2, 3, 1, 2, 3}; // the module's chunks are shorter
    uint64_t inPrefill = 0;
    for (int round = 0; round < 20; ++round)
      for (size_t seq : {size_t{20}, size_t{1}, size_t{10}}) {
        numAllocations = 0;
        isCounting = round > 0;
        llmc_status_t status = llmc_session_reset(session.get(), nullptr);
        if (!status)
          status = llmc_session_prefill(session.get(), 1, seq, tokens, nullptr);
        const uint32_t other = 1;
        if (!status)
          status = llmc_sequences_prefill(session.get(), &other, 1, seq, tokens, nullptr);
        isCounting = false;
        ASSERT_EQ(status, LLMC_STATUS_OK) << seq;
        inPrefill += numAllocations;
      }
    EXPECT_EQ(inPrefill, 0u);
  }
}

TEST_P(Allocation, NoneInForksAndChangingBatches) {
  for (llmc_module_query_fn query : {llmc::test::recurrentQuery, llmc::test::windowedQuery}) {
    llmc::Module module;
    llmc::Session session;
    ASSERT_EQ(module.loadStatic(query), LLMC_STATUS_OK);
    llmc_session_options_t options = llmc::Session::defaultOptions();
    options.threads = GetParam();
    options.max_sequences = 4;
    ASSERT_EQ(session.create(module, options), LLMC_STATUS_OK);
    int64_t tokens[3] = {1, 2, 3};
    uint64_t inSteps = 0;
    for (int round = 0; round < 20; ++round) {
      ASSERT_EQ(session.reset(), LLMC_STATUS_OK);
      ASSERT_EQ(session.prefill({tokens, 3}), LLMC_STATUS_OK);
      for (int i = 0; i < 30; ++i) {
        numAllocations = 0;
        isCounting = round > 0;
        uint32_t fork = 0, freed = 0;
        llmc_status_t status = llmc_sequence_fork(session.get(), 0, &fork, nullptr);
        uint32_t batch[2] = {fork, 0};
        if (!status)
          status = llmc_sequences_decode(session.get(), batch, 2, tokens, nullptr);
        if (!status)
          status = llmc_sequences_decode(session.get(), &fork, 1, tokens, nullptr);
        if (!status)
          status = llmc_sequence_create(session.get(), &freed, nullptr);
        if (!status)
          status = llmc_sequence_free(session.get(), freed, nullptr);
        if (!status)
          status = llmc_sequence_free(session.get(), fork, nullptr);
        isCounting = false;
        ASSERT_EQ(status, LLMC_STATUS_OK);
        inSteps += numAllocations;
      }
    }
    EXPECT_EQ(inSteps, 0u);
  }
}

TEST(Counter, Counts) {
  isCounting = true;
  free(malloc(10));
  int *volatile number = new int; // volatile: the pair must not be optimised away
  delete number;
  isCounting = false;
  EXPECT_GE(numAllocations, 1u);
}

} // namespace
