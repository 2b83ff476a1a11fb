//===- PlanArena.cpp - offsets for the buffers of a program
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/ArenaPlanner.h"
#include "llmc/Analysis/InPlace.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Transforms/Exec/Passes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

namespace llmc {
#define GEN_PASS_DEF_PLANARENA
#include "llmc/Transforms/Exec/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

constexpr int64_t kAlignment = 64; // a cache line, and a 512-bit vector
/// Of the exact search, where greedy plans leave a gap to the lower bound: about half a
/// second for hundreds of buffers. Nodes, not time: a compile gives the same bytes anywhere.
constexpr uint64_t kSearchNodes = 40'000;

/// The buffers of a program while they are collected, and who reads them last.
struct Buffers {
  std::vector<PlannedBuffer> planned;
  DenseMap<Value, size_t> indices;
  /// Of each buffer, the dispatches that read it in the last group in which any does.
  SmallVector<SmallVector<exec::DispatchOp>> lastReaders;
};

/// Pairs (operand, result) of dispatches whose kernel may write the one over the other.
/// The operand dies there, which the planner checks.
SmallVector<BufferPair> findInPlace(const Buffers &buffers, ArrayRef<exec::DispatchOp> dispatches) {
  SmallVector<BufferPair> pairs;
  for (exec::DispatchOp dispatch : dispatches) {
    auto result = buffers.indices.find(dispatch->getResult(0));
    if (dispatch.getNumResults() != 1 || result == buffers.indices.end())
      continue;
    auto kernel =
        SymbolTable::lookupNearestSymbolFrom<exec::KernelOp>(dispatch, dispatch.getKernelAttr());
    Block &body = kernel.getBody().front();
    SmallVector<BlockArgument> overwritable =
        getOverwritableArguments(body.getTerminator()->getOperand(0));
    llvm::SmallSetVector<size_t, 4> candidates;
    llvm::SmallDenseSet<size_t> kept;
    for (auto [input, argument] : llvm::zip_equal(dispatch.getInputs(), body.getArguments())) {
      auto it = buffers.indices.find(exec::getBuffer(input));
      if (it == buffers.indices.end())
        continue;
      if (llvm::is_contained(overwritable, argument) && !exec::isPart(input))
        candidates.insert(it->second);
      else
        kept.insert(it->second); // seen through another view, too
    }
    for (size_t operand : candidates)
      if (!kept.contains(operand) && buffers.lastReaders[operand].size() == 1)
        pairs.push_back({operand, result->second});
  }
  return pairs;
}

/// The barrier groups (both inclusive) that an operation runs in.
struct Groups {
  int64_t first, last;
};

/// Of every dispatch and loop of a block, from `group` on, which is the last one behind it.
void countGroups(Block &block, int64_t &group, DenseMap<Operation *, Groups> &groups) {
  for (Operation &op : block) {
    if (isa<exec::BarrierOp>(op))
      ++group;
    if (isa<exec::DispatchOp>(op))
      groups[&op] = {group, group};
    if (auto loop = dyn_cast<exec::LoopOp>(op)) {
      int64_t first = group;
      Block &body = loop.getBody().front();
      countGroups(body, group, groups);
      // Nothing of the body runs behind the barrier that ends it.
      Operation *last = body.getTerminator()->getPrevNode();
      groups[&op] = {first,
                     std::max(first, group - int64_t(isa_and_nonnull<exec::BarrierOp>(last)))};
    }
  }
}

/// Finds the buffers of a program, their sizes and lifetimes.
class BufferCollector {
public:
  explicit BufferCollector(exec::ProgramOp program) : program(program) {
    Block &block = program.getBody().front();
    countGroups(block, lastGroup, groups);
    for (Value value : block.getTerminator()->getOperands())
      outputs.insert(exec::getBuffer(value));
  }

  LogicalResult run() {
    WalkResult walked = program.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (auto size = dyn_cast<exec::DefineSizeOp>(op))
        if (auto it = all.indices.find(exec::getBuffer(size.getValue())); it != all.indices.end())
          sizes.push_back(it->second);
      if (auto loop = dyn_cast<exec::LoopOp>(op))
        for (Value stack : loop.getResults().drop_front(loop.getNumCarried()))
          if (failed(write(op, stack)))
            return WalkResult::interrupt();
      auto dispatch = dyn_cast<exec::DispatchOp>(op);
      return dispatch && failed(visit(dispatch)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    return failure(walked.wasInterrupted());
  }

  Buffers all;
  SmallVector<exec::DispatchOp> dispatches;
  SmallVector<size_t> sizes; ///< buffers that a late worker may read
  int64_t lastGroup = 0;

private:
  LogicalResult visit(exec::DispatchOp dispatch) {
    dispatches.push_back(dispatch);
    for (Value input : dispatch.getInputs()) {
      auto it = all.indices.find(exec::getBuffer(input));
      if (it == all.indices.end())
        continue;
      Operation *use = lengthen(it->second, exec::getLastingUse(dispatch, it->first));
      // Later iterations read it again: nothing takes its place in this one.
      SmallVector<exec::DispatchOp> &readers = all.lastReaders[it->second];
      if (use != dispatch)
        readers.clear();
      else if (!llvm::is_contained(readers, dispatch))
        readers.push_back(dispatch);
    }
    for (Value output : dispatch.getOutputs())
      if (failed(write(dispatch, exec::getBuffer(output))))
        return failure();
    return success();
  }

  /// `op` writes `buffer`, or a part of it; it may be the loop that stacks it up.
  LogicalResult write(Operation *op, Value buffer) {
    auto type = dyn_cast<RankedTensorType>(buffer.getType());
    if (!type || outputs.contains(buffer))
      return success();
    if (auto it = all.indices.find(buffer); it != all.indices.end()) {
      lengthen(it->second, exec::getLastingUse(op, buffer));
      return success();
    }
    DimExpr elements = llm::product(llm::getDims(type));
    int64_t count = exec::upperBound(program, elements);
    constexpr int64_t kMaxElements = int64_t(1) << 46; // sums of many such buffers are numbers
    if (count > kMaxElements)
      return op->emitError("cannot bound the size ")
             << elements.str() << " of a buffer below 2^46 elements";
    if (count < 0)
      return op->emitError("the size ") << elements.str()
                                        << " of a buffer is negative in every call that "
                                           "--max-batch and --max-seq allow";
    Groups alive = groups.lookup(exec::getLastingUse(op, buffer));
    all.indices[buffer] = all.planned.size();
    all.lastReaders.emplace_back();
    all.planned.push_back(
        {count * exec::elementBytes(type.getElementType()), alive.first, alive.last + 1, 0});
    return success();
  }

  /// The buffer lives as long as `use`, which is given back.
  Operation *lengthen(size_t index, Operation *use) {
    PlannedBuffer &buffer = all.planned[index];
    int64_t end = std::max(buffer.end, groups.lookup(use).last + 1);
    if (std::exchange(buffer.end, end) != end)
      all.lastReaders[index].clear();
    return use;
  }

  exec::ProgramOp program;
  DenseMap<Operation *, Groups> groups;
  DenseSet<Value> outputs;
};

struct PlanArena : llmc::impl::PlanArenaBase<PlanArena> {
  void runOnOperation() override {
    exec::ProgramOp program = getOperation();
    BufferCollector collector(program);
    if (failed(collector.run()))
      return signalPassFailure();
    std::vector<PlannedBuffer> &buffers = collector.all.planned;
    SmallVector<BufferPair> inPlace = findInPlace(collector.all, collector.dispatches);
    for (size_t index : collector.sizes) {
      buffers[index].end = collector.lastGroup + 1;
      llvm::erase_if(inPlace, [&](BufferPair pair) { return pair.first == index; });
    }
    ArenaPlanOptions options;
    options.alignment = kAlignment;
    options.searchNodes = kSearchNodes;
    options.inPlace = inPlace;
    ArenaPlan plan = planArena(buffers, options);
    if (plan.status == ArenaPlanStatus::TooLarge) {
      program.emitError("the buffers of the program do not fit into 2^61 bytes");
      return signalPassFailure();
    }

    auto offsetOf = [&](Value value) -> int64_t {
      auto it = collector.all.indices.find(value);
      return it == collector.all.indices.end() ? -1 : buffers[it->second].offset;
    };
    program.walk([&](exec::DispatchOp dispatch) {
      dispatch.setOffsets(llvm::map_to_vector(dispatch.getOutputs(), offsetOf));
    });
    program.walk([&](exec::LoopOp loop) {
      loop.setOffsets(
          llvm::map_to_vector(loop.getResults().drop_front(loop.getNumCarried()), offsetOf));
    });
    program.walk([&](exec::JoinOp join) { join.setOffset(offsetOf(join.getResult())); });
    program.setArenaBytes(plan.peakBytes);
    program.setLowerBound(plan.lowerBoundBytes);
  }
};

} // namespace
