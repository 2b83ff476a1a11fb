//===- WorkerPool.h - the wall around oneTBB --------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_WORKERPOOL_H
#define LLMC_RUNTIME_CORE_WORKERPOOL_H

#include <cstdint>

namespace llmc::runtime {

struct TeamState;

/// A oneTBB arena. Its threads are those of the process-wide oneTBB scheduler,
/// which never makes more than the machine has processors: any number of
/// sessions share them.
class WorkerPool {
public:
  /// Null if there is no memory.
  static WorkerPool *create(uint32_t maxHelpers);
  static void destroy(WorkerPool *pool);

  /// Calls team.lead() on this thread and team.help() on as many others as
  /// come. Nothing of it is left when this returns: what no thread has begun by
  /// then, this one takes back.
  void runStep(TeamState &team);

protected:
  WorkerPool() = default;
  ~WorkerPool() = default;
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_WORKERPOOL_H
