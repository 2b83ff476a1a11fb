//===- ExactSearch.h - branch and bound for offsets within a capacity
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_ANALYSIS_PLANNER_EXACTSEARCH_H
#define LLMC_LIB_ANALYSIS_PLANNER_EXACTSEARCH_H

#include "PackingProblem.h"

#include <chrono>
#include <deque>
#include <optional>

namespace llmc::planner {

enum class SearchResult { Placed, Impossible, OutOfBudget };

/// What all searches of one plan may spend together.
struct SearchBudget {
  uint64_t nodesLeft = 0;
  std::optional<std::chrono::steady_clock::time_point> deadline;
  uint64_t nodesSpent = 0;
  bool expired = false; ///< the deadline has passed
};

/// Decides whether items that share sections fit below a capacity; complete, so that
/// "impossible" is a proof. The answer depends on the node budget, never on time
/// unless there is a deadline.
class ExactSearch {
public:
  /// `items`: one component, in the order of PackingProblem::components. Offsets go to
  /// offsets[item].
  ExactSearch(const PackingProblem &problem, std::span<const int> items, SearchBudget &budget,
              std::span<int64_t> offsets);

  /// Tries several orders in turn, each with more nodes than the last.
  SearchResult run(int64_t capacity);

private:
  /// A set of sections, a bit each.
  using Sections = std::vector<uint64_t>;
  struct Frame {
    std::vector<int> ids;                   // left to place, sorted as `items`
    std::vector<int64_t> start;             // the lowest start of each
    std::vector<int64_t> floors;            // the floors here, restored before each choice
    std::vector<int> choices;               // items to start on the chosen floor
    std::vector<std::pair<int, int>> parts; // ranges of ids that share no section
    std::vector<int64_t> entryFloors;       // before they were raised, from section `first`
    int first = 0;
    bool lifted = false; // an item across all sections went to the top
    // After a failure: floors of these sections are enough for it, whatever the others.
    Sections why;
  };
  /// What one attempt tries first. None changes what can be found.
  struct Strategy {
    enum Section { FewestChoices, FewestAndLow, Lowest } section = FewestChoices;
    bool weighted = false; ///< sections that failed before count as having fewer choices
    bool snug = false;     ///< first what fits the walls beside it
    enum Measure { Area, Size, Width, Load } measure = Area; ///< the largest first
    uint64_t noise = 0; ///< a seed to blur the measure with; 0: none
  };
  struct StateKey {
    uint64_t low = 0, high = 0;
    bool operator==(const StateKey &) const = default;
  };
  /// A state proved impossible, and the range of sections whose floors prove it.
  struct Remembered {
    StateKey key;
    int first = 0, last = 0;
  };

  SearchResult solve(int depth, int first, int last, int64_t capacity);
  SearchResult solveParts(int depth, int64_t capacity);
  SearchResult branch(int depth, int first, int last, int64_t capacity);
  bool raiseFloors(Frame &frame, int first, int last, int64_t capacity);
  void explainRaised(Frame &frame, Sections &why) const;
  void explainChoices(Frame &frame, int section, int64_t raised) const;
  void addWitness(Sections &why, const Item &item, int from, int64_t atLeast,
                  std::span<const int64_t> floors, int firstFloor) const;
  int chooseSection(Frame &frame, int first, int last, int64_t capacity);
  int64_t restingHeight(const Item &below, const Item &item) const;
  template <typename Visit> void visitSupports(const Frame &frame, int section, Visit visit) const;
  int64_t raisedFloor(const Frame &frame, int section) const;
  bool sameShape(int a, int b) const;
  bool spend();
  static Strategy strategyOf(unsigned attempt);
  void orderItems();
  int neighbours(int id, int first, int last) const;
  Frame &frame(int depth);
  StateKey stateKey(const Frame &frame, int first, int last, int64_t capacity) const;

  const PackingProblem &problem;
  std::vector<int> items;
  SearchBudget &budget;
  std::span<int64_t> offsets;

  std::deque<Frame> frames;                     // stable addresses: one per depth, reused
  std::vector<int64_t> floor;                   // nothing more goes below, by section
  std::vector<int64_t> rest;                    // sum of heights still to place, by section
  std::vector<std::pair<int64_t, int>> byStart; // scratch of raiseFloors
  std::vector<int> options;                     // scratch of chooseSection
  size_t words;                                 // of a set of sections
  std::vector<uint32_t> rank;                   // by item: which to try first
  std::vector<Remembered> impossible;           // a cache, by the low bits of the key
  std::vector<double> weight;                   // by section: one more than its failures
  Strategy strategy;
  uint64_t nodesOfAttempt = 0;
};

} // namespace llmc::planner

#endif // LLMC_LIB_ANALYSIS_PLANNER_EXACTSEARCH_H
