//===- ArenaPlanner.h - offsets for buffers with lifetimes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dynamic storage allocation: buffers with a size and a half-open lifetime get
// offsets so that two that live at once never overlap. Pure algorithm, no IR.
// docs/MemoryPlanning.md explains it.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_ANALYSIS_ARENAPLANNER_H
#define LLMC_ANALYSIS_ARENAPLANNER_H

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace llmc {

struct PlannedBuffer {
  int64_t sizeBytes = 0;
  int64_t begin = 0;  ///< first step in which it lives
  int64_t end = 0;    ///< first step in which it no longer does
  int64_t offset = 0; ///< set by planArena; 0 where it has no bytes or no lifetime
};

/// Two buffers, as indices into the planned ones.
struct BufferPair {
  size_t first, second;
};

struct ArenaPlanOptions {
  int64_t alignment = 1; ///< of offsets; a power of two

  /// Both are one block of memory: it is theirs from the first begin to the last end, as
  /// large as the larger.
  std::span<const BufferPair> aliases = {};

  /// `second` may start where `first` is, in the step that ends `first` and begins
  /// `second` (first.end == second.begin + 1): it computes each element from the same one.
  /// Pairs of other lifetimes have no effect; a buffer hands its place over once at most.
  std::span<const BufferPair> inPlace = {};

  /// A plan within it is good enough; without one the peak is made as small as it can be.
  std::optional<int64_t> capacityBytes = {};

  /// Nodes of the exact search; 0: greedy only. The same nodes give the same plan.
  uint64_t searchNodes = 0;

  /// Ends the exact search early. Plans may then differ from run to run.
  std::optional<double> searchSeconds = {};
};

enum class ArenaPlanStatus {
  Optimal,    ///< no plan has a smaller peak
  Feasible,   ///< within the capacity, if there is one; a smaller peak may exist
  NotFound,   ///< nothing found within the capacity, and nothing proved
  Impossible, ///< no plan fits into the capacity
  TooLarge,   ///< offsets beyond 2^61: none is set
};

struct ArenaPlan {
  ArenaPlanStatus status = ArenaPlanStatus::Optimal;
  int64_t peakBytes = 0;
  /// No plan has a smaller peak: the largest sum of bytes alive in one step, less what
  /// buffers begun in place could save there.
  int64_t lowerBoundBytes = 0;
  uint64_t searchNodes = 0; ///< spent
};

/// Sets every offset, also where nothing was found within the capacity.
ArenaPlan planArena(std::span<PlannedBuffer> buffers, const ArenaPlanOptions &options);

} // namespace llmc

#endif // LLMC_ANALYSIS_ARENAPLANNER_H
