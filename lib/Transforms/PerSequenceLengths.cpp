//===- PerSequenceLengths.cpp - each sequence's own past in computed numbers
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %p = iota start past : [seq]               %p = past_lens + iota : [batch, seq]
//   %f = mul %inv_freq, %p : [1, seq, 8]   =>  %f = mul .. : [batch, 1, seq, 8]
//   %c = cos %f                                %c = cos %f
//   rotary %q, %c, ..                          rotary %q, reshape %c : [batch, seq, 8]
//
// In program order. The lifted form of a value without batch has its dimensions behind a
// new first one. An operation whose result has the batch already takes lifted operands in
// the place of the shared ones, with the batch where broadcasting aligns it.
//
//===----------------------------------------------------------------------===//
#include "PerSequenceLengths.h"
#include "IndexForms.h"
#include "SymbolSubstitution.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace llmc {

using llm::Dims;
using llm::getDims;
using llm::makeTensorType;

static Type elementTypeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

static bool hasSymbol(const DimExpr &expr, StringRef symbol) {
  bool found = false;
  expr.forEachSymbol([&](const std::string &name) { found |= name == symbol; });
  return found;
}

/// `form` = factor * symbol + rest, with a number as the factor.
static std::optional<std::pair<int64_t, DimExpr>> linearIn(const DimExpr &form, StringRef symbol) {
  auto at = [&](const DimExpr &value) {
    return form.substitute([&](const std::string &name) -> std::optional<DimExpr> {
      return name == symbol ? std::optional(value) : std::nullopt;
    });
  };
  DimExpr rest = at(0), factor = at(1) - rest;
  std::optional<int64_t> number = factor.constant();
  if (!number || form != rest + factor * DimExpr::symbol(symbol))
    return std::nullopt;
  return std::pair(*number, rest);
}

namespace {

class PerSequenceLengths {
public:
  PerSequenceLengths(func::FuncOp func, Value pastLens, const DimExpr &seq)
      : func(func), pastLens(pastLens), batch(getDims(pastLens)[0]), seq(seq),
        builder(func.getContext()) {}

  void run() {
    func.walk([&](llm::SliceOp slice) { unclamp(slice); });
    SmallVector<Operation *> operations;
    for (Operation &op : func.front().without_terminator())
      if (op.getNumResults() == 1 && isa<RankedTensorType>(op.getResult(0).getType()))
        operations.push_back(&op);
    for (Operation *op : operations)
      visit(op);
  }

private:
  void visit(Operation *op) {
    Value result = op->getResult(0);
    builder.setInsertionPointAfter(op);
    std::optional<DimExpr> form = forms.lookup(result);
    if (form && hasSymbol(*form, "past")) {
      if (Value counted = count(result, *form))
        replace(result, counted);
      return;
    }
    if (auto slice = dyn_cast<llm::SliceOp>(op); slice && dependsOnPast(op)) {
      if (Value rows = gatherRows(slice))
        replace(result, rows);
      return;
    }
    if (llvm::none_of(op->getOperands(), [&](Value operand) { return lifted.contains(operand); }))
      return;
    if (hasBatch(result))
      takeLiftedOperands(op);
    else if (Value value = lift(op))
      lifted[result] = value;
  }

  /// Rows of a table from `past` on are as many as there are tokens, where it has so many:
  /// behind its end the graph's sizes would not fit.
  void unclamp(llm::SliceOp slice) {
    DimExpr past = DimExpr::symbol("past");
    Dims starts = llm::parseExprs(slice.getStarts()), sizes = getDims(slice.getInput());
    for (auto [axis, size] : llvm::enumerate(sizes)) {
      DimExpr first = DimExpr::min(size, past);
      DimExpr count = DimExpr::max(0, DimExpr::min(size, past + seq) - first);
      if (!size.constant() || starts[axis] != first || getDims(slice.getResult())[axis] != count)
        continue;
      starts[axis] = past;
      slice.setStartsAttr(llm::makeExprs(func.getContext(), starts));
      replaceSize(count, seq);
    }
  }

  void replaceSize(const DimExpr &size, const DimExpr &by) {
    func.walk([&](Operation *op) {
      for (Value result : op->getResults())
        if (isa<RankedTensorType>(result.getType())) {
          Dims dims = getDims(result);
          llvm::replace(dims, size, by);
          result.setType(makeTensorType(dims, elementTypeOf(result)));
        }
    });
  }

  static bool dependsOnPast(Operation *op) {
    bool found = false;
    forEachValueSymbol(op, [&](const std::string &name) { found |= name == "past"; });
    return found;
  }

  bool hasBatch(Value value) const {
    Dims dims = getDims(value);
    return !dims.empty() && dims[0] == batch;
  }

  Dims liftedDims(ArrayRef<DimExpr> dims) const {
    Dims result{batch};
    result.append(dims.begin(), dims.end());
    return result;
  }

  /// `value[batch, ..]` in place of `shared`, now or where it meets the batch.
  void replace(Value shared, Value value) {
    if (hasBatch(shared))
      shared.replaceAllUsesWith(value);
    else
      lifted[shared] = value;
  }

  /// The integers `form` of `value`'s type behind a batch dimension, if that has none.
  Value count(Value value, const DimExpr &form) {
    Dims dims = hasBatch(value) ? getDims(value) : liftedDims(getDims(value));
    int64_t shift = hasBatch(value) ? 0 : 1;
    std::optional<std::pair<int64_t, DimExpr>> parts = linearIn(form, "past");
    if (!parts)
      return {};
    DimExpr rest = parts->second;
    Type element = elementTypeOf(value);
    Location loc = value.getLoc();
    Value result = scaledLengths(loc, parts->first, dims.size(), element);
    for (auto [axis, dim] : llvm::enumerate(getDims(value))) {
      std::optional<std::string> name = IndexForms::index(axis).asSymbol();
      if (!hasSymbol(rest, *name))
        continue;
      std::optional<std::pair<int64_t, DimExpr>> own = linearIn(rest, *name);
      if (!own)
        return {};
      rest = own->second;
      Dims line(dims.size(), DimExpr(1));
      line[axis + shift] = dim;
      Value iota = llm::IotaOp::create(builder, loc, makeTensorType(line, element), "0",
                                       std::to_string(own->first), axis + shift);
      result = add(loc, result, iota);
    }
    if (!rest.isConstant(0))
      result = add(loc, result,
                   llm::DimValuesOp::create(builder, loc, RankedTensorType::get({}, element),
                                            llm::makeExprs(builder.getContext(), rest)));
    Type type = makeTensorType(dims, element);
    return result.getType() == type ? result
                                    : Value(llm::BroadcastOp::create(builder, loc, type, result));
  }

  Value add(Location loc, Value lhs, Value rhs) {
    return llm::BinaryOp::create(builder, loc, llm::BinaryKind::add, lhs, rhs);
  }

  /// factor * past_lens as [batch, 1, ..].
  Value scaledLengths(Location loc, int64_t factor, int64_t rank, Type element) {
    Value lengths = pastLens;
    if (elementTypeOf(lengths) != element)
      lengths = llm::CastOp::create(builder, loc, makeTensorType(batch, element), lengths);
    if (factor != 1) {
      auto scalar = RankedTensorType::get({}, element);
      Value number = llm::ConstantOp::create(
          builder, loc,
          DenseElementsAttr::get(scalar, builder.getIntegerAttr(element, factor).getValue()));
      lengths = llm::BinaryOp::create(builder, loc, llm::BinaryKind::mul, lengths, number);
    }
    Dims dims(rank, DimExpr(1));
    dims[0] = batch;
    return llm::ReshapeOp::create(builder, loc, makeTensorType(dims, element), lengths);
  }

  /// A slice that begins at `past` in one dimension of a tensor that sequences share: each
  /// one's own rows.
  Value gatherRows(llm::SliceOp slice) {
    Dims starts = llm::parseExprs(slice.getStarts()), dims = getDims(slice.getResult());
    int64_t axis = -1;
    for (auto [d, start] : llvm::enumerate(starts))
      if (hasSymbol(start, "past")) {
        if (axis >= 0)
          return {};
        axis = d;
      }
    if (lifted.contains(slice.getInput()) || hasBatch(slice.getInput()) || axis < 0)
      return {};
    Location loc = slice.getLoc();
    Type i64 = builder.getI64Type();
    Value line = llm::IotaOp::create(builder, loc, makeTensorType(dims[axis], i64),
                                     starts[axis].str(), std::to_string(slice.getSteps()[axis]), 0);
    std::optional<DimExpr> form = forms.lookup(line);
    Value rows = count(line, *form);
    if (!rows)
      return {};
    // What the slice does in other dimensions, and all of this one.
    Dims box = dims;
    box[axis] = getDims(slice.getInput())[axis];
    starts[axis] = 0;
    SmallVector<int64_t> steps(slice.getSteps());
    steps[axis] = 1;
    Value input = slice.getInput();
    if (box != getDims(input))
      input = llm::SliceOp::create(builder, loc, makeTensorType(box, elementTypeOf(input)), input,
                                   llm::makeExprs(builder.getContext(), starts), steps);
    // [.., rows[batch, n], ..], the batch to the front
    Value gathered = llm::GatherOp::create(builder, loc, uint64_t(axis), input, rows);
    return batchToFront(loc, gathered, axis);
  }

  Value batchToFront(Location loc, Value value, int64_t axis) {
    if (axis == 0)
      return value;
    SmallVector<int64_t> permutation{axis};
    for (int64_t d = 0, rank = getDims(value).size(); d < rank; ++d)
      if (d != axis)
        permutation.push_back(d);
    return llm::TransposeOp::create(builder, loc, value, permutation);
  }

  /// The lifted form of a shared `operand` as [batch, .., its dimensions] of `rank`
  /// dimensions; null where one of its own would be in the batch's place.
  Value aligned(Value operand, int64_t rank) {
    Value value = lifted.lookup(operand);
    Dims own = getDims(operand), dims(rank, DimExpr(1));
    if (int64_t(own.size()) == rank && !own[0].isConstant(1))
      return {};
    llvm::copy(own, dims.end() - own.size());
    dims[0] = batch;
    RankedTensorType type = makeTensorType(dims, elementTypeOf(value));
    return value.getType() == type
               ? value
               : Value(llm::ReshapeOp::create(builder, value.getLoc(), type, value));
  }

  /// `op` has the batch from another operand: those that were shared get it, too.
  void takeLiftedOperands(Operation *op) {
    if (!isa<llm::BinaryOp, llm::CompareOp, llm::SelectOp, llm::BroadcastOp, llm::RotaryOp,
             llm::AttentionOp>(op))
      return;
    builder.setInsertionPoint(op);
    for (OpOperand &operand : op->getOpOperands()) {
      if (!lifted.contains(operand.get()))
        continue;
      // Tables of rotary have three dimensions, all other operands broadcast to the result.
      int64_t rank = isa<llm::RotaryOp>(op) ? 3 : getDims(op->getResult(0)).size();
      if (Value value = aligned(operand.get(), rank))
        operand.set(value);
    }
    auto broadcast = dyn_cast<llm::BroadcastOp>(op);
    if (broadcast && broadcast.getInput().getType() == broadcast.getType())
      broadcast.replaceAllUsesWith(broadcast.getInput());
  }

  /// `op` for each sequence; null where that is not known.
  Value lift(Operation *op) {
    Value result = op->getResult(0);
    RankedTensorType type = makeTensorType(liftedDims(getDims(result)), elementTypeOf(result));
    Location loc = op->getLoc();
    Value first = lifted.lookup(op->getOperand(0));
    if (isa<llm::UnaryOp, llm::CastOp, llm::BinaryOp, llm::CompareOp, llm::SelectOp>(op)) {
      IRMapping mapping;
      for (Value operand : op->getOperands())
        if (lifted.contains(operand))
          mapping.map(operand, aligned(operand, type.getRank()));
      Operation *clone = builder.clone(*op, mapping);
      clone->getResult(0).setType(type);
      return clone->getResult(0);
    }
    if (auto embedding = dyn_cast<llm::EmbeddingOp>(op)) {
      IRMapping mapping;
      mapping.map(embedding.getIds(), lifted.lookup(embedding.getIds()));
      Operation *clone = builder.clone(*op, mapping);
      clone->getResult(0).setType(type);
      return clone->getResult(0);
    }
    if (auto gather = dyn_cast<llm::GatherOp>(op)) {
      Value indices = lifted.lookup(gather.getIndices());
      if (first && indices)
        return {};
      if (first)
        return llm::GatherOp::create(builder, loc, gather.getAxis() + 1, first,
                                     gather.getIndices());
      Value gathered =
          llm::GatherOp::create(builder, loc, gather.getAxis(), gather.getInput(), indices);
      return batchToFront(loc, gathered, gather.getAxis());
    }
    if (isa<llm::ReshapeOp>(op))
      return llm::ReshapeOp::create(builder, loc, type, first);
    if (auto broadcast = dyn_cast<llm::BroadcastOp>(op))
      return llm::BroadcastOp::create(builder, loc, type,
                                      aligned(broadcast.getInput(), type.getRank()));
    if (auto transpose = dyn_cast<llm::TransposeOp>(op)) {
      SmallVector<int64_t> permutation{0};
      for (int64_t axis : transpose.getPermutation())
        permutation.push_back(axis + 1);
      return llm::TransposeOp::create(builder, loc, first, permutation);
    }
    if (auto slice = dyn_cast<llm::SliceOp>(op)) {
      Dims starts = liftedStarts(slice);
      SmallVector<int64_t> steps{1};
      llvm::append_range(steps, slice.getSteps());
      return llm::SliceOp::create(builder, loc, type, first,
                                  llm::makeExprs(builder.getContext(), starts), steps);
    }
    if (auto concat = dyn_cast<llm::ConcatOp>(op)) {
      SmallVector<Value> inputs;
      for (Value input : concat.getInputs())
        inputs.push_back(liftedOrSpread(loc, input));
      return llm::ConcatOp::create(builder, loc, concat.getAxis() + 1, inputs);
    }
    return {};
  }

  static Dims liftedStarts(llm::SliceOp slice) {
    Dims starts{DimExpr(0)};
    llvm::append_range(starts, llm::parseExprs(slice.getStarts()));
    return starts;
  }

  Value liftedOrSpread(Location loc, Value shared) {
    if (Value value = lifted.lookup(shared))
      return value;
    RankedTensorType type = makeTensorType(liftedDims(getDims(shared)), elementTypeOf(shared));
    return llm::BroadcastOp::create(builder, loc, type, shared);
  }

  func::FuncOp func;
  Value pastLens;
  DimExpr batch, seq;
  OpBuilder builder;
  IndexForms forms;
  DenseMap<Value, Value> lifted; ///< [batch] + dimensions of a value without batch
};

} // namespace

void usePerSequenceLengths(func::FuncOp func, Value pastLens, const DimExpr &seq) {
  PerSequenceLengths(func, pastLens, seq).run();
}

} // namespace llmc
