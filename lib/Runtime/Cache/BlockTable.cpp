//===- BlockTable.cpp - which cache blocks hold which sequence ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockTable.h"

using namespace llmc::runtime;

bool BlockTable::create(const llmc_allocator_t &allocator, uint32_t rows, uint32_t maxTokens,
                        uint32_t tokensPerBlock) {
  blockTokens = tokensPerBlock;
  uint64_t perRow = blocksFor(maxTokens);
  uint64_t count = perRow * rows;
  if (count > INT32_MAX) // block numbers are int32 in the ABI
    return false;
  blocksPerRow = static_cast<uint32_t>(perRow);
  if (!entries.allocate(allocator, count) || !lengths.allocate(allocator, rows) ||
      !references.allocate(allocator, count) || !freeBlocks.allocate(allocator, count))
    return false;
  for (uint64_t i = 0; i < count; ++i)
    freeBlocks[i] = static_cast<int32_t>(count - 1 - i);
  freeCount = count;
  return true;
}

bool BlockTable::grow(uint32_t row, uint64_t tokens) {
  uint64_t wanted = blocksFor(tokens);
  uint32_t &length = lengths[row];
  if (wanted <= length)
    return true;
  if (wanted > blocksPerRow || wanted - length > freeCount)
    return false;
  int32_t *blocks = entries.data() + uint64_t{row} * blocksPerRow;
  while (length < wanted) {
    int32_t block = freeBlocks[--freeCount];
    references[static_cast<size_t>(block)] = 1;
    blocks[length++] = block;
  }
  return true;
}

void BlockTable::shrink(uint32_t row, uint64_t tokens) {
  uint64_t wanted = blocksFor(tokens);
  uint32_t &length = lengths[row];
  int32_t *blocks = entries.data() + uint64_t{row} * blocksPerRow;
  while (length > wanted) {
    int32_t block = blocks[--length];
    blocks[length] = 0;
    if (--references[static_cast<size_t>(block)] == 0)
      freeBlocks[freeCount++] = block;
  }
}
