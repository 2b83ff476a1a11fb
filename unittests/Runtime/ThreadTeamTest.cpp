//===- ThreadTeamTest.cpp - tiles, late workers, determinism --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Core/ThreadTeam.h"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

using llmc::runtime::ThreadTeam;
using namespace std::chrono_literals;

namespace {

/// A step that each worker walks through alike; behind step->inputs[0].
struct Plan {
  std::vector<int64_t> tiles;  ///< of each dispatch
  std::vector<bool> syncAfter; ///< the last one may lack its sync
  std::vector<uint32_t> taken; ///< how often each tile of each dispatch ran
  std::vector<size_t> firstTile;
};

void runPlan(const llmc_step_t *step, llmc_worker_t *worker) {
  auto &plan = *static_cast<Plan *>(const_cast<void *>(step->inputs[0]));
  const llmc_team_api_t *team = step->team;
  for (size_t d = 0; d < plan.tiles.size(); ++d) {
    for (int64_t t; (t = team->next(worker, plan.tiles[d])) >= 0;)
      ++plan.taken[plan.firstTile[d] + static_cast<size_t>(t)];
    if (plan.syncAfter[d])
      team->sync(worker);
  }
}

Plan randomPlan(std::mt19937 &random, size_t maxDispatches) {
  Plan plan;
  size_t count = 1 + random() % maxDispatches;
  size_t total = 0;
  for (size_t d = 0; d < count; ++d) {
    int64_t tiles = random() % 4 == 0 ? random() % 3 : random() % 40;
    plan.tiles.push_back(tiles);
    plan.syncAfter.push_back(random() % 3 != 0);
    plan.firstTile.push_back(total);
    total += static_cast<size_t>(tiles);
  }
  plan.taken.assign(total, 0);
  return plan;
}

TEST(ThreadTeam, EveryTileOnceInThousandsOfSteps) {
  for (uint32_t threads : {1u, 2u, 4u}) {
    ThreadTeam team;
    ASSERT_TRUE(team.create(threads, 20));
    std::mt19937 random(threads);
    for (int i = 0; i < 3000; ++i) {
      // Freed right after the step: a late worker that looked would be seen by
      // the sanitizers.
      auto plan = std::make_unique<Plan>(randomPlan(random, 20));
      const void *inputs[] = {plan.get()};
      llmc_step_t step = {};
      step.inputs = inputs;
      ASSERT_TRUE(team.run(runPlan, step));
      for (uint32_t taken : plan->taken)
        ASSERT_EQ(taken, 1u);
    }
  }
}

/// Reverses an array again and again: each stage reads what other tiles wrote.
void reverseStages(const llmc_step_t *step, llmc_worker_t *worker) {
  auto *from = static_cast<int64_t *>(step->outputs[0]);
  auto *to = static_cast<int64_t *>(step->outputs[1]);
  int64_t size = step->symbols[0];
  // Gives a helper time to come, so that there is something to synchronise.
  auto *arrived = static_cast<std::atomic<uint32_t> *>(step->outputs[2]);
  auto patience = std::chrono::steady_clock::now() + step->symbols[2] * 1ms;
  for (++*arrived; *arrived < 2;)
    if (std::chrono::steady_clock::now() >= patience)
      break;
  for (int64_t stage = 0; stage < step->symbols[1]; ++stage) {
    for (int64_t t; (t = step->team->next(worker, size)) >= 0;)
      to[t] = from[size - 1 - t] + t;
    step->team->sync(worker);
    std::swap(from, to);
  }
}

TEST(ThreadTeam, SyncPublishesWrites) {
  std::vector<int64_t> expected;
  for (uint32_t threads : {1u, 2u, 3u}) {
    ThreadTeam team;
    ASSERT_TRUE(team.create(threads, 50));
    for (int round = 0; round < 200; ++round) {
      std::vector<int64_t> a(33), b(33);
      std::atomic<uint32_t> arrived{0};
      void *outputs[] = {a.data(), b.data(), &arrived};
      int64_t symbols[] = {33, 50, threads > 1 && round < 20 ? 20 : 0};
      llmc_step_t step = {};
      step.outputs = outputs;
      step.symbols = symbols;
      ASSERT_TRUE(team.run(reverseStages, step));
      if (expected.empty())
        expected = a;
      ASSERT_EQ(a, expected);
    }
  }
}

/// Sums over many threads' steps; the caller changes from step to step.
TEST(ThreadTeam, CallersMayChange) {
  ThreadTeam team;
  ASSERT_TRUE(team.create(2, 8));
  std::mt19937 random(7);
  for (int i = 0; i < 30; ++i) {
    Plan plan = randomPlan(random, 8);
    std::thread([&] {
      const void *inputs[] = {&plan};
      llmc_step_t step = {};
      step.inputs = inputs;
      EXPECT_TRUE(team.run(runPlan, step));
    }).join();
    for (uint32_t taken : plan.taken)
      ASSERT_EQ(taken, 1u);
  }
}

/// A tile that takes long: others must wait for it, not for its worker's walk.
void slowTile(const llmc_step_t *step, llmc_worker_t *worker) {
  auto *done = static_cast<std::atomic<int> *>(step->outputs[0]);
  for (int64_t t; (t = step->team->next(worker, 4)) >= 0;) {
    if (t == 1)
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
    ++*done;
  }
  step->team->sync(worker);
  if (*done != 4)
    *done = -100;
}

TEST(ThreadTeam, WaitsForSlowTiles) {
  ThreadTeam team;
  ASSERT_TRUE(team.create(2, 1));
  for (int i = 0; i < 20; ++i) {
    std::atomic<int> done{0};
    void *outputs[] = {&done};
    llmc_step_t step = {};
    step.outputs = outputs;
    ASSERT_TRUE(team.run(slowTile, step));
    ASSERT_EQ(done, 4);
  }
}

TEST(ThreadTeam, DestroyedWhileTasksAreQueued) {
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    ThreadTeam team;
    ASSERT_TRUE(team.create(3, 1));
    Plan plan = randomPlan(random, 1);
    const void *inputs[] = {&plan};
    llmc_step_t step = {};
    step.inputs = inputs;
    ASSERT_TRUE(team.run(runPlan, step));
  }
}

TEST(ThreadTeam, TooManyDispatchesAreNoticed) {
  ThreadTeam team;
  ASSERT_TRUE(team.create(2, 3));
  Plan plan;
  plan.tiles = {2, 2, 2, 2, 2};
  plan.syncAfter = {true, true, true, true, true};
  plan.firstTile = {0, 2, 4, 6, 8};
  plan.taken.assign(10, 0);
  const void *inputs[] = {&plan};
  llmc_step_t step = {};
  step.inputs = inputs;
  EXPECT_FALSE(team.run(runPlan, step));
  plan.tiles.resize(3);
  plan.taken.assign(10, 0);
  EXPECT_TRUE(team.run(runPlan, step)); // the team is as good as before
  for (size_t i = 0; i < 6; ++i)
    EXPECT_EQ(plan.taken[i], 1u);
}

#if defined(__x86_64__)
/// Halves the smallest normal number; flushing makes that 0.
void halve(const llmc_step_t *step, llmc_worker_t *worker) {
  auto *out = static_cast<volatile float *>(step->outputs[0]);
  for (int64_t t; (t = step->team->next(worker, 64)) >= 0;) {
    volatile float smallest = 1.17549435e-38f;
    out[t] = smallest * 0.5f;
  }
}

TEST(ThreadTeam, DenormalsDoNotDependOnTheCaller) {
  unsigned before = _mm_getcsr();
  for (uint32_t threads : {1u, 2u}) {
    ThreadTeam team;
    ASSERT_TRUE(team.create(threads, 1));
    float out[64] = {};
    void *outputs[] = {out};
    llmc_step_t step = {};
    step.outputs = outputs;
    _mm_setcsr(before | 0x8040); // flush to zero, denormals are zero
    bool ran = team.run(halve, step);
    unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    EXPECT_TRUE(ran);
    EXPECT_EQ(after & 0x8040, 0x8040u);
    for (float value : out)
      EXPECT_NE(value, 0.0f);
  }
}
#endif

} // namespace
