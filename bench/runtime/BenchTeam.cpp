//===- BenchTeam.cpp - what a dispatch costs ------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Prints nanoseconds per dispatch, and how long after the start of a step the
// helpers are there. Tiles do nothing, so that all time is the team's.
// Dispatches are timed only once all workers have arrived; steps in which they
// did not, for lack of processors, do not count. Other load on the machine only
// adds: compare the best figures.
//
//   llmc-bench-team [dispatches per step] [steps]
//
//===----------------------------------------------------------------------===//

#include "Core/ThreadTeam.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

using llmc::runtime::ThreadTeam;
using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::duration<double, std::nano>;

/// What one step needs and finds out; behind step->inputs.
struct Probe {
  int64_t numDispatches;
  int64_t numTiles;
  uint32_t threads;
  std::thread::id caller = std::this_thread::get_id();
  std::atomic<uint32_t> arrived{0};
  Clock::time_point begin = {};
  double allArrived = 0; ///< ns after begin; 0 if not within the patience
  double dispatches = 0; ///< ns of all dispatches, on the caller's thread
};

static void emptyDispatches(const llmc_step_t *step, llmc_worker_t *worker) {
  auto *probe = static_cast<Probe *>(const_cast<void *>(step->inputs[0]));
  bool isCaller = std::this_thread::get_id() == probe->caller;
  probe->arrived.fetch_add(1);
  constexpr Nanoseconds patience = std::chrono::milliseconds(2);
  Clock::time_point now = Clock::now();
  while (probe->arrived < probe->threads && now - probe->begin < patience)
    now = Clock::now();
  const llmc_team_api_t *team = step->team;
  for (int64_t d = 0; d < probe->numDispatches; ++d) {
    while (team->next(worker, probe->numTiles) >= 0) {
    }
    team->sync(worker);
  }
  if (!isCaller || probe->arrived < probe->threads)
    return;
  probe->allArrived = Nanoseconds(now - probe->begin).count();
  probe->dispatches = Nanoseconds(Clock::now() - now).count();
}

static double quantile(std::vector<double> &values, double share) {
  if (values.empty())
    return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

/// `gap`: idle time between steps, as a host has that samples tokens.
static void measure(uint32_t threads, int64_t numTiles, int64_t numDispatches, int steps,
                    std::chrono::microseconds gap) {
  ThreadTeam team;
  if (!team.create(threads, static_cast<uint32_t>(numDispatches)))
    std::exit(1);
  std::vector<double> perDispatch, arrival;
  for (int i = 0; i < steps; ++i) {
    Clock::time_point resume = Clock::now() + gap;
    while (Clock::now() < resume) {
    }
    Probe probe{numDispatches, numTiles, threads};
    const void *inputs[] = {&probe};
    llmc_step_t step = {};
    step.inputs = inputs;
    probe.begin = Clock::now();
    if (!team.run(emptyDispatches, step))
      std::exit(1);
    if (probe.allArrived == 0)
      continue;
    perDispatch.push_back(probe.dispatches / static_cast<double>(numDispatches));
    arrival.push_back(probe.allArrived);
  }
  std::printf("%7u %6lld %7lld | %8.1f %8.1f %8.1f | %9.1f %9.1f | %zu\n", threads,
              static_cast<long long>(numTiles), static_cast<long long>(gap.count()),
              quantile(perDispatch, 0), quantile(perDispatch, 0.5), quantile(perDispatch, 0.9),
              quantile(arrival, 0.5) / 1e3, quantile(arrival, 0.9) / 1e3, arrival.size());
}

int main(int argc, char **argv) {
  int64_t numDispatches = argc > 1 ? std::max(1, std::atoi(argv[1])) : 500;
  int steps = argc > 2 ? std::max(1, std::atoi(argv[2])) : 1000;
  std::printf("%lld dispatches per step, %d steps\n"
              "threads  tiles  gap/us |  ns per dispatch best median p90 | "
              "arrival/us median p90 | steps counted\n",
              static_cast<long long>(numDispatches), steps);
  using std::chrono::microseconds;
  measure(1, 8, numDispatches, steps, microseconds(0));
  for (int64_t numTiles : {1, 2, 16})
    measure(2, numTiles, numDispatches, steps, microseconds(0));
  for (int gap : {20, 100, 1000})
    measure(2, 16, numDispatches, steps, microseconds(gap));
}
