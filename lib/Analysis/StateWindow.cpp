//===- StateWindow.cpp - how far back a state of tokens is read
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/StateWindow.h"
#include "llmc/Dialect/Exec/IR/ExecOps.h"

using namespace mlir;
using namespace llmc;

/// The widest window in which `program` reads the state; nullopt where it reads all of it.
static std::optional<int64_t> widestWindow(exec::ProgramOp program, Value state) {
  int64_t widest = 1; // a state that nothing reads
  SmallVector<Value> versions = {state};
  while (!versions.empty()) {
    Value version = versions.pop_back_val();
    for (OpOperand &use : version.getUses()) {
      auto dispatch = dyn_cast<exec::DispatchOp>(use.getOwner());
      if (!dispatch) {
        if (isa<exec::ReturnOp>(use.getOwner()))
          continue;
        return std::nullopt;
      }
      auto kernel =
          SymbolTable::lookupNearestSymbolFrom<exec::KernelOp>(program, dispatch.getKernelAttr());
      unsigned input = use.getOperandNumber() - dispatch.getInputs().getBeginOperandIndex();
      for (Operation *reader : kernel.getBody().getArgument(input).getUsers()) {
        if (isa<llm::StateAppendOp>(reader)) {
          llvm::append_range(versions, dispatch.getOutputs());
          continue;
        }
        auto attention = dyn_cast<llm::AttentionOp>(reader);
        if (!attention || int64_t(attention.getWindow()) <= 0)
          return std::nullopt;
        widest = std::max(widest, int64_t(attention.getWindow()));
      }
    }
  }
  return widest;
}

int64_t llmc::getStateWindow(ModuleOp module, StringRef name) {
  int64_t widest = 1;
  for (auto program : module.getOps<exec::ProgramOp>())
    for (auto [i, argument] : llvm::enumerate(program.getBody().getArguments())) {
      if (!isa<llm::StateType>(argument.getType()) ||
          cast<StringAttr>(program.getInputNames()[i]).getValue() != name)
        continue;
      std::optional<int64_t> window = widestWindow(program, argument);
      if (!window)
        return 0;
      widest = std::max(widest, *window);
    }
  return widest;
}
