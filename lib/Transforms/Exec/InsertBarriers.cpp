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
  void runOnOperation() override { visit(getOperation().getBody().front()); }

private:
  void visit(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (auto loop = dyn_cast<exec::LoopOp>(op)) {
        // Iterations begin alike: with nothing unfinished.
        finish(loop);
        visit(loop.getBody().front());
        finish(loop.getBody().front().getTerminator());
      }
      if (!isa<exec::DispatchOp, exec::DefineSizeOp>(op))
        continue;
      if (dependsOnUnfinished(&op))
        finish(&op);
      if (isa<exec::DispatchOp>(op))
        start(&op);
    }
  }

  bool dependsOnUnfinished(Operation *op) {
    bool depends = llvm::any_of(op->getOperands(), [&](Value input) {
      return llvm::any_of(exec::getSources(input),
                          [&](Value source) { return written.contains(source); });
    });
    // What overwrites a state or a carried value waits for those that read what it held.
    if (Value state = exec::getOverwrittenState(op))
      depends |= read.contains(state);
    for (Value result : op->getResults())
      if (std::optional<exec::LoopPlace> place = exec::getLoopPlace(result))
        depends |= place->isCarried() && read.contains(exec::getBuffer(result));
    return depends;
  }

  void start(Operation *dispatch) {
    isUnfinished = true;
    written.insert(dispatch->result_begin(), dispatch->result_end());
    for (Value input : dispatch->getOperands())
      read.insert(isa<llm::StateType>(input.getType()) ? input : exec::getBuffer(input));
  }

  /// All dispatches so far are done in front of `op`.
  void finish(Operation *op) {
    if (!isUnfinished)
      return;
    OpBuilder builder(op);
    exec::BarrierOp::create(builder, op->getLoc());
    isUnfinished = false;
    written.clear();
    read.clear();
  }

  // Since the last barrier.
  bool isUnfinished = false;
  DenseSet<Value> written, read;
};

} // namespace
