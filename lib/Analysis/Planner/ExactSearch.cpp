//===- ExactSearch.cpp - branch and bound for offsets within a capacity
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The state is a skyline: per section a floor below which nothing more goes. A
// placement where every item rests on a floor or on an item exists if any does, so only
// those are searched. One node:
//
//   tighten   an item cannot start below the highest floor of its sections; a section's
//             floor rises to the lowest start of what is left there; floor and what is
//             left must stay within the capacity.
//   split     items that no longer share sections are decided one group after the
//             other; no combination of groups is tried.
//   lift      an item across all sections goes to the top: any placement can be
//             rearranged so.
//   branch    in a valley (adjacent sections with one floor and higher neighbours)
//             something starts on the floor of a section, or nothing does and the floor
//             rises. All choices of one section cover all placements, and a valley
//             leaves no hole beneath what is put there, so that any valley and section
//             may come first: the one with the fewest choices does.
//
// States proved impossible are remembered across attempts.
//
//===----------------------------------------------------------------------===//
#include "ExactSearch.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <tuple>

using namespace llmc::planner;

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// A frame of solve() and branch() takes a few hundred bytes of stack.
constexpr int kMaxDepth = 2500;
// 16 bytes each: 16 MB at most.
constexpr uint64_t kMaxRemembered = 1 << 20;
constexpr uint64_t kUnitNodes = 600;

uint64_t mix(uint64_t x) {
  // The finaliser of splitmix64 (Steele, Lea, Flood 2014).
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

void insert(std::vector<uint64_t> &set, int section) {
  set[section / 64] |= uint64_t(1) << section % 64;
}

void erase(std::vector<uint64_t> &set, int section) {
  set[section / 64] &= ~(uint64_t(1) << section % 64);
}

bool contains(const std::vector<uint64_t> &set, int section) {
  return set[section / 64] >> section % 64 & 1;
}

} // namespace

ExactSearch::ExactSearch(const PackingProblem &problem, std::span<const int> items,
                         SearchBudget &budget, std::span<int64_t> offsets)
    : problem(problem), items(items.begin(), items.end()), budget(budget), offsets(offsets),
      floor(problem.numSections), rest(problem.numSections), options(problem.numSections),
      words((problem.numSections + 63) / 64), rank(problem.items.size()),
      weight(problem.numSections, 1.0) {
  uint64_t remembered = 1 << 10;
  while (remembered < budget.nodesLeft && remembered < kMaxRemembered)
    remembered *= 2;
  impossible.resize(remembered);
}

ExactSearch::Frame &ExactSearch::frame(int depth) {
  while (int(frames.size()) <= depth)
    frames.emplace_back();
  return frames[depth];
}

/// Counts a node; false when none is left.
bool ExactSearch::spend() {
  if (nodesOfAttempt == 0 || budget.nodesLeft == 0 || budget.expired)
    return false;
  --nodesOfAttempt;
  --budget.nodesLeft;
  ++budget.nodesSpent;
  if (budget.deadline && budget.nodesSpent % 64 == 1 &&
      std::chrono::steady_clock::now() > *budget.deadline)
    budget.expired = true;
  return true;
}

/// Attempts of 1, 1, 2, 1, 1, 2, 4, ... units: some orders find a plan at once and others
/// never (Luby, Sinclair, Zuckerman 1993).
static uint64_t lubyUnits(unsigned attempt) {
  for (uint64_t i = attempt + 1;;) {
    uint64_t power = std::bit_floor(i);
    if (i == 2 * power - 1)
      return power;
    i -= power - 1;
  }
}

SearchResult ExactSearch::run(int64_t capacity) {
  int first = problem.items[items.front()].first, last = first;
  for (int id : items)
    last = std::max(last, problem.items[id].last);
  for (unsigned attempt = 0;; ++attempt) {
    strategy = strategyOf(attempt);
    orderItems();
    std::fill(floor.begin(), floor.end(), 0);
    frame(0).ids = items;
    // Where nothing fails an attempt takes a node per item or so.
    nodesOfAttempt = std::max<uint64_t>(kUnitNodes, 2 * items.size()) * lubyUnits(attempt);
    SearchResult result = solve(0, first, last, capacity);
    if (result != SearchResult::OutOfBudget || budget.nodesLeft == 0 || budget.expired)
      return result;
  }
}

/// A fixed list first, then mixtures of the same, which depend on the attempt alone.
ExactSearch::Strategy ExactSearch::strategyOf(unsigned attempt) {
  static constexpr Strategy kFirst[] = {
      {Strategy::FewestChoices, false, false, Strategy::Area},
      {Strategy::FewestAndLow, false, true, Strategy::Size},
      {Strategy::Lowest, true, false, Strategy::Width},
      {Strategy::FewestChoices, true, true, Strategy::Load},
  };
  if (attempt < std::size(kFirst))
    return kFirst[attempt];
  uint64_t bits = mix(attempt);
  return {Strategy::Section(bits % 3), (bits >> 8 & 1) != 0, (bits >> 9 & 1) != 0,
          Strategy::Measure(bits >> 10 & 3), bits | 1};
}

/// Ranks the items by the measure of the strategy.
void ExactSearch::orderItems() {
  std::vector<double> load(problem.numSections);
  for (int id : items)
    for (int s = problem.items[id].first; s <= problem.items[id].last; ++s)
      load[s] += double(problem.height(problem.items[id], s));
  std::vector<double> key(problem.items.size());
  for (int id : items) {
    const Item &item = problem.items[id];
    double width = item.last - item.first + 1, size = double(item.size);
    double most = *std::max_element(load.begin() + item.first, load.begin() + item.last + 1);
    switch (strategy.measure) {
    case Strategy::Area:
      key[id] = width * size;
      break;
    case Strategy::Size:
      key[id] = size;
      break;
    case Strategy::Width:
      key[id] = width;
      break;
    case Strategy::Load:
      key[id] = most * most * width * size;
      break;
    }
    if (strategy.noise)
      key[id] *= 0.5 + double(mix(strategy.noise + uint64_t(id)) >> 11) * 0x1p-53;
  }
  std::vector<int> order = items;
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    return std::tuple(-key[a], -problem.items[a].size, a) <
           std::tuple(-key[b], -problem.items[b].size, b);
  });
  for (size_t i = 0; i < order.size(); ++i)
    rank[order[i]] = uint32_t(i);
}

/// The lowest start of every item and the floors that follow from it; false, with the
/// reason, where something cannot fit any more. One round is enough: a floor that rises
/// to the lowest start in its section moves no start.
bool ExactSearch::raiseFloors(Frame &frame, int first, int last, int64_t capacity) {
  size_t count = frame.ids.size();
  frame.first = first;
  frame.entryFloors.assign(floor.begin() + first, floor.begin() + last + 1);
  frame.start.resize(count);
  byStart.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const Item &item = problem.items[frame.ids[i]];
    int highest = item.first;
    for (int s = item.first + 1; s <= item.last; ++s)
      highest = floor[s] > floor[highest] ? s : highest;
    int64_t start = floor[highest];
    if (start > capacity - item.size) {
      weight[highest] += 1;
      frame.why.assign(words, 0);
      insert(frame.why, highest);
      return false;
    }
    frame.start[i] = start;
    byStart[i] = {start, frame.ids[i]};
  }
  // In every section the items that start no lower than any one of them stack up from it.
  std::sort(byStart.begin(), byStart.end(), std::greater<>());
  std::fill(rest.begin() + first, rest.begin() + last + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    auto [start, id] = byStart[i];
    const Item &item = problem.items[id];
    for (int s = item.first; s <= item.last; ++s) {
      rest[s] += problem.height(item, s);
      if (start > capacity - rest[s]) {
        weight[s] += 1;
        frame.why.assign(words, 0);
        for (size_t j = 0; j <= i; ++j)
          if (const Item &above = problem.items[byStart[j].second];
              above.first <= s && s <= above.last)
            addWitness(frame.why, above, s, start, frame.entryFloors, first);
        return false;
      }
      floor[s] = start; // the last one that is set is the lowest
    }
  }
  return true;
}

/// Adds a section that keeps an item from starting below `atLeast`: best one that is
/// there already, else one near `from`.
void ExactSearch::addWitness(Sections &why, const Item &item, int from, int64_t atLeast,
                             std::span<const int64_t> floors, int firstFloor) const {
  int best = -1;
  for (int s = item.first; s <= item.last; ++s) {
    if (floors[s - firstFloor] < atLeast)
      continue;
    if (contains(why, s))
      return;
    if (best < 0 || std::abs(s - from) < std::abs(best - from))
      best = s;
  }
  if (best >= 0)
    insert(why, best);
}

/// Turns a reason in terms of raised floors into one in terms of the floors before: what
/// raised one are the starts of all items in its section.
void ExactSearch::explainRaised(Frame &frame, Sections &why) const {
  Sections raised(words);
  int last = frame.first + int(frame.entryFloors.size()) - 1;
  bool any = false;
  for (int s = frame.first; s <= last; ++s)
    if (contains(why, s) && frame.floors[s - frame.first] != frame.entryFloors[s - frame.first]) {
      erase(why, s);
      insert(raised, s);
      any = true;
    }
  if (!any)
    return;
  for (int s = frame.first; s <= last; ++s) {
    if (!contains(raised, s))
      continue;
    int64_t level = frame.floors[s - frame.first];
    for (int id : frame.ids)
      if (const Item &item = problem.items[id]; item.first <= s && s <= item.last)
        addWitness(why, item, s, level, frame.entryFloors, frame.first);
    if (frame.lifted) {
      Item across{frame.first, last, 0, -1};
      addWitness(why, across, s, level, frame.entryFloors, frame.first);
    }
  }
}

SearchResult ExactSearch::solve(int depth, int first, int last, int64_t capacity) {
  if (depth >= kMaxDepth || !spend())
    return SearchResult::OutOfBudget;
  Frame &here = frame(depth);
  here.lifted = false;
  if (here.ids.empty())
    return SearchResult::Placed;
  if (!raiseFloors(here, first, last, capacity))
    return SearchResult::Impossible;
  here.floors.assign(floor.begin() + first, floor.begin() + last + 1);
  here.parts.clear();
  int reached = -1;
  for (int i = 0, n = int(here.ids.size()); i < n; ++i) {
    const Item &item = problem.items[here.ids[i]];
    if (item.first > reached)
      here.parts.push_back({i, i});
    here.parts.back().second = i + 1;
    reached = std::max(reached, item.last);
  }
  if (here.parts.size() > 1)
    return solveParts(depth, capacity);
  first = problem.items[here.ids.front()].first;
  last = reached;
  std::erase_if(here.ids, [&](int id) {
    const Item &item = problem.items[id];
    if (item.first != first || item.last != last || item.heightsAt >= 0)
      return false;
    capacity -= item.size;
    offsets[id] = capacity;
    return here.lifted = true;
  });
  if (!here.lifted)
    return branch(depth, first, last, capacity);
  // The rest is a state of its own, one level down.
  frame(depth + 1).ids = here.ids;
  SearchResult result = solve(depth + 1, first, last, capacity);
  if (result == SearchResult::Impossible) {
    here.why = frame(depth + 1).why;
    explainRaised(here, here.why);
  }
  return result;
}

/// The parts of a frame one after the other, the smallest first: it fails soonest.
SearchResult ExactSearch::solveParts(int depth, int64_t capacity) {
  Frame &here = frame(depth);
  std::sort(here.parts.begin(), here.parts.end(), [](auto a, auto b) {
    int x = a.second - a.first, y = b.second - b.first;
    return x != y ? x < y : a.first < b.first;
  });
  for (auto [begin, end] : here.parts) {
    Frame &part = frame(depth + 1);
    part.ids.assign(here.ids.begin() + begin, here.ids.begin() + end);
    int first = problem.items[part.ids.front()].first, last = first;
    for (int id : part.ids)
      last = std::max(last, problem.items[id].last);
    SearchResult result = solve(depth + 1, first, last, capacity);
    if (result == SearchResult::Impossible) {
      here.why = frame(depth + 1).why;
      explainRaised(here, here.why);
    }
    if (result != SearchResult::Placed)
      return result;
  }
  return SearchResult::Placed;
}

bool ExactSearch::sameShape(int a, int b) const {
  const Item &x = problem.items[a], &y = problem.items[b];
  return x.first == y.first && x.last == y.last && x.size == y.size && x.heightsAt < 0 &&
         y.heightsAt < 0;
}

/// How well an item fits into a valley: walls it touches, and walls as high as it.
int ExactSearch::neighbours(int id, int first, int last) const {
  const Item &item = problem.items[id];
  int64_t base = floor[item.first], top = base + item.size;
  int count = 0;
  if (item.first == first || floor[item.first - 1] > base)
    count += item.first > first && floor[item.first - 1] == top ? 2 : 1;
  if (item.last == last || floor[item.last + 1] > base)
    count += item.last < last && floor[item.last + 1] == top ? 2 : 1;
  return count;
}

/// A section of a valley with the fewest choices, then with the least room to waste.
/// The items that could start on its floor go to `choices`.
int ExactSearch::chooseSection(Frame &frame, int first, int last, int64_t capacity) {
  // Valleys: floors are equal from `left` to `right` and higher on both sides. An item
  // whose start is the floor of one of its sections lies within one if all its sections
  // have that floor and its valley is one; starts decide: its floors are never above it.
  std::fill(options.begin() + first, options.begin() + last + 1, 0);
  for (size_t i = 0; i < frame.ids.size(); ++i) {
    const Item &item = problem.items[frame.ids[i]];
    if (i > 0 && sameShape(frame.ids[i], frame.ids[i - 1]))
      continue;
    for (int s = item.first; s <= item.last; ++s)
      options[s] += floor[s] == frame.start[i];
  }
  int best = -1;
  double bestCost = 0;
  int64_t bestSlack = 0;
  for (int left = first; left <= last;) {
    int right = left;
    while (right < last && floor[right + 1] == floor[left])
      ++right;
    bool valley = (left == first || floor[left - 1] > floor[left]) &&
                  (right == last || floor[right + 1] > floor[left]);
    for (int s = left; valley && s <= right; ++s) {
      int64_t slack = capacity - floor[s] - rest[s];
      int choices = options[s] + (slack > 0);
      double cost = choices / (strategy.weighted ? weight[s] : 1.0);
      if (strategy.section == Strategy::Lowest)
        cost = double(floor[s]);
      else if (choices <= 1)
        cost = 0; // nothing to decide
      else if (strategy.section == Strategy::FewestAndLow)
        cost *= 1 + 4 * double(floor[s]) / double(capacity);
      if (best < 0 || cost < bestCost || (cost == bestCost && slack < bestSlack)) {
        best = s;
        bestCost = cost;
        bestSlack = slack;
      }
    }
    left = right + 1;
  }
  frame.choices.clear();
  for (size_t i = 0; i < frame.ids.size(); ++i) {
    const Item &item = problem.items[frame.ids[i]];
    if (item.first <= best && best <= item.last && frame.start[i] == floor[best] &&
        !(i > 0 && sameShape(frame.ids[i], frame.ids[i - 1])))
      frame.choices.push_back(frame.ids[i]);
  }
  std::sort(frame.choices.begin(), frame.choices.end(), [&](int a, int b) {
    int x = strategy.snug ? neighbours(a, first, last) : 0;
    int y = strategy.snug ? neighbours(b, first, last) : 0;
    return x != y ? x > y : rank[a] < rank[b];
  });
  return best;
}

/// How far below an item, at least, starts one that it rests on.
int64_t ExactSearch::restingHeight(const Item &below, const Item &item) const {
  int64_t height = below.size;
  for (int s = std::max(below.first, item.first), end = std::min(below.last, item.last);
       below.heightsAt >= 0 && s <= end; ++s)
    height = std::min(height, problem.height(below, s));
  return height;
}

/// Calls `visit(item, height)` for everything that the floor of a section may rise to if
/// nothing starts on it: `height` above the item's start. What could have started there must
/// rest on an item that is not in the section: were it there, it would start lower.
template <typename Visit>
void ExactSearch::visitSupports(const Frame &frame, int section, Visit visit) const {
  for (size_t i = 0; i < frame.ids.size(); ++i) {
    const Item &item = problem.items[frame.ids[i]];
    if (item.first > section)
      break;
    if (item.last < section)
      continue;
    if (frame.start[i] > floor[section]) {
      visit(i, 0);
      continue;
    }
    for (size_t j = 0; j < frame.ids.size(); ++j) {
      const Item &below = problem.items[frame.ids[j]];
      if (below.first > item.last)
        break;
      if (below.last >= item.first && (section < below.first || below.last < section))
        visit(j, restingHeight(below, item));
    }
  }
}

/// The floor of a section if nothing starts on it.
int64_t ExactSearch::raisedFloor(const Frame &frame, int section) const {
  int64_t raised = kNever;
  visitSupports(frame, section, [&](size_t i, int64_t height) {
    raised = std::min(raised, frame.start[i] + height);
  });
  return raised;
}

ExactSearch::StateKey ExactSearch::stateKey(const Frame &frame, int first, int last,
                                            int64_t capacity) const {
  StateKey key;
  for (int id : frame.ids) {
    uint64_t h = mix(uint64_t(id) + (uint64_t(1) << 40));
    key.low += h;
    key.high += mix(h);
  }
  for (int s = first; s <= last; ++s) {
    uint64_t h = mix(mix(uint64_t(s)) ^ uint64_t(capacity - floor[s]));
    key.low += h;
    key.high += mix(h);
  }
  return key;
}

/// Adds why nothing but `choices` starts on the floor of a section, and why nothing else
/// in it starts below `raised`.
void ExactSearch::explainChoices(Frame &frame, int section, int64_t raised) const {
  insert(frame.why, section);
  visitSupports(frame, section, [&](size_t i, int64_t height) {
    addWitness(frame.why, problem.items[frame.ids[i]], section, raised - height, frame.floors,
               frame.first);
  });
}

SearchResult ExactSearch::branch(int depth, int first, int last, int64_t capacity) {
  Frame &here = frame(depth);
  // Distinct with all likelihood: 128 bits against at most 2^40 nodes.
  StateKey key = stateKey(here, first, last, capacity);
  size_t slot = key.low & (impossible.size() - 1);
  if (impossible[slot].key == key) {
    here.why.assign(words, 0);
    for (int s = impossible[slot].first; s <= impossible[slot].last; ++s)
      insert(here.why, s);
    explainRaised(here, here.why);
    return SearchResult::Impossible;
  }

  int section = chooseSection(here, first, last, capacity);
  int64_t base = floor[section];
  int64_t room = capacity - rest[section]; // its floor must stay within
  int64_t raised = raisedFloor(here, section);

  here.why.assign(words, 0);
  bool decided = false; // by the floors that no choice changes
  for (size_t i = 0; i <= here.choices.size() && !decided; ++i) {
    std::copy(here.floors.begin(), here.floors.end(), floor.begin() + here.first);
    Frame &child = frame(depth + 1);
    int from = section, to = section;
    if (i < here.choices.size()) {
      int chosen = here.choices[i];
      const Item &item = problem.items[chosen];
      from = item.first;
      to = item.last;
      offsets[chosen] = base;
      for (int s = from; s <= to; ++s)
        floor[s] = base + problem.height(item, s);
      child.ids.clear();
      for (int id : here.ids)
        if (id != chosen)
          child.ids.push_back(id);
    } else if (raised > room) {
      break;
    } else {
      floor[section] = raised;
      child.ids = here.ids;
    }
    SearchResult result = solve(depth + 1, first, last, capacity);
    if (result != SearchResult::Impossible)
      return result;
    decided = true;
    for (int s = from; s <= to; ++s)
      decided &= !contains(child.why, s);
    if (decided)
      here.why = child.why;
    for (size_t w = 0; w < words; ++w)
      here.why[w] |= child.why[w];
  }
  std::copy(here.floors.begin(), here.floors.end(), floor.begin() + here.first);
  if (!decided)
    explainChoices(here, section, std::min(raised, room + 1));
  Remembered entry{key, last, first};
  for (int s = first; s <= last; ++s)
    if (contains(here.why, s)) {
      entry.first = std::min(entry.first, s);
      entry.last = s;
    }
  impossible[slot] = entry;
  explainRaised(here, here.why);
  return SearchResult::Impossible;
}
