//===- ArenaPlannerTest.cpp - offsets for buffers with lifetimes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/ArenaPlanner.h"
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>
#include <random>

using namespace llmc;

namespace {

using Buffers = std::vector<PlannedBuffer>;
using Pairs = std::vector<BufferPair>;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

int64_t alignUp(int64_t value, int64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

bool takesMemory(const PlannedBuffer &buffer) {
  return buffer.sizeBytes > 0 && buffer.begin < buffer.end;
}

bool has(const Pairs &pairs, size_t a, size_t b) {
  return std::any_of(pairs.begin(), pairs.end(), [&](BufferPair pair) {
    return (pair.first == a && pair.second == b) || (pair.first == b && pair.second == a);
  });
}

/// The group of aliases of every buffer, as its smallest index.
std::vector<size_t> groupsOf(size_t count, std::span<const BufferPair> aliases) {
  std::vector<size_t> groups(count);
  std::iota(groups.begin(), groups.end(), size_t(0));
  for (BufferPair pair : aliases) {
    size_t to = std::min(groups[pair.first], groups[pair.second]);
    size_t from = std::max(groups[pair.first], groups[pair.second]);
    std::replace(groups.begin(), groups.end(), from, to);
  }
  return groups;
}

/// Every buffer as its group of aliases: the hull of their lifetimes, the largest size.
Buffers mergeAliases(const Buffers &buffers, const std::vector<size_t> &groups) {
  Buffers merged = buffers;
  for (size_t i = 0; i < buffers.size(); ++i)
    for (size_t j = 0; j < buffers.size(); ++j)
      if (groups[i] == groups[j] && takesMemory(buffers[i]) && takesMemory(buffers[j])) {
        merged[i].begin = std::min(merged[i].begin, buffers[j].begin);
        merged[i].end = std::max(merged[i].end, buffers[j].end);
        merged[i].sizeBytes = std::max(merged[i].sizeBytes, buffers[j].sizeBytes);
      }
  return merged;
}

/// No two buffers share a byte in a step, unless they are aliases or one begins in place
/// of the other in the one step they share; offsets are aligned; the peak is the highest.
void expectValid(const Buffers &buffers, const ArenaPlan &plan, const ArenaPlanOptions &options) {
  Pairs inPlace(options.inPlace.begin(), options.inPlace.end());
  for (BufferPair pair : options.aliases)
    EXPECT_EQ(buffers[pair.first].offset, buffers[pair.second].offset);
  std::vector<size_t> groups = groupsOf(buffers.size(), options.aliases);
  Buffers merged = mergeAliases(buffers, groups);
  int64_t peak = 0;
  for (size_t i = 0; i < merged.size(); ++i) {
    const PlannedBuffer &a = merged[i];
    EXPECT_EQ(a.offset % options.alignment, 0);
    EXPECT_GE(a.offset, 0);
    if (!takesMemory(a))
      continue;
    int64_t end = a.offset + alignUp(a.sizeBytes, options.alignment);
    peak = std::max(peak, end);
    for (size_t j = 0; j < i; ++j) {
      const PlannedBuffer &b = merged[j];
      bool together = takesMemory(b) && a.begin < b.end && b.begin < a.end;
      bool apart =
          end <= b.offset || b.offset + alignUp(b.sizeBytes, options.alignment) <= a.offset;
      bool sameBlock = groups[i] == groups[j];
      bool handedOver = a.offset == b.offset && has(inPlace, i, j) &&
                        std::min(a.end, b.end) - std::max(a.begin, b.begin) == 1;
      EXPECT_TRUE(!together || apart || sameBlock || handedOver) << i << " and " << j;
    }
  }
  EXPECT_EQ(plan.peakBytes, peak);
  EXPECT_GE(plan.peakBytes, plan.lowerBoundBytes);
}

ArenaPlan planAndCheck(Buffers &buffers, const ArenaPlanOptions &options) {
  ArenaPlan plan = planArena(buffers, options);
  expectValid(buffers, plan, options);
  return plan;
}

Buffers randomBuffers(std::mt19937 &random, size_t count, int64_t maxSize, int64_t steps,
                      int64_t maxSteps) {
  Buffers buffers(count);
  for (PlannedBuffer &buffer : buffers) {
    buffer.sizeBytes = random() % (maxSize + 1);
    buffer.begin = random() % steps;
    buffer.end = buffer.begin + random() % (maxSteps + 1);
  }
  return buffers;
}

/// The smallest peak, by every order of first fit: one of them gives an optimal plan,
/// that in which buffers of an optimal settled plan go by offset.
int64_t smallestPeak(const Buffers &buffers) {
  std::vector<size_t> order;
  for (size_t i = 0; i < buffers.size(); ++i)
    if (takesMemory(buffers[i]))
      order.push_back(i);
  int64_t best = order.empty() ? 0 : kMax;
  do {
    std::vector<int64_t> offsets(buffers.size());
    int64_t peak = 0;
    for (size_t i = 0; i < order.size() && peak < best; ++i) {
      const PlannedBuffer &buffer = buffers[order[i]];
      int64_t offset = 0;
      for (size_t j = 0; j < i; ++j) { // on top of all before it
        const PlannedBuffer &below = buffers[order[j]];
        if (below.begin < buffer.end && buffer.begin < below.end)
          offset = std::max(offset, offsets[order[j]] + below.sizeBytes);
      }
      offsets[order[i]] = offset;
      peak = std::max(peak, offset + buffer.sizeBytes);
    }
    best = std::min(best, peak);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

/// Boxes that fill 64 bytes times 64 steps: cut in two again and again.
Buffers perfectPacking(std::mt19937 &random, size_t count) {
  Buffers boxes = {{64, 0, 64, 0}};
  while (boxes.size() < count) {
    PlannedBuffer &box = boxes[random() % boxes.size()], half = box;
    if (random() % 2 == 0 && box.sizeBytes > 1)
      half.sizeBytes -= box.sizeBytes = 1 + random() % (box.sizeBytes - 1);
    else if (box.end - box.begin > 1)
      half.begin = box.end = box.begin + 1 + random() % (box.end - box.begin - 1);
    else
      continue;
    boxes.push_back(half);
  }
  std::shuffle(boxes.begin(), boxes.end(), random);
  return boxes;
}

} // namespace

TEST(ArenaPlanner, NothingNeedsNothing) {
  Buffers buffers;
  ArenaPlan plan = planArena(buffers, {});
  EXPECT_EQ(plan.peakBytes, 0);
  EXPECT_EQ(plan.lowerBoundBytes, 0);
  EXPECT_EQ(plan.status, ArenaPlanStatus::Optimal);
}

TEST(ArenaPlanner, ReusesDeadMemory) {
  // Three buffers of 100 bytes in a chain, two alive at a time: two slots of 128.
  Buffers buffers = {{100, 0, 2, 0}, {100, 1, 3, 0}, {100, 2, 4, 0}};
  ArenaPlan plan = planAndCheck(buffers, {.alignment = 64});
  EXPECT_EQ(plan.peakBytes, 256);
  EXPECT_EQ(plan.lowerBoundBytes, 256);
}

TEST(ArenaPlanner, BuffersWithoutBytesOrLifetimeTakeNoMemory) {
  Buffers buffers = {{0, 0, 9, 0}, {100, 3, 3, 0}, {100, 5, 4, 0}, {64, 2, 3, 0}};
  ArenaPlan plan = planAndCheck(buffers, {.alignment = 64, .searchNodes = 10});
  EXPECT_EQ(plan.peakBytes, 64);
}

TEST(ArenaPlanner, RandomBuffersNeverOverlap) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    Buffers buffers = randomBuffers(random, random() % 200, 5000, 100, 20);
    planAndCheck(buffers, {.alignment = 64, .searchNodes = uint64_t(round % 2) * 500});
  }
}

TEST(ArenaPlanner, RandomAliasesAndInPlaceBuffersNeverOverlap) {
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    Buffers buffers = randomBuffers(random, 1 + random() % 60, 300, 30, 8);
    Pairs aliases, inPlace;
    for (size_t i = 0; i < buffers.size() / 10; ++i)
      aliases.push_back({random() % buffers.size(), random() % buffers.size()});
    for (size_t i = 0; i < buffers.size(); ++i)
      for (size_t j = 0; j < buffers.size(); ++j)
        if (random() % 2 == 0 && (buffers[i].end == buffers[j].begin + 1 || random() % 50 == 0))
          inPlace.push_back({i, j});
    // In expectValid a pair names two blocks as they are, not by their aliases.
    if (round % 2 == 0)
      inPlace.clear();
    else
      aliases.clear();
    planAndCheck(buffers, {.alignment = 16,
                           .aliases = aliases,
                           .inPlace = inPlace,
                           .searchNodes = uint64_t(round % 3) * 300});
  }
}

TEST(ArenaPlanner, AliasesAreOneBlock) {
  // Alive in steps 0 and 3 only, but one block: the third cannot lie there in between.
  Buffers buffers = {{64, 0, 1, 0}, {128, 3, 4, 0}, {64, 1, 3, 0}};
  Pairs aliases = {{0, 1}};
  ArenaPlan plan = planAndCheck(buffers, {.alignment = 64, .aliases = aliases});
  EXPECT_EQ(plan.peakBytes, 192);
  EXPECT_EQ(plan.lowerBoundBytes, 192);
}

TEST(ArenaPlanner, BuffersBegunInPlaceSaveTheSmaller) {
  // In step 1 both live: 64 + 128 bytes apart, 128 in place.
  Buffers buffers = {{64, 0, 2, 0}, {128, 1, 3, 0}};
  Pairs inPlace = {{0, 1}};
  ArenaPlan plan = planAndCheck(buffers, {.alignment = 64, .inPlace = inPlace});
  EXPECT_EQ(plan.peakBytes, 128);
  EXPECT_EQ(plan.lowerBoundBytes, 128);
  std::swap(buffers[0].sizeBytes, buffers[1].sizeBytes);
  EXPECT_EQ(planAndCheck(buffers, {.alignment = 64, .inPlace = inPlace}).peakBytes, 128);
}

TEST(ArenaPlanner, InPlaceOfALongerLifetimeHasNoEffect) {
  Buffers buffers = {{64, 0, 3, 0}, {64, 1, 3, 0}};
  Pairs inPlace = {{0, 1}};
  ArenaPlan plan = planAndCheck(buffers, {.alignment = 64, .inPlace = inPlace});
  EXPECT_EQ(plan.peakBytes, 128);
}

TEST(ArenaPlanner, OnePlaceIsHandedOverOnce) {
  // Two could begin in the place of the first; one does.
  Buffers buffers = {{64, 0, 2, 0}, {64, 1, 3, 0}, {64, 1, 3, 0}};
  Pairs inPlace = {{0, 1}, {0, 2}};
  ArenaPlan plan = planAndCheck(buffers, {.alignment = 64, .inPlace = inPlace});
  EXPECT_EQ(plan.peakBytes, 128);
}

TEST(ArenaPlanner, ChainsInPlaceNeedOnePlace) {
  Buffers buffers;
  Pairs inPlace;
  for (int64_t i = 0; i < 20; ++i) {
    buffers.push_back({64, 2 * i, 2 * i + 3, 0});
    if (i > 0)
      inPlace.push_back({size_t(i - 1), size_t(i)});
  }
  ArenaPlan plan = planAndCheck(buffers, {.alignment = 64, .inPlace = inPlace});
  EXPECT_EQ(plan.peakBytes, 64);
}

TEST(ArenaPlanner, SearchFindsTheSmallestPeakOfSmallCases) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    Buffers buffers = randomBuffers(random, 1 + random() % 8, 5, 7, 5);
    int64_t smallest = smallestPeak(buffers);
    ArenaPlan plan = planAndCheck(buffers, {.searchNodes = 100'000});
    EXPECT_EQ(plan.peakBytes, smallest);
    EXPECT_EQ(plan.status, ArenaPlanStatus::Optimal);
    if (smallest == 0)
      continue;
    ArenaPlan tight = planArena(buffers, {.capacityBytes = smallest - 1, .searchNodes = 100'000});
    EXPECT_EQ(tight.status, ArenaPlanStatus::Impossible);
    ArenaPlan fits = planAndCheck(buffers, {.capacityBytes = smallest, .searchNodes = 100'000});
    EXPECT_EQ(fits.peakBytes, smallest);
  }
}

TEST(ArenaPlanner, SearchProvesThatTheLowerBoundIsOutOfReach) {
  // No step has more than 4 bytes, and no plan fits into 4.
  Buffers buffers = {{1, 3, 7, 0}, {2, 0, 4, 0}, {2, 7, 11, 0}, {1, 0, 2, 0},
                     {1, 4, 7, 0}, {2, 2, 3, 0}, {1, 3, 5, 0},  {2, 6, 10, 0}};
  EXPECT_EQ(smallestPeak(buffers), 5);
  ArenaPlan plan = planAndCheck(buffers, {.searchNodes = 1000});
  EXPECT_EQ(plan.lowerBoundBytes, 4);
  EXPECT_EQ(plan.peakBytes, 5);
  EXPECT_EQ(plan.status, ArenaPlanStatus::Optimal);
  EXPECT_EQ(planArena(buffers, {.capacityBytes = 4, .searchNodes = 1000}).status,
            ArenaPlanStatus::Impossible);
  EXPECT_EQ(planArena(buffers, {.capacityBytes = 4, .searchNodes = 1}).status,
            ArenaPlanStatus::NotFound);
}

TEST(ArenaPlanner, SearchFindsTheSmallestPeakInPlace) {
  // Against all choices of pairs, each planned as chains by hand: the two of a pair
  // become one where their sizes are equal.
  std::mt19937 random(5);
  for (int round = 0; round < 100; ++round) {
    Buffers buffers = randomBuffers(random, 2 + random() % 4, 9, 6, 4);
    for (PlannedBuffer &buffer : buffers)
      buffer.sizeBytes = 4;
    int64_t best = smallestPeak(buffers);
    Pairs inPlace;
    for (size_t i = 0; i < buffers.size(); ++i)
      for (size_t j = 0; j < buffers.size(); ++j)
        if (takesMemory(buffers[i]) && takesMemory(buffers[j]) &&
            buffers[i].begin < buffers[j].begin && buffers[i].end == buffers[j].begin + 1)
          inPlace.push_back({i, j});
    if (inPlace.size() > 1)
      inPlace.resize(1);
    for (BufferPair pair : inPlace) {
      Buffers merged = buffers;
      merged[pair.first].end = merged[pair.second].end;
      merged[pair.second].sizeBytes = 0;
      best = std::min(best, smallestPeak(merged));
    }
    ArenaPlan plan = planAndCheck(buffers, {.inPlace = inPlace, .searchNodes = 100'000});
    EXPECT_EQ(plan.peakBytes, best);
  }
}

TEST(ArenaPlanner, SearchSolvesPerfectPackings) {
  std::mt19937 random(13);
  for (int round = 0; round < 20; ++round) {
    Buffers buffers = perfectPacking(random, 60);
    ArenaPlan plan = planAndCheck(buffers, {.capacityBytes = 64, .searchNodes = 100'000});
    EXPECT_EQ(plan.peakBytes, 64);
    EXPECT_EQ(plan.status, ArenaPlanStatus::Optimal);
  }
}

TEST(ArenaPlanner, CapacityBelowTheLowerBoundIsImpossibleAtOnce) {
  Buffers buffers = {{10, 0, 2, 0}, {10, 1, 3, 0}};
  ArenaPlan plan = planAndCheck(buffers, {.capacityBytes = 19});
  EXPECT_EQ(plan.status, ArenaPlanStatus::Impossible);
  EXPECT_EQ(plan.searchNodes, 0u);
}

TEST(ArenaPlanner, SameNodesGiveTheSamePlan) {
  std::mt19937 random(17);
  Buffers buffers = randomBuffers(random, 150, 5000, 60, 15), again = buffers;
  ArenaPlanOptions options{.alignment = 64, .searchNodes = 3000};
  ArenaPlan first = planAndCheck(buffers, options), second = planAndCheck(again, options);
  EXPECT_EQ(first.peakBytes, second.peakBytes);
  EXPECT_EQ(first.searchNodes, second.searchNodes);
  EXPECT_LE(first.searchNodes, 3000u);
  for (size_t i = 0; i < buffers.size(); ++i)
    EXPECT_EQ(buffers[i].offset, again[i].offset);
}

TEST(ArenaPlanner, SearchStopsInTime) {
  std::mt19937 random(19);
  Buffers buffers = randomBuffers(random, 300, 1'000'000, 100, 30);
  planAndCheck(buffers,
               {.searchNodes = std::numeric_limits<uint64_t>::max(), .searchSeconds = 0.1});
}

TEST(ArenaPlanner, HugeSizesDoNotOverflow) {
  for (int64_t size : {kMax, kMax - 63, int64_t(1) << 62, int64_t(1) << 61}) {
    Buffers buffers = {{size, 0, 2, 0}, {size, 1, 3, 0}, {1, 0, 3, 0}};
    EXPECT_EQ(planArena(buffers, {.alignment = 64, .searchNodes = 100}).status,
              ArenaPlanStatus::TooLarge);
  }
  // Below the limit alone, above it together; and many that never meet.
  Buffers together(8, {int64_t(1) << 60, 0, 1, 0}), apart;
  EXPECT_EQ(planArena(together, {}).status, ArenaPlanStatus::TooLarge);
  for (int64_t i = 0; i < 20; ++i)
    apart.push_back({int64_t(1) << 60, i, i + 1, 0});
  EXPECT_EQ(planAndCheck(apart, {.alignment = 64}).peakBytes, int64_t(1) << 60);
  Buffers farApart = {{8, std::numeric_limits<int64_t>::min(), kMax, 0}, {8, kMax - 1, kMax, 0}};
  EXPECT_EQ(planAndCheck(farApart, {}).peakBytes, 16);
}

TEST(ArenaPlanner, GreedyIsCloseForThousandsOfBuffers) {
  std::mt19937 random(23);
  for (int64_t lifetime : {20, 100, 3'000}) {
    Buffers buffers = randomBuffers(random, 3'000, 1'000'000, 3'000, lifetime);
    ArenaPlan plan = planArena(buffers, {.alignment = 64});
    EXPECT_LE(double(plan.peakBytes), 1.05 * double(plan.lowerBoundBytes)) << lifetime;
  }
}

namespace {

/// From 0 up to, not including, 1.
double fraction(std::mt19937 &random) { return double(random()) / 4294967296.0; }

int64_t randomSize(std::mt19937 &random, int kind) {
  const int64_t few[] = {96, 1000, 4096, 11008, 131072, 1376256};
  switch (kind) {
  case 0: // uniform
    return 1 + random() % (1 << 20);
  case 1: // log-uniform
    return int64_t(std::exp2(8 + 22 * fraction(random)));
  case 2: // Pareto
    return int64_t(256 * std::pow(1 - fraction(random), -0.9));
  case 3:
    return few[random() % std::size(few)];
  default:
    return int64_t(1) << (8 + random() % 17);
  }
}

int64_t randomLifetime(std::mt19937 &random, int kind, int64_t steps) {
  switch (kind) {
  case 0: // uniform
    return 1 + random() % steps;
  case 1: // exponential
    return 1 + int64_t(-20 * std::log(1 - fraction(random)));
  case 2: // heavy tails
    return std::min(steps, int64_t(std::pow(1 - fraction(random), -1.25)));
  default: // very short, or very long
    return random() % 10 ? 1 + random() % 5 : steps / 10 + random() % (steps * 9 / 10);
  }
}

} // namespace

TEST(ArenaPlanner, GreedyIsCloseForManyDistributions) {
  std::mt19937 random(29);
  constexpr int64_t kSteps = 1'000;
  for (int size = 0; size < 5; ++size)
    for (int lifetime = 0; lifetime < 4; ++lifetime)
      for (int sign : {0, 1, -1}) { // larger buffers live as long as others, longer, shorter
        std::vector<int64_t> sizes(1'000), lifetimes(1'000);
        for (int64_t &bytes : sizes)
          bytes = randomSize(random, size);
        for (int64_t &steps : lifetimes)
          steps = randomLifetime(random, lifetime, kSteps);
        if (sign != 0) {
          std::sort(sizes.begin(), sizes.end());
          std::sort(lifetimes.begin(), lifetimes.end());
        }
        if (sign < 0)
          std::reverse(lifetimes.begin(), lifetimes.end());
        Buffers buffers;
        for (size_t i = 0; i < sizes.size(); ++i) {
          int64_t begin = random() % (kSteps - lifetimes[i] + 1);
          buffers.push_back({sizes[i], begin, begin + lifetimes[i], 0});
        }
        ArenaPlan plan = planAndCheck(buffers, {});
        EXPECT_LE(double(plan.peakBytes), 1.05 * double(plan.lowerBoundBytes))
            << "sizes " << size << ", lifetimes " << lifetime << ", sign " << sign;
      }
}

TEST(ArenaPlanner, GreedyIsCloseForChainsInPlace) {
  // Chains of up to 4, one beside the other.
  std::mt19937 random(31);
  for (int round = 0; round < 5; ++round) {
    Buffers buffers;
    Pairs inPlace;
    while (buffers.size() < 600) {
      int64_t step = random() % 200;
      for (int64_t length = 1 + random() % 4; length > 0; --length) {
        int64_t end = step + 2 + random() % 30;
        if (!buffers.empty() && buffers.back().end == step + 1)
          inPlace.push_back({buffers.size() - 1, buffers.size()});
        buffers.push_back({int64_t(1 + random() % 4) << 16, step, end, 0});
        step = end - 1;
      }
    }
    ArenaPlan plan = planAndCheck(buffers, {.inPlace = inPlace});
    EXPECT_LE(double(plan.peakBytes), 1.05 * double(plan.lowerBoundBytes)) << round;
  }
}
