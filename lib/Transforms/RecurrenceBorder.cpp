//===- RecurrenceBorder.cpp - where a recurrence begins and ends ----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RecurrenceBorder.h"
#include "TokenRows.h"
#include <limits>

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

llvm::SetVector<Value> llmc::collectDependents(func::FuncOp func, Value from,
                                               ArrayRef<Value> ends) {
  llvm::SetVector<Value> dependents;
  dependents.insert(from);
  Block::iterator begin = func.front().begin();
  if (Operation *op = from.getDefiningOp())
    begin = std::next(op->getIterator());
  for (Operation &op : llvm::make_range(begin, func.front().end())) {
    if (llvm::any_of(op.getOperands(), [&](Value operand) {
          return dependents.contains(operand) && !llvm::is_contained(ends, operand);
        }))
      dependents.insert(op.result_begin(), op.result_end());
    if (dependents.size() > kMaxRecurrenceOperations)
      break;
  }
  return dependents;
}

int64_t llmc::maxChannels(const RecurrenceBorder &border) {
  if (!border.past)
    return std::numeric_limits<int32_t>::max();
  Dims dims = getDims(border.past);
  int64_t heads = dims.size() == 4 ? *dims[1].constant() : 1;
  return heads * std::max(*dims[dims.size() - 2].constant(), *dims.back().constant());
}

bool llmc::movesState(Operation *op) {
  return isa<ReshapeOp, TransposeOp, ConcatOp, ScatterNDOp, ScatterElementsOp, CastOp>(op);
}

/// Whether the function's results depend on the source only through `output` and the state,
/// and on the state, unless it is just returned, only through `output`.
static bool isCut(func::FuncOp func, const RecurrenceBorder &border, Value output) {
  Operation *terminator = func.front().getTerminator();
  auto returns = [&](const llvm::SetVector<Value> &values, const DenseSet<Value> &allowed) {
    return llvm::any_of(terminator->getOperands(), [&](Value value) {
      return values.contains(value) && !allowed.contains(value);
    });
  };
  DenseSet<Value> kept{output};
  if (border.state)
    kept.insert(border.state);
  if (returns(collectDependents(func, border.source, {output, border.state}), kept))
    return false;
  if (!border.state)
    return true;
  llvm::SetVector<Value> behindState = collectDependents(func, border.state, output);
  for (Value value : behindState)
    if (Operation *op = value.getDefiningOp();
        op && movesState(op) && value != border.state &&
        llvm::any_of(op->getOperands(), [&](Value v) { return v != output && kept.contains(v); }))
      kept.insert(value);
  return !returns(behindState, kept);
}

SmallVector<Value> llmc::findRecurrenceOutputs(func::FuncOp func, const RecurrenceBorder &border) {
  // Some tensors behind the output are cuts, too.
  constexpr size_t kMaxOutputs = 3, kMaxTried = 64;
  SmallVector<Value> outputs;
  size_t tried = 0;
  for (Value value : collectDependents(func, border.source)) {
    if (value == border.source || value == border.state ||
        !findTokenRows(value, border.batch, border.tokens, maxChannels(border)))
      continue;
    if (isCut(func, border, value))
      outputs.push_back(value);
    if (outputs.size() == kMaxOutputs || ++tried == kMaxTried)
      break;
  }
  return outputs;
}
