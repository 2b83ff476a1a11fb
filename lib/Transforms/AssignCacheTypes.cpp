//===- AssignCacheTypes.cpp - the type that keys and values are stored as
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %1 = llm.state_append %state, %k, %lens : !llm.state<tensor<2x16xf32>>, ..
//     => %1 = llm.state_append %state, %k, %lens : !llm.state<tensor<2x16xf16>>, ..
//
// Only the state's type changes: appending rounds to it, and attention and loads read it
// as the floats that they computed with before.
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_ASSIGNCACHETYPES
#include "llmc/Transforms/Passes.h.inc"

namespace {

struct AssignCacheTypes : impl::AssignCacheTypesBase<AssignCacheTypes> {
  using AssignCacheTypesBase::AssignCacheTypesBase;

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    Builder builder(&getContext());
    Type type = llvm::StringSwitch<Type>(cacheType)
                    .Case("f32", builder.getF32Type())
                    .Case("f16", builder.getF16Type())
                    .Case("bf16", builder.getBF16Type())
                    .Case("int8", builder.getI8Type())
                    .Default(Type());
    if (!type) {
      func.emitError("unknown cache type '") << cacheType << "'; expected f32, f16, bf16 or int8";
      return signalPassFailure();
    }
    if (func.isExternal())
      return;
    for (BlockArgument argument : func.getArguments()) {
      auto state = dyn_cast<StateType>(argument.getType());
      // Tensors that keep their size, and doubles, stay what they are.
      if (!state || state.getFixed() || !isa<FloatType>(state.getToken().getElementType()) ||
          state.getToken().getElementType().isF64())
        continue;
      auto token = RankedTensorType::get(state.getToken().getShape(), type);
      setType(argument, StateType::get(token));
    }
    func.setFunctionType(builder.getFunctionType(func.front().getArgumentTypes(),
                                                 func.front().getTerminator()->getOperandTypes()));
  }

private:
  /// Of the state and of all states that follow from it.
  static void setType(BlockArgument argument, StateType type) {
    argument.setType(type);
    SmallVector<Value> pending{argument};
    while (!pending.empty())
      for (Operation *user : pending.pop_back_val().getUsers())
        if (auto append = dyn_cast<StateAppendOp>(user)) {
          append.getResult().setType(type);
          pending.push_back(append.getResult());
        }
  }
};

} // namespace
} // namespace llmc
