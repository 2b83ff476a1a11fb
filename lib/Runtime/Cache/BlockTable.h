//===- BlockTable.h - which cache blocks hold which sequence ----*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Block states are pools of equal blocks, one pool per state, with common block
// numbers: a row lists the blocks of one sequence in order. Reference counts
// allow rows to share blocks.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CACHE_BLOCKTABLE_H
#define LLMC_RUNTIME_CACHE_BLOCKTABLE_H

#include "../Core/Memory.h"

namespace llmc::runtime {

class BlockTable {
public:
  /// With blockTokens 0 there are no blocks, and every call is a no-op.
  [[nodiscard]] bool create(const llmc_allocator_t &allocator, uint32_t rows, uint32_t maxTokens,
                            uint32_t blockTokens);

  /// Makes a row cover `tokens` tokens. False if the blocks are used up; the
  /// row then is as before.
  [[nodiscard]] bool grow(uint32_t row, uint64_t tokens);

  /// Gives back the blocks that a row does not need for `tokens` tokens.
  void shrink(uint32_t row, uint64_t tokens);

  /// [rows][stride]. Entries beyond a row's length are 0, a block that exists,
  /// so that vector code may load past the end.
  const int32_t *table() const { return entries.data(); }
  uint32_t stride() const { return blocksPerRow; }
  uint64_t numBlocks() const { return references.size(); }
  uint64_t numFree() const { return freeCount; }

private:
  uint64_t blocksFor(uint64_t tokens) const {
    return blockTokens ? (tokens + blockTokens - 1) / blockTokens : 0;
  }

  uint32_t blockTokens = 0;
  uint32_t blocksPerRow = 0;
  uint64_t freeCount = 0;
  Array<int32_t> entries;
  Array<uint32_t> lengths; ///< blocks of each row
  Array<uint32_t> references;
  Array<int32_t> freeBlocks; ///< a stack; low numbers on top at first
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CACHE_BLOCKTABLE_H
