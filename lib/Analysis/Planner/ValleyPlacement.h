//===- ValleyPlacement.h - offsets from the bottom up, valley by valley
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is placed makes a skyline: a floor per section. A valley is adjacent sections of
// one floor between higher ones. An item inside the lowest valley goes onto its floor and
// leaves no hole beneath; where none is left that fits inside, the valley is filled up to
// its lower neighbour, and that is lost. So floor and unplaced items of a section together
// only ever grow by what is lost: their maximum bounds the peak from below all the time,
// and items across the section where they are most go first.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_ANALYSIS_PLANNER_VALLEYPLACEMENT_H
#define LLMC_LIB_ANALYSIS_PLANNER_VALLEYPLACEMENT_H

#include "PackingProblem.h"

#include <queue>
#include <utility>

namespace llmc::planner {

/// From first to last, both included: sections, or sets of items by where they begin or end.
struct Range {
  int first, last;
};

/// Items by first and last section: which of those within two ranges is the earliest in an
/// order? A k-d tree; one query visits few of its nodes.
class ItemTree {
public:
  ItemTree(const PackingProblem &problem, std::span<const int> items);

  /// All items are there again; `rankOf` is by item, smaller is earlier.
  void fill(std::span<const int> rankOf);
  void remove(int item);
  /// -1 if there is none.
  int earliest(Range firsts, Range lasts);

  int64_t work = 0; ///< nodes and items visited

private:
  struct Node {
    Range firsts, lasts; ///< of all its items
    int begin, end;      ///< its items in `entries`
    int bestRank;        ///< of those that are there
  };
  void build(size_t node, int begin, int end, bool byFirst);
  void update(size_t node);
  bool isLeaf(const Node &node) const;

  struct Entry {
    int first, last, id;
    int rank; ///< kGone where removed
  };
  std::vector<Entry> entries; ///< in the order of the leaves
  std::vector<int> positions; ///< in `entries`, by item
  std::vector<size_t> leaves; ///< by item
  std::vector<Node> nodes;    ///< the children of i are 2i + 1 and 2i + 2
};

/// A number of bytes per section: adding to a range, and the largest in a range.
class SectionTree {
public:
  void assign(std::span<const int64_t> bytes);
  void add(Range sections, int64_t bytes);
  /// The section of the range with the most bytes; one of them if there are several.
  int fullest(Range sections) const;
  int64_t most() const { return nodes[1].most; }

private:
  struct Node {
    int64_t most = 0;  ///< of its sections, without what was added to nodes above
    int64_t added = 0; ///< to all of its sections
    int fullest = 0;   ///< a section with the most
  };
  void update(size_t node);

  size_t numLeaves = 0;    ///< a power of two; section s is leaf s + 1
  std::vector<Node> nodes; ///< the root is 1, the children of i are 2i and 2i + 1
};

/// Places the items of one component, as often as asked.
class ValleyPlacement {
public:
  ValleyPlacement(const PackingProblem &problem, std::span<const int> items);

  /// Places all; of those that can be next the earliest in `order`. Returns the peak, or
  /// kMaxBytes as soon as it cannot end below `limit`.
  int64_t place(std::span<const int> order, int64_t limit);

  int64_t work() const { return tree.work + steps; }

  std::vector<int64_t> offsets; ///< by item; they mean nothing unless place() found a peak

private:
  int64_t floorBeside(Range valley) const;
  void setFloor(Range sections, int64_t floor);
  /// The item to put into the valley; -1 if none is left that fits.
  int nextIn(Range valley);
  void put(int id, Range valley, int64_t floor);

  const PackingProblem &problem;
  std::span<const int> items;
  Range all; ///< sections of the component
  ItemTree tree;
  SectionTree used; ///< floor and what is not placed yet, by section from all.first on
  std::vector<int64_t> sums;

  // The skyline: adjacent sections of one floor are one run. By section.
  std::vector<int> lastOfRun;  ///< where one begins; else -1
  std::vector<int> firstOfRun; ///< where one ends
  std::vector<int64_t> floors; ///< where one begins
  /// Floor and first section; runs that are no more stay in until they come out.
  using Low = std::pair<int64_t, int>;
  std::priority_queue<Low, std::vector<Low>, std::greater<>> lowest;
  int64_t steps = 0;
};

} // namespace llmc::planner

#endif // LLMC_LIB_ANALYSIS_PLANNER_VALLEYPLACEMENT_H
