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
#include "Quantization.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

namespace {
/// The numbers of a node's inputs, and its attribute that overrides `expert_weight_bits`.
struct LayerInputs {
  int weight, scales, bias, zeroPoints; ///< -1: the operator has none
  StringRef bits = "";
};
/// What of a node is not said by its attributes.
struct Mixture {
  /// Whether the weights are a softmax over the chosen scores, not over all.
  bool softmaxOverChosen;
  LayerInputs layers[3];
  /// [T, E]: what weighs the chosen experts in place of their scores; null where absent.
  Value routerWeights = {};
};
/// The tokens of a node and the experts that serve them.
struct Routing {
  Value tokens;  ///< [T, H]
  Value ids;     ///< [T, k]
  Value weights; ///< [T, k]
};
} // namespace

//===----------------------------------------------------------------------===//
// Routers
//===----------------------------------------------------------------------===//

/// Weights of two experts as Phi-3.5-MoE chooses them: each is the expert's part in a softmax
/// over the scores near its own, the second's without the first. `scores` are [T, E], `ids`
/// the two best.
///
/// onnxruntime's CUDA provider computes this, with the same 0.01 for half the distance; its
/// CPU provider (1.31) reads the attribute and then computes a softmax over the two. A model
/// that sets the attribute was trained with the mixer.
static Value sparseMixerWeights(Node &n, Value scores, Value ids) {
  constexpr double kDistance = 2 * 0.01;
  Type given = n.elementTypeOf(scores), f32 = n.builder.getF32Type();
  scores = n.cast(scores, f32);
  Value best = n.infer<llm::GatherElementsOp>(uint64_t(1), scores, ids);
  if (n.failed())
    return {};
  // One after the other: compilers differ in the order of arguments.
  Value numbers = n.iota(n.dims(scores)[1]), first = n.slice(ids, 1, 0, 1);
  Value isFirst = n.compare(llm::ComparePredicate::eq, numbers, first);
  Value zero = n.scalar(0, f32), one = n.scalar(1, f32);
  SmallVector<Value> weights;
  for (int64_t choice : {0, 1}) {
    Value own = n.slice(best, 1, choice, 1);
    Value size = n.binary(BinaryKind::max, n.unary(UnaryKind::abs, scores), own);
    Value distance = n.binary(BinaryKind::sub, own, scores);
    Value most = n.binary(BinaryKind::mul, size, kDistance);
    Value isOut = n.compare(llm::ComparePredicate::gt, distance, most);
    if (choice == 1)
      isOut = n.binary(BinaryKind::logical_or, isOut, isFirst);
    Value part = n.unary(UnaryKind::exp, n.binary(BinaryKind::sub, scores, own));
    Value sum = n.reduce(llm::ReduceKind::sum, n.select(isOut, zero, part), {1}, /*keepdims=*/true);
    weights.push_back(n.binary(BinaryKind::div, one, sum));
  }
  return n.cast(n.concat(1, weights), given);
}

/// The router's own weights of the chosen experts, which sum to 1 where the node says so;
/// zeros stay zeros.
static Value givenWeights(Node &n, Value given, Value scores, Value ids) {
  if (n.rank(given) != 2)
    n.fail("needs router_weights of rank 2, found " + llm::formatDims(n.dims(given)));
  for (int64_t axis = 0; axis < 2 && !n.failed(); ++axis)
    n.requireEqual(n.dims(given)[axis], n.dims(scores)[axis],
                   "dimension " + Twine(axis) + " of router_weights against the scores");
  given = n.cast(given, n.elementTypeOf(scores));
  Value weights = n.infer<llm::GatherElementsOp>(uint64_t(1), given, ids);
  if (!n.intAttr("normalize_routing_weights", 0))
    return weights;
  Value sum = n.reduce(llm::ReduceKind::sum, weights, {1}, /*keepdims=*/true);
  Value isZero = n.compare(llm::ComparePredicate::eq, sum, 0.0);
  Value zero = n.scalar(0, n.elementTypeOf(scores));
  return n.select(isZero, zero, n.binary(BinaryKind::div, weights, sum));
}

static Value weightsOf(Node &n, const Mixture &mixture, Value scores, Value ids) {
  if (n.intAttr("use_sparse_mixer", 0)) {
    if (mixture.routerWeights)
      n.fail("not supported: use_sparse_mixer with router_weights");
    if (int64_t k = n.intAttr("k", 1); k != 2)
      n.fail("use_sparse_mixer chooses k = 2 experts, found k = " + Twine(k));
    return sparseMixerWeights(n, scores, ids);
  }
  if (mixture.routerWeights)
    return givenWeights(n, mixture.routerWeights, scores, ids);
  Value source = mixture.softmaxOverChosen ? scores : n.infer<llm::SoftmaxOp>(uint64_t(1), scores);
  Value weights = n.infer<llm::GatherElementsOp>(uint64_t(1), source, ids);
  return mixture.softmaxOverChosen ? n.infer<llm::SoftmaxOp>(uint64_t(1), weights) : weights;
}

static Routing route(Node &n, const Mixture &mixture) {
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
  routing.weights = weightsOf(n, mixture, scores, routing.ids);
  return routing;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

static int64_t bitsOf(Node &n, const LayerInputs &inputs) {
  int64_t bits = n.intAttr(inputs.bits, n.intAttr("expert_weight_bits", 4));
  if (bits != 2 && bits != 4 && bits != 8)
    n.fail("not supported: weights of " + Twine(bits) + " bits");
  return bits;
}

/// Inputs per scale; a row's `columns` where the node has no blocks.
static int64_t groupSizeOf(Node &n, int64_t columns) {
  int64_t size = n.intAttr("block_size", 0);
  if (size <= 0)
    return columns;
  if (size < 16 || (size & (size - 1)))
    n.fail("block_size " + Twine(size) + " is not a power of two from 16");
  else if (columns % size != 0)
    n.fail("block_size " + Twine(size) + " does not divide " + Twine(columns) + " columns");
  return size;
}

/// Zero points in rows of packed groups, or one per output of an expert: those lie packed
/// beside one another, and are taken apart.
static Value zeroPointsOf(Node &n, Value given, ArrayRef<int64_t> weight, int64_t bits) {
  int64_t experts = weight[0], outputs = weight[1], groups = weight[2];
  if (!given || n.failed())
    return {};
  if (!n.elementTypeOf(given).isUnsignedInteger(8)) {
    n.fail("the zero points are not packed uint8");
    return {};
  }
  bool isPerOutput = n.intAttr("block_size", 0) <= 0;
  int64_t rowBytes = ((isPerOutput ? outputs : groups) * bits + 7) / 8;
  n.requireEqual(llm::product(n.dims(given)), (isPerOutput ? 1 : outputs) * experts * rowBytes,
                 "bytes of zero points");
  if (!isPerOutput || bits == 8)
    return n.reshape(given, {experts, outputs, isPerOutput ? 1 : rowBytes});
  Value numbers = unpackBits(n, n.reshape(given, {experts, rowBytes}), bits, outputs);
  return n.reshape(n.cast(numbers, n.builder.getF32Type()), {experts, outputs, 1});
}

/// The product with matrices [E, N, K] that come with the call: each choice's is gathered.
static Value productOfGiven(Node &n, Value x, Value ids, Value matrices, Value bias) {
  Dims column = n.dims(x);
  if (n.failed())
    return {};
  if (n.rank(x) == n.rank(ids))
    column.insert(column.end() - 1, 1);
  column.push_back(1);
  Value chosen = n.infer<llm::GatherOp>(uint64_t(0), matrices, ids);
  Value product = n.matmul(chosen, n.reshape(x, column));
  Dims dims = n.dims(product);
  if (n.failed())
    return {};
  dims.pop_back();
  product = n.reshape(product, dims);
  return bias ? n.binary(BinaryKind::add, product, n.infer<llm::GatherOp>(uint64_t(0), bias, ids))
              : product;
}

/// The matrices [E, N, K] of packed `bytes` [E, N, groups, blob].
static Value spellOut(Node &n, Value bytes, const Quantization &how, int64_t bits, Type result) {
  Dims dims = n.dims(bytes);
  if (n.failed())
    return {};
  int64_t groups = *dims[2].constant(), columns = groups * how.blockSize;
  Value numbers =
      unpackBits(n, n.reshape(bytes, {dims[0], dims[1], columns * bits / 8}), bits, columns);
  Quantization spelt = how;
  if (!how.zeroPoint)
    spelt.zeroPoint = n.broadcast(n.scalar(double(1 << (bits - 1)), n.elementTypeOf(numbers)),
                                  {dims[0], dims[1], groups});
  else if (!isa<FloatType>(n.elementTypeOf(how.zeroPoint)))
    spelt.zeroPoint = unpackBits(n, how.zeroPoint, bits, groups);
  return dequantize(n, numbers, spelt, result);
}

/// Sums are of floats whatever accuracy_level says, which is the least accuracy that a model
/// wants; onnxruntime's CPU provider rounds inputs of blocks of 8 bits to int8 at every level.
static Value quantizedLayer(Node &n, Value x, Value ids, const LayerInputs &inputs) {
  Value weight = n.input(inputs.weight), scales = n.input(inputs.scales);
  int64_t bits = bitsOf(n, inputs);
  if (n.failed())
    return {};
  Dims dims = n.dims(weight);
  std::optional<int64_t> experts = dims[0].constant(), outputs = dims[1].constant();
  std::optional<int64_t> bytes = dims[2].constant();
  if (!n.elementTypeOf(weight).isUnsignedInteger(8) || !scales) {
    n.fail("the weights of the experts are not uint8 data with scales");
    return {};
  }
  constexpr int64_t kMaxSize = int64_t(1) << 31;
  for (std::optional<int64_t> size : {experts, outputs, bytes})
    if (!size || *size < 1 || *size > kMaxSize) {
      n.fail("the weights of the experts have the shape " + llm::formatDims(dims));
      return {};
    }
  int64_t columns = *bytes * (8 / bits), group = groupSizeOf(n, columns);
  if (n.failed())
    return {};
  int64_t groups = columns / group;
  weight = n.reshape(weight, {*experts, *outputs, groups, *bytes / groups});
  if (n.failed())
    return {};
  n.requireEqual(llm::product(n.dims(scales)), *experts * *outputs * groups, "number of scales");
  scales = n.reshape(scales, {*experts, *outputs, groups});
  Value zeroPoints =
      zeroPointsOf(n, n.input(inputs.zeroPoints), {*experts, *outputs, groups}, bits);
  Value bias = n.input(inputs.bias);
  if (isAnyGiven(
          {n.input(inputs.weight), n.input(inputs.scales), n.input(inputs.zeroPoints), bias}))
    return productOfGiven(
        n, x, ids,
        spellOut(n, weight, {scales, zeroPoints, /*axis=*/2, group}, bits, n.elementTypeOf(x)),
        bias);
  mlir::OpBuilder &b = n.builder;
  return n.infer<llm::ExpertLinearOp>(x, ids, weight, scales, zeroPoints, bias, UnitAttr(),
                                      b.getI64IntegerAttr(bits), b.getI64IntegerAttr(group),
                                      b.getI64IntegerAttr(columns));
}

/// One layer of the chosen experts, `x` being [T, K] or [T, k, K].
static Value expertLayer(Node &n, Value x, Value ids, const LayerInputs &inputs) {
  Value weight = n.input(inputs.weight);
  if (!weight)
    n.fail("needs input " + Twine(inputs.weight) + ", weights of the experts");
  if (n.failed() || n.rank(weight) != 3) {
    n.fail("the weights of the experts have the shape " + llm::formatDims(n.dims(weight)));
    return {};
  }
  if (inputs.scales >= 0)
    return quantizedLayer(n, x, ids, inputs);
  // [E, N, K]; once [E, K, N].
  bool transposed = DimExpr::equal(n.dims(weight)[2], n.dims(x).back()) != false;
  Value bias = n.input(inputs.bias);
  if (isAnyGiven({weight, bias}))
    return productOfGiven(n, x, ids, transposed ? weight : n.transpose(weight, {0, 2, 1}), bias);
  return n.infer<llm::ExpertLinearOp>(x, ids, weight, Value(), Value(), bias,
                                      transposed ? n.builder.getUnitAttr() : UnitAttr(),
                                      IntegerAttr(), IntegerAttr(), IntegerAttr());
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
  if (fusion < 0 || fusion > 2)
    n.fail("swiglu_fusion " + Twine(fusion) + " is none of 0, 1 and 2");
  else if (fusion != 0 && linear)
    n.fail("swiglu_fusion with a third layer");
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

static void mixtureOp(Node &n, const Mixture &mixture) {
  const LayerInputs *layers = mixture.layers;
  Routing routing = route(n, mixture);
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

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

static void moeOp(Node &n) {
  mixtureOp(n, {n.intAttr("normalize_routing_weights", 0) != 0,
                {{2, -1, 3, -1}, {4, -1, 5, -1}, {6, -1, 7, -1}}});
}

/// Fails for what onnxruntime's CPU provider reads past: numbers that are no integers, and
/// weights in the order that a kernel of some GPU wants them in.
static void checkQuantization(Node &n) {
  if (std::string type = n.stringAttr("quant_type", "int"); type != "int")
    n.fail("not supported: quant_type '" + type + "'");
  if (int64_t layout = n.intAttr("weights_prepacked", -1); layout != -1 && layout != 0)
    n.fail("not supported: weights_prepacked = " + Twine(layout) + ", a layout of some GPU");
  for (int scale = 15; scale <= 20; ++scale)
    if (n.input(scale))
      n.fail("not supported: input " + Twine(scale) + ", a scale of 8- or 4-bit floats");
}

/// The scores of the chosen experts always sum to 1, whatever
/// normalize_routing_weights says (onnxruntime 1.31); it is about router_weights.
static void qmoeOp(Node &n) {
  checkQuantization(n);
  Mixture mixture{/*softmaxOverChosen=*/true,
                  {{2, 3, 4, 11, "fc1_expert_weight_bits"},
                   {5, 6, 7, 12, "fc2_expert_weight_bits"},
                   {8, 9, 10, 13, "fc3_expert_weight_bits"}},
                  n.input(14)};
  mixtureOp(n, mixture);
}

void llmc::importer::addExpertOps(OpTable &t) {
  // Biases are optional, and so the second layer is not among the first inputs.
  t.add(kMicrosoft, "MoE", 1,
        {moeOp, 3, 8, 1,
         "activation_type k normalize_routing_weights use_sparse_mixer activation_alpha "
         "activation_beta swiglu_fusion swiglu_limit"});
  t.add(kMicrosoft, "QMoE", 1,
        {qmoeOp, 4, 21, 1,
         "activation_type k normalize_routing_weights use_sparse_mixer activation_alpha "
         "activation_beta swiglu_fusion swiglu_limit expert_weight_bits block_size "
         "accuracy_level quant_type weights_prepacked fc1_expert_weight_bits "
         "fc2_expert_weight_bits fc3_expert_weight_bits",
         "quant_type but int, weights_prepacked, scales of 8- and 4-bit floats"});
}
