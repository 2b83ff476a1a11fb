//===- Places.cpp - where a plan puts the buffers of a program
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/Exec/IR/Places.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::exec;

std::optional<int64_t> exec::getArenaOffset(Value buffer) {
  if (auto join = buffer.getDefiningOp<JoinOp>())
    return join.getOffset() && int64_t(*join.getOffset()) >= 0
               ? std::optional(int64_t(*join.getOffset()))
               : std::nullopt;
  auto result = dyn_cast<OpResult>(buffer);
  std::optional<ArrayRef<int64_t>> offsets;
  size_t number = result ? result.getResultNumber() : 0;
  if (auto dispatch = buffer.getDefiningOp<DispatchOp>())
    offsets = dispatch.getOffsets();
  if (auto loop = buffer.getDefiningOp<LoopOp>(); loop && number >= loop.getNumCarried()) {
    offsets = loop.getOffsets();
    number -= loop.getNumCarried(); // those have the places of their initial values
  }
  if (!offsets)
    return {};
  int64_t offset = (*offsets)[number];
  return offset < 0 ? std::nullopt : std::optional(offset);
}

SmallVector<unsigned> exec::getOverwrittenInputs(DispatchOp dispatch) {
  SmallVector<unsigned> inputs;
  if (dispatch.getNumResults() != 1)
    return inputs;
  std::optional<int64_t> offset = getArenaOffset(dispatch.getResult(0));
  if (!offset)
    return inputs;
  for (OpOperand &input : dispatch.getInputsMutable())
    if (getArenaOffset(getBuffer(input.get())) == offset)
      inputs.push_back(input.getOperandNumber());
  return inputs;
}
