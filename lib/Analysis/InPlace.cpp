//===- InPlace.cpp - which inputs a kernel's result may be written over
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/InPlace.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

/// Whether element i of `operand`, seen row-major, belongs to element i of `result`:
/// broadcasting repeats nothing.
static bool hasEqualDims(Value operand, Value result) {
  Dims dims = getDims(operand), whole = getDims(result);
  if (dims.size() > whole.size())
    return false;
  size_t missing = whole.size() - dims.size();
  return llvm::all_of(ArrayRef(whole).take_front(missing),
                      [](const DimExpr &dim) { return dim.isConstant(1); }) &&
         llvm::equal(dims, ArrayRef(whole).drop_front(missing));
}

/// Operations that read a row of their first operand before they write any of it, or each
/// element of it before its own place is written.
static bool isRowOp(Operation *op) {
  return isa<RMSNormOp, LayerNormOp, SoftmaxOp, CumulativeOp, ScatterElementsOp, ScatterNDOp>(op);
}

/// Whether what is known of the operation's result holds for `operand`, too: it is read at
/// the position that is about to be written, or within the row.
static bool isReadInPlace(OpOperand &operand, Value root) {
  Operation *op = operand.getOwner();
  if (isa<ReshapeOp>(op))
    return true;
  if (!hasEqualDims(operand.get(), op->getResult(0)))
    return false;
  // Inside a kernel, a row would be computed anew for each of its elements.
  if (isRowOp(op))
    return op->getResult(0) == root && operand.getOperandNumber() == 0;
  return isa<UnaryOp, BinaryOp, CompareOp, SelectOp, CastOp, BitcastOp, BroadcastOp>(op);
}

static unsigned elementBits(Type type) {
  return std::max(8u, cast<RankedTensorType>(type).getElementTypeBitWidth());
}

SmallVector<BlockArgument> llmc::getOverwritableArguments(Value result) {
  if (!isa<RankedTensorType>(result.getType()))
    return {};
  llvm::DenseSet<Value> inPlace, elsewhere;
  SmallVector<std::pair<Value, bool>> worklist = {{result, true}};
  while (!worklist.empty()) {
    auto [value, isInPlace] = worklist.pop_back_val();
    if (!(isInPlace ? inPlace : elsewhere).insert(value).second)
      continue;
    Operation *op = value.getDefiningOp();
    if (!op)
      continue;
    // The product is left at the result's place before what follows it is computed.
    if (isa<MatmulOp>(op))
      return {};
    for (OpOperand &operand : op->getOpOperands())
      if (isa<RankedTensorType>(operand.get().getType()))
        worklist.push_back({operand.get(), isInPlace && isReadInPlace(operand, result)});
  }
  SmallVector<BlockArgument> arguments;
  for (BlockArgument argument : result.getParentBlock()->getArguments())
    if (inPlace.contains(argument) && !elsewhere.contains(argument) && argument != result &&
        elementBits(argument.getType()) == elementBits(result.getType()))
      arguments.push_back(argument);
  return arguments;
}
