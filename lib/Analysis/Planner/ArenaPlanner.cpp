//===- ArenaPlanner.cpp - offsets for buffers with lifetimes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Buffers become shapes (aliases one block, buffers begun in place one chain), shapes a
// packing problem; greedy orders come first, the exact search where they leave a gap.
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/ArenaPlanner.h"
#include "ExactSearch.h"
#include "GreedyPlacement.h"
#include "PackingProblem.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <numeric>
#include <tuple>

using namespace llmc;
using namespace llmc::planner;

namespace {

constexpr size_t kNone = size_t(-1);
/// Larger components are beyond the search; greedy plans of so many are close anyway.
constexpr size_t kMaxSearchedItems = 2000;
/// Work of the greedy orders for all: a third of a second of a 2023 server core.
constexpr int64_t kGreedyWork = 60'000'000;

/// What is placed as one: a buffer, or several that are aliases.
struct Block {
  int64_t size = 0, begin = 0, end = 0;
};

/// The blocks of all buffers that take memory, and who may begin in place of whom.
struct Blocks {
  std::vector<Block> blocks;
  std::vector<size_t> ofBuffer;    // kNone: takes no memory
  std::vector<BufferPair> inPlace; // of blocks; those with an effect, most bytes first
};

/// Shapes, and the shape of every block.
struct ShapeList {
  std::vector<Shape> shapes;
  std::vector<size_t> ofBlock;
};

/// Plans one list of shapes.
class Planner {
public:
  Planner(const std::vector<Shape> &shapes, int64_t goal, bool hasCapacity);
  void placeGreedily(int64_t maxWork);
  void search(SearchBudget &budget);

  std::vector<int64_t> offsets; // by shape
  int64_t peak = 0;
  int64_t proved = 0; ///< no placement of these shapes has a smaller peak

private:
  struct Component {
    std::vector<int> items;
    int64_t peak = 0;
  };
  void searchComponent(Component &component, SearchBudget &budget);
  void updatePeak();

  PackingProblem problem;
  std::vector<Component> components;
  int64_t target = 0; ///< a peak that is good enough
  int64_t unit = 1;   ///< every top is a multiple
  bool hasCapacity;
};

} // namespace

/// Saturates at kMaxBytes.
static int64_t alignUp(int64_t size, int64_t alignment) {
  if (size >= kMaxBytes - alignment)
    return kMaxBytes;
  return (size + alignment - 1) & -alignment;
}

/// Bytes that a block begun in place of another saves in the step they share.
static int64_t savingOf(const Blocks &blocks, BufferPair pair) {
  return std::min(blocks.blocks[pair.first].size, blocks.blocks[pair.second].size);
}

static Blocks makeBlocks(std::span<const PlannedBuffer> buffers, const ArenaPlanOptions &options) {
  std::vector<size_t> parent(buffers.size());
  std::iota(parent.begin(), parent.end(), size_t(0));
  auto root = [&](size_t i) {
    while (parent[i] != i)
      i = parent[i] = parent[parent[i]];
    return i;
  };
  for (BufferPair pair : options.aliases) {
    assert(pair.first < buffers.size() && pair.second < buffers.size() && "alias of no buffer");
    size_t a = root(pair.first), b = root(pair.second);
    parent[std::max(a, b)] = std::min(a, b);
  }

  Blocks result;
  std::vector<size_t> ofRoot(buffers.size(), kNone);
  for (size_t i = 0; i < buffers.size(); ++i) {
    const PlannedBuffer &buffer = buffers[i];
    assert(buffer.sizeBytes >= 0 && "a buffer of negative size");
    if (buffer.sizeBytes == 0 || buffer.begin >= buffer.end)
      continue;
    int64_t size = alignUp(buffer.sizeBytes, options.alignment);
    size_t &index = ofRoot[root(i)];
    if (index == kNone) {
      index = result.blocks.size();
      result.blocks.push_back({size, buffer.begin, buffer.end});
      continue;
    }
    Block &block = result.blocks[index];
    block.size = std::max(block.size, size);
    block.begin = std::min(block.begin, buffer.begin);
    block.end = std::max(block.end, buffer.end);
  }
  for (size_t i = 0; i < buffers.size(); ++i)
    result.ofBuffer.push_back(ofRoot[root(i)]);

  for (BufferPair pair : options.inPlace) {
    assert(pair.first < buffers.size() && pair.second < buffers.size() && "in place of no buffer");
    size_t a = result.ofBuffer[pair.first], b = result.ofBuffer[pair.second];
    if (a == kNone || b == kNone)
      continue;
    const Block &before = result.blocks[a], &after = result.blocks[b];
    if (before.begin < after.begin && before.end - 1 == after.begin)
      result.inPlace.push_back({a, b});
  }
  std::sort(result.inPlace.begin(), result.inPlace.end(), [&](BufferPair a, BufferPair b) {
    return std::tuple(-savingOf(result, a), a.first, a.second) <
           std::tuple(-savingOf(result, b), b.first, b.second);
  });
  return result;
}

/// By how much the bytes alive grow, by step; nothing begins in place.
static std::map<int64_t, __int128> changesOfBytes(const Blocks &blocks) {
  std::map<int64_t, __int128> change; // 128 bits hold any sum of 64-bit sizes
  for (const Block &block : blocks.blocks) {
    change[block.begin] += block.size;
    change[block.end] -= block.size;
  }
  return change;
}

/// The largest sum of bytes in one step if every block that may begin in place does.
static int64_t lowerBound(const Blocks &blocks) {
  std::map<int64_t, __int128> change = changesOfBytes(blocks);
  std::vector<bool> saved(blocks.blocks.size());
  for (BufferPair pair : blocks.inPlace) { // the largest saving of each comes first
    if (saved[pair.second])
      continue;
    saved[pair.second] = true;
    change[blocks.blocks[pair.second].begin] -= savingOf(blocks, pair);
    change[blocks.blocks[pair.first].end] += savingOf(blocks, pair);
  }
  __int128 live = 0, bound = 0;
  for (auto [step, bytes] : change)
    bound = std::max(bound, live += bytes);
  return int64_t(std::min<__int128>(bound, kMaxBytes));
}

/// Enough pairs for every step to have no more bytes than the bound, if all of them can be
/// in place together.
static std::vector<BufferPair> pairsNeeded(const Blocks &blocks, int64_t bound) {
  std::map<int64_t, __int128> bytes = changesOfBytes(blocks);
  __int128 live = 0;
  for (auto &[step, change] : bytes)
    change = live += change;
  std::vector<BufferPair> needed;
  for (BufferPair pair : blocks.inPlace) { // most bytes first
    __int128 &inStep = bytes.at(blocks.blocks[pair.second].begin);
    if (inStep <= bound)
      continue;
    inStep -= savingOf(blocks, pair);
    needed.push_back(pair);
  }
  return needed;
}

/// One shape per block, or per chain of blocks that begin in place of each other.
static ShapeList makeShapes(const Blocks &blocks, std::span<const BufferPair> inPlace) {
  size_t count = blocks.blocks.size();
  std::vector<size_t> next(count, kNone);
  std::vector<bool> begunInPlace(count);
  for (BufferPair pair : inPlace)
    if (next[pair.first] == kNone && !begunInPlace[pair.second]) {
      next[pair.first] = pair.second;
      begunInPlace[pair.second] = true;
    }
  ShapeList list;
  list.ofBlock.resize(count);
  for (size_t head = 0; head < count; ++head) {
    if (begunInPlace[head])
      continue;
    Shape shape;
    int64_t handedOver = 0; // bytes of the one before, in the step both share
    for (size_t i = head; i != kNone; i = next[i]) {
      list.ofBlock[i] = list.shapes.size();
      const Block &block = blocks.blocks[i];
      int64_t begin = block.begin, end = next[i] == kNone ? block.end : block.end - 1;
      if (handedOver > block.size) {
        shape.pieces.push_back({begin, begin + 1, handedOver});
        ++begin;
      }
      if (begin < end)
        shape.pieces.push_back({begin, end, block.size});
      handedOver = block.size;
    }
    list.shapes.push_back(std::move(shape));
  }
  return list;
}

Planner::Planner(const std::vector<Shape> &shapes, int64_t goal, bool hasCapacity)
    : problem(PackingProblem::create(shapes)), hasCapacity(hasCapacity) {
  offsets.resize(shapes.size());
  proved = problem.lowerBound();
  target = std::max(goal, proved);
  unit = 0;
  for (const Shape &shape : shapes)
    for (const Piece &piece : shape.pieces)
      unit = std::gcd(unit, piece.height);
  unit = std::max<int64_t>(unit, 1);
  for (std::vector<int> &items : problem.components())
    components.push_back({std::move(items)});
}

void Planner::updatePeak() {
  peak = 0;
  for (const Component &component : components)
    peak = std::max(peak, component.peak);
}

void Planner::placeGreedily(int64_t maxWork) {
  for (Component &component : components) {
    // Each has its share of the work.
    double share = double(component.items.size()) / double(problem.items.size());
    component.peak = planner::placeGreedily(problem, component.items, target,
                                            int64_t(double(maxWork) * share), offsets);
  }
  updatePeak();
}

void Planner::search(SearchBudget &budget) {
  // Components share no step: each has the whole arena. What one cannot go below, the
  // others need not go below either.
  for (Component &component : components)
    if (component.peak > target && component.items.size() <= kMaxSearchedItems)
      searchComponent(component, budget);
  updatePeak();
}

/// Bisects between what is proved impossible, or was given up, and what was found; the
/// first try is the lowest conceivable peak.
void Planner::searchComponent(Component &component, SearchBudget &budget) {
  std::vector<int64_t> found(offsets.size());
  ExactSearch search(problem, component.items, budget, found);
  int64_t open = target; // the lowest capacity not tried yet
  bool provedBelow = true;
  for (int64_t capacity = target; open < component.peak;) {
    // Half of what is left for each try: a hard one leaves something for easier ones.
    uint64_t kept = hasCapacity ? 0 : budget.nodesLeft / 2;
    budget.nodesLeft -= kept;
    SearchResult result = search.run(capacity);
    bool outOfTime = result == SearchResult::OutOfBudget && budget.expired;
    budget.nodesLeft += kept;
    if (result == SearchResult::Placed) {
      component.peak = 0;
      for (int id : component.items) {
        offsets[id] = found[id];
        component.peak = std::max(component.peak, found[id] + problem.items[id].size);
      }
    } else {
      open = capacity + unit;
      provedBelow &= result == SearchResult::Impossible;
      if (provedBelow) {
        proved = std::max(proved, open);
        if (!hasCapacity)
          target = std::max(target, open);
      }
    }
    if (hasCapacity || outOfTime || budget.nodesLeft == 0)
      break;
    // Rounded down to what a peak can be; a peak below `open` is no use.
    capacity = std::max(open, (open + (component.peak - open) / 2) / unit * unit);
    if (capacity >= component.peak)
      capacity = component.peak - 1;
  }
}

ArenaPlan llmc::planArena(std::span<PlannedBuffer> buffers, const ArenaPlanOptions &options) {
  assert(options.alignment > 0 && (options.alignment & (options.alignment - 1)) == 0 &&
         "alignment is not a power of two");
  for (PlannedBuffer &buffer : buffers)
    buffer.offset = 0;
  ArenaPlan plan;
  Blocks blocks = makeBlocks(buffers, options);
  plan.lowerBoundBytes = lowerBound(blocks);
  if (plan.lowerBoundBytes >= kMaxBytes) {
    plan.status = ArenaPlanStatus::TooLarge;
    return plan;
  }

  SearchBudget budget;
  budget.nodesLeft = options.searchNodes;
  if (options.searchSeconds)
    budget.deadline = std::chrono::steady_clock::now() +
                      std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                          std::chrono::duration<double>(*options.searchSeconds));
  int64_t capacity = options.capacityBytes.value_or(0);
  int64_t goal = std::max(capacity, plan.lowerBoundBytes);
  int64_t proved = plan.lowerBoundBytes;
  plan.peakBytes = kMaxBytes;
  std::vector<int64_t> offsetOfBlock(blocks.blocks.size());
  // Places of chains are harder to find: first all pairs are in place, then those without
  // which the bound is out of reach, then none.
  std::vector<BufferPair> needed = pairsNeeded(blocks, plan.lowerBoundBytes);
  std::vector<std::span<const BufferPair>> choices;
  if (needed.size() < blocks.inPlace.size())
    choices.push_back(blocks.inPlace);
  if (!needed.empty())
    choices.push_back(needed);
  choices.push_back({});
  for (size_t choice = 0; choice < choices.size() && plan.peakBytes > goal; ++choice) {
    ShapeList list = makeShapes(blocks, choices[choice]);
    Planner planner(list.shapes, goal, options.capacityBytes.has_value());
    if (planner.proved >= plan.peakBytes)
      continue;
    planner.placeGreedily(kGreedyWork / int64_t(choices.size()));
    uint64_t kept = choice + 1 < choices.size() ? budget.nodesLeft / 2 : 0;
    budget.nodesLeft -= kept;
    if (budget.nodesLeft > 0 && capacity >= (options.capacityBytes ? plan.lowerBoundBytes : 0))
      planner.search(budget);
    budget.nodesLeft += kept;
    if (planner.peak < plan.peakBytes) {
      plan.peakBytes = planner.peak;
      for (size_t i = 0; i < offsetOfBlock.size(); ++i)
        offsetOfBlock[i] = planner.offsets[list.ofBlock[i]];
    }
    if (blocks.inPlace.empty())
      proved = planner.proved;
  }
  plan.searchNodes = budget.nodesSpent;
  if (plan.peakBytes >= kMaxBytes) {
    plan.status = ArenaPlanStatus::TooLarge;
    return plan;
  }
  for (size_t i = 0; i < buffers.size(); ++i)
    if (blocks.ofBuffer[i] != kNone)
      buffers[i].offset = offsetOfBlock[blocks.ofBuffer[i]];
  if (options.capacityBytes && plan.peakBytes > capacity)
    plan.status = proved > capacity ? ArenaPlanStatus::Impossible : ArenaPlanStatus::NotFound;
  else
    plan.status = proved >= plan.peakBytes ? ArenaPlanStatus::Optimal : ArenaPlanStatus::Feasible;
  return plan;
}
