//===- GreedyPlacement.cpp - fast offsets, in several orders that learn
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "GreedyPlacement.h"
#include "ValleyPlacement.h"

#include <algorithm>
#include <cmath>
#include <tuple>

using namespace llmc::planner;

namespace {

/// Rounds of learning for few items, where the work never adds up.
constexpr int kMaxRounds = 15;
/// By how much the key of an item grows that ended too high: as if it lived twice as long.
constexpr double kStep = 1;

/// The largest key is placed first.
struct Order {
  /// Weights of the octaves of lifetime and size in the key.
  double lifetime, size;
  std::vector<double> key = {}; ///< by item
  int64_t peak = kMaxBytes;     ///< the lowest so far
};

} // namespace

int64_t llmc::planner::placeGreedily(const PackingProblem &problem, std::span<const int> items,
                                     int64_t target, int64_t maxWork, std::span<int64_t> offsets) {
  ValleyPlacement placement(problem, items);
  Order orders[] = {{2, 1}, {1, 1}, {1, 0}, {0, 1}, {3, 1}, {1, 2}};
  int64_t peak = kMaxBytes;
  std::vector<int> sequence(items.begin(), items.end());
  auto attempt = [&](Order &order, bool learns) {
    std::sort(sequence.begin(), sequence.end(), [&](int a, int b) {
      return std::tuple(-order.key[a], problem.items[a].first, a) <
             std::tuple(-order.key[b], problem.items[b].first, b);
    });
    int64_t reached = placement.place(sequence, learns ? kMaxBytes : peak);
    if (reached == kMaxBytes)
      return;
    for (int id : items)
      if (placement.offsets[id] + problem.items[id].size > target)
        order.key[id] += kStep;
    order.peak = std::min(order.peak, reached);
    if (reached >= peak)
      return;
    peak = reached;
    for (int id : items)
      offsets[id] = placement.offsets[id];
  };

  for (Order &order : orders) {
    if (peak <= target || (peak < kMaxBytes && placement.work() > maxWork))
      return peak;
    order.key.resize(problem.items.size());
    for (int id : items) {
      const Item &item = problem.items[id];
      order.key[id] = order.lifetime * std::log2(double(item.last - item.first + 1)) +
                      order.size * std::log2(double(item.size));
    }
    attempt(order, false);
  }
  // The two best orders so far.
  std::vector<Order *> best;
  for (Order &order : orders)
    best.push_back(&order);
  std::sort(best.begin(), best.end(), [](const Order *a, const Order *b) {
    return std::tuple(a->peak, a) < std::tuple(b->peak, b);
  });
  for (int round = 0; round < kMaxRounds; ++round)
    for (Order *order : {best[0], best[0], best[1]}) {
      if (peak <= target || placement.work() > maxWork)
        return peak;
      attempt(*order, true);
    }
  return peak;
}
