//===- Passes.td - passes from exec to exec -*- tablegen -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_EXEC_PASSES_TD
#define LLMC_TRANSFORMS_EXEC_PASSES_TD

include "mlir/Pass/PassBase.td"

class LLMC_ExecPass<string flag, string op> : Pass<flag, op> {
  let dependentDialects = ["::llmc::exec::ExecDialect"];
}

def RequireSizes : LLMC_ExecPass<"llmc-require-sizes", "::mlir::ModuleOp"> {
  let summary = "the equalities of sizes that a program takes for granted";
  let description = [{
    The rules of operations accept sizes of which nothing says that they differ: `float[k]`
    plus a constant of 192 elements is right where k is 192. Kernels rely on it, so that
    another k would make them read beyond a buffer. What the operations of a program's
    kernels, its views and its joins take for granted about symbols that inputs bind becomes
    its `requirements`, which a runtime checks before each step. Sizes that the data defines
    cannot be checked there; their bounds hold the buffers.
  }];
}

def InsertBarriers : LLMC_ExecPass<"llmc-insert-barriers", "::llmc::exec::ProgramOp"> {
  let summary = "a barrier before each dispatch that needs an earlier one's result";
  let description = [{
    Dispatches between two barriers run at the same time. A barrier is inserted
    exactly where a dispatch or a size reads what was written since the last one, or
    where a dispatch overwrites a state or a value that a loop carries that was read
    since then. A loop begins and each iteration ends with nothing unfinished.
  }];
}

def PlanArena : LLMC_ExecPass<"llmc-plan-arena", "::llmc::exec::ProgramOp"> {
  let summary = "offsets for the buffers of a program";
  let description = [{
    Sizes are upper bounds over the program's symbols; lifetimes are counted in
    barrier groups, since dispatches of one group run at the same time. What a size is
    read from lives until the end. A result may lie over an operand that dies where the
    kernel reads only the element, or the row, that it writes. Joined buffers live from
    the first of their parts on. What a loop reads from outside lives until its end, its
    stacks from its beginning on, and what it carries from the initial value on.

    **Requires** `llmc-insert-barriers`. **Ensures** `offsets` on every dispatch,
    `offset` on every join, `arena_bytes` and `lower_bound` on the program.
  }];
}

def PlanWeights : LLMC_ExecPass<"llmc-plan-weights", "::mlir::ModuleOp"> {
  let summary = "offsets for the weights in the artifact";
  let description = [{
    Sizes follow from the layout and the panel width of the target's microkernels. Large
    weights (64 KiB) have pages of their own, so that equal ones of other artifacts can
    take their place in memory.
    **Ensures** `offset` and `bytes` on every `exec.weight`.
  }];
  let options = [Option<"panelWidth", "panel-width", "int64_t", "32",
                        "Outputs per f32 panel">];
}

def VerifyPartition : LLMC_ExecPass<"llmc-verify-partition", "::mlir::ModuleOp"> {
  let summary = "check what may be left after the partition phase";
  let description = [{
    Only weights, kernels and programs stand at the top; every kernel is dispatched
    and every weight loaded; sizes use only symbols of their program, after their
    definition where data decides them.
  }];
}

def VerifyPlan : LLMC_ExecPass<"llmc-verify-plan", "::mlir::ModuleOp"> {
  let summary = "check the places and barriers that the plan phase chose";
  let description = [{
    Weights have aligned offsets and do not overlap. Every buffer that is neither
    output nor state has an aligned place inside `arena_bytes`, and no two that live
    in the same barrier group overlap, unless one is written in place of the other, which
    dies there and is read by nobody else. No dispatch reads a buffer written since the
    last barrier, overwrites a state read since then, or reads one that is overwritten;
    the same goes for values that a loop carries. Barriers stand before a loop and at the end of its body.
  }];
}

#endif // LLMC_TRANSFORMS_EXEC_PASSES_TD
