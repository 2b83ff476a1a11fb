//===- PhaseRoles.cpp - what a decoder's inputs and outputs are for -------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PhaseRoles.h"
#include "Matchers.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"

using namespace mlir;

namespace llmc {

using llm::Dims;
using llm::getDims;

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

static bool isIntOfRank(Value value, int64_t rank) {
  return tensorType(value).getElementType().isInteger() && tensorType(value).getRank() == rank;
}

static StringRef argumentName(func::FuncOp func, unsigned argument) {
  auto name = func.getArgAttrOfType<StringAttr>(argument, "llm.name");
  return name ? name.getValue() : "";
}

std::string describeArgument(func::FuncOp func, unsigned argument) {
  StringRef name = argumentName(func, argument);
  return name.empty() ? "argument " + std::to_string(argument) : "'" + name.str() + "'";
}

/// A weight, perhaps one that is shared with the head and transposed.
static bool isTable(Value value) {
  value = skipWidening(value);
  if (auto transpose = value.getDefiningOp<llm::TransposeOp>())
    value = transpose.getInput();
  return isConstant(skipWidening(value));
}

/// Elements of the largest table that `ids` choose rows of.
static int64_t largestTable(Value ids) {
  int64_t largest = 0;
  auto consider = [&](Value table) {
    auto type = tensorType(table);
    if (type.hasStaticShape() && type.getRank() == 2)
      largest = std::max(largest, type.getNumElements());
  };
  for (Operation *user : ids.getUsers()) {
    if (isa<llm::ReshapeOp, llm::CastOp>(user))
      largest = std::max(largest, largestTable(user->getResult(0)));
    else if (auto embedding = dyn_cast<llm::EmbeddingOp>(user);
             embedding && embedding.getIds() == ids)
      consider(embedding.getTable());
    else if (auto gather = dyn_cast<llm::GatherOp>(user); gather && gather.getIndices() == ids &&
                                                          gather.getAxis() == 0 &&
                                                          isTable(gather.getInput()))
      consider(gather.getInput());
  }
  return largest;
}

static std::optional<unsigned> findTokens(func::FuncOp func, int64_t rank) {
  std::optional<unsigned> best;
  std::pair<bool, int64_t> bestScore;
  for (BlockArgument argument : func.getArguments()) {
    if (!isIntOfRank(argument, rank))
      continue;
    unsigned index = argument.getArgNumber();
    // Learned positions are a table, too, and may be the larger one.
    std::pair score(argumentName(func, index).contains("input_ids"), largestTable(argument));
    if (score.second > 0 && (!best || score > bestScore)) {
      best = index;
      bestScore = score;
    }
  }
  return best;
}

std::optional<unsigned> findTokens(func::FuncOp func) {
  std::optional<unsigned> tokens = findTokens(func, /*rank=*/2);
  return tokens ? tokens : findTokens(func, /*rank=*/1);
}

TokenSizes tokenSizes(func::FuncOp func, unsigned tokens) {
  Dims dims = getDims(func.getArgument(tokens));
  // A recurrent state has the number of sequences, and no number of tokens.
  auto isInStates = [&](const DimExpr &size) {
    return llvm::any_of(func.getArguments(), [&](BlockArgument argument) {
      return mayBePast(argument.getType()) && llvm::is_contained(getDims(argument), size);
    });
  };
  if (dims.size() == 1) // a token of each sequence, or the tokens of one
    return dims[0].asSymbol() && !isInStates(dims[0]) ? TokenSizes{DimExpr(1), dims[0]}
                                                      : TokenSizes{dims[0], DimExpr(1)};
  bool isTimeMajor = dims[1].asSymbol() && isInStates(dims[1]) &&
                     (dims[0].isConstant(1) || (dims[0].asSymbol() && !isInStates(dims[0])));
  return isTimeMajor ? TokenSizes{dims[1], dims[0], true} : TokenSizes{dims[0], dims[1]};
}

/// Whether a result of these sizes may hold logits: of each token, or of the last one.
static bool areLogits(const Dims &dims, const TokenSizes &sizes) {
  if (dims.empty() || !dims.back().constant())
    return false;
  if (dims.size() == 1)
    return (sizes.batch * sizes.seq).isConstant(1);
  if (dims.size() == 2)
    return dims[0] == sizes.batch || dims[0] == sizes.batch * sizes.seq;
  const DimExpr &batch = dims[sizes.isTimeMajor], &seq = dims[!sizes.isTimeMajor];
  return dims.size() == 3 && batch == sizes.batch && (seq == sizes.seq || seq.isConstant(1));
}

/// The floating-point result [batch, seq or 1, vocabulary] that is no state. In one of rank 2
/// both are one dimension, and one token of one sequence needs none.
static std::optional<unsigned> findLogits(func::FuncOp func, const PhaseRoles &roles) {
  std::optional<unsigned> best;
  std::tuple<bool, int64_t, int64_t> bestScore;
  for (auto [index, value] : llvm::enumerate(func.front().getTerminator()->getOperands())) {
    unsigned number = index;
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !isa<FloatType>(type.getElementType()) || !areLogits(getDims(type), roles.sizes) ||
        llvm::any_of(roles.states, [&](const StatePair &pair) { return pair.result == number; }))
      continue;
    auto name = func.getResultAttrOfType<StringAttr>(number, "llm.name");
    std::tuple score(name && name.getValue().contains("logits"), type.getRank(),
                     type.getShape().back());
    if (!best || score > bestScore) {
      best = number;
      bestScore = score;
    }
  }
  return best;
}

std::optional<PhaseRoles> findPhaseRoles(func::FuncOp func, std::string &reason) {
  PhaseRoles roles;
  auto fail = [&](const std::string &text) {
    reason = text;
    return std::nullopt;
  };

  std::optional<unsigned> tokens = findTokens(func);
  if (!tokens)
    return fail("no 2-D integer input selects rows of an embedding table");
  roles.tokens = *tokens;
  roles.sizes = tokenSizes(func, *tokens);
  const auto &[batch, seq, isTimeMajor] = roles.sizes;
  for (const DimExpr &size : {batch, seq})
    if (!size.asSymbol() && !size.isConstant(1))
      return fail("the token input " + describeArgument(func, *tokens) + " has fixed sizes");

  StatePairs found = findStatePairs(func, batch);
  if (found.offender)
    return fail("the input " + describeArgument(func, *found.offender) + found.reason);
  roles.states = found.pairs;
  if (roles.states.empty())
    return fail("no input is a past that grows to an output or is replaced by one");
  for (const StatePair &pair : roles.states) {
    if (pair.kind == StateKind::fixed)
      continue;
    // Exporters may give every layer's past a symbol of its own.
    Dims dims = getDims(func.getArgument(pair.argument));
    std::optional<std::string> past = dims[pair.axis].asSymbol();
    bool isPerSequence =
        pair.axis > 0 && past && dims[pair.axis] != batch && dims[pair.axis] != seq;
    for (auto [axis, dim] : llvm::enumerate(dims))
      if (int64_t(axis) != pair.axis)
        isPerSequence &= axis == 0 ? dim == batch : dim.constant().has_value();
    if (!isPerSequence)
      return fail("the past " + describeArgument(func, pair.argument) + " has the sizes " +
                  llm::formatDims(dims) + ", expected [" + batch.str() +
                  ", heads, past, head_dim] with a past of any length");
    if (!llvm::is_contained(roles.pasts, *past))
      roles.pasts.push_back(*past);
  }

  auto isState = [&](unsigned index) {
    return llvm::any_of(roles.states,
                        [&](const StatePair &pair) { return pair.argument == index; });
  };
  for (BlockArgument argument : func.getArguments()) {
    unsigned index = argument.getArgNumber();
    if (index == roles.tokens || isState(index))
      continue;
    bool isInt2D = isIntOfRank(argument, 2);
    bool isPerToken = tensorType(argument).getElementType().isInteger() &&
                      getDims(argument) == getDims(func.getArgument(*tokens));
    if (isPerToken && !argumentName(func, index).contains("mask"))
      roles.positions.push_back(index);
    else if (isInt2D)
      roles.masks.push_back(index);
    else if (llvm::any_of(argument.getUsers(),
                          [](Operation *user) { return !isa<func::ReturnOp>(user); }))
      return fail("the input " + describeArgument(func, index) +
                  " is neither tokens, a mask, positions nor a past");
  }

  std::optional<unsigned> logits = findLogits(func, roles);
  if (!logits)
    return fail("no output has the sizes " + llm::formatDims(getDims(func.getArgument(*tokens))) +
                " and a vocabulary");
  roles.logits = *logits;
  return roles;
}

} // namespace llmc
