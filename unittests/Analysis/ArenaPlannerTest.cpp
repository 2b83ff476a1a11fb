//===- ArenaPlannerTest.cpp - offsets for buffers with lifetimes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/ArenaPlanner.h"
#include <gtest/gtest.h>
#include <random>

using namespace llmc;

static int64_t alignUp(int64_t value, int64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// No two buffers share a byte in a step, every offset is aligned, and the peak is
/// what the buffers need.
static void expectValid(const std::vector<PlannedBuffer> &buffers, const ArenaPlan &plan,
                        int64_t alignment) {
  int64_t peak = 0;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const PlannedBuffer &a = buffers[i];
    EXPECT_EQ(a.offset % alignment, 0);
    EXPECT_GE(a.offset, 0);
    peak = std::max(peak, a.offset + alignUp(a.sizeBytes, alignment));
    for (size_t j = 0; j < i; ++j) {
      const PlannedBuffer &b = buffers[j];
      bool together = a.begin < b.end && b.begin < a.end;
      bool apart = a.offset + a.sizeBytes <= b.offset || b.offset + b.sizeBytes <= a.offset;
      EXPECT_TRUE(!together || apart) << i << " and " << j;
    }
  }
  EXPECT_EQ(plan.peakBytes, peak);
  EXPECT_GE(plan.peakBytes, plan.lowerBoundBytes);
}

TEST(ArenaPlanner, NothingNeedsNothing) {
  std::vector<PlannedBuffer> buffers;
  ArenaPlan plan = planArena(buffers, 64);
  EXPECT_EQ(plan.peakBytes, 0);
  EXPECT_EQ(plan.lowerBoundBytes, 0);
}

TEST(ArenaPlanner, ReusesDeadMemory) {
  // Three buffers of 100 bytes in a chain, two alive at a time: two slots of 128.
  std::vector<PlannedBuffer> buffers = {{100, 0, 2, 0}, {100, 1, 3, 0}, {100, 2, 4, 0}};
  ArenaPlan plan = planArena(buffers, 64);
  expectValid(buffers, plan, 64);
  EXPECT_EQ(plan.peakBytes, 256);
  EXPECT_EQ(plan.lowerBoundBytes, 256);
}

TEST(ArenaPlanner, RandomBuffersNeverOverlap) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<PlannedBuffer> buffers(1 + random() % 200);
    for (PlannedBuffer &buffer : buffers) {
      buffer.sizeBytes = random() % 5000;
      buffer.begin = random() % 100;
      buffer.end = buffer.begin + 1 + random() % 20;
    }
    ArenaPlan plan = planArena(buffers, 64);
    expectValid(buffers, plan, 64);
  }
}
