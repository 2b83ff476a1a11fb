//===- ThreadTeam.cpp - the threads that work on one step -----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadTeam.h"

#include "TeamState.h"
#include "WorkerPool.h"

#include <cstdlib>
#include <new>
#include <sched.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

using namespace llmc::runtime;

namespace {

inline void relaxProcessor() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Polls for some tens of microseconds, then lets others run: a worker that has
/// lost its processor may need ours.
template <typename Condition> void waitUntil(Condition condition) {
  // 512 x about 60 ns (Sapphire Rapids' pause) is 30 us; elsewhere less.
  constexpr int spins = 512;
  for (int i = 0; !condition(); ++i) {
    if (i < spins)
      relaxProcessor();
    else
      sched_yield();
  }
}

/// IEEE defaults while generated code runs: whether a thread flushes denormals
/// must not depend on which thread takes a tile.
class DefaultFloatEnvironment {
public:
#if defined(__x86_64__)
  DefaultFloatEnvironment() : saved(_mm_getcsr()) { _mm_setcsr(0x1f80); }
  ~DefaultFloatEnvironment() { _mm_setcsr(saved); }

private:
  unsigned saved;
#elif defined(__aarch64__)
  DefaultFloatEnvironment() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, xzr");
  }
  ~DefaultFloatEnvironment() { __asm__ volatile("msr fpcr, %0" ::"r"(saved)); }

private:
  uint64_t saved;
#endif
};

//===----------------------------------------------------------------------===//
// What generated code calls
//===----------------------------------------------------------------------===//

/// Out of line: once per dispatch, not per tile.
[[gnu::noinline]] int64_t endDispatch(llmc_worker_t *worker, int64_t numTiles) {
  TeamState *team = worker->team;
  if (worker->taken == team->taken + team->maxDispatches) {
    // The spare counter: no tile was handed out, so none may be waited for.
    team->overrun.store(true, std::memory_order_relaxed);
    return -1;
  }
  ++worker->taken;
  worker->tilesExpected += numTiles;
  return -1;
}

int64_t teamNext(llmc_worker_t *worker, int64_t numTiles) {
  // Relaxed: what a tile reads was published by a sync before this dispatch.
  int64_t tile = worker->taken->value.fetch_add(1, std::memory_order_relaxed);
  if (__builtin_expect(tile >= numTiles, 0))
    return endDispatch(worker, numTiles);
  ++worker->tilesTaken;
  return tile;
}

/// Tiles are published here, not one by one: nobody waits for a single tile.
void teamSync(llmc_worker_t *worker) {
  int64_t expected = worker->tilesExpected;
  if (expected == 0)
    return;
  std::atomic<int64_t> &done = worker->done->value;
  if (worker->tilesTaken)
    done.fetch_add(worker->tilesTaken, std::memory_order_release);
  waitUntil([&] { return done.load(std::memory_order_acquire) >= expected; });
  ++worker->done;
  worker->tilesTaken = 0;
  worker->tilesExpected = 0;
}

int64_t soloNext(llmc_worker_t *worker, int64_t numTiles) {
  if (worker->soloTile < numTiles)
    return worker->soloTile++;
  worker->soloTile = 0;
  return -1;
}

void soloSync(llmc_worker_t *) {}

constexpr llmc_team_api_t teamAPI = {teamNext, teamSync};
constexpr llmc_team_api_t soloAPI = {soloNext, soloSync};

/// The spare counter starts so high that it never hands out a tile.
constexpr int64_t exhausted = INT64_MAX / 2;

/// Walks through the open step. Returns the worker, which tells how far the
/// counters were used.
llmc_worker walk(TeamState &team) {
  llmc_worker worker;
  worker.taken = team.taken;
  worker.done = team.done;
  worker.team = &team;
  DefaultFloatEnvironment environment;
  team.entry(team.step, &worker);
  teamSync(&worker); // what follows the code's last sync
  return worker;
}

} // namespace

//===----------------------------------------------------------------------===//
// TeamState
//===----------------------------------------------------------------------===//

TeamState *TeamState::create(uint32_t maxDispatches) {
  size_t numCounters = 2 * (size_t{maxDispatches} + 1);
  void *memory = nullptr;
  size_t bytes = sizeof(TeamState) + numCounters * sizeof(Counter);
  if (posix_memalign(&memory, alignof(TeamState), bytes) != 0)
    return nullptr;
  auto *counters = reinterpret_cast<Counter *>(static_cast<char *>(memory) + sizeof(TeamState));
  for (size_t i = 0; i < numCounters; ++i)
    new (&counters[i]) Counter;
  counters[maxDispatches].value.store(exhausted, std::memory_order_relaxed);
  return new (memory) TeamState(counters, maxDispatches);
}

void TeamState::help() {
  uint64_t seen = gate.load(std::memory_order_relaxed);
  do {
    if (!(seen & 1))
      return; // too late: the step's data may be gone
  } while (!gate.compare_exchange_weak(seen, seen + 2, std::memory_order_acquire,
                                       std::memory_order_relaxed));
  walk(*this);
  gate.fetch_sub(2, std::memory_order_release);
}

void TeamState::lead() {
  llmc_worker worker = walk(*this);
  // All tiles are done. Helpers inside still walk over the rest of the code, so
  // the step's data must stay until they have left.
  gate.fetch_sub(1, std::memory_order_relaxed);
  waitUntil([&] { return gate.load(std::memory_order_acquire) == 0; });
  for (Counter *used = taken; used < worker.taken; ++used)
    used->value.store(0, std::memory_order_relaxed);
  for (Counter *used = done; used < worker.done; ++used)
    used->value.store(0, std::memory_order_relaxed);
  taken[maxDispatches].value.store(exhausted, std::memory_order_relaxed);
}

//===----------------------------------------------------------------------===//
// ThreadTeam
//===----------------------------------------------------------------------===//

ThreadTeam::~ThreadTeam() {
  if (pool)
    WorkerPool::destroy(pool);
  std::free(state);
}

bool ThreadTeam::create(uint32_t threads, uint32_t maxDispatches) {
  numThreads = threads;
  if (threads <= 1)
    return true;
  state = TeamState::create(maxDispatches);
  pool = WorkerPool::create(threads - 1);
  return state && pool;
}

bool ThreadTeam::run(Entry entry, llmc_step_t &step) {
  if (numThreads == 1) {
    step.team = &soloAPI;
    llmc_worker worker;
    DefaultFloatEnvironment environment;
    entry(&step, &worker);
    return true;
  }
  step.team = &teamAPI;
  state->entry = entry;
  state->step = &step;
  state->gate.store(1, std::memory_order_release);
  pool->runStep(*state);
  return !state->overrun.exchange(false, std::memory_order_relaxed);
}
