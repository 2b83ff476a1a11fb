//===- BlockTable.cpp - which cache blocks hold which sequence ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockTable.h"

using namespace llmc::runtime;

static uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

bool BlockTable::plan(const BlockTableShape &wanted) {
  shape = wanted;
  uint64_t perRow = blocksFor(shape.maxTokens);
  liveBlocksPerRow = perRow;
  // The tokens that a step reads and writes may begin and end inside a block.
  if (shape.window && shape.blockTokens)
    liveBlocksPerRow = smaller(perRow, blocksFor(shape.window - 1 + shape.stepTokens) + 1);
  uint64_t most = liveBlocksPerRow * shape.rows;
  uint64_t asked = blocksFor(shape.poolTokens);
  blockCount = asked ? smaller(asked, most) : most;
  ample = blockCount == most;
  uint64_t numEntries;
  if (blockCount > INT32_MAX || perRow > UINT32_MAX || // numbers are int32 in the ABI
      __builtin_mul_overflow(perRow, uint64_t{shape.rows}, &numEntries))
    return false;
  blocksPerRow = static_cast<uint32_t>(perRow);
  return true;
}

void BlockTable::start() {
  for (uint64_t i = 0; i < blockCount; ++i)
    freeBlocks[i] = static_cast<int32_t>(blockCount - 1 - i);
  freeCount = blockCount;
}

uint64_t BlockTable::blocksNeeded(const uint32_t *rows, size_t numRows, const int64_t *lengths,
                                  uint64_t count) {
  if (!shape.blockTokens)
    return 0;
  // Of a block that several of these rows share, all but one take copies; all, if
  // another row has it too. Counting down the references finds that out.
  auto sharedBlock = [&](size_t i) -> int32_t {
    auto held = static_cast<uint64_t>(lengths[rows[i]]);
    return held % shape.blockTokens ? row(rows[i])[held / shape.blockTokens] : -1;
  };
  uint64_t needed = 0;
  for (size_t i = 0; i < numRows; ++i) {
    const Range &range = ranges[rows[i]];
    uint64_t fresh = blocksFor(static_cast<uint64_t>(lengths[rows[i]]) + count) - range.end;
    if (fresh > liveBlocksPerRow - (range.end - range.first)) {
      // Blocks of its own, once evicted, make room for new ones.
      uint64_t own = 0;
      for (uint32_t b = range.first; b < range.end; ++b)
        own += references[static_cast<size_t>(row(rows[i])[b])] == 1;
      fresh = smaller(fresh, liveBlocksPerRow - own);
    }
    needed += fresh;
  }
  for (size_t i = 0; i < numRows; ++i)
    if (int32_t block = sharedBlock(i); block >= 0 && references[static_cast<size_t>(block)] > 1) {
      --references[static_cast<size_t>(block)];
      ++needed;
      // Remembered in the row itself, for the loop that puts it back.
      mutableRow(rows[i])[lengths[rows[i]] / shape.blockTokens] = ~block;
    }
  for (size_t i = 0; i < numRows; ++i) {
    auto held = static_cast<uint64_t>(lengths[rows[i]]);
    if (held % shape.blockTokens == 0)
      continue;
    int32_t &block = mutableRow(rows[i])[held / shape.blockTokens];
    if (block < 0) {
      block = ~block;
      ++references[static_cast<size_t>(block)];
    }
  }
  return needed;
}

bool BlockTable::grow(uint32_t row, uint64_t held, uint64_t tokens, Copy &copy) {
  copy = {0, 0};
  if (!shape.blockTokens)
    return true;
  uint64_t wanted = blocksFor(tokens);
  Range &range = ranges[row];
  int32_t *blocks = mutableRow(row);
  bool isPartial = held % shape.blockTokens != 0;
  uint64_t last = held / shape.blockTokens;
  bool isShared = isPartial && references[static_cast<size_t>(blocks[last])] > 1;
  uint64_t more = wanted > range.end ? wanted - range.end : 0;
  if (wanted > blocksPerRow || more + isShared > freeCount)
    return false;
  if (isShared) {
    copy = {blocks[last], take()};
    drop(copy.from);
    blocks[last] = copy.to;
  }
  while (range.end < wanted)
    blocks[range.end++] = take();
  return true;
}

void BlockTable::shrink(uint32_t row, uint64_t tokens) {
  uint64_t wanted = blocksFor(tokens);
  Range &range = ranges[row];
  int32_t *blocks = mutableRow(row);
  while (range.end > wanted && range.end > range.first) {
    drop(blocks[--range.end]);
    blocks[range.end] = 0;
  }
  if (wanted == 0)
    range = {0, 0};
}

void BlockTable::evict(uint32_t row, uint64_t tokens) {
  if (!shape.window || !shape.blockTokens)
    return;
  uint64_t firstBlock = firstNeeded(tokens) / shape.blockTokens;
  Range &range = ranges[row];
  int32_t *blocks = mutableRow(row);
  for (; range.first < firstBlock && range.first < range.end; ++range.first) {
    drop(blocks[range.first]);
    blocks[range.first] = 0;
  }
}

void BlockTable::share(uint32_t from, uint32_t to) {
  ranges[to] = ranges[from];
  for (uint32_t i = ranges[from].first; i < ranges[from].end; ++i) {
    int32_t block = row(from)[i];
    mutableRow(to)[i] = block;
    ++references[static_cast<size_t>(block)];
  }
}

void BlockTable::openRow(uint32_t row, uint32_t first) { ranges[row] = {first, first}; }

bool BlockTable::push(uint32_t row) {
  if (freeCount == 0 || ranges[row].end == blocksPerRow)
    return false;
  mutableRow(row)[ranges[row].end++] = take();
  return true;
}

void BlockTable::pushShared(uint32_t row, int32_t block) {
  mutableRow(row)[ranges[row].end++] = block;
  ++references[static_cast<size_t>(block)];
}
