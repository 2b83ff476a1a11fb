//===- StateOps.cpp - operators that carry a state from step to step
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Caches written in place (TensorScatter), the window of a convolution and the
// matrix of linear attention.
//
//===----------------------------------------------------------------------===//
#include "Attend.h"
#include "Heads.h"
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

//===----------------------------------------------------------------------===//
// TensorScatter
//===----------------------------------------------------------------------===//

/// present = past with `update` written from `write_indices[b]` on along `axis`.
static void tensorScatterOp(Node &n) {
  Value past = n.input(0), update = n.input(1);
  int64_t axis = n.axis(n.intAttr("axis", -2), n.rank(past));
  std::string mode = n.stringAttr("mode", "linear");
  if (mode != "linear" && mode != "circular")
    n.fail("mode is '" + mode + "', expected 'linear' or 'circular'");
  if (axis == 0 || n.rank(update) != n.rank(past))
    n.fail("cannot write " + llm::formatDims(n.dims(update)) + " into " +
           llm::formatDims(n.dims(past)) + " along dimension " + Twine(axis));
  for (int64_t i = 0; i < n.rank(past) && !n.failed(); ++i)
    if (i != axis)
      n.requireEqual(n.dims(past)[i], n.dims(update)[i], "dimension " + Twine(i));
  if (n.failed())
    return;
  Value first = n.input(2) ? n.asI64(n.input(2)) : Value();
  if (first && n.rank(first) != 1)
    n.fail("write_indices " + llm::formatDims(n.dims(first)) + " has not rank 1");
  n.setOutput(writeTokens(n, past, update, axis, first, mode == "circular"));
}

//===----------------------------------------------------------------------===//
// Windows of states
//===----------------------------------------------------------------------===//

/// How many states a past and a present hold, the last of which is the one to go on from: those
/// after each of the last tokens, for a caller that takes tokens back. 0: one, without a
/// dimension of its own. CPU kernels of onnxruntime refuse windows.
static int64_t stateWindow(Node &n) {
  int64_t window = n.intAttr("state_window", 0);
  if (window < 0 || window > 8)
    n.fail("state_window is " + Twine(window) + ", expected 0 to 8");
  return n.failed() ? 0 : window;
}

/// The state to go on from.
static Value lastState(Node &n, Value past, int64_t window) {
  if (!past || !window || n.failed())
    return past;
  Dims dims = n.dims(past);
  if (dims.empty() || !dims[0].isConstant(window)) {
    n.fail("past_state " + llm::formatDims(dims) + " is no window of " + Twine(window) + " states");
    return {};
  }
  Dims state(dims.begin() + 1, dims.end());
  return n.reshape(n.slice(past, 0, window - 1, 1), state);
}

/// Puts states one after another; of those that were before the call's `tokens` zeros.
static Value stackStates(Node &n, ArrayRef<Value> states, const DimExpr &tokens) {
  SmallVector<Value> slots;
  for (Value state : states) {
    Dims slot = n.dims(state);
    slot.insert(slot.begin(), 1);
    slots.push_back(n.reshape(state, slot));
  }
  if (n.failed() || slots.size() == 1)
    return n.failed() ? Value() : slots[0];
  int64_t window = slots.size();
  Value all = n.concat(0, slots);
  // Slot j is that of token tokens - window + j.
  Value token = n.binary(BinaryKind::add, n.iota(window, 0, n.rank(all)), n.size(tokens - window));
  Value isOfCall = n.compare(llm::ComparePredicate::ge, token, 0.0);
  return n.select(isOfCall, all, n.scalar(0, n.elementTypeOf(all)));
}

//===----------------------------------------------------------------------===//
// CausalConvWithState
//===----------------------------------------------------------------------===//

static Value zeros(Node &n, ArrayRef<DimExpr> shape, Type element) {
  return n.broadcast(n.scalar(0, element), shape);
}

/// [C, 1, K] -> [C, (K - 1) * dilation + 1] with zeros between the taps.
static Value kernelOf(Node &n, Value weight, int64_t dilation) {
  Dims dims = n.dims(weight);
  if (n.failed())
    return {};
  if (dims.size() != 3 || !dims[1].isConstant(1) || !dims[2].constant() || dilation < 1) {
    n.fail("weight " + llm::formatDims(dims) + " with dilation " + Twine(dilation) +
           " is not [channels, 1, constant kernel size]");
    return {};
  }
  if (dilation == 1)
    return n.reshape(weight, {dims[0], dims[2]});
  Value taps = n.reshape(weight, {dims[0], dims[2], 1});
  Value gaps = zeros(n, {dims[0], dims[2], dilation - 1}, n.elementTypeOf(weight));
  Value spread = n.reshape(n.concat(2, {taps, gaps}), {dims[0], dims[2] * dilation});
  return n.slice(spread, 1, 0, (dims[2] - 1) * dilation + 1);
}

/// [B, S, d1, ..] -> [B, d1 * .., S].
static Value channelsFirst(Node &n, Value x) {
  Dims dims = n.dims(x);
  if (n.failed() || !x)
    return {};
  if (dims.size() < 3) {
    n.fail(llm::formatDims(dims) + " has no channels");
    return {};
  }
  DimExpr channels = llm::product(ArrayRef(dims).drop_front(2));
  return n.transpose(n.reshape(x, {dims[0], dims[1], channels}), {0, 2, 1});
}

/// [B, C, S] -> [B, S, ..] with the channels of `like`.
static Value channelsLast(Node &n, Value x, Value like) {
  Value moved = n.transpose(x, {0, 2, 1});
  if (n.failed())
    return {};
  Dims shape = n.dims(like);
  shape[1] = n.dims(moved)[1];
  return n.reshape(moved, shape);
}

/// The inputs [B, C, L + S] of a convolution from before and in the call as the state [B, C, L],
/// or as a window of states. `like` is null, or has channels last.
static Value convState(Node &n, Value all, int64_t window, const DimExpr &length, Value like) {
  auto state = [&](const DimExpr &start) {
    Value part = n.slice(all, 2, start, length);
    return like ? channelsLast(n, part, like) : part;
  };
  if (n.failed())
    return {};
  Dims dims = n.dims(all);
  DimExpr tokens = dims[2] - length;
  if (window < 1)
    return state(tokens);
  // In front of the past what states of no token read, so that no start is negative.
  if (window > 1) {
    Dims before = {dims[0], dims[1], window - 1};
    all = n.concat(2, {zeros(n, before, n.elementTypeOf(all)), all});
  }
  SmallVector<Value> states;
  for (int64_t slot = 0; slot < window; ++slot)
    states.push_back(state(tokens + slot));
  return stackStates(n, states, tokens);
}

static void causalConvOp(Node &n) {
  // Of other axes than the last, the documentation says neither padding nor states.
  if (n.intAttr("ndim", 1) != 1)
    n.fail("not supported: ndim other than 1");
  std::string activation = n.stringAttr("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    n.fail("activation is '" + activation + "', expected 'none', 'silu' or 'swish'");
  bool isLast = n.intAttr("channels_last", 0) != 0;
  Value input = isLast ? channelsFirst(n, n.input(0)) : n.input(0);
  int64_t window = stateWindow(n);
  Value past = lastState(n, n.input(3), window);
  if (past && isLast)
    past = channelsFirst(n, past);
  Value kernel = kernelOf(n, n.input(1), n.intAttr("dilation", 1));
  Value out = n.infer<llm::CausalConvOp>(input, kernel, n.input(2), past);
  if (activation != "none")
    out = n.unary(UnaryKind::silu, out);
  n.setOutput(0, isLast ? channelsLast(n, out, n.input(0)) : out);
  if (!n.hasOutput(1) || n.failed())
    return;
  Dims dims = n.dims(input);
  DimExpr length = n.dims(kernel)[1] - 1;
  if (!past)
    past = zeros(n, {dims[0], dims[1], length}, n.elementTypeOf(input));
  n.setOutput(
      1, convState(n, n.concat(2, {past, input}), window, length, isLast ? n.input(0) : Value()));
}

//===----------------------------------------------------------------------===//
// LinearAttention
//===----------------------------------------------------------------------===//

/// Gates [B, T, H] or, where allowed, [B, T, H * Dk] as [B, H, T, 1 or Dk]. Where all
/// heads share one of [B, T, 1], it is repeated.
static Value gates(Node &n, Value x, const Attention &a, StringRef what, bool allowsChannels) {
  if (!x || n.failed())
    return {};
  Dims key = n.dims(a.key), dims = n.dims(x);
  DimExpr width = dims.size() == 3 ? dims[2] : DimExpr(0);
  if (width == key[1])
    return n.transpose(n.reshape(x, {dims[0], dims[1], key[1], 1}), {0, 2, 1, 3});
  if (allowsChannels && width == key[1] * key[3])
    return n.transpose(n.reshape(x, {dims[0], dims[1], key[1], key[3]}), {0, 2, 1, 3});
  if (!allowsChannels && width.isConstant(1))
    return n.broadcast(n.reshape(x, {dims[0], 1, dims[1], 1}), {key[0], key[1], key[2], 1});
  n.fail(what + " " + llm::formatDims(dims) + " does not fit " + key[1].str() + " heads of " +
         key[3].str() + " channels");
  return {};
}

/// onnxruntime allows fewer query heads than key heads; each then reads several states.
static Value repeatHeads(Node &n, Value query, const DimExpr &heads) {
  if (n.failed())
    return {};
  Dims dims = n.dims(query);
  std::optional<int64_t> from = dims[1].constant(), to = heads.constant();
  if (!from || !to || *from >= *to || *from < 1 || *to % *from)
    return query;
  Value each = n.reshape(query, {dims[0], dims[1], 1, dims[2], dims[3]});
  each = n.broadcast(each, {dims[0], dims[1], *to / *from, dims[2], dims[3]});
  return n.reshape(each, {dims[0], heads, dims[2], dims[3]});
}

namespace {

/// The operands of llm.linear_attention with tokens as dimension 2.
struct Recurrence {
  Value query, key, value, decay, beta;
  double scale;
  bool isDelta;
};

} // namespace

/// The result for `count` tokens from `start` on, and the state behind them.
static std::pair<Value, Value> recur(Node &n, const Recurrence &all, const DimExpr &start,
                                     const DimExpr &count, Value past) {
  DimExpr tokens = n.dims(all.key).size() == 4 ? n.dims(all.key)[2] : DimExpr(0);
  auto part = [&](Value x) {
    return !x || (start.isConstant(0) && count == tokens) ? x : n.slice(x, 2, start, count);
  };
  return n.inferPair<llm::LinearAttentionOp>(part(all.query), part(all.key), part(all.value),
                                             part(all.decay), /*rates=*/Value(), part(all.beta),
                                             past, llvm::APFloat(all.scale), all.isDelta);
}

/// The result and the states after each of the last `window` tokens: all but the last
/// window - 1 tokens, then each of these but the very last for its state, then all of these.
static std::pair<Value, Value> recurThroughWindow(Node &n, const Recurrence &all, int64_t window,
                                                  Value past) {
  if (n.failed())
    return {};
  DimExpr tokens = n.dims(all.key)[2];
  // The number of tokens up to slot j's.
  auto tokensTo = [&](int64_t slot) { return DimExpr::max(tokens + (slot + 1 - window), 0); };
  DimExpr first = tokensTo(0);
  auto [begin, state] = recur(n, all, 0, first, past);
  Value beforeRest = state;
  SmallVector<Value> states;
  for (int64_t slot = 1; slot < window; ++slot) {
    states.push_back(state);
    if (slot + 1 < window)
      state = recur(n, all, tokensTo(slot - 1), DimExpr::min(tokensTo(slot), 1), state).second;
  }
  auto [rest, last] = recur(n, all, first, tokens - first, beforeRest);
  states.push_back(last);
  return {n.concat(2, {begin, rest}), stackStates(n, states, tokens)};
}

static void linearAttentionOp(Node &n) {
  std::string rule = n.stringAttr("update_rule", "gated_delta");
  bool isGated = rule == "gated" || rule == "gated_delta";
  bool isDelta = rule == "delta" || rule == "gated_delta";
  if (!isGated && !isDelta && rule != "linear")
    n.fail("update_rule is '" + rule + "', expected 'linear', 'gated', 'delta' or 'gated_delta'");
  int64_t window = stateWindow(n);
  Value decay = n.input(4), beta = n.input(5);
  if (bool(decay) != isGated || bool(beta) != isDelta)
    n.fail("update_rule '" + rule + "' " + (isGated ? "needs" : "forbids") + " decay and " +
           (isDelta ? "needs" : "forbids") + " beta");
  int64_t keyHeads = n.intAttr("kv_num_heads", 0);
  Attention a;
  a.query = splitHeads(n, n.input(0), n.intAttr("q_num_heads", 0));
  a.key = splitHeads(n, n.input(1), keyHeads);
  a.value = splitHeads(n, n.input(2), keyHeads);
  if (n.failed())
    return;
  a.query = repeatHeads(n, a.query, keyHeads);
  checkOperands(n, a);
  if (n.failed())
    return;
  n.requireEqual(n.dims(a.query)[2], n.dims(a.key)[2], "numbers of queries and keys");
  decay = gates(n, decay, a, "decay", /*allowsChannels=*/true);
  beta = gates(n, beta, a, "beta", /*allowsChannels=*/false);
  double scale = n.floatAttr("scale", 0);
  if (scale == 0)
    scale = defaultScale(n, a.query);
  Recurrence all{a.query, a.key, a.value, decay, beta, scale, isDelta};
  if (n.failed())
    return;
  Value past = lastState(n, n.input(3), window);
  Type element = n.elementTypeOf(a.query), f32 = n.builder.getF32Type();
  Type stored = past ? n.elementTypeOf(past) : n.declaredElement(1);
  if (!isa_and_nonnull<FloatType>(stored))
    stored = element;
  Dims key = n.dims(a.key), state = {key[0], key[1], key[3], n.dims(a.value)[3]};
  if (past && window > 1)
    past = n.cast(past, f32); // so that each state is rounded once
  if (!past && !element.isF32() && (window > 1 || stored != element))
    past = zeros(n, state, f32);
  auto [out, present] =
      window > 1 ? recurThroughWindow(n, all, window, past) : recur(n, all, 0, key[2], past);
  if (window == 1)
    present = stackStates(n, present, key[2]);
  n.setOutput(0, mergeHeads(n, out));
  n.setOutput(1, n.cast(present, stored));
}

void llmc::importer::addStateOps(OpTable &t) {
  t.add("", "TensorScatter", 24, {tensorScatterOp, 2, 3, 1, "axis mode"});
  t.add("", "CausalConvWithState", 27, {causalConvOp, 2, 4, 2, "activation"});
  t.add("", "LinearAttention", 27,
        {linearAttentionOp, 3, 6, 2, "chunk_size kv_num_heads q_num_heads scale update_rule"});
  t.add(kMicrosoft, "CausalConvWithState", 1,
        {causalConvOp, 2, 4, 2, "activation channels_last dilation ndim state_window",
         "ndim other than 1"});
  t.add(kMicrosoft, "LinearAttention", 1,
        {linearAttentionOp, 3, 6, 2,
         "chunk_size kv_num_heads q_num_heads scale state_window update_rule"});
}
