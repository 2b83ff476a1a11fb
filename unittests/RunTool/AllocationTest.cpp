//===- AllocationTest.cpp - llmc-run allocates nothing per token ----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of what `generate` does for a token: the choice from the logits. The runtime's part is
// counted in unittests/Runtime; pieces of text are strings, short ones without memory of
// their own.
//
//===----------------------------------------------------------------------===//
#include "../Runtime/CountingMalloc.h"

#include "Sampler.h"

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

TEST(Counter, Counts) {
  numAllocations = 0;
  isCounting = true;
  int *volatile number = new int; // volatile: the pair must not be optimised away
  delete number;
  isCounting = false;
  EXPECT_GE(numAllocations, 1u);
}

} // namespace
