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

/// present = past with `update` written from `write_indices[b]` on along `axis`. As a
/// scatter of slices at tuples (b, d1, .., position).
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
  Dims prefix = n.dims(update);
  prefix.truncate(axis + 1);
  Value position = n.iota(prefix[axis], axis, axis + 1);
  if (n.input(2)) {
    Dims perBatch(axis + 1, DimExpr(1));
    perBatch[0] = prefix[0];
    position = n.binary(BinaryKind::add, position, n.reshape(n.asI64(n.input(2)), perBatch));
  }
  if (mode == "circular")
    position = n.binary(BinaryKind::mod, position, n.size(n.dims(past)[axis]));
  SmallVector<Value> tuple;
  Dims column = prefix;
  column.push_back(1);
  for (int64_t i = 0; i <= axis; ++i) {
    Value index = i == axis ? position : n.iota(prefix[i], i, axis + 1);
    tuple.push_back(n.reshape(n.broadcast(index, prefix), column));
  }
  n.setOutput(n.infer<llm::ScatterNDOp>(llm::ScatterKind::replace, past, n.concat(axis + 1, tuple),
                                        update));
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

static void causalConvOp(Node &n) {
  if (n.intAttr("ndim", 1) != 1)
    n.fail("not supported: ndim other than 1");
  if (n.intAttr("state_window", 0))
    n.fail("not supported: state_window");
  std::string activation = n.stringAttr("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    n.fail("activation is '" + activation + "', expected 'none', 'silu' or 'swish'");
  bool isLast = n.intAttr("channels_last", 0) != 0;
  Value input = isLast ? channelsFirst(n, n.input(0)) : n.input(0);
  Value past = n.input(3);
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
  Value state = n.slice(n.concat(2, {past, input}), 2, dims[2], length);
  n.setOutput(1, isLast ? channelsLast(n, state, n.input(0)) : state);
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

static void linearAttentionOp(Node &n) {
  std::string rule = n.stringAttr("update_rule", "gated_delta");
  bool isGated = rule == "gated" || rule == "gated_delta";
  bool isDelta = rule == "delta" || rule == "gated_delta";
  if (!isGated && !isDelta && rule != "linear")
    n.fail("update_rule is '" + rule + "', expected 'linear', 'gated', 'delta' or 'gated_delta'");
  if (n.intAttr("state_window", 0))
    n.fail("not supported: state_window");
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
  auto [out, state] =
      n.inferPair<llm::LinearAttentionOp>(a.query, a.key, a.value, decay, /*rates=*/Value(), beta,
                                          n.input(3), llvm::APFloat(scale), isDelta);
  n.setOutput(0, mergeHeads(n, out));
  n.setOutput(1, state);
}

void llmc::importer::addStateOps(OpTable &t) {
  t.add("", "TensorScatter", 24, {tensorScatterOp, 2, 3, 1, "axis mode"});
  t.add("", "CausalConvWithState", 27, {causalConvOp, 2, 4, 2, "activation"});
  t.add("", "LinearAttention", 27,
        {linearAttentionOp, 3, 6, 2, "chunk_size kv_num_heads q_num_heads scale update_rule"});
  t.add(kMicrosoft, "CausalConvWithState", 1,
        {causalConvOp, 2, 4, 2, "activation channels_last dilation ndim state_window"});
  t.add(kMicrosoft, "LinearAttention", 1,
        {linearAttentionOp, 3, 6, 2,
         "chunk_size kv_num_heads q_num_heads scale state_window update_rule"});
}
