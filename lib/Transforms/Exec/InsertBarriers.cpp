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
    DenseSet<Value> pending; // written since the last barrier
    for (Operation &op : llvm::make_early_inc_range(getOperation().getBody().front())) {
      auto dispatch = dyn_cast<exec::DispatchOp>(op);
      if (!dispatch)
        continue;
      bool depends = llvm::any_of(dispatch.getInputs(), [&](Value input) {
        return pending.contains(exec::getBuffer(input));
      });
      if (depends) {
        OpBuilder builder(dispatch);
        exec::BarrierOp::create(builder, dispatch.getLoc());
        pending.clear();
      }
      pending.insert(dispatch.getOutputs().begin(), dispatch.getOutputs().end());
    }
  }
};
} // namespace
