//===- PlanArena.cpp - offsets for the buffers of a program
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/ArenaPlanner.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Transforms/Exec/Passes.h"
#include "llvm/ADT/DenseMap.h"

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

struct PlanArena : llmc::impl::PlanArenaBase<PlanArena> {
  void runOnOperation() override {
    exec::ProgramOp program = getOperation();
    Block &block = program.getBody().front();
    DenseSet<Value> outputs;
    for (Value value : block.getTerminator()->getOperands())
      outputs.insert(exec::getBuffer(value));

    std::vector<PlannedBuffer> buffers;
    DenseMap<Value, size_t> indices;
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
      for (Value input : dispatch.getInputs())
        if (auto it = indices.find(exec::getBuffer(input)); it != indices.end())
          buffers[it->second].end = group + 1;
      for (Value output : dispatch.getOutputs()) {
        auto type = dyn_cast<RankedTensorType>(output.getType());
        if (!type || outputs.contains(output))
          continue;
        DimExpr elements = llm::product(llm::getDims(type));
        int64_t count = exec::upperBound(program, elements);
        if (count == DimExpr::kInfinity) {
          dispatch.emitError("cannot bound the size ") << elements.str() << " of a buffer";
          return signalPassFailure();
        }
        indices[output] = buffers.size();
        buffers.push_back({count * exec::elementBytes(type.getElementType()), group, group + 1, 0});
      }
    }
    for (size_t index : sizes)
      buffers[index].end = group + 1;
    ArenaPlanOptions options;
    options.alignment = kAlignment;
    options.searchNodes = kSearchNodes;
    ArenaPlan plan = planArena(buffers, options);
    if (plan.status == ArenaPlanStatus::TooLarge) {
      program.emitError("the buffers of the program do not fit into 2^61 bytes");
      return signalPassFailure();
    }

    Builder builder(&getContext());
    program.walk([&](exec::DispatchOp dispatch) {
      SmallVector<int64_t> offsets;
      for (Value output : dispatch.getOutputs()) {
        auto it = indices.find(output);
        offsets.push_back(it == indices.end() ? -1 : buffers[it->second].offset);
      }
      dispatch.setOffsets(offsets);
    });
    program.setArenaBytes(plan.peakBytes);
    program.setLowerBound(plan.lowerBoundBytes);
  }
};

} // namespace
