//===- RotaryTables.cpp - cos and sin per channel pair
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RotaryTables.h"
#include "Matchers.h"
#include "llmc/Reference/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

/// `type` with half the last dimension.
static RankedTensorType halfType(Value value) {
  Dims dims = getDims(value);
  dims.back() = *dims.back().constant() / 2;
  return makeTensorType(dims, elementTypeOf(value));
}

/// Whether no element depends on the position in the last dimension.
static bool isUniform(Value value) {
  Dims dims = getDims(value);
  return dims.empty() || dims.back().isConstant(1) || matchSplat(value).has_value();
}

static bool keepsLastDim(Operation *op) {
  Dims from = getDims(op->getOperand(0)), to = getDims(op->getResult(0));
  return !from.empty() && !to.empty() && from.back() == to.back();
}

/// f in [.., R] where `value` is a reshape to [.., 2 R] of f stacked with itself
/// on a new last dimension: concat or broadcast of [.., R, 1].
static Value matchStackedTwice(Value value) {
  auto reshape = value.getDefiningOp<ReshapeOp>();
  if (!reshape)
    return {};
  Dims stacked = getDims(reshape.getInput()), flat = getDims(value);
  if (stacked.size() < 2 || !stacked.back().isConstant(2) ||
      flat.back() != stacked[stacked.size() - 2] * 2)
    return {};
  Value column;
  if (auto broadcast = reshape.getInput().getDefiningOp<BroadcastOp>())
    column = broadcast.getInput();
  auto concat = reshape.getInput().getDefiningOp<ConcatOp>();
  if (concat && concat.getInputs().size() == 2 && concat.getInputs()[0] == concat.getInputs()[1])
    column = concat.getInputs()[0];
  if (!column || !getDims(column).back().isConstant(1))
    return {};
  return column;
}

/// Whether a constant's rows repeat.
static bool constantRepeats(ConstantOp constant, Repetition repetition) {
  FailureOr<reference::Tensor> values = reference::Tensor::fromAttr(constant.getValue());
  if (failed(values) || values->rank() == 0)
    return false;
  int64_t size = values->shape().back(), half = size / 2;
  for (int64_t row = 0; row < values->numElements(); row += size)
    for (int64_t r = 0; r < half; ++r) {
      bool halves = repetition == Repetition::Halves;
      int64_t first = row + (halves ? r : 2 * r), second = row + (halves ? r + half : 2 * r + 1);
      if (values->getFloat(first) != values->getFloat(second))
        return false;
    }
  return true;
}

Value RotaryTables::unrepeat(Value value, Repetition repetition) {
  auto [entry, isNew] = unrepeated.try_emplace({value, int(repetition)}, Value());
  if (!isNew)
    return entry->second;
  OpBuilder::InsertionGuard guard(builder);
  Value result;
  std::optional<int64_t> size =
      getDims(value).empty() ? std::nullopt : getDims(value).back().constant();
  if (value.getDefiningOp() && size && *size % 2 == 0)
    result = makeUnrepeated(value, repetition);
  return unrepeated[{value, int(repetition)}] = result;
}

Value RotaryTables::makeUnrepeated(Value value, Repetition repetition) {
  Operation *op = value.getDefiningOp();
  int64_t rank = getDims(value).size();
  if (auto concat = dyn_cast<ConcatOp>(op);
      concat && repetition == Repetition::Halves && int64_t(concat.getAxis()) == rank - 1) {
    ValueRange pieces = concat.getInputs();
    return pieces.size() == 2 && pieces[0] == pieces[1] ? pieces[0] : Value();
  }
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    if (!constantRepeats(constant, repetition))
      return {};
    builder.setInsertionPointAfter(op);
    SmallVector<int64_t> steps(rank, 1);
    steps.back() = repetition == Repetition::Interleaved ? 2 : 1;
    Dims starts(rank, DimExpr(0));
    return SliceOp::create(builder, op->getLoc(), halfType(value), value,
                           makeExprs(builder.getContext(), starts), steps);
  }
  if (repetition == Repetition::Interleaved)
    if (Value column = matchStackedTwice(value)) {
      builder.setInsertionPointAfter(op);
      return ReshapeOp::create(builder, op->getLoc(), halfType(value), column);
    }
  // Operations that treat each position of the last dimension alike.
  bool isTransparent = isa<UnaryOp, CastOp, BinaryOp>(op);
  if (isa<ReshapeOp, BroadcastOp>(op))
    isTransparent = keepsLastDim(op);
  if (auto transpose = dyn_cast<TransposeOp>(op))
    isTransparent = transpose.getPermutation().back() == rank - 1;
  if (auto slice = dyn_cast<SliceOp>(op))
    isTransparent = keepsLastDim(op) && slice.getSteps().back() == 1 &&
                    parseExprs(slice.getStarts()).back().isConstant(0);
  if (auto gather = dyn_cast<GatherOp>(op))
    isTransparent = gather.getAxis() + 1 < getDims(gather.getInput()).size();
  if (auto embedding = dyn_cast<EmbeddingOp>(op))
    isTransparent = !embedding.getBits();
  if (!isTransparent)
    return {};
  IRMapping mapping;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    bool isIndex = index == 1 && isa<GatherOp, EmbeddingOp>(op);
    if (isIndex || isUniform(operand))
      continue;
    Value half = unrepeat(operand, repetition);
    if (!half)
      return {};
    mapping.map(operand, half);
  }
  if (mapping.getValueMap().empty())
    return {};
  builder.setInsertionPointAfter(op);
  // A splat of the full length would broadcast the half back to it.
  for (Value operand : op->getOperands()) {
    if (mapping.contains(operand) || !isa<BinaryOp>(op) || getDims(operand).empty() ||
        getDims(operand).back().isConstant(1))
      continue;
    Dims starts(getDims(operand).size(), DimExpr(0));
    SmallVector<int64_t> steps(starts.size(), 1);
    mapping.map(operand, SliceOp::create(builder, op->getLoc(), halfType(operand), operand,
                                         makeExprs(builder.getContext(), starts), steps)
                             .getResult());
  }
  Operation *clone = builder.clone(*op, mapping);
  clone->getResult(0).setType(halfType(value));
  return clone->getResult(0);
}

Value RotaryTables::pairTable(Value table, Repetition repetition, int64_t headAxis) {
  Value half = repetition == Repetition::None ? table : unrepeat(table, repetition);
  if (!half || !getDims(half).back().constant())
    return {};
  Dims dims = getDims(half);
  if (dims.size() == 4 && dims[headAxis].isConstant(1))
    dims.erase(dims.begin() + headAxis);
  else if (dims.size() == 2)
    dims.insert(dims.begin(), DimExpr(1));
  if (dims.size() != 3)
    return {};
  RankedTensorType type = makeTensorType(dims, elementTypeOf(half));
  if (half.getType() == type)
    return half;
  Value &made = tables[{half, type}];
  if (made)
    return made;
  auto inner = half.getDefiningOp<ReshapeOp>();
  Value source = inner ? inner.getInput() : half;
  if (source.getType() == type)
    return made = source;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(half);
  return made = ReshapeOp::create(builder, half.getLoc(), type, source);
}
