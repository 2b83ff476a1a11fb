//===- RecognizeLinearAttention.cpp - recurrent matrices ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where RecurrencePattern.h looks for recurrences: between matrices that a call is given
// and those that take their place, and, where a sequence starts at zeros, behind the
// exponentials of decays.
//
// Such a graph may hold for one chunk only (ChunkSizes.h); what replaces it has no such
// limit.
//
//===----------------------------------------------------------------------===//
#include "ChunkSizes.h"
#include "Matchers.h"
#include "RecurrencePattern.h"
#include "SampledComputation.h"
#include "SymbolSubstitution.h"
#include "TokenRows.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Transforms/RegionUtils.h"
#include <map>

using namespace mlir;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZELINEARATTENTION
#include "llmc/Transforms/Passes.h.inc"

/// Numbers of tokens in a call: symbols, the length that the model was exported for, and
/// one, for which there may be no dimension.
static SmallVector<DimExpr> tokenSizes(func::FuncOp func) {
  llvm::StringSet<> symbols;
  SmallVector<DimExpr> sizes;
  auto add = [&](const DimExpr &size) {
    if (!llvm::is_contained(sizes, size))
      sizes.push_back(size);
  };
  for (Type type : func.getArgumentTypes())
    addSymbols(type, symbols);
  std::vector<std::string> names;
  for (const auto &entry : symbols)
    names.push_back(entry.first().str());
  llvm::sort(names);
  for (const std::string &name : names)
    add(DimExpr::symbol(name));
  for (BlockArgument argument : func.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (type && type.getRank() == 2 && type.getElementType().isInteger() && !type.isDynamicDim(1))
      add(type.getDimSize(1));
  }
  add(1);
  return sizes;
}

/// `[B, H, Dk, Dv]` or `[B, Dk, Dv]` with only B unknown.
static bool isMatrixPerSequence(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !isRowElement(type.getElementType()) || (type.getRank() != 3 && type.getRank() != 4))
    return false;
  Dims dims = getDims(type);
  return llvm::all_of(ArrayRef(dims).drop_front(),
                      [](const DimExpr &dim) { return dim.constant() && *dim.constant() > 0; });
}

/// Matrices that a call is given: inputs, or a layer's part of one.
static SmallVector<Value> findPasts(func::FuncOp func) {
  SmallVector<Value> pasts;
  auto isPart = llvm::IsaPred<SliceOp, GatherOp, ReshapeOp, TransposeOp>;
  std::function<void(Value, int)> visit = [&](Value value, int depth) {
    if (isMatrixPerSequence(value))
      pasts.push_back(value);
    for (Operation *user : value.getUsers())
      if (depth > 0 && isPart(user) && user->getOperand(0) == value)
        visit(user->getResult(0), depth - 1);
  };
  for (BlockArgument argument : func.getArguments())
    if (auto type = dyn_cast<RankedTensorType>(argument.getType());
        type && isRowElement(type.getElementType()) && type.getRank() >= 3)
      visit(argument, /*depth=*/3);
  return pasts;
}

/// Slices of single tokens that all take the same channels become slices of those channels:
/// one tensor with a row per token is then between them and what computed it.
static void narrowSlicedRows(func::FuncOp func, const DimExpr &batch, const DimExpr &tokens) {
  SmallVector<Value> values;
  for (Operation &op : func.front())
    llvm::append_range(values, op.getResults());
  for (Value value : values) {
    std::optional<TokenRows> rows =
        findTokenRows(value, batch, tokens, std::numeric_limits<int32_t>::max());
    if (!rows || !rows->tokenAxis)
      continue;
    // Slices by what they take of the other dimensions.
    std::map<std::string, SmallVector<SliceOp>> groups;
    for (Operation *user : value.getUsers()) {
      auto slice = dyn_cast<SliceOp>(user);
      if (!slice || getDims(slice.getResult())[*rows->tokenAxis] == tokens)
        continue;
      Dims starts = parseExprs(slice.getStarts()), sizes = getDims(slice.getResult());
      starts[*rows->tokenAxis] = 0;
      sizes[*rows->tokenAxis] = tokens;
      bool isNarrow = sizes != getDims(value);
      if (isNarrow && llvm::all_of(slice.getSteps(), [](int64_t step) { return step == 1; }))
        groups[formatDims(starts) + formatDims(sizes)].push_back(slice);
    }
    for (auto &[text, slices] : groups) {
      if (slices.size() < 2)
        continue;
      OpBuilder builder(func.getContext());
      builder.setInsertionPointAfterValue(value);
      Dims starts = parseExprs(slices[0].getStarts()), sizes = getDims(slices[0].getResult());
      starts[*rows->tokenAxis] = 0;
      sizes[*rows->tokenAxis] = tokens;
      Value narrow = SliceOp::create(
          builder, value.getLoc(), makeTensorType(sizes, elementTypeOf(value)), value,
          makeExprs(func.getContext(), starts), SmallVector<int64_t>(sizes.size(), 1));
      for (SliceOp slice : slices) {
        Dims within(sizes.size(), DimExpr(0));
        within[*rows->tokenAxis] = parseExprs(slice.getStarts())[*rows->tokenAxis];
        slice.setStartsAttr(makeExprs(func.getContext(), within));
        slice.getInputMutable().assign(narrow);
      }
    }
  }
}

/// Whether `value` leaves the recurrence: it is returned, or put beside other layers'.
static bool isKept(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    return isa<func::ReturnOp>(user) || movesState(user);
  });
}

/// Whether `value` is an output of the function, perhaps beside those of other layers.
static bool isReturned(Value value, int depth = 3) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    return isa<func::ReturnOp>(user) ||
           (depth > 0 && movesState(user) && isReturned(user->getResult(0), depth - 1));
  });
}

/// One token, a few, one chunk; several chunks where the graph has no limit.
static SmallVector<int64_t> tokenCounts(func::FuncOp func, const DimExpr &tokens,
                                        std::optional<int64_t> chunk) {
  if (tokens.constant())
    return {*tokens.constant(), *tokens.constant()};
  return {1, 3, chunk ? *chunk : findPeriod(func, *tokens.asSymbol()).value_or(64) + 6};
}

/// The sizes that count sequences: the first ones of the inputs of whole numbers, or of
/// all inputs where there are none.
static SmallVector<DimExpr> batchSizes(func::FuncOp func, const DimExpr &tokens) {
  SmallVector<DimExpr> integers, all;
  for (BlockArgument argument : func.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || type.getRank() < 2)
      continue;
    DimExpr batch = getDims(type)[0];
    if (batch == tokens && !tokens.constant())
      continue;
    if (type.getElementType().isInteger() && !llvm::is_contained(integers, batch))
      integers.push_back(batch);
    if (!llvm::is_contained(all, batch))
      all.push_back(batch);
  }
  return integers.empty() ? all : integers;
}

/// What may take the past's place: returned ones first, then last ones.
static SmallVector<Value> findStates(func::FuncOp func, Value past) {
  constexpr size_t kMaxStates = 4;
  SmallVector<Value> states;
  for (Value value : collectDependents(func, past))
    if (value != past && value.getType() == past.getType() && isKept(value))
      states.push_back(value);
  std::reverse(states.begin(), states.end());
  llvm::stable_sort(states, [](Value a, Value b) { return isReturned(a) && !isReturned(b); });
  states.truncate(std::min(states.size(), kMaxStates));
  return states;
}

namespace {

struct RecognizeLinearAttention : impl::RecognizeLinearAttentionBase<RecognizeLinearAttention> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isDeclaration())
      return;
    for (const DimExpr &tokens : tokenSizes(func))
      recognizeFor(func, tokens);
  }

  void recognizeFor(func::FuncOp func, const DimExpr &tokens) {
    SmallVector<Value> pasts = findPasts(func);
    // The limit of one chunk only goes if what set it goes.
    std::optional<std::string> name = tokens.asSymbol();
    std::optional<int64_t> chunk = name && !pasts.empty() ? findChunk(func, *name) : std::nullopt;
    OwningOpRef<func::FuncOp> before;
    if (chunk) {
      before = func.clone();
      simplifySizesWithin(func, *name, *chunk);
    }
    if (tokens.constant() && !tokens.isConstant(1))
      for (const DimExpr &batch : batchSizes(func, tokens))
        narrowSlicedRows(func, batch, tokens);
    SmallVector<int64_t> counts = tokenCounts(func, tokens, chunk);
    bool changed = false;
    for (Value past : pasts)
      changed |= recognize(func, past, tokens, counts);
    if (!tokens.isConstant(1))
      changed |= recognizeFromZeros(func, tokens, counts);
    if (changed && succeeded(refreshTypes(func))) {
      IRRewriter rewriter(&getContext());
      (void)runRegionDCE(rewriter, func.getBody());
    } else if (chunk) {
      func.getBody().takeBody(before->getBody());
    }
  }

  static bool recognize(func::FuncOp func, Value past, const DimExpr &tokens,
                        ArrayRef<int64_t> counts) {
    RecurrenceBorder border{past, past, {}, {}, getDims(past)[0], tokens};
    if (!llvm::is_contained(batchSizes(func, tokens), border.batch))
      return false;
    SmallVector<Value> states = findStates(func, past);
    if (states.empty())
      return false;
    for (Value state : states) {
      border.state = state;
      for (Value output : findRecurrenceOutputs(func, border)) {
        border.output = output;
        if (replace(func, border, counts))
          return true;
      }
    }
    return false;
  }

  static bool replace(func::FuncOp func, const RecurrenceBorder &border, ArrayRef<int64_t> counts) {
    std::string reason;
    std::optional<RecurrenceMatch> match = matchRecurrence(func, border, counts, reason);
    if (!match)
      return false;
    Value output = border.output, state = border.state;
    output.replaceAllUsesWith(match->output);
    if (state)
      state.replaceAllUsesWith(match->state);
    return true;
  }

  /// Recurrences without a past: decays are exponentials of something larger than a row
  /// per token.
  static bool recognizeFromZeros(func::FuncOp func, const DimExpr &tokens,
                                 ArrayRef<int64_t> counts) {
    SmallVector<Value> sources;
    for (auto op : func.front().getOps<UnaryOp>())
      if (op.getKind() == UnaryKind::exp && isRowElement(elementTypeOf(op.getResult())))
        sources.push_back(op.getResult());
    bool changed = false;
    DenseSet<Value> tried; // also those that something has replaced
    for (const DimExpr &batch : batchSizes(func, tokens))
      for (Value source : sources) {
        RecurrenceBorder border{{}, source, {}, {}, batch, tokens};
        std::optional<TokenRows> rows =
            findTokenRows(source, batch, tokens, std::numeric_limits<int32_t>::max());
        if (rows && rows->channelAxes.size() < 2)
          continue; // a step size or a gate
        changed |= replaceFromZeros(func, border, counts, tried);
      }
    return changed;
  }

  /// Also with a state where the function returns one.
  static bool replaceFromZeros(func::FuncOp func, RecurrenceBorder border, ArrayRef<int64_t> counts,
                               DenseSet<Value> &tried) {
    SmallVector<Value> states{Value()};
    for (Value value : collectDependents(func, border.source))
      if (isMatrixPerSequence(value) && getDims(value)[0] == border.batch && isReturned(value))
        states.push_back(value);
    for (Value state : llvm::reverse(states)) {
      border.state = state;
      for (Value output : findRecurrenceOutputs(func, border)) {
        border.output = output;
        bool isNew = state ? tried.insert(state).second : tried.insert(output).second;
        if (isNew && replace(func, border, counts))
          return true;
      }
    }
    return false;
  }
};

} // namespace

/// Whether numbers are multiplied with the matrix as it is.
static bool isDecayed(Value past) {
  return llvm::any_of(past.getUsers(), [](Operation *user) {
    auto binary = dyn_cast<BinaryOp>(user);
    return (binary && binary.getKind() == BinaryKind::mul) ||
           (isa<ReshapeOp, TransposeOp>(user) && isDecayed(user->getResult(0)));
  });
}

void explainRecurrences(func::FuncOp func,
                        llvm::function_ref<void(Operation *, StringRef)> explain) {
  for (Value past : findPasts(func)) {
    SmallVector<Value> states = isDecayed(past) ? findStates(func, past) : SmallVector<Value>();
    if (states.empty())
      continue;
    std::string reason = "no tensor with a row per token is between its matrix and the results";
    for (const DimExpr &tokens : tokenSizes(func)) {
      RecurrenceBorder border{past, past, states.front(), {}, getDims(past)[0], tokens};
      if (!llvm::is_contained(batchSizes(func, tokens), border.batch))
        continue;
      for (Value output : findRecurrenceOutputs(func, border)) {
        border.output = output;
        (void)matchRecurrence(func, border, tokenCounts(func, tokens, std::nullopt), reason);
        break;
      }
    }
    if (!reason.empty())
      explain(states.front().getDefiningOp(), reason);
  }
}
} // namespace llmc
