//===- ValleyPlacement.cpp - offsets from the bottom up, valley by valley
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ValleyPlacement.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>

using namespace llmc::planner;

namespace {

constexpr int kGone = std::numeric_limits<int>::max();
/// Items of a leaf of the tree: scanning so many costs less than two levels of nodes.
constexpr int kLeafItems = 8;
/// What a step costs beside the search for an item, in items looked at.
constexpr int64_t kStepWork = 100;

bool apart(Range a, Range b) { return a.last < b.first || b.last < a.first; }
bool contains(Range range, int at) { return range.first <= at && at <= range.last; }

} // namespace

//===----------------------------------------------------------------------===//
// ItemTree
//===----------------------------------------------------------------------===//

ItemTree::ItemTree(const PackingProblem &problem, std::span<const int> items)
    : positions(problem.items.size()), leaves(problem.items.size()) {
  for (int id : items)
    entries.push_back({problem.items[id].first, problem.items[id].last, id, kGone});
  build(0, 0, int(entries.size()), true);
}

bool ItemTree::isLeaf(const Node &node) const { return node.end - node.begin <= kLeafItems; }

void ItemTree::build(size_t node, int begin, int end, bool byFirst) {
  if (nodes.size() <= node)
    nodes.resize(node + 1);
  Node made{{kGone, -1}, {kGone, -1}, begin, end, kGone};
  for (int i = begin; i < end; ++i) {
    auto [first, last, id, rank] = entries[i];
    made.firsts = {std::min(made.firsts.first, first), std::max(made.firsts.last, first)};
    made.lasts = {std::min(made.lasts.first, last), std::max(made.lasts.last, last)};
  }
  nodes[node] = made;
  if (isLeaf(made)) {
    for (int i = begin; i < end; ++i) {
      positions[entries[i].id] = i;
      leaves[entries[i].id] = node;
    }
    return;
  }
  int middle = begin + (end - begin) / 2;
  std::nth_element(entries.begin() + begin, entries.begin() + middle, entries.begin() + end,
                   [&](const Entry &a, const Entry &b) {
                     return byFirst
                                ? std::tie(a.first, a.last, a.id) < std::tie(b.first, b.last, b.id)
                                : std::tie(a.last, a.first, a.id) < std::tie(b.last, b.first, b.id);
                   });
  build(2 * node + 1, begin, middle, !byFirst);
  build(2 * node + 2, middle, end, !byFirst);
}

void ItemTree::update(size_t node) {
  Node &changed = nodes[node];
  if (!isLeaf(changed)) {
    changed.bestRank = std::min(nodes[2 * node + 1].bestRank, nodes[2 * node + 2].bestRank);
    return;
  }
  changed.bestRank = kGone;
  for (int i = changed.begin; i < changed.end; ++i)
    changed.bestRank = std::min(changed.bestRank, entries[i].rank);
}

void ItemTree::fill(std::span<const int> rankOf) {
  for (Entry &entry : entries)
    entry.rank = rankOf[entry.id];
  for (size_t node = nodes.size(); node-- > 0;) // children come after their parents
    if (nodes[node].begin < nodes[node].end)
      update(node);
}

void ItemTree::remove(int item) {
  entries[positions[item]].rank = kGone;
  for (size_t node = leaves[item];; node = (node - 1) / 2) {
    update(node);
    if (node == 0)
      return;
  }
}

int ItemTree::earliest(Range firsts, Range lasts) {
  int best = kGone, found = -1;
  size_t stack[64] = {0}; // one waits per level
  for (size_t depth = 1; depth > 0;) {
    size_t index = stack[--depth];
    const Node &node = nodes[index];
    ++work;
    if (node.bestRank >= best || apart(node.firsts, firsts) || apart(node.lasts, lasts))
      continue;
    if (!isLeaf(node)) {
      size_t better = 2 * index + 1, other = better + 1;
      if (nodes[other].bestRank < nodes[better].bestRank)
        std::swap(better, other);
      stack[depth++] = other;
      stack[depth++] = better;
      continue;
    }
    work += node.end - node.begin;
    for (int i = node.begin; i < node.end; ++i) {
      const Entry &entry = entries[i];
      if (entry.rank < best && contains(firsts, entry.first) && contains(lasts, entry.last)) {
        best = entry.rank;
        found = entry.id;
      }
    }
  }
  return found;
}

//===----------------------------------------------------------------------===//
// SectionTree
//===----------------------------------------------------------------------===//

void SectionTree::assign(std::span<const int64_t> bytes) {
  numLeaves = std::bit_ceil(bytes.size() + 2); // one more at each end, for what is beside a range
  nodes.assign(2 * numLeaves, Node());
  for (size_t s = 0; s < bytes.size(); ++s)
    nodes[numLeaves + s + 1] = {bytes[s], 0, int(s)};
  for (size_t node = numLeaves; --node > 0;)
    update(node);
}

void SectionTree::update(size_t node) {
  const Node &left = nodes[2 * node], &right = nodes[2 * node + 1];
  const Node &fuller = right.most > left.most ? right : left;
  nodes[node].most = nodes[node].added + fuller.most;
  nodes[node].fullest = fuller.fullest;
}

// The nodes of a range lie between two paths up, one on each side of it: as right children
// beside the left path, as left children beside the right one, until the paths meet.

void SectionTree::add(Range sections, int64_t bytes) {
  size_t left = numLeaves + sections.first, right = numLeaves + sections.last + 2;
  auto addTo = [&](size_t node) {
    nodes[node].most += bytes;
    nodes[node].added += bytes;
  };
  for (; (left ^ right) != 1; left /= 2, right /= 2, update(left), update(right)) {
    if (left % 2 == 0)
      addTo(left + 1);
    if (right % 2 == 1)
      addTo(right - 1);
  }
  while (left /= 2)
    update(left);
}

int SectionTree::fullest(Range sections) const {
  size_t left = numLeaves + sections.first, right = numLeaves + sections.last + 2;
  int64_t most[2] = {-1, -1}; // without what was added above, beside each path
  int found[2] = {sections.first, sections.first};
  auto look = [&](int side, size_t node) {
    if (nodes[node].most <= most[side])
      return;
    most[side] = nodes[node].most;
    found[side] = nodes[node].fullest;
  };
  for (; (left ^ right) != 1; left /= 2, right /= 2) {
    if (left % 2 == 0)
      look(0, left + 1);
    if (right % 2 == 1)
      look(1, right - 1);
    most[0] += nodes[left / 2].added;
    most[1] += nodes[right / 2].added;
  }
  return found[most[1] > most[0]];
}

//===----------------------------------------------------------------------===//
// ValleyPlacement
//===----------------------------------------------------------------------===//

ValleyPlacement::ValleyPlacement(const PackingProblem &problem, std::span<const int> items)
    : offsets(problem.items.size()), problem(problem), items(items), all{kGone, -1},
      tree(problem, items) {
  for (int id : items)
    all = {std::min(all.first, problem.items[id].first),
           std::max(all.last, problem.items[id].last)};
  // By differences; no sum passes kMaxBytes, the lower bound is below it.
  sums.resize(all.last - all.first + 2);
  for (int id : items) {
    const Item &item = problem.items[id];
    int64_t before = 0;
    for (int s = item.first; s <= item.last; ++s) {
      int64_t height = problem.height(item, s);
      sums[s - all.first] += height - before;
      before = height;
      if (item.heightsAt < 0)
        break;
    }
    sums[item.last + 1 - all.first] -= before;
  }
  sums.pop_back();
  for (size_t s = 1; s < sums.size(); ++s)
    sums[s] += sums[s - 1];
}

/// The lower of the floors to the left and to the right; kMaxBytes if there are none.
int64_t ValleyPlacement::floorBeside(Range valley) const {
  int64_t floor = kMaxBytes;
  if (valley.first > all.first)
    floor = floors[firstOfRun[valley.first - 1]];
  if (valley.last < all.last)
    floor = std::min(floor, floors[valley.last + 1]);
  return floor;
}

/// Makes these sections, of which no run is left, a run, or a part of one beside it.
void ValleyPlacement::setFloor(Range sections, int64_t floor) {
  if (sections.first > all.first) {
    int before = firstOfRun[sections.first - 1];
    if (lastOfRun[before] == sections.first - 1 && floors[before] == floor)
      sections.first = before;
  }
  if (sections.last < all.last) {
    int after = sections.last + 1;
    if (lastOfRun[after] >= 0 && floors[after] == floor) {
      sections.last = lastOfRun[after];
      lastOfRun[after] = -1;
    }
  }
  lastOfRun[sections.first] = sections.last;
  firstOfRun[sections.last] = sections.first;
  floors[sections.first] = floor;
  lowest.push({floor, sections.first});
}

/// Onto the floor of the valley around it.
void ValleyPlacement::put(int id, Range valley, int64_t floor) {
  const Item &item = problem.items[id];
  offsets[id] = floor;
  if (valley.first < item.first)
    setFloor({valley.first, item.first - 1}, floor);
  for (int s = item.first; s <= item.last;) {
    int64_t height = problem.height(item, s);
    int begin = s;
    for (s = item.heightsAt < 0 ? item.last + 1 : s + 1;
         s <= item.last && problem.height(item, s) == height;)
      ++s;
    setFloor({begin, s - 1}, floor + height);
  }
  if (item.last < valley.last)
    setFloor({item.last + 1, valley.last}, floor);
}

/// Across the fullest section if there is one: what is lost there counts first.
int ValleyPlacement::nextIn(Range valley) {
  if (valley.first == valley.last)
    return tree.earliest(valley, valley);
  int full = all.first + used.fullest({valley.first - all.first, valley.last - all.first});
  int id = tree.earliest({valley.first, full}, {full, valley.last});
  return id >= 0 ? id : tree.earliest(valley, valley);
}

int64_t ValleyPlacement::place(std::span<const int> order, int64_t limit) {
  std::vector<int> rankOf(problem.items.size());
  for (size_t i = 0; i < order.size(); ++i)
    rankOf[order[i]] = int(i);
  tree.fill(rankOf);
  used.assign(sums);
  lowest = {};
  lastOfRun.assign(problem.numSections, -1);
  firstOfRun.assign(problem.numSections, -1);
  floors.assign(problem.numSections, 0);
  setFloor(all, 0);

  for (size_t left = order.size(); left > 0;) {
    if (used.most() >= limit)
      return kMaxBytes;
    auto [floor, first] = lowest.top();
    lowest.pop();
    if (lastOfRun[first] < 0 || floors[first] != floor)
      continue;
    Range valley = {first, lastOfRun[first]};
    steps += kStepWork;
    int id = nextIn(valley);
    lastOfRun[first] = -1;
    if (id >= 0) {
      put(id, valley, floor);
      tree.remove(id);
      --left;
      continue;
    }
    int64_t raised = floorBeside(valley);
    used.add({valley.first - all.first, valley.last - all.first}, raised - floor);
    setFloor(valley, raised);
  }
  return used.most();
}
