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
// The states of one cell depend on each other. What is only scaled and added to on its way
// (an LSTM's cell), or handed from iteration to iteration of a loop, is the past of the first
// present on that way. A state may be no past of its own present: the last token's value,
// which the next one is mixed with, is replaced by that one's. Where there are such states,
// inputs and outputs are taken to be in the same order.
//
//===----------------------------------------------------------------------===//
#include "StatePairs.h"
#include "Rounding.h"
#include "TokenFunction.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/TypeUtilities.h"
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
    if (std::optional<Rounding> rounding = matchRounding(present))
      present = rounding->input; // again and again by the same steps: it changes nothing
    else if (isSameCache(op))
      present = op->getOperand(0);
    else
      break;
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

static bool isAttended(Value value, Operation *user) {
  auto attention = dyn_cast<llm::AttentionOp>(user);
  return attention && (attention.getKey() == value || attention.getValue() == value) &&
         attention.getQuery() != value;
}

/// The last of the functions of each token, one of another, that alone read `cache`; or `cache`.
static Value lastTokenFunction(Value cache) {
  for (Value value = cache;;) {
    SmallVector<Operation *> readers = llvm::filter_to_vector(
        value.getUsers(), [](Operation *user) { return !isReturnedOnly(user); });
    if (readers.size() != 1 || tokenwiseInput(readers[0]) != value)
      return value;
    value = readers[0]->getResult(0);
  }
}

static bool holdsIntegers(Value cache) { return getElementTypeOrSelf(cache).isInteger(); }

Value attendedCache(Value cache) {
  Value value = lastTokenFunction(cache);
  bool isOnlyAttended = llvm::all_of(value.getUsers(), [&](Operation *user) {
    return isReturnedOnly(user) || isAttended(value, user);
  });
  bool isOneType = getElementTypeOrSelf(value) == getElementTypeOrSelf(cache);
  return isOnlyAttended && (isOneType || holdsIntegers(cache)) ? value : Value();
}

Value keptCache(Value cache, StateKind kind) {
  if (kind == StateKind::attended)
    return attendedCache(cache);
  return holdsIntegers(cache) ? lastTokenFunction(cache) : cache;
}

bool mayBePast(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && (isa<FloatType>(tensor.getElementType()) ||
                    (tensor.getElementType().isInteger(8) && tensor.getRank() == 4));
}

/// Whether `kept` of a cache of integers is [batch, heads, tokens, dim] of floats.
static bool holdsNumbers(Value kept) {
  auto type = cast<RankedTensorType>(kept.getType());
  return isa<FloatType>(type.getElementType()) && type.getRank() == 4 && !type.isDynamicDim(1) &&
         !type.isDynamicDim(3);
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
  bool isAttended =
      axis == 2 && getDims(argument).size() == 4 && attendedCache(append->getResult(0));
  StateKind kind = isAttended ? StateKind::attended : StateKind::tokens;
  if (holdsIntegers(argument) &&
      (axis != 2 || past != argument || !holdsNumbers(keptCache(append->getResult(0), kind)))) {
    reason = " holds integers that stand for no numbers";
    return std::nullopt;
  }
  OpOperand *present = findReturn(append->getResult(0));
  // A present that is rounded as attention reads it.
  Value attended = isAttended ? attendedCache(append->getResult(0)) : Value();
  if (!present && attended && grownCache(attended) == append->getResult(0))
    present = findReturn(attended);
  if (present)
    return StatePair{argument.getArgNumber(), present->getOperandNumber(), kind, axis};
  reason = " grows to no output";
  return std::nullopt;
}

static bool isMovement(Operation *op) {
  return isa<llm::CastOp, llm::ReshapeOp, llm::TransposeOp, llm::SliceOp, llm::ConcatOp>(op);
}

/// Whether each element of `op`'s results depends on few elements of its operands.
static bool isElementwise(Operation *op) {
  return isMovement(op) || isa<llm::UnaryOp, llm::BinaryOp, llm::SelectOp>(op);
}

/// Where `use` leads: with `isDirect` elementwise only, and in a loop to what is carried.
static ValueRange followUse(OpOperand &use, bool isDirect) {
  Operation *user = use.getOwner();
  if (!isDirect || isElementwise(user))
    return user->getResults();
  auto loop = dyn_cast<llm::LoopOp>(user);
  if (loop && use.getOperandNumber() < loop.getInitial().size())
    return loop->getResults().slice(use.getOperandNumber(), 1);
  return {};
}

/// The values that are computed from those of `from`, which are among them.
static DenseSet<Value> reachedValues(ArrayRef<Value> from, bool isDirect) {
  DenseSet<Value> seen(llvm::from_range, from);
  SmallVector<Value> pending(from);
  while (!pending.empty())
    for (OpOperand &use : pending.pop_back_val().getUses())
      for (Value next : followUse(use, isDirect))
        if (seen.insert(next).second)
          pending.push_back(next);
  return seen;
}

/// What `present` is put together from: the layers' own states.
static SmallVector<Value> partsOf(Value present) {
  SmallVector<Value> parts, pending{present};
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (op && isMovement(op))
      llvm::append_range(pending, op->getOperands());
    else
      parts.push_back(value);
  }
  return parts;
}

namespace {

/// Pairs arguments and results of one type.
class FixedPairing {
public:
  FixedPairing(func::FuncOp func, ArrayRef<BlockArgument> arguments, ArrayRef<unsigned> results,
               int64_t axis, StatePairs &found)
      : terminator(func.front().getTerminator()), axis(axis), found(found) {
    for (unsigned result : results)
      left.push_back(result);
    for (BlockArgument argument : arguments)
      candidates.push_back({argument, reached(argument, /*isDirect=*/false), {}});
    for (Candidate &candidate : candidates)
      candidate.carried = firstOf(reached(candidate.argument, /*isDirect=*/true));
  }

  void run() {
    if (isShifted())
      return pairInOrder();
    // Each round takes an argument, so there are as many at most.
    while (takeOnly(&Candidate::reached) || takeOnly(&Candidate::carried))
      ;
    bool isAmbiguous = llvm::any_of(candidates, [&](const Candidate &candidate) {
      return llvm::any_of(
          left, [&](unsigned result) { return llvm::is_contained(candidate.reached, result); });
    });
    if (!isAmbiguous)
      return; // arguments that reach none are no states
    found.offender = candidates.front().argument.getArgNumber();
    found.reason = " may be the past of several outputs of its type";
  }

private:
  using Results = SmallVector<unsigned>;
  struct Candidate {
    BlockArgument argument;
    Results reached; ///< by anything
    Results carried; ///< elementwise, and computed from no other such
  };

  Results reached(Value from, bool isDirect) const {
    DenseSet<Value> values = reachedValues(from, isDirect);
    Results results;
    for (unsigned result : left)
      if (values.contains(terminator->getOperand(result)))
        results.push_back(result);
    return results;
  }

  /// Those that none of the others lead to.
  Results firstOf(ArrayRef<unsigned> results) const {
    auto leadsTo = [&](unsigned from, unsigned to) {
      SmallVector<Value> begin = partsOf(terminator->getOperand(from));
      DenseSet<Value> behind = reachedValues(begin, /*isDirect=*/true);
      return llvm::any_of(partsOf(terminator->getOperand(to)), [&](Value part) {
        return behind.contains(part) && !llvm::is_contained(begin, part);
      });
    };
    return llvm::filter_to_vector(results, [&](unsigned result) {
      return llvm::none_of(results, [&](unsigned other) { return leadsTo(other, result); });
    });
  }

  /// Whether there is a present for each past, but one of them is computed from none: of what
  /// is replaced by the last token's value the next layers depend on, not the present.
  bool isShifted() const {
    return candidates.size() == left.size() &&
           llvm::any_of(candidates, [](const Candidate &c) { return c.reached.empty(); });
  }

  void pairInOrder() {
    for (auto [candidate, result] : llvm::zip(candidates, left))
      found.pairs.push_back({candidate.argument.getArgNumber(), result, StateKind::fixed, axis});
  }

  /// Takes an argument for which only one result is left.
  bool takeOnly(Results Candidate::*results) {
    for (Candidate &candidate : candidates) {
      Results open = llvm::filter_to_vector(
          candidate.*results, [&](unsigned result) { return llvm::is_contained(left, result); });
      if (open.size() != 1)
        continue;
      found.pairs.push_back(
          {candidate.argument.getArgNumber(), open.front(), StateKind::fixed, axis});
      llvm::erase(left, open.front());
      candidates.erase(&candidate);
      return true;
    }
    return false;
  }

  Operation *terminator;
  int64_t axis;
  StatePairs &found;
  SmallVector<Candidate> candidates; ///< without a pair, in order
  Results left;                      ///< without a pair, in order
};

} // namespace

/// Which dimension of a fixed state counts sequences, -1 for none where a call has one
/// sequence; nullopt of what has other sizes that are no numbers.
static std::optional<int64_t> sequenceAxis(const llm::Dims &dims, const DimExpr &batch) {
  auto at = llvm::find(dims, batch);
  bool hasAxis = at != dims.end();
  if (!hasAxis && !batch.isConstant(1))
    return std::nullopt;
  for (auto it = dims.begin(); it != dims.end(); ++it)
    if (it != at && !it->constant())
      return std::nullopt;
  return hasAxis ? at - dims.begin() : -1;
}

/// An attention reads both of its caches in place or neither: one alone becomes a state that
/// anything reads.
static void separateUnpaired(func::FuncOp func, MutableArrayRef<StatePair> pairs) {
  llvm::MapVector<Value, StatePair *> inPlace;
  for (StatePair &pair : pairs)
    if (pair.kind == StateKind::attended)
      inPlace[attendedCache(grownCache(func.front().getTerminator()->getOperand(pair.result)))] =
          &pair;
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

StatePairs findStatePairs(func::FuncOp func, const DimExpr &batch) {
  StatePairs found;
  llvm::MapVector<Type, SmallVector<BlockArgument>> fixed;
  for (BlockArgument argument : func.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || !mayBePast(type) || type.getRank() < 2 || argument.use_empty())
      continue;
    if (sequenceAxis(getDims(type), batch)) {
      if (holdsIntegers(argument))
        continue;
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
    FixedPairing(func, arguments, results, *sequenceAxis(getDims(arguments[0]), batch), found)
        .run();
  }
  separateUnpaired(func, found.pairs);
  llvm::sort(found.pairs,
             [](const StatePair &a, const StatePair &b) { return a.argument < b.argument; });
  return found;
}

} // namespace llmc
