//===- ArenaPlanner.cpp - offsets for buffers with lifetimes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/ArenaPlanner.h"

#include <algorithm>
#include <map>
#include <numeric>

using namespace llmc;

static int64_t alignUp(int64_t value, int64_t alignment) {
  return (value + alignment - 1) & -alignment;
}

/// The largest sum of sizes that live in one step.
static int64_t lowerBound(std::span<const PlannedBuffer> buffers, int64_t alignment) {
  std::map<int64_t, int64_t> change;
  for (const PlannedBuffer &buffer : buffers) {
    if (buffer.begin >= buffer.end)
      continue;
    change[buffer.begin] += alignUp(buffer.sizeBytes, alignment);
    change[buffer.end] -= alignUp(buffer.sizeBytes, alignment);
  }
  int64_t live = 0, peak = 0;
  for (auto [step, bytes] : change)
    peak = std::max(peak, live += bytes);
  return peak;
}

ArenaPlan llmc::planArena(std::span<PlannedBuffer> buffers, int64_t alignment) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const PlannedBuffer &x = buffers[a], &y = buffers[b];
    if (x.sizeBytes != y.sizeBytes)
      return x.sizeBytes > y.sizeBytes;
    return x.end - x.begin > y.end - y.begin;
  });

  ArenaPlan plan;
  plan.lowerBoundBytes = lowerBound(buffers, alignment);
  std::vector<size_t> placed; // sorted by offset
  for (size_t index : order) {
    PlannedBuffer &buffer = buffers[index];
    int64_t size = alignUp(buffer.sizeBytes, alignment);
    int64_t cursor = 0, best = -1, bestGap = 0;
    for (size_t other : placed) {
      const PlannedBuffer &neighbour = buffers[other];
      if (neighbour.begin >= buffer.end || buffer.begin >= neighbour.end)
        continue;
      int64_t gap = neighbour.offset - cursor;
      if (gap >= size && (best < 0 || gap < bestGap)) {
        best = cursor;
        bestGap = gap;
      }
      cursor = std::max(cursor, neighbour.offset + alignUp(neighbour.sizeBytes, alignment));
    }
    buffer.offset = best >= 0 ? best : cursor;
    plan.peakBytes = std::max(plan.peakBytes, buffer.offset + size);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), index,
                         [&](size_t a, size_t b) { return buffers[a].offset < buffers[b].offset; }),
        index);
  }
  return plan;
}
