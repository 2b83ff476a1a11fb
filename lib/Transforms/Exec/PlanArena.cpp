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

struct PlanArena : llmc::impl::PlanArenaBase<PlanArena> {
  void runOnOperation() override {
    exec::ProgramOp program = getOperation();
    Block &block = program.getBody().front();
    DenseSet<Value> outputs;
    for (Value value : block.getTerminator()->getOperands())
      outputs.insert(exec::getBuffer(value));

    Buffers all;
    auto &[buffers, indices, lastReaders] = all;
    SmallVector<exec::DispatchOp> dispatches;
    SmallVector<size_t> sizes; // buffers that a late worker may read
    int64_t group = 0;
    for (Operation &op : block) {
      if (isa<exec::BarrierOp>(op))
        ++group;
      if (auto size = dyn_cast<exec::DefineSizeOp>(op))
        if (auto it = indices.find(exec::getBuffer(size.getValue())); it != indices.end())
          sizes.push_back(it->second);
      auto dispatch = dyn_cast<exec::DispatchOp>(op);
      if (!dispatch)
        continue;
      dispatches.push_back(dispatch);
      for (Value input : dispatch.getInputs()) {
        auto it = indices.find(exec::getBuffer(input));
        if (it == indices.end())
          continue;
        SmallVector<exec::DispatchOp> &readers = lastReaders[it->second];
        if (std::exchange(buffers[it->second].end, group + 1) != group + 1)
          readers.clear();
        if (!llvm::is_contained(readers, dispatch))
          readers.push_back(dispatch);
      }
      for (Value output : dispatch.getOutputs()) {
        Value buffer = exec::getBuffer(output);
        auto type = dyn_cast<RankedTensorType>(buffer.getType());
        if (!type || outputs.contains(buffer))
          continue;
        if (auto it = indices.find(buffer); it != indices.end()) { // another part of it
          if (std::exchange(buffers[it->second].end, group + 1) != group + 1)
            lastReaders[it->second].clear();
          continue;
        }
        DimExpr elements = llm::product(llm::getDims(type));
        int64_t count = exec::upperBound(program, elements);
        if (count == DimExpr::kInfinity) {
          dispatch.emitError("cannot bound the size ") << elements.str() << " of a buffer";
          return signalPassFailure();
        }
        indices[buffer] = buffers.size();
        lastReaders.emplace_back();
        buffers.push_back({count * exec::elementBytes(type.getElementType()), group, group + 1, 0});
      }
    }
    SmallVector<BufferPair> inPlace = findInPlace(all, dispatches);
    for (size_t index : sizes) {
      buffers[index].end = group + 1;
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
      auto it = indices.find(value);
      return it == indices.end() ? -1 : buffers[it->second].offset;
    };
    program.walk([&](exec::DispatchOp dispatch) {
      dispatch.setOffsets(llvm::map_to_vector(dispatch.getOutputs(), offsetOf));
    });
    program.walk([&](exec::JoinOp join) { join.setOffset(offsetOf(join.getResult())); });
    program.setArenaBytes(plan.peakBytes);
    program.setLowerBound(plan.lowerBoundBytes);
  }
};

} // namespace
