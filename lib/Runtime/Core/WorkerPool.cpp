//===- WorkerPool.cpp - the wall around oneTBB ----------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only file that sees oneTBB and the only one compiled with exceptions:
// oneTBB throws when it has no memory, and that ends here.
//
//===----------------------------------------------------------------------===//

#include "WorkerPool.h"

#include "TeamState.h"

#include <cstdlib>
#include <new>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

using namespace llmc::runtime;

namespace {

struct ArenaPool final : WorkerPool {
  /// One slot more than helpers, reserved for the thread that leads.
  explicit ArenaPool(uint32_t maxHelpers)
      : numHelpers(maxHelpers), arena(static_cast<int>(maxHelpers) + 1, 1) {}

  uint32_t numHelpers;
  tbb::task_arena arena;
  /// Isolated: the host may cancel its own task groups, and end them before us.
  tbb::task_group_context context{tbb::task_group_context::isolated};
  tbb::task_group helpers{context};
};

/// Asking oneTBB for more threads than it will ever give makes it print.
uint32_t availableHelpers(uint32_t wanted) {
  size_t limit = tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
  return limit > 1 && wanted > limit - 1 ? static_cast<uint32_t>(limit - 1) : wanted;
}

/// oneTBB orders what precedes run() before the task, and the task before the
/// return of wait(). ThreadSanitizer cannot see into libtbb: it is told so.
void beforeHandover([[maybe_unused]] TeamState &team) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(&team);
#endif
}
void afterHandover([[maybe_unused]] TeamState &team) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(&team);
#endif
}

void helpOnThisThread(TeamState &team) {
  afterHandover(team);
  team.help();
  beforeHandover(team);
}

} // namespace

WorkerPool *WorkerPool::create(uint32_t maxHelpers) {
  void *memory = std::malloc(sizeof(ArenaPool));
  if (!memory)
    return nullptr;
  ArenaPool *pool = nullptr;
  try {
    pool = new (memory) ArenaPool(availableHelpers(maxHelpers));
    pool->arena.initialize();
    return pool;
  } catch (...) {
    if (pool)
      pool->~ArenaPool();
    std::free(memory);
    return nullptr;
  }
}

void WorkerPool::destroy(WorkerPool *pool) {
  auto *arenaPool = static_cast<ArenaPool *>(pool);
  try {
    arenaPool->~ArenaPool();
  } catch (...) { // a task group may complain about a missing wait
  }
  std::free(arenaPool);
}

void WorkerPool::runStep(TeamState &team) {
  auto &pool = *static_cast<ArenaPool *>(this);
  bool hasLed = false;
  try {
    pool.arena.execute([&] {
      beforeHandover(team);
      try {
        for (uint32_t i = 0; i < pool.numHelpers; ++i)
          pool.helpers.run([shared = &team] { helpOnThisThread(*shared); });
      } catch (...) { // no memory: go on with the helpers that were called
      }
      hasLed = true;
      team.lead();
      pool.helpers.wait();
      afterHandover(team);
    });
  } catch (...) { // no memory to enter the arena
  }
  if (!hasLed)
    team.lead();
}
