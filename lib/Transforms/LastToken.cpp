//===- LastToken.cpp - logits of the last token only ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   slice(linear(norm(x)))  =>  linear(norm(slice(x)))
//   slice(attention(q, states, past))  =>  attention(slice(q), states, past + seq - 1)
//
// A reverse walk finds the operations whose results nothing but the slice needs
// and that treat tokens alike; then they are cloned behind slices of what comes
// into them. Tokens lie along one dimension, or are merged with the batch.
//
//===----------------------------------------------------------------------===//
#include "LastToken.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace llmc {

using llm::Dims;
using llm::getDims;

namespace {

/// Where a value's tokens are: dimension `axis`, of size seq or batch * seq.
struct Layout {
  int64_t axis;
  bool isMerged = false;
  bool operator==(const Layout &) const = default;
};

class LastTokenRewriter {
public:
  LastTokenRewriter(const DimExpr &batch, const DimExpr &seq)
      : batch(batch), seq(seq), merged(batch * seq) {}

  Value run(Value value) {
    layouts[value] = {1};
    collect(value);
    rebuild(value.getParentBlock());
    return sliced[value];
  }

private:
  using Operands = SmallVector<std::pair<unsigned, Layout>>;

  Type slicedType(Value value) {
    Dims dims = getDims(value);
    Layout layout = layouts.lookup(value);
    dims[layout.axis] = layout.isMerged ? batch : DimExpr(1);
    return llm::makeTensorType(dims, cast<RankedTensorType>(value.getType()).getElementType());
  }

  /// The dimension of `dims` whose size is seq and that `before` elements precede.
  std::optional<Layout> findAxis(ArrayRef<DimExpr> dims, const DimExpr &before) {
    DimExpr prefix = 1;
    for (auto [axis, dim] : llvm::enumerate(dims)) {
      if (prefix == before && dim == seq)
        return Layout{int64_t(axis)};
      prefix = prefix * dim;
    }
    return std::nullopt;
  }

  std::optional<Operands> reshapeOperand(llm::ReshapeOp op, Layout layout) {
    Dims result = getDims(op.getResult()), input = getDims(op.getInput());
    DimExpr before = llm::product(ArrayRef(result).take_front(layout.axis));
    bool isInputMerged = !input.empty() && input[0] == merged;
    if (layout.isMerged || before == batch) {
      if (isInputMerged)
        return Operands{{0, Layout{0, true}}};
      before = batch;
    }
    std::optional<Layout> found = findAxis(input, before);
    return found ? std::optional(Operands{{0, *found}}) : std::nullopt;
  }

  /// Which operands of `op` have tokens where, if its result has them at
  /// `layout`; nullopt where the operation does not treat tokens alike.
  std::optional<Operands> operandLayouts(Operation *op, Layout layout) {
    int64_t rank = cast<RankedTensorType>(op->getResult(0).getType()).getRank();
    if (isa<llm::LinearOp, llm::RMSNormOp, llm::LayerNormOp>(op))
      return layout.axis < rank - 1 ? std::optional(Operands{{0, layout}}) : std::nullopt;
    if (isa<llm::UnaryOp, llm::CastOp>(op))
      return Operands{{0, layout}};
    if (isa<llm::BinaryOp, llm::CompareOp, llm::SelectOp>(op)) {
      Operands operands;
      for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
        Dims dims = getDims(operand);
        int64_t axis = layout.axis - (rank - int64_t(dims.size()));
        if (axis >= 0 && !dims[axis].isConstant(1))
          operands.push_back({unsigned(index), Layout{axis, layout.isMerged}});
      }
      return operands;
    }
    if (auto transpose = dyn_cast<llm::TransposeOp>(op))
      return Operands{{0, Layout{transpose.getPermutation()[layout.axis], layout.isMerged}}};
    if (auto reduce = dyn_cast<llm::ReduceOp>(op))
      return reduce.getKeepdims() && !llvm::is_contained(reduce.getAxes(), layout.axis)
                 ? std::optional(Operands{{0, layout}})
                 : std::nullopt;
    if (auto slice = dyn_cast<llm::SliceOp>(op)) {
      bool isWhole = llm::parseExprs(slice.getStarts())[layout.axis].isConstant(0) &&
                     slice.getSteps()[layout.axis] == 1 &&
                     getDims(slice.getInput())[layout.axis] == getDims(slice)[layout.axis];
      return isWhole ? std::optional(Operands{{0, layout}}) : std::nullopt;
    }
    if (auto concat = dyn_cast<llm::ConcatOp>(op)) {
      if (int64_t(concat.getAxis()) == layout.axis)
        return std::nullopt;
      Operands operands;
      for (unsigned index = 0; index < concat->getNumOperands(); ++index)
        operands.push_back({index, layout});
      return operands;
    }
    if (auto reshape = dyn_cast<llm::ReshapeOp>(op))
      return reshapeOperand(reshape, layout);
    if (auto rotary = dyn_cast<llm::RotaryOp>(op); rotary && layout.axis == 2)
      return tokenOperands(op, {{0, layout}, {1, {1}}, {2, {1}}});
    // The query's position is told by the lengths; keys and values must be states, whose
    // tokens it does not tell.
    if (auto attention = dyn_cast<llm::AttentionOp>(op);
        attention && layout.axis == 2 && isa<llm::StateType>(attention.getKey().getType()) &&
        isa<llm::StateType>(attention.getValue().getType()))
      return attention.getBias() ? tokenOperands(op, {{0, layout}, {3, biasLayout(attention)}})
                                 : Operands{{0, layout}};
    return std::nullopt;
  }

  /// Those of the operands that have a token of their own for each of the result's.
  static Operands tokenOperands(Operation *op, const Operands &candidates) {
    Operands operands;
    for (const auto &[index, layout] : candidates)
      if (layout.axis >= 0 && !getDims(op->getOperand(index))[layout.axis].isConstant(1))
        operands.push_back({index, layout});
    return operands;
  }

  /// The bias broadcasts to [batch, head, query, key].
  static Layout biasLayout(llm::AttentionOp attention) {
    return {int64_t(getDims(attention.getBias()).size()) - 2};
  }

  /// Users come after definitions, so that a reverse walk has seen all of them.
  void collect(Value start) {
    for (Operation &op : llvm::reverse(*start.getParentBlock())) {
      if (op.getNumResults() != 1 || !layouts.contains(op.getResult(0)))
        continue;
      Value result = op.getResult(0);
      bool isOnlyForSlice = llvm::all_of(result.getUsers(), [&](Operation *user) {
        return operations.contains(user) || (result == start && isa<func::ReturnOp>(user));
      });
      std::optional<Operands> operands =
          isOnlyForSlice ? operandLayouts(&op, layouts.lookup(result)) : std::nullopt;
      // A value that is needed in two layouts would be sliced twice.
      bool agrees = operands && llvm::all_of(*operands, [&](const auto &entry) {
                      auto known = layouts.find(op.getOperand(entry.first));
                      return known == layouts.end() || known->second == entry.second;
                    });
      if (!agrees)
        continue;
      operations.insert(&op);
      for (const auto &[index, layout] : *operands)
        layouts[op.getOperand(index)] = layout;
    }
  }

  /// The last token of a value that is computed for all of them.
  Value sliceValue(OpBuilder &builder, Value value) {
    Location loc = value.getLoc();
    Type element = cast<RankedTensorType>(value.getType()).getElementType();
    Layout layout = layouts.lookup(value);
    Type type = slicedType(value);
    Dims dims = getDims(value);
    if (layout.isMerged) {
      dims[0] = seq;
      dims.insert(dims.begin(), batch);
      value = llm::ReshapeOp::create(builder, loc, llm::makeTensorType(dims, element), value);
      layout.axis = 1;
    }
    SmallVector<DimExpr> starts(dims.size(), DimExpr(0));
    starts[layout.axis] = seq - 1;
    dims[layout.axis] = 1;
    value = llm::SliceOp::create(builder, loc, llm::makeTensorType(dims, element), value,
                                 llm::makeExprs(builder.getContext(), starts),
                                 SmallVector<int64_t>(dims.size(), 1));
    if (layout.isMerged)
      value = llm::ReshapeOp::create(builder, loc, type, value);
    return value;
  }

  /// The only query left is the last one of the tokens.
  void skipTokens(llm::AttentionOp attention) {
    OpBuilder builder(attention);
    Location loc = attention.getLoc();
    Value lens = attention.getPastLens();
    Type element = cast<RankedTensorType>(lens.getType()).getElementType();
    Value skipped =
        llm::DimValuesOp::create(builder, loc, llm::makeTensorType({DimExpr(1)}, element),
                                 llm::makeExprs(builder.getContext(), ArrayRef<DimExpr>{seq - 1}));
    attention.getPastLensMutable().assign(
        llm::BinaryOp::create(builder, loc, lens.getType(), llm::BinaryKind::add, lens, skipped));
  }

  void rebuild(Block *block) {
    IRMapping mapping;
    OpBuilder builder(block->getParentOp()->getContext());
    auto take = [&](Value value) {
      Value result = sliceValue(builder, value);
      mapping.map(value, result);
      sliced[value] = result;
    };
    builder.setInsertionPointToStart(block);
    for (BlockArgument argument : block->getArguments())
      if (layouts.contains(argument))
        take(argument);
    for (Operation &op : llvm::make_early_inc_range(*block)) {
      builder.setInsertionPointAfter(&op);
      if (!operations.contains(&op)) {
        for (Value result : op.getResults()) // a recurrence has two
          if (layouts.contains(result))
            take(result);
        continue;
      }
      Value result = op.getResult(0);
      Operation *clone = builder.clone(op, mapping);
      clone->getResult(0).setType(slicedType(result));
      if (auto attention = dyn_cast<llm::AttentionOp>(clone))
        skipTokens(attention);
      sliced[result] = clone->getResult(0);
    }
  }

  DimExpr batch, seq, merged;
  llvm::MapVector<Value, Layout> layouts;
  llvm::SmallPtrSet<Operation *, 16> operations;
  llvm::DenseMap<Value, Value> sliced;
};

} // namespace

Value takeLastToken(Value value, const DimExpr &batch, const DimExpr &seq) {
  return LastTokenRewriter(batch, seq).run(value);
}

} // namespace llmc
