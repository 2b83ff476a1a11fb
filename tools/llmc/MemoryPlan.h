//===- MemoryPlan.h - the memory plan that an artifact's manifest carries
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_MEMORYPLAN_H
#define LLMC_TOOLS_LLMC_MEMORYPLAN_H

#include "ArtifactHeader.h"
#include "llmc/Support/DimExpr.h"
#include "llvm/ADT/StringMap.h"
#include <string>
#include <vector>

namespace llmc {

/// A buffer of the arena. It is alive in the steps `firstStep` to `lastStep`, both
/// inclusive; a step is what runs between two barriers.
struct PlannedRange {
  std::string name, kernel;
  DimExpr size; ///< bytes, over the phase's symbols
  int64_t bytes = 0, offset = 0;
  int64_t firstDispatch = 0, lastDispatch = 0, firstStep = 0, lastStep = 0;
};

struct PhasePlan {
  std::string name, kind;
  int64_t arenaBytes = 0, lowerBound = 0, numSteps = 0;
  llvm::StringMap<int64_t> largest; ///< of each symbol
  std::vector<PlannedRange> buffers;
  /// Per step the bytes of the arena that hold something: buffers that share a place
  /// (in-place results, views) count once.
  std::vector<int64_t> live;

  int64_t fullestStep() const;
  /// The live bytes of a step over the phase's symbols; of buffers that share a place
  /// the one that is largest at the bounds.
  DimExpr liveBytes(int64_t step) const;
};

/// What a session is created for.
struct MemorySizes {
  int64_t batch = 0;     ///< sequences of one step
  int64_t sequences = 0; ///< held at the same time
  int64_t seq = 0;       ///< tokens of a sequence
};

/// States of one kind and size.
struct PlannedStates {
  int64_t count = 0;
  int64_t bytes = 0;    ///< of a block of tokens, or of a sequence
  bool isFixed = false; ///< one per sequence, whatever its length
};

/// All that a session of one artifact holds. The runtime counts the same (docs/Sessions.md).
struct MemoryPlan {
  std::string model, producer;
  int64_t maxBatch = 0, maxSeq = 0, prefillChunk = 0, blockTokens = 0;
  int64_t weightsBytes = 0, codeBytes = 0, numWeights = 0;
  std::vector<PlannedStates> states;
  int64_t numStates = 0, bytesPerToken = 0;
  int64_t window = 0;     ///< tokens that a sequence keeps; 0: all
  int64_t vocabulary = 0; ///< logits of a sequence; 0 without stateful phases
  std::vector<PhasePlan> phases;

  static llvm::Expected<MemoryPlan> read(const ArtifactHeader &artifact);

  /// Sessions have one arena for all phases.
  int64_t arenaBytes() const;
  /// Blocks that a windowed sequence keeps at most, however long; 0 without a window.
  int64_t windowBlocks() const;
  int64_t blocksPerSequence(int64_t seq) const;
  int64_t cacheBytes(const MemorySizes &sizes) const;
  int64_t logitsBytes(const MemorySizes &sizes) const { return sizes.batch * vocabulary * 4; }
  int64_t totalBytes(const MemorySizes &sizes) const {
    return weightsBytes + arenaBytes() + cacheBytes(sizes) + logitsBytes(sizes);
  }
};

/// Memory of a state is a multiple of it.
inline constexpr int64_t kStateAlignment = 4096;

/// One self-contained page with a picture of every phase's plan.
std::string drawMemoryPlan(const MemoryPlan &plan, const MemorySizes &sizes);

} // namespace llmc

#endif // LLMC_TOOLS_LLMC_MEMORYPLAN_H
