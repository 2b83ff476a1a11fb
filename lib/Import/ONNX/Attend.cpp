//===- Attend.cpp - attention, whichever operator asks for it
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Attend.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

void llmc::importer::checkOperands(Node &n, const Attention &a) {
  if (n.failed())
    return;
  if (n.rank(a.query) != 4 || n.rank(a.key) != 4 || n.rank(a.value) != 4)
    return n.fail("query " + llm::formatDims(n.dims(a.query)) + ", key " +
                  llm::formatDims(n.dims(a.key)) + ", value " + llm::formatDims(n.dims(a.value)) +
                  " are not [batch, heads, tokens, channels]");
  for (auto [name, operand] :
       {std::pair("query", a.query), std::pair("key", a.key), std::pair("value", a.value)})
    if (!isa<FloatType>(n.elementTypeOf(operand)))
      return n.fail(Twine(name) + " has no floating-point elements");
  n.requireEqual(n.dims(a.query)[0], n.dims(a.key)[0], "batch sizes");
  n.requireEqual(n.dims(a.key)[0], n.dims(a.value)[0], "batch sizes");
  n.requireEqual(n.dims(a.query)[3], n.dims(a.key)[3], "head sizes of query and key");
  n.requireEqual(n.dims(a.key)[2], n.dims(a.value)[2], "numbers of keys and values");
  n.requireEqual(n.dims(a.key)[1], n.dims(a.value)[1], "heads of key and value");
  DimExpr heads = n.dims(a.query)[1], keyHeads = n.dims(a.key)[1];
  if (keyHeads.isConstant(0) || !DimExpr::mod(heads, keyHeads).isConstant(0))
    n.fail(heads.str() + " query heads do not divide into " + keyHeads.str());
}

double llmc::importer::defaultScale(Node &n, Value query) {
  std::optional<int64_t> headSize = n.failed() ? 1 : n.dims(query).back().constant();
  if (!headSize || *headSize < 1)
    n.fail("not supported: the default scale of a head size that is not constant");
  return headSize ? 1 / std::sqrt(double(*headSize)) : 1;
}

/// llm.attention reads a bias for each key.
static Value biasPerKey(Node &n, const Attention &a) {
  Dims dims = n.dims(a.bias);
  if (!a.bias || (!dims.empty() && !dims.back().isConstant(1)))
    return a.bias;
  if (dims.empty())
    dims.push_back(1);
  dims.back() = n.dims(a.key)[2];
  return n.broadcast(a.bias, dims);
}

Value llmc::importer::attend(Node &n, const Attention &a) {
  if (n.failed())
    return {};
  // The kernels know f32 and what is widened to it.
  if (n.elementTypeOf(a.query).isF64())
    return attendInSteps(n, a, n.elementTypeOf(a.query)).result;
  Dims result = n.dims(a.query);
  result[3] = n.dims(a.value)[3];
  Value bias = biasPerKey(n, a);
  const mlir::DenseF64ArrayAttr kUnrounded;
  return n.make<llm::AttentionOp>(llm::makeTensorType(result, n.elementTypeOf(a.query)), a.query,
                                  a.key, a.value, bias, a.pastLens, a.sinks, /*slopes=*/Value(),
                                  llvm::APFloat(a.scale), a.causal, uint64_t(a.window),
                                  llvm::APFloat(a.softcap), kUnrounded, kUnrounded, kUnrounded);
}

/// [B, Hq, S, X] as [B, Hkv, Hq / Hkv * S, X], so that heads of a group are rows of one product.
static Value groupRows(Node &n, Value x, const DimExpr &keyHeads) {
  if (n.failed())
    return {};
  Dims dims = n.dims(x);
  if (dims[1] == keyHeads)
    return x;
  return n.reshape(x, {dims[0], keyHeads, DimExpr::floorDiv(dims[1], keyHeads) * dims[2], dims[3]});
}

Value llmc::importer::groupedScores(Node &n, Value query, Value key) {
  if (n.failed())
    return {};
  Dims dims = n.dims(query);
  Value rows = groupRows(n, query, n.dims(key)[1]);
  Value scores = n.matmul(rows, n.transpose(key, {0, 1, 3, 2}));
  return n.failed() ? Value() : n.reshape(scores, {dims[0], dims[1], dims[2], n.dims(key)[2]});
}

Value llmc::importer::groupedValues(Node &n, Value probabilities, Value value) {
  if (n.failed())
    return {};
  Dims dims = n.dims(probabilities);
  Value result = n.matmul(groupRows(n, probabilities, n.dims(value)[1]), value);
  return n.failed() ? Value() : n.reshape(result, {dims[0], dims[1], dims[2], n.dims(value)[3]});
}

Value llmc::importer::biasWhere(Node &n, Value condition, Type element) {
  return n.select(condition, n.scalar(0, element), n.scalar(-kInfinity, element));
}

Value llmc::importer::addBias(Node &n, Value bias, Value more) {
  return bias && more ? n.binary(BinaryKind::add, bias, more) : bias ? bias : more;
}

Value llmc::importer::sightBias(Node &n, const Sight &sight, const DimExpr &queries,
                                const DimExpr &keys, Type element) {
  if (n.failed() || (!sight.left && !sight.right))
    return {};
  Value first = sight.first;
  if (n.rank(first) == 1)
    first = n.reshape(first, {n.dims(first)[0], 1, 1, 1});
  Value position = n.binary(BinaryKind::add, n.reshape(n.iota(queries), {queries, 1}), first);
  Value key = n.iota(keys), visible;
  if (sight.right)
    visible = n.compare(llm::ComparePredicate::le, key,
                        n.binary(BinaryKind::add, position, double(*sight.right)));
  if (sight.left) {
    Value isNear = n.compare(llm::ComparePredicate::ge, key,
                             n.binary(BinaryKind::sub, position, double(*sight.left)));
    visible = visible ? n.binary(BinaryKind::logical_and, visible, isNear) : isNear;
  }
  return biasWhere(n, visible, element);
}

// A scatter of slices at tuples (b, d1, .., position).
Value llmc::importer::writeTokens(Node &n, Value cache, Value tokens, int64_t axis, Value first,
                                  bool isCircular) {
  if (n.failed())
    return {};
  Dims prefix = n.dims(tokens);
  prefix.truncate(axis + 1);
  Value position = n.iota(prefix[axis], axis, axis + 1);
  if (first && n.rank(first) == 1) {
    Dims perBatch(axis + 1, DimExpr(1));
    perBatch[0] = prefix[0];
    first = n.reshape(first, perBatch);
  }
  if (first)
    position = n.binary(BinaryKind::add, position, first);
  if (isCircular)
    position = n.binary(BinaryKind::mod, position, n.size(n.dims(cache)[axis]));
  SmallVector<Value> tuple;
  Dims column = prefix;
  column.push_back(1);
  for (int64_t i = 0; i <= axis; ++i) {
    Value index = i == axis ? position : n.iota(prefix[i], i, axis + 1);
    tuple.push_back(n.reshape(n.broadcast(index, prefix), column));
  }
  return n.infer<llm::ScatterNDOp>(llm::ScatterKind::replace, cache, n.concat(axis + 1, tuple),
                                   tokens);
}

/// What `causal`, `window` and `pastLens` hide, as a bias; null where they hide nothing.
static Value hiddenKeys(Node &n, const Attention &a, Type element) {
  Dims query = n.dims(a.query), key = n.dims(a.key);
  if (n.failed())
    return {};
  Sight sight;
  sight.first = a.pastLens ? a.pastLens : n.size(key[2] - query[2]);
  if (a.causal)
    sight.right = 0;
  if (a.window > 0)
    sight.left = a.window - 1;
  Value bias = sightBias(n, sight, query[2], key[2], element);
  if (!a.pastLens || a.causal)
    return bias;
  Value end =
      n.binary(BinaryKind::add, n.reshape(a.pastLens, {query[0], 1, 1, 1}), n.size(query[2]));
  Value exists = n.compare(llm::ComparePredicate::lt, n.iota(key[2]), end);
  return addBias(n, bias, biasWhere(n, exists, element));
}

/// Softmax of the scores and, where there are sinks, one more element per row.
static Value softmaxOf(Node &n, Value scores, Value sinks) {
  if (n.failed())
    return {};
  if (!sinks)
    return n.infer<llm::SoftmaxOp>(uint64_t(3), scores);
  Dims dims = n.dims(scores), column = dims;
  column[3] = 1;
  Value sink = n.reshape(n.cast(sinks, n.elementTypeOf(scores)), {dims[1], 1, 1});
  Value all = n.concat(3, {scores, n.broadcast(sink, column)});
  return n.slice(n.infer<llm::SoftmaxOp>(uint64_t(3), all), 3, 0, dims[3]);
}

Type llmc::importer::softmaxPrecision(Node &n, int64_t otherwise) {
  int64_t precision = n.intAttr("softmax_precision", otherwise);
  switch (precision) {
  case TensorProto::DOUBLE:
    return n.builder.getF64Type();
  case TensorProto::FLOAT16:
    return n.builder.getF16Type();
  case TensorProto::BFLOAT16:
    return n.builder.getBF16Type();
  default:
    n.fail("softmax_precision is " + Twine(precision) + ", which is no floating-point type");
    [[fallthrough]];
  case TensorProto::FLOAT:
    return n.builder.getF32Type();
  }
}

AttentionSteps llmc::importer::attendInSteps(Node &n, const Attention &a, Type softmaxType) {
  AttentionSteps steps;
  if (n.failed())
    return steps;
  Type element = n.elementTypeOf(a.query);
  // The root of the scale on both sides keeps f16 products small, as the standard asks.
  double root = std::sqrt(std::abs(a.scale));
  Value query = n.binary(BinaryKind::mul, a.query, std::copysign(root, a.scale));
  steps.scores = groupedScores(n, query, n.binary(BinaryKind::mul, a.key, root));
  steps.capped = steps.scores;
  if (a.softcap > 0) {
    Value ratio = n.binary(BinaryKind::div, steps.scores, a.softcap);
    steps.capped = n.binary(BinaryKind::mul, n.unary(UnaryKind::tanh, ratio), a.softcap);
  }
  Value bias = addBias(n, a.bias, hiddenKeys(n, a, element));
  steps.biased = bias ? n.binary(BinaryKind::add, steps.capped, bias) : steps.capped;
  Value weights = softmaxOf(n, n.cast(steps.biased, softmaxType), a.sinks);
  weights = n.cast(weights, element);
  if (bias && !n.failed()) {
    if (n.rank(bias) == 0)
      bias = n.reshape(bias, {1});
    Value most = n.reduce(llm::ReduceKind::max, bias, {n.rank(bias) - 1}, /*keepdims=*/true);
    Value isHidden = n.compare(llm::ComparePredicate::eq, most, -kInfinity);
    weights = n.select(isHidden, n.scalar(0, element), weights);
  }
  steps.probabilities = weights;
  steps.result = groupedValues(n, weights, a.value);
  return steps;
}
