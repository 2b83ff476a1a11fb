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

/// `value`'s type with half of dimension `axis`.
static RankedTensorType halfType(Value value, int64_t axis) {
  Dims dims = getDims(value);
  dims[axis] = *dims[axis].constant() / 2;
  return makeTensorType(dims, elementTypeOf(value));
}

/// Whether no element depends on the position in dimension `axis`, which an operand of a
/// smaller rank may not have (then it is negative).
static bool isUniform(Value value, int64_t axis) {
  return axis < 0 || getDims(value)[axis].isConstant(1) || matchSplat(value).has_value();
}

/// `value`, of twice what is kept along `axis`: its first half, or its even positions.
static Value sliceHalf(OpBuilder &builder, Location loc, Value value, int64_t axis,
                       Repetition repetition) {
  int64_t rank = getDims(value).size();
  SmallVector<int64_t> steps(rank, 1);
  steps[axis] = repetition == Repetition::Interleaved ? 2 : 1;
  return SliceOp::create(builder, loc, halfType(value, axis), value,
                         makeExprs(builder.getContext(), Dims(rank, DimExpr(0))), steps);
}

/// f in [.., R] where `value` is a reshape to [.., 2 R] of f stacked with itself
/// on a new last dimension: concat or broadcast of [.., R, 1], units behind it aside.
static Value matchStackedTwice(Value value) {
  auto reshape = value.getDefiningOp<ReshapeOp>();
  if (!reshape)
    return {};
  Dims stacked = getDims(reshape.getInput()), flat = getDims(value);
  size_t twice = stacked.size();
  while (twice > 0 && stacked[twice - 1].isConstant(1))
    --twice;
  if (twice < 2 || !stacked[--twice].isConstant(2) || flat.back() != stacked[twice - 1] * 2)
    return {};
  Value column;
  if (auto broadcast = reshape.getInput().getDefiningOp<BroadcastOp>())
    column = broadcast.getInput();
  auto concat = reshape.getInput().getDefiningOp<ConcatOp>();
  if (concat && concat.getInputs().size() == 2 && concat.getInputs()[0] == concat.getInputs()[1])
    column = concat.getInputs()[0];
  stacked[twice] = 1;
  return column && getDims(column) == stacked ? column : Value();
}

/// Whether a constant repeats along `axis`.
static bool constantRepeats(ConstantOp constant, Repetition repetition, int64_t axis) {
  FailureOr<reference::Tensor> values = reference::Tensor::fromAttr(constant.getValue());
  if (failed(values) || values->rank() <= axis)
    return false;
  int64_t size = values->dim(axis), half = size / 2, inner = 1;
  for (int64_t behind = axis + 1; behind < values->rank(); ++behind)
    inner *= values->dim(behind);
  for (int64_t row = 0; row < values->numElements(); row += size * inner)
    for (int64_t r = 0; r < half; ++r)
      for (int64_t i = 0; i < inner; ++i) {
        bool halves = repetition == Repetition::Halves;
        int64_t first = halves ? r : 2 * r, second = halves ? r + half : 2 * r + 1;
        if (values->getFloat(row + first * inner + i) != values->getFloat(row + second * inner + i))
          return false;
      }
  return true;
}

/// Whether both positions of each pair read the same elements: where their indices differ,
/// the input was broadcast. This is how tracers write a repetition of elements.
static bool gathersPairs(GatherNDOp gather, Repetition repetition) {
  auto constant = gather.getIndices().getDefiningOp<ConstantOp>();
  auto broadcast = gather.getInput().getDefiningOp<BroadcastOp>();
  if (!constant || gather.getBatchDims() != 0)
    return false;
  FailureOr<reference::Tensor> indices = reference::Tensor::fromAttr(constant.getValue());
  if (failed(indices) || indices->rank() != 2)
    return false;
  Dims from = getDims(gather.getInput());
  Dims source = broadcast ? getDims(broadcast.getInput()) : from;
  int64_t rows = indices->dim(0), columns = indices->dim(1);
  int64_t lead = from.size() - source.size();
  auto matters = [&](int64_t axis) {
    return axis >= lead && (!source[axis - lead].isConstant(1) || from[axis].isConstant(1));
  };
  bool halves = repetition == Repetition::Halves;
  for (int64_t r = 0; r < rows / 2; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      int64_t first = halves ? r : 2 * r, second = halves ? r + rows / 2 : 2 * r + 1;
      if (matters(c) &&
          indices->getInt(first * columns + c) != indices->getInt(second * columns + c))
        return false;
    }
  return true;
}

Value RotaryTables::unrepeat(Value value, Repetition repetition, int64_t axis) {
  auto [entry, isNew] = unrepeated.try_emplace({value, int(repetition), axis}, Value());
  if (!isNew)
    return entry->second;
  OpBuilder::InsertionGuard guard(builder);
  Value result;
  std::optional<int64_t> size = getDims(value)[axis].constant();
  if (value.getDefiningOp() && size && *size % 2 == 0)
    result = makeUnrepeated(value, repetition, axis);
  return unrepeated[{value, int(repetition), axis}] = result;
}

/// Which dimension of `op`'s first operand is dimension `axis` of its result, all of it and in
/// order, where the operation treats each position of it alike.
static std::optional<int64_t> operandAxis(Operation *op, int64_t axis) {
  Dims from = getDims(op->getOperand(0)), to = getDims(op->getResult(0));
  int64_t lead = int64_t(to.size()) - int64_t(from.size());
  if (isa<UnaryOp, CastOp, BinaryOp>(op))
    return axis - lead;
  if (isa<BroadcastOp>(op))
    return axis >= lead && from[axis - lead] == to[axis] ? std::optional(axis - lead)
                                                         : std::nullopt;
  if (isa<ReshapeOp>(op)) {
    DimExpr before = product(ArrayRef(to).take_front(axis)), prefix = 1;
    for (auto [index, dim] : llvm::enumerate(from)) {
      if (prefix == before && dim == to[axis])
        return int64_t(index);
      prefix = prefix * dim;
    }
    return std::nullopt;
  }
  if (auto transpose = dyn_cast<TransposeOp>(op))
    return transpose.getPermutation()[axis];
  if (auto slice = dyn_cast<SliceOp>(op)) {
    bool isWhole = from[axis] == to[axis] && slice.getSteps()[axis] == 1 &&
                   parseExprs(slice.getStarts())[axis].isConstant(0);
    return isWhole ? std::optional(axis) : std::nullopt;
  }
  if (auto gather = dyn_cast<GatherOp>(op)) {
    int64_t gathered = gather.getAxis(), ids = getDims(gather.getIndices()).size();
    return axis >= gathered + ids ? std::optional(axis - ids + 1) : std::nullopt;
  }
  if (auto embedding = dyn_cast<EmbeddingOp>(op)) {
    bool isChannel = !embedding.getBits() && axis + 1 == int64_t(to.size());
    return isChannel ? std::optional(int64_t(from.size()) - 1) : std::nullopt;
  }
  return std::nullopt;
}

Value RotaryTables::makeUnrepeated(Value value, Repetition repetition, int64_t axis) {
  Operation *op = value.getDefiningOp();
  int64_t rank = getDims(value).size();
  if (auto concat = dyn_cast<ConcatOp>(op);
      concat && repetition == Repetition::Halves && int64_t(concat.getAxis()) == axis) {
    ValueRange pieces = concat.getInputs();
    return pieces.size() == 2 && pieces[0] == pieces[1] ? pieces[0] : Value();
  }
  builder.setInsertionPointAfter(op);
  if (auto constant = dyn_cast<ConstantOp>(op))
    return constantRepeats(constant, repetition, axis)
               ? sliceHalf(builder, op->getLoc(), value, axis, repetition)
               : Value();
  if (auto gather = dyn_cast<GatherNDOp>(op);
      gather && axis == 0 && gathersPairs(gather, repetition)) {
    Value indices = sliceHalf(builder, op->getLoc(), gather.getIndices(), 0, repetition);
    return GatherNDOp::create(builder, op->getLoc(), halfType(value, axis), gather.getBatchDims(),
                              gather.getInput(), indices);
  }
  if (repetition == Repetition::Interleaved && axis + 1 == rank)
    if (Value column = matchStackedTwice(value))
      return ReshapeOp::create(builder, op->getLoc(), halfType(value, axis), column);
  std::optional<int64_t> first = operandAxis(op, axis);
  if (!first)
    return {};
  auto axisOf = [&](Value operand) {
    return isa<BinaryOp>(op) ? axis - (rank - int64_t(getDims(operand).size())) : *first;
  };
  IRMapping mapping;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    bool isIndex = index == 1 && isa<GatherOp, EmbeddingOp>(op);
    if (isIndex || isUniform(operand, axisOf(operand)))
      continue;
    Value half = unrepeat(operand, repetition, axisOf(operand));
    if (!half)
      return {};
    mapping.map(operand, half);
  }
  if (mapping.getValueMap().empty())
    return {};
  builder.setInsertionPointAfter(op);
  // A splat of the full length would broadcast the half back to it.
  for (Value operand : op->getOperands())
    if (!mapping.contains(operand) && isa<BinaryOp>(op) && axisOf(operand) >= 0 &&
        !getDims(operand)[axisOf(operand)].isConstant(1))
      mapping.map(operand,
                  sliceHalf(builder, op->getLoc(), operand, axisOf(operand), Repetition::Halves));
  Operation *clone = builder.clone(*op, mapping);
  clone->getResult(0).setType(halfType(value, axis));
  return clone->getResult(0);
}

Value RotaryTables::negated(Value sin) {
  Value &made = opposites[sin];
  if (!made) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfterValue(sin);
    made = UnaryOp::create(builder, sin.getLoc(), sin.getType(), UnaryKind::neg, sin);
  }
  return made;
}

Value RotaryTables::pairTable(Value table, Repetition repetition, int64_t headAxis) {
  int64_t rank = getDims(table).size();
  Value half = table;
  if (repetition != Repetition::None)
    half = rank == 0 ? Value() : unrepeat(table, repetition, rank - 1);
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
