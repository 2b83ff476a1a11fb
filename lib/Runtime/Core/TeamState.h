//===- TeamState.h - what the workers of a team share -----------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_TEAMSTATE_H
#define LLMC_RUNTIME_CORE_TEAMSTATE_H

#include "ThreadTeam.h"

#include <atomic>
#include <cstddef>

namespace llmc::runtime {

/// Separate lines, so that taking tiles of one dispatch does not disturb those
/// who wait for another.
struct alignas(64) Counter {
  std::atomic<int64_t> value{0};
};

struct TeamState {
  TeamState(Counter *counters, uint32_t numDispatches)
      : taken(counters), done(counters + numDispatches + 1), maxDispatches(numDispatches) {}

  /// Null if there is no memory. To be freed with std::free.
  static TeamState *create(uint32_t maxDispatches);

  /// The caller's part of a step whose gate is open: works, closes the gate,
  /// waits for the helpers inside, makes the counters ready for the next step.
  void lead();
  /// A helper's part: works if the gate is still open.
  void help();

  // --- written while the gate is closed and nobody is inside
  ThreadTeam::Entry entry = nullptr;
  const llmc_step_t *step = nullptr;
  Counter *taken; ///< [maxDispatches + 1] tiles handed out; the last is a spare
  Counter *done;  ///< [maxDispatches + 1] tiles completed, by sync group
  uint32_t maxDispatches;

  /// Bit 0: a step is open. The rest: 2 x the helpers inside.
  alignas(64) std::atomic<uint64_t> gate{0};
  /// Set by any worker that issued too many dispatches.
  std::atomic<bool> overrun{false};
};

} // namespace llmc::runtime

/// One worker's walk through a step; lives on its stack.
struct llmc_worker {
  llmc::runtime::Counter *taken = nullptr; ///< of the current dispatch
  llmc::runtime::Counter *done = nullptr;  ///< of the current sync group
  int64_t tilesTaken = 0;                  ///< by this worker in the group, unpublished
  int64_t tilesExpected = 0;               ///< of all dispatches of the group
  llmc::runtime::TeamState *team = nullptr;
  int64_t soloTile = 0; ///< next tile, where this is the only worker
};

#endif // LLMC_RUNTIME_CORE_TEAMSTATE_H
