//===- ExpertOps.cpp - mixtures of experts as one operator
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// com.microsoft MoE and QMoE: a router's scores choose k experts per token, each a
// network of two (with a gate of its own three) linear layers.
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

namespace {
/// The numbers of a node's inputs.
struct LayerInputs {
  int weight, scales, bias, zeroPoints; ///< -1: the operator has none
};
/// The tokens of a node and the experts that serve them.
struct Routing {
  Value tokens;  ///< [T, H]
  Value ids;     ///< [T, k]
  Value weights; ///< [T, k]
};
} // namespace

static Routing route(Node &n, bool softmaxOverChosen) {
  Value x = n.input(0), scores = n.input(1);
  Dims dims = n.dims(x);
  if (dims.size() < 2 || n.rank(scores) != 2) {
    n.fail("needs tokens of rank 2 or 3 and scores of rank 2, found " + llm::formatDims(dims) +
           " and " + llm::formatDims(n.dims(scores)));
    return {};
  }
  DimExpr count = llm::product(ArrayRef(dims).drop_back());
  n.requireEqual(n.dims(scores)[0], count, "rows of the scores against tokens");
  Routing routing;
  routing.tokens = n.reshape(x, {count, dims.back()});
  scores = n.cast(scores, n.elementTypeOf(x));
  int64_t k = n.intAttr("k", 1);
  std::optional<int64_t> experts = n.failed() ? std::nullopt : n.dims(scores)[1].constant();
  if (!n.failed() && (!experts || k < 1 || k > *experts))
    n.fail("k = " + Twine(k) + " experts of " + llm::formatDims(n.dims(n.input(1))));
  routing.ids = n.infer<llm::TopKIndicesOp>(uint64_t(1), scores, std::to_string(k), true);
  Value source = softmaxOverChosen ? scores : n.infer<llm::SoftmaxOp>(uint64_t(1), scores);
  routing.weights = n.infer<llm::GatherElementsOp>(uint64_t(1), source, routing.ids);
  if (softmaxOverChosen)
    routing.weights = n.infer<llm::SoftmaxOp>(uint64_t(1), routing.weights);
  return routing;
}

/// One layer of the chosen experts, `x` being [T, K] or [T, k, K].
static Value expertLayer(Node &n, Value x, Value ids, const LayerInputs &inputs) {
  Value weight = n.input(inputs.weight);
  mlir::OpBuilder &b = n.builder;
  if (!weight)
    n.fail("needs input " + Twine(inputs.weight) + ", weights of the experts");
  if (n.failed() || n.rank(weight) != 3) {
    n.fail("the weights of the experts have the shape " + llm::formatDims(n.dims(weight)));
    return {};
  }
  Value bias = inputs.bias >= 0 ? n.input(inputs.bias) : Value();
  Dims dims = n.dims(weight);
  DimExpr depth = n.dims(x).back();
  if (inputs.scales < 0) {
    bool transposed = DimExpr::equal(dims[2], depth) != false; // [E, N, K]; once [E, K, N]
    return n.infer<llm::ExpertLinearOp>(x, ids, weight, Value(), Value(), bias,
                                        transposed ? b.getUnitAttr() : UnitAttr(), IntegerAttr(),
                                        IntegerAttr(), IntegerAttr());
  }
  int64_t bits = n.intAttr("expert_weight_bits", 4);
  std::optional<int64_t> experts = dims[0].constant(), rows = dims[1].constant();
  std::optional<int64_t> bytes = dims[2].constant();
  Value scales = n.input(inputs.scales);
  if (!experts || !rows || !bytes || !n.elementTypeOf(weight).isUnsignedInteger(8) || !scales ||
      (bits != 4 && bits != 8)) {
    n.fail("not supported: weights of " + Twine(bits) + " bits in " + llm::formatDims(dims));
    return {};
  }
  int64_t columns = *bytes * 8 / bits, group = n.intAttr("block_size", 0);
  group = group > 0 ? group : columns; // a scale per row
  if (columns % group != 0 || group * bits % 8 != 0) {
    n.fail("block_size " + Twine(group) + " does not divide " + Twine(columns) + " columns");
    return {};
  }
  int64_t groups = columns / group;
  n.requireEqual(llm::product(n.dims(scales)), *experts * *rows * groups, "number of scales");
  scales = n.reshape(scales, {*experts, *rows, groups});
  Value zeroPoints = n.input(inputs.zeroPoints);
  if (zeroPoints)
    n.requireEqual(llm::product(n.dims(zeroPoints)), *experts * *rows * ((groups * bits + 7) / 8),
                   "bytes of zero points");
  return n.infer<llm::ExpertLinearOp>(
      x, ids, n.reshape(weight, {*experts, *rows, groups, group * bits / 8}), scales, zeroPoints,
      bias, UnitAttr(), b.getI64IntegerAttr(bits), b.getI64IntegerAttr(group),
      b.getI64IntegerAttr(columns));
}

/// Every second element of the last dimension, from `start`.
static Value everySecond(Node &n, Value x, int64_t start) {
  if (n.failed())
    return {};
  Dims dims = n.dims(x), starts(dims.size(), DimExpr(0));
  dims.back() = DimExpr::floorDiv(dims.back(), 2);
  starts.back() = start;
  SmallVector<int64_t> steps(dims.size(), 1);
  steps.back() = 2;
  return n.make<llm::SliceOp>(llm::makeTensorType(dims, n.elementTypeOf(x)), x,
                              llm::makeExprs(n.builder.getContext(), starts), steps);
}

/// gate * sigmoid(alpha * gate) * (linear + beta), both clamped where there is a limit.
static Value swiglu(Node &n, Value h, Value linear) {
  int64_t fusion = n.intAttr("swiglu_fusion", 0);
  Value gate = h;
  if (fusion == 1) {
    gate = everySecond(n, h, 0);
    linear = everySecond(n, h, 1);
  } else if (fusion == 2 && !n.failed()) {
    DimExpr half = DimExpr::floorDiv(n.dims(h).back(), 2);
    gate = n.slice(h, n.rank(h) - 1, 0, half);
    linear = n.slice(h, n.rank(h) - 1, half, half);
  }
  if (!n.failed() && !linear)
    n.fail("swiglu needs swiglu_fusion or a third layer");
  if (n.hasAttribute("swiglu_limit")) {
    double limit = n.floatAttr("swiglu_limit", 0);
    gate = n.binary(BinaryKind::min, gate, limit);
    linear = n.binary(BinaryKind::max, n.binary(BinaryKind::min, linear, limit), -limit);
  }
  double alpha = n.floatAttr("activation_alpha", 1), beta = n.floatAttr("activation_beta", 0);
  Value activated = n.binary(BinaryKind::mul, gate,
                             n.unary(UnaryKind::sigmoid, n.binary(BinaryKind::mul, gate, alpha)));
  return n.binary(BinaryKind::mul, activated, n.binary(BinaryKind::add, linear, beta));
}

static Value activate(Node &n, Value h, Value linear) {
  std::string type = n.stringAttr("activation_type", "relu");
  if (type == "swiglu")
    return swiglu(n, h, linear);
  if (type == "relu")
    h = n.unary(UnaryKind::relu, h);
  else if (type == "gelu")
    h = n.unary(UnaryKind::gelu_tanh, h);
  else if (type == "silu")
    h = n.unary(UnaryKind::silu, h);
  else if (type != "identity")
    n.fail("not supported: activation_type '" + type + "'");
  return linear ? n.binary(BinaryKind::mul, h, linear) : h;
}

static void mixture(Node &n, bool softmaxOverChosen, const LayerInputs (&layers)[3]) {
  if (n.intAttr("use_sparse_mixer", 0))
    return n.fail("not supported: use_sparse_mixer");
  Routing routing = route(n, softmaxOverChosen);
  Value h = expertLayer(n, routing.tokens, routing.ids, layers[0]);
  Value linear =
      n.input(layers[2].weight) ? expertLayer(n, routing.tokens, routing.ids, layers[2]) : Value();
  Value y = expertLayer(n, activate(n, h, linear), routing.ids, layers[1]);
  if (n.failed())
    return;
  Dims column = n.dims(routing.weights);
  column.push_back(1);
  y = n.binary(BinaryKind::mul, y, n.reshape(routing.weights, column));
  y = n.reduce(llm::ReduceKind::sum, y, {1}, /*keepdims=*/false);
  n.setOutput(n.reshape(y, n.dims(n.input(0))));
}

static void moeOp(Node &n) {
  mixture(n, n.intAttr("normalize_routing_weights", 0) != 0,
          {{2, -1, 3, -1}, {4, -1, 5, -1}, {6, -1, 7, -1}});
}

/// The scores of the chosen experts always sum to 1, whatever
/// normalize_routing_weights says (onnxruntime 1.31).
static void qmoeOp(Node &n) {
  mixture(n, /*softmaxOverChosen=*/true, {{2, 3, 4, 11}, {5, 6, 7, 12}, {8, 9, 10, 13}});
}

void llmc::importer::addExpertOps(OpTable &t) {
  constexpr StringRef kAttributes =
      "activation_type k normalize_routing_weights use_sparse_mixer activation_alpha "
      "activation_beta swiglu_fusion swiglu_limit expert_weight_bits block_size";
  // Biases are optional, and so the second layer is not among the first inputs.
  t.add(kMicrosoft, "MoE", 1, {moeOp, 3, 8, 1, kAttributes});
  t.add(kMicrosoft, "QMoE", 1, {qmoeOp, 4, 14, 1, kAttributes});
}
