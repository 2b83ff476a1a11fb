//===- ArenaPlanner.h - offsets for buffers with lifetimes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dynamic storage allocation: buffers with a size and a half-open lifetime get
// offsets so that two that live at once never overlap. Pure algorithm, no IR.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_ANALYSIS_ARENAPLANNER_H
#define LLMC_ANALYSIS_ARENAPLANNER_H

#include <cstdint>
#include <span>
#include <vector>

namespace llmc {

struct PlannedBuffer {
  int64_t sizeBytes = 0;
  int64_t begin = 0;  ///< first step in which it lives
  int64_t end = 0;    ///< first step in which it no longer does
  int64_t offset = 0; ///< set by planArena
};

struct ArenaPlan {
  int64_t peakBytes = 0;
  int64_t lowerBoundBytes = 0; ///< largest sum of bytes alive in one step
};

/// Sets every offset, a multiple of `alignment` (a power of two). Greedy by size,
/// then by lifetime; each goes to the smallest gap that takes it (best fit).
ArenaPlan planArena(std::span<PlannedBuffer> buffers, int64_t alignment);

} // namespace llmc

#endif // LLMC_ANALYSIS_ARENAPLANNER_H
