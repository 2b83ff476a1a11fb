//===- BlockTable.h - which cache blocks hold which sequence ----*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Block states are pools of equal blocks, one pool per state, with common block
// numbers: a row lists the blocks of one sequence in order. Rows that were forked
// share blocks by reference count; a shared block is never written: who wants to
// append to it takes a copy first. Where everything looks back over a window only,
// a row gives its oldest blocks back.
//
// Counts of references and free blocks are the only truth about a block: it is free
// exactly when no row lists it.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CACHE_BLOCKTABLE_H
#define LLMC_RUNTIME_CACHE_BLOCKTABLE_H

#include "../Core/Memory.h"

namespace llmc::runtime {

/// What a table is made for, in tokens.
struct BlockTableShape {
  uint32_t rows;
  uint32_t maxTokens;   ///< of one row
  uint32_t blockTokens; ///< 0: there are no blocks, and every call is a no-op
  uint64_t window;      ///< how far back anything reads; 0: all the way
  uint64_t stepTokens;  ///< at most so many are appended between two evictions
  uint64_t poolTokens;  ///< of all rows together; 0: enough for any use of the rows
};

class BlockTable {
public:
  /// A block to copy before it may be written.
  struct Copy {
    int32_t from, to;
  };

  /// False if the number of blocks is beyond what the ABI can number.
  [[nodiscard]] bool plan(const BlockTableShape &shape);
  /// Calls visit(array, count) for each array that the planned table needs.
  template <typename Visit> void visitArrays(Visit visit) {
    visit(entries, uint64_t{blocksPerRow} * shape.rows);
    visit(ranges, shape.rows);
    visit(references, blockCount);
    visit(freeBlocks, blockCount);
  }
  /// After the arrays are allocated: every block is free.
  void start();

  /// The blocks that `count` more tokens take from the pool, for rows that each have
  /// `lengths[row]` tokens: at most, if some are evicted on the way.
  uint64_t blocksNeeded(const uint32_t *rows, size_t numRows, const int64_t *lengths,
                        uint64_t count);
  /// Whether the pool is large enough for whatever the rows hold.
  bool isAmple() const { return ample; }

  /// Makes a row cover `tokens` tokens, of which it has `held` so far. Where the block of
  /// the first new token is shared, the row gets another one, and `copy` says what to
  /// copy (from == to otherwise). False if the blocks are used up; the row then is as before.
  [[nodiscard]] bool grow(uint32_t row, uint64_t held, uint64_t tokens, Copy &copy);

  /// Gives back the blocks that a row does not need for `tokens` tokens.
  void shrink(uint32_t row, uint64_t tokens);

  /// Gives back the blocks that nothing reads any more once a row has `tokens` tokens.
  void evict(uint32_t row, uint64_t tokens);

  /// Makes the empty row `to` share every block of `from`.
  void share(uint32_t from, uint32_t to);

  /// To fill an empty row block by block: where its blocks begin, those before being
  /// evicted; then a new block (false if there is none), or one that another row has.
  void openRow(uint32_t row, uint32_t first);
  [[nodiscard]] bool push(uint32_t row);
  void pushShared(uint32_t row, int32_t block);

  /// The first token that a row of `tokens` tokens still needs.
  uint64_t firstNeeded(uint64_t tokens) const {
    return shape.window && tokens >= shape.window ? tokens - shape.window + 1 : 0;
  }
  uint64_t blocksFor(uint64_t tokens) const {
    return shape.blockTokens ? (tokens + shape.blockTokens - 1) / shape.blockTokens : 0;
  }

  /// [stride] block numbers. Entries outside of [firstBlock, endBlock) are 0, a block that
  /// exists, so that vector code may load past the ends.
  const int32_t *row(uint32_t row) const { return entries.data() + uint64_t{row} * blocksPerRow; }
  uint32_t firstBlock(uint32_t row) const { return ranges[row].first; }
  uint32_t endBlock(uint32_t row) const { return ranges[row].end; }
  uint32_t stride() const { return blocksPerRow; }
  uint64_t numBlocks() const { return blockCount; }
  uint64_t numFree() const { return freeCount; }
  uint32_t numReferences(int32_t block) const { return references[static_cast<size_t>(block)]; }

private:
  /// The part of a row that has blocks; what lies before was evicted.
  struct Range {
    uint32_t first, end;
  };

  int32_t *mutableRow(uint32_t row) const { return entries.data() + uint64_t{row} * blocksPerRow; }
  int32_t take() {
    int32_t block = freeBlocks[--freeCount];
    references[static_cast<size_t>(block)] = 1;
    return block;
  }
  void drop(int32_t block) {
    if (--references[static_cast<size_t>(block)] == 0)
      freeBlocks[freeCount++] = block;
  }

  BlockTableShape shape = {};
  uint32_t blocksPerRow = 0;
  uint64_t liveBlocksPerRow = 0; ///< at most, at any time
  uint64_t blockCount = 0;
  uint64_t freeCount = 0;
  bool ample = true;
  Array<int32_t> entries;
  Array<Range> ranges;
  Array<uint32_t> references;
  Array<int32_t> freeBlocks; ///< a stack; low numbers on top at first
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CACHE_BLOCKTABLE_H
