//===- ThreadTeam.h - the threads that work on one step ---------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step is one parallel region. The caller's thread is always a worker; up to
// threads - 1 oneTBB workers join it if they arrive in time. Each worker runs
// the phase's entry function from start to end and takes tiles from the
// counters of each dispatch, so that
//  - a worker that is late, slow or missing costs speed but never progress: the
//    others take its tiles;
//  - a dispatch costs a few cache-line transfers and no system call;
//  - a worker that comes after the end finds the gate closed and leaves without
//    having read anything of the step.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_THREADTEAM_H
#define LLMC_RUNTIME_CORE_THREADTEAM_H

#include "llmc-c/ModuleABI.h"

#include <cstdint>

namespace llmc::runtime {

struct TeamState;
class WorkerPool;

class ThreadTeam {
public:
  using Entry = void (*)(const llmc_step_t *step, llmc_worker_t *worker);

  ThreadTeam() = default;
  ThreadTeam(const ThreadTeam &) = delete;
  ThreadTeam &operator=(const ThreadTeam &) = delete;
  ~ThreadTeam();

  /// Prepares for `threads` >= 1 workers and steps of at most `maxDispatches`.
  /// False if there is no memory. One thread needs neither counters nor oneTBB.
  [[nodiscard]] bool create(uint32_t threads, uint32_t maxDispatches);

  /// Runs a step to its end; `step.team` is set here. Returns false if the
  /// code issued more than maxDispatches dispatches: its results are then
  /// incomplete. One call at a time.
  [[nodiscard]] bool run(Entry entry, llmc_step_t &step);

  uint32_t threads() const { return numThreads; }

private:
  uint32_t numThreads = 1;
  TeamState *state = nullptr;
  WorkerPool *pool = nullptr;
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_THREADTEAM_H
