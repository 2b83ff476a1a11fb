//===- StatePairs.cpp - inputs that a decoder carries from call to call ---===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What grows is followed from the input to the operation that appends and on to the
// result. A fixed state has no such operation between its input and its result, and
// layers have states of the same type. But a layer's present depends on its own past
// and on those of layers before it: the last layer's past reaches one present only,
// and with that pair taken so does the layer's before it.
//
//===----------------------------------------------------------------------===//
#include "StatePairs.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace llmc {

using llm::getDims;

/// A result of `op` is the same cache as its operand: without the tokens that nobody looks
/// back to, or with elements of another type.
static bool isSameCache(Operation *op) { return isa<llm::KVEvictOp, llm::CastOp>(op); }

Value grownCache(Value present) {
  while (Operation *op = present.getDefiningOp()) {
    if (!isSameCache(op))
      break;
    present = op->getOperand(0);
  }
  return present;
}

bool isReturnedOnly(Operation *user) {
  return isa<func::ReturnOp>(user) ||
         (isSameCache(user) && llvm::all_of(user->getUsers(), isReturnedOnly));
}

static OpOperand *findReturn(Value cache) {
  for (OpOperand &use : cache.getUses()) {
    if (isa<func::ReturnOp>(use.getOwner()))
      return &use;
    if (isReturnedOnly(use.getOwner()))
      if (OpOperand *found = findReturn(use.getOwner()->getResult(0)))
        return found;
  }
  return nullptr;
}

/// Whether `append` only feeds attention, as key or value, and the return.
static bool feedsAttentionOnly(Operation *append) {
  Value result = append->getResult(0);
  return llvm::all_of(result.getUses(), [&](OpOperand &use) {
    auto attention = dyn_cast<llm::AttentionOp>(use.getOwner());
    return isReturnedOnly(use.getOwner()) ||
           (attention && (attention.getKey() == result || attention.getValue() == result) &&
            attention.getQuery() != result);
  });
}

static std::optional<StatePair> findGrowingPair(BlockArgument argument, std::string &reason) {
  Value past = argument;
  // Where only inputs and outputs are f32, a past is rounded before anything is appended.
  if (past.hasOneUse() && isa<llm::CastOp>(*past.user_begin()))
    past = past.user_begin()->getResult(0);
  if (!past.hasOneUse()) {
    reason = " is read by more than one operation";
    return std::nullopt;
  }
  Operation *append = *past.user_begin();
  auto concat = dyn_cast<llm::ConcatOp>(append);
  auto kvAppend = dyn_cast<llm::KVAppendOp>(append);
  bool appends = concat ? concat.getInputs().size() == 2 && concat.getInputs()[0] == past
                        : kvAppend && kvAppend.getPast() == past;
  if (!appends) {
    reason =
        (" is read by '" + append->getName().getStringRef() + "', which does not append").str();
    return std::nullopt;
  }
  int64_t axis = concat ? int64_t(concat.getAxis()) : 2;
  bool isAttended = axis == 2 && getDims(argument).size() == 4 && feedsAttentionOnly(append);
  if (OpOperand *present = findReturn(append->getResult(0)))
    return StatePair{argument.getArgNumber(), present->getOperandNumber(),
                     isAttended ? StateKind::attended : StateKind::tokens, axis};
  reason = " grows to no output";
  return std::nullopt;
}

/// The results that are computed from `argument`, by number.
static llvm::SmallDenseSet<unsigned> reachedResults(BlockArgument argument) {
  llvm::SmallDenseSet<unsigned> results;
  DenseSet<Operation *> seen;
  SmallVector<Value> pending{argument};
  while (!pending.empty())
    for (OpOperand &use : pending.pop_back_val().getUses()) {
      Operation *user = use.getOwner();
      if (isa<func::ReturnOp>(user))
        results.insert(use.getOperandNumber());
      else if (seen.insert(user).second)
        llvm::append_range(pending, user->getResults());
    }
  return results;
}

/// Pairs arguments and results of one type, each argument with the only result left
/// that it reaches. Arguments that reach none are no states.
static void pairFixed(func::FuncOp func, SmallVector<BlockArgument> arguments,
                      SmallVector<unsigned> results, StatePairs &found) {
  llvm::MapVector<BlockArgument, llvm::SmallDenseSet<unsigned>> reached;
  for (BlockArgument argument : arguments)
    reached[argument] = reachedResults(argument);
  bool isChanged = true;
  while (isChanged) { // each round takes an argument, so there are as many at most
    isChanged = false;
    for (BlockArgument &argument : arguments) {
      if (!argument)
        continue;
      SmallVector<unsigned> left = llvm::to_vector(llvm::make_filter_range(
          results, [&](unsigned result) { return reached[argument].contains(result); }));
      if (left.size() != 1)
        continue;
      found.pairs.push_back({argument.getArgNumber(), left.front(), StateKind::fixed});
      llvm::erase(results, left.front());
      argument = {};
      isChanged = true;
    }
  }
  for (BlockArgument argument : arguments)
    if (argument && !found.offender && llvm::any_of(results, [&](unsigned result) {
          return reached[argument].contains(result);
        })) {
      found.offender = argument.getArgNumber();
      found.reason = " may be the past of several outputs of its type";
    }
}

/// An attention reads both of its caches in place or neither: one alone becomes a state that
/// anything reads.
static void separateUnpaired(func::FuncOp func, MutableArrayRef<StatePair> pairs) {
  llvm::MapVector<Value, StatePair *> inPlace;
  for (StatePair &pair : pairs)
    if (pair.kind == StateKind::attended)
      inPlace[grownCache(func.front().getTerminator()->getOperand(pair.result))] = &pair;
  bool isChanged = true;
  while (isChanged) { // each round takes a cache, so there are as many at most
    isChanged = false;
    func.walk([&](llm::AttentionOp attention) {
      Value key = attention.getKey(), value = attention.getValue();
      if (inPlace.contains(key) == inPlace.contains(value))
        return;
      auto alone = inPlace.find(inPlace.contains(key) ? key : value);
      alone->second->kind = StateKind::tokens;
      inPlace.erase(alone);
      isChanged = true;
    });
  }
}

StatePairs findStatePairs(func::FuncOp func, unsigned tokens) {
  StatePairs found;
  llm::Dims tokenDims = getDims(func.getArgument(tokens));
  llvm::MapVector<Type, SmallVector<BlockArgument>> fixed;
  for (BlockArgument argument : func.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || type.getRank() < 2 || !isa<FloatType>(type.getElementType()) ||
        argument.use_empty())
      continue;
    llm::Dims dims = getDims(type);
    bool isFixed = dims[0] == tokenDims[0] &&
                   llvm::all_of(ArrayRef(dims).drop_front(),
                                [](const DimExpr &dim) { return dim.constant().has_value(); });
    if (isFixed) {
      fixed[type].push_back(argument);
      continue;
    }
    std::string reason;
    if (std::optional<StatePair> pair = findGrowingPair(argument, reason)) {
      found.pairs.push_back(*pair);
    } else if (!found.offender) {
      found.offender = argument.getArgNumber();
      found.reason = reason;
    }
  }
  for (auto &[type, arguments] : fixed) {
    SmallVector<unsigned> results;
    for (auto [number, value] : llvm::enumerate(func.front().getTerminator()->getOperands()))
      if (value.getType() == type)
        results.push_back(number);
    pairFixed(func, arguments, results, found);
  }
  separateUnpaired(func, found.pairs);
  llvm::sort(found.pairs,
             [](const StatePair &a, const StatePair &b) { return a.argument < b.argument; });
  return found;
}

} // namespace llmc
