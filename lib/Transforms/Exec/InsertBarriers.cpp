//===- InsertBarriers.cpp - barriers between dependent dispatches
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Transforms/Exec/Passes.h"
#include "llvm/ADT/DenseSet.h"

namespace llmc {
#define GEN_PASS_DEF_INSERTBARRIERS
#include "llmc/Transforms/Exec/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {
struct InsertBarriers : llmc::impl::InsertBarriersBase<InsertBarriers> {
  void runOnOperation() override {
    DenseSet<Value> written, read; // since the last barrier
    for (Operation &op : llvm::make_early_inc_range(getOperation().getBody().front())) {
      if (!isa<exec::DispatchOp, exec::DefineSizeOp>(op))
        continue;
      bool depends = llvm::any_of(op.getOperands(), [&](Value input) {
        return llvm::any_of(exec::getSources(input),
                            [&](Value source) { return written.contains(source); });
      });
      // What overwrites a state waits for those that read what it held.
      if (Value state = exec::getOverwrittenState(&op))
        depends |= read.contains(state);
      if (depends) {
        OpBuilder builder(&op);
        exec::BarrierOp::create(builder, op.getLoc());
        written.clear();
        read.clear();
      }
      if (!isa<exec::DispatchOp>(op))
        continue;
      written.insert(op.result_begin(), op.result_end());
      for (Value input : op.getOperands())
        if (isa<llm::StateType>(input.getType()))
          read.insert(input);
    }
  }
};
} // namespace
