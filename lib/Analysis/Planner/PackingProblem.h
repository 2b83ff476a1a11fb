//===- PackingProblem.h - buffers as shapes over sections of time
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the placement algorithms see. Time is cut where lifetimes begin and end, and
// only sections with a locally largest set of live shapes are kept: a section whose
// shapes all live in a neighbouring one, at no smaller height there, cannot conflict
// where the neighbour does not.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_ANALYSIS_PLANNER_PACKINGPROBLEM_H
#define LLMC_LIB_ANALYSIS_PLANNER_PACKINGPROBLEM_H

#include <cstdint>
#include <span>
#include <vector>

namespace llmc::planner {

/// Sums and tops stay below this, so that two of them never overflow.
constexpr int64_t kMaxBytes = int64_t(1) << 61;

/// One height from `begin` to `end`, in steps of the program.
struct Piece {
  int64_t begin, end, height;
};

/// What moves as one: adjacent pieces, in order of time, with one offset for all.
struct Shape {
  std::vector<Piece> pieces;
};

/// A shape in sections: first to last, both included.
struct Item {
  int first = 0, last = 0;
  int64_t size = 0;       ///< its largest height
  int64_t heightsAt = -1; ///< where its heights are if they differ by section; else -1
};

struct PackingProblem {
  std::vector<Item> items; ///< in the order of the shapes
  std::vector<int64_t> heights;
  int numSections = 0;

  int64_t height(const Item &item, int section) const {
    return item.heightsAt < 0 ? item.size : heights[item.heightsAt + section - item.first];
  }
  /// Every shape has a height and a lifetime.
  static PackingProblem create(std::span<const Shape> shapes);

  /// The largest sum of heights in one section, or kMaxBytes if it is no less.
  int64_t lowerBound() const;

  /// Indices of items in groups that share no section, each sorted by first section, last
  /// section and size.
  std::vector<std::vector<int>> components() const;
};

} // namespace llmc::planner

#endif // LLMC_LIB_ANALYSIS_PLANNER_PACKINGPROBLEM_H
