//===- GreedyPlacement.cpp - fast offsets, one item after the other
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "GreedyPlacement.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>

using namespace llmc::planner;

namespace {

/// Looked-at neighbours over all orders: less than a second of a 2023 server core.
constexpr int64_t kMaxWork = 600'000'000;
/// Neighbours whose lifetimes are compared in one go.
constexpr size_t kLanes = 64;
constexpr int32_t kNowhere = std::numeric_limits<int32_t>::max();
/// For few items, where the work never adds up.
constexpr int kMaxRounds = 10;

/// One height of a placed item.
struct Block {
  int first, last;
  int64_t bottom, top;
};

class Greedy {
public:
  explicit Greedy(const PackingProblem &problem)
      : problem(problem), offsets(problem.items.size()) {}

  /// Places all in this order; the peak, or kMaxBytes once it passes `limit`: `placed`
  /// then ends with the one that did.
  int64_t place(const std::vector<int> &order, bool bestFit, int64_t limit);

  const PackingProblem &problem;
  std::vector<int64_t> offsets;
  std::vector<int> placed;
  int64_t work = 0; ///< neighbours looked at

private:
  int64_t lowestFit(Block block, int64_t from, bool bestFit);
  void clear();
  void insert(Block block);

  // What is placed, sorted by bottom. The sections have kLanes more that meet nothing.
  std::vector<int64_t> bottoms, tops;
  std::vector<int32_t> firsts, lasts;
  std::vector<Block> itemBlocks; // of the item being placed, from 0
};

} // namespace

/// The lowest place, no lower than `from`, or the tightest gap; kMaxBytes if none.
int64_t Greedy::lowestFit(Block block, int64_t from, bool bestFit) {
  int64_t height = block.top - block.bottom, cursor = from, best = -1, bestGap = 0;
  for (size_t begin = 0; begin < bottoms.size(); begin += kLanes) {
    // Most do not live at once: this loop has no branch, so that it becomes vector code.
    uint8_t together[kLanes];
    for (size_t i = 0; i < kLanes; ++i)
      together[i] =
          uint8_t(firsts[begin + i] <= block.last) & uint8_t(lasts[begin + i] >= block.first);
    work += kLanes;
    for (size_t word = 0; word < kLanes; word += 8) {
      uint64_t bytes;
      std::memcpy(&bytes, together + word, 8);
      for (; bytes != 0; bytes &= bytes - 1) { // little-endian: lowest first
        size_t i = begin + word + std::countr_zero(bytes) / 8;
        ++work;
        int64_t gap = bottoms[i] - cursor;
        if (gap >= height) {
          if (!bestFit)
            return cursor;
          if (best < 0 || gap < bestGap) {
            best = cursor;
            bestGap = gap;
          }
        }
        cursor = std::max(cursor, tops[i]);
      }
    }
  }
  return std::min(kMaxBytes, best >= 0 ? best : cursor);
}

void Greedy::clear() {
  placed.clear();
  bottoms.clear();
  tops.clear();
  firsts.assign(kLanes, kNowhere);
  lasts.assign(kLanes, -1);
}

void Greedy::insert(Block block) {
  size_t at = std::upper_bound(bottoms.begin(), bottoms.end(), block.bottom) - bottoms.begin();
  bottoms.insert(bottoms.begin() + at, block.bottom);
  tops.insert(tops.begin() + at, block.top);
  firsts.insert(firsts.begin() + at, block.first);
  lasts.insert(lasts.begin() + at, block.last);
}

int64_t Greedy::place(const std::vector<int> &order, bool bestFit, int64_t limit) {
  int64_t peak = 0;
  clear();
  for (int id : order) {
    const Item &item = problem.items[id];
    itemBlocks.clear();
    for (int s = item.first; s <= item.last; ++s) {
      int64_t height = problem.height(item, s);
      if (itemBlocks.empty() || itemBlocks.back().top != height)
        itemBlocks.push_back({s, s, 0, height});
      itemBlocks.back().last = s;
      if (item.heightsAt < 0)
        itemBlocks.back().last = s = item.last;
    }
    int64_t offset = 0;
    if (itemBlocks.size() == 1) {
      offset = lowestFit(itemBlocks.front(), 0, bestFit);
    } else {
      // The lowest offset at which all fit: each can only move it up.
      for (size_t i = 0, settled = 0; settled < itemBlocks.size();
           i = (i + 1) % itemBlocks.size()) {
        int64_t fit = lowestFit(itemBlocks[i], offset, false);
        settled = fit == offset ? settled + 1 : 1;
        offset = fit;
      }
    }
    offsets[id] = offset;
    placed.push_back(id);
    if (offset >= kMaxBytes || item.size > limit - offset)
      return kMaxBytes;
    peak = std::max(peak, offset + item.size);
    for (Block block : itemBlocks) {
      block.bottom = offset;
      block.top += offset;
      insert(block);
    }
  }
  return peak;
}

namespace {

/// An order that learns: what ends above the target moves forward.
struct Order {
  enum Measure { Size, Area, Width } measure;
  double classesPerOctave; ///< items of one class go by time; 0: no classes
  bool bestFit;
  std::vector<double> key = {}; ///< by item; larger first
  int64_t peak = kMaxBytes;
};

} // namespace

int64_t llmc::planner::placeGreedily(const PackingProblem &problem, std::span<const int> items,
                                     int64_t target, std::span<int64_t> offsets) {
  Greedy greedy(problem);
  Order orders[] = {{Order::Size, 0, true},  {Order::Size, 2, false}, {Order::Size, 4, false},
                    {Order::Area, 0, false}, {Order::Size, 1, true},  {Order::Width, 0, false},
                    {Order::Width, 1, false}};
  int64_t peak = kMaxBytes;
  std::vector<int> sequence(items.begin(), items.end());
  auto attempt = [&](Order &order) {
    std::sort(sequence.begin(), sequence.end(), [&](int a, int b) {
      return std::tuple(-order.key[a], problem.items[a].first, a) <
             std::tuple(-order.key[b], problem.items[b].first, b);
    });
    int64_t reached = greedy.place(sequence, order.bestFit, kMaxBytes - 1);
    for (int id : greedy.placed)
      if (greedy.offsets[id] + problem.items[id].size > target)
        order.key[id] += order.classesPerOctave > 0 ? order.classesPerOctave : 0.25;
    order.peak = std::min(order.peak, reached);
    if (reached >= peak)
      return;
    peak = reached;
    for (int id : items)
      offsets[id] = greedy.offsets[id];
  };

  for (Order &order : orders) {
    if (peak <= target)
      return peak;
    if (greedy.work > kMaxWork / 3)
      break;
    order.key.resize(problem.items.size());
    for (int id : items) {
      const Item &item = problem.items[id];
      double size = double(item.size), width = item.last - item.first + 1;
      double measure = order.measure == Order::Size   ? size
                       : order.measure == Order::Area ? size * width
                                                      : width;
      double octaves = std::log2(measure);
      order.key[id] =
          order.classesPerOctave > 0 ? std::floor(octaves * order.classesPerOctave) : octaves;
    }
    attempt(order);
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
      if (peak <= target || greedy.work > kMaxWork)
        return peak;
      attempt(*order);
    }
  return peak;
}
