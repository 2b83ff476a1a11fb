//===- PackingProblem.cpp - buffers as shapes over sections of time
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PackingProblem.h"

#include <algorithm>
#include <numeric>
#include <tuple>

using namespace llmc::planner;

/// The first step of every section that is kept, in order.
static std::vector<int64_t> keptSections(std::span<const Shape> shapes) {
  struct Change {
    int64_t step;
    bool grows;
  };
  std::vector<Change> changes;
  for (const Shape &shape : shapes) {
    int64_t before = 0;
    for (const Piece &piece : shape.pieces) {
      changes.push_back({piece.begin, piece.height > before});
      before = piece.height;
    }
    changes.push_back({shape.pieces.back().end, false});
  }
  // At one step what shrinks comes first: the section before it is complete then.
  std::sort(changes.begin(), changes.end(), [](const Change &a, const Change &b) {
    return std::tie(a.step, a.grows) < std::tie(b.step, b.grows);
  });
  std::vector<int64_t> kept;
  bool grown = false;
  int64_t current = 0;
  for (const Change &change : changes) {
    if (change.grows) {
      current = change.step;
      grown = true;
    } else if (grown) {
      kept.push_back(current);
      grown = false;
    }
  }
  return kept;
}

PackingProblem PackingProblem::create(std::span<const Shape> shapes) {
  PackingProblem problem;
  std::vector<int64_t> kept = keptSections(shapes);
  auto firstFrom = [&](int64_t step) {
    return int(std::lower_bound(kept.begin(), kept.end(), step) - kept.begin());
  };
  problem.numSections = int(kept.size());
  problem.items.reserve(shapes.size());
  for (const Shape &shape : shapes) {
    Item item;
    item.first = firstFrom(shape.pieces.front().begin);
    item.last = firstFrom(shape.pieces.back().end) - 1;
    int64_t at = int64_t(problem.heights.size());
    bool flat = true;
    for (const Piece &piece : shape.pieces) {
      item.size = std::max(item.size, piece.height);
      flat &= piece.height == shape.pieces.front().height;
    }
    if (!flat) {
      for (const Piece &piece : shape.pieces)
        for (int s = firstFrom(piece.begin), end = firstFrom(piece.end); s < end; ++s)
          problem.heights.push_back(piece.height);
      item.heightsAt = at;
    }
    problem.items.push_back(item);
  }
  return problem;
}

int64_t PackingProblem::lowerBound() const {
  // Differences between neighbouring sections; 128 bits hold any sum of 64-bit sizes.
  std::vector<__int128> change(numSections + 1);
  for (const Item &item : items) {
    change[item.first] += height(item, item.first);
    for (int s = item.first + 1; item.heightsAt >= 0 && s <= item.last; ++s)
      change[s] += height(item, s) - height(item, s - 1);
    change[item.last + 1] -= height(item, item.last);
  }
  __int128 live = 0, bound = 0;
  for (int s = 0; s < numSections; ++s)
    bound = std::max(bound, live += change[s]);
  return int64_t(std::min<__int128>(bound, kMaxBytes));
}

std::vector<std::vector<int>> PackingProblem::components() const {
  std::vector<int> order(items.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    const Item &x = items[a], &y = items[b];
    return std::tie(x.first, x.last, x.size, a) < std::tie(y.first, y.last, y.size, b);
  });
  std::vector<std::vector<int>> groups;
  int reached = -1;
  for (int index : order) {
    if (items[index].first > reached)
      groups.emplace_back();
    groups.back().push_back(index);
    reached = std::max(reached, items[index].last);
  }
  return groups;
}
