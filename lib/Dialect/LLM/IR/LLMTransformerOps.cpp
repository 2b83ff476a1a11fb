//===- LLMTransformerOps.cpp - shape rules of the model operations
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

static bool differs(const DimExpr &a, const DimExpr &b) { return !mayBeEqual(a, b); }

/// Dense weights are of the input's type; kernels in f32 take narrower ones, too.
static bool isWeightFor(Type weight, Type input) {
  return weight == input || (input.isF32() && (weight.isF16() || weight.isBF16()));
}

static bool isVectorOf(Value value, const DimExpr &size) {
  Dims dims = getDims(value);
  return dims.size() == 1 && !differs(dims[0], size);
}

/// Of a row of llm.quantize_input.
static DimExpr quantizedRowBytes(const DimExpr &columns, int64_t groupSize) {
  return DimExpr::ceilDiv(columns, QuantizeInputOp::unitOf(groupSize)) *
         QuantizeInputOp::unitBytes(groupSize);
}

LogicalResult LinearOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims dims = getDims(adaptor.getInput()), weight = getDims(adaptor.getWeight());
  auto type = tensorType(adaptor.getInput());
  DimExpr rows, columns;
  bool isIntegral = false;
  if (adaptor.getBits()) {
    auto weightType = tensorType(adaptor.getWeight());
    if (weight.size() != 3 || !weightType.getElementType().isInteger(8) ||
        bool(adaptor.getScales()) == adaptor.getPacked().has_value() || !adaptor.getGroupSize() ||
        !adaptor.getColumns()) // C3
      return emitOptionalError(loc,
                               "llm.linear: C3: n-bit weights need 3-D ui8 data, scales, "
                               "group_size and columns, found ",
                               weightType);
    Value scales = adaptor.getScales();
    if (scales && product(getDims(scales)) != weight[0] * weight[1]) // C3
      return emitOptionalError(loc, "llm.linear: C3: scales ", formatDims(getDims(scales)),
                               " for weights ", formatDims(weight));
    rows = weight[0];
    columns = int64_t(*adaptor.getColumns());
  } else {
    Type weightElement = tensorType(adaptor.getWeight()).getElementType();
    isIntegral = type.getElementType().isInteger(8) && weightElement.isInteger(8);
    if (weight.size() != 2 || (isIntegral && adaptor.getBias()) ||
        (!isIntegral && !isWeightFor(weightElement, type.getElementType()))) // C2
      return emitOptionalError(loc, "llm.linear: C2: weight ", tensorType(adaptor.getWeight()),
                               " for input ", type);
    rows = weight[adaptor.getTransposed() ? 0 : 1];
    columns = weight[adaptor.getTransposed() ? 1 : 0];
  }
  Type element = type.getElementType();
  bool isQuantizedInput = adaptor.getBits() && element.isUnsignedInteger(8);
  if (isQuantizedInput) // only f32 inputs are quantised
    element = Float32Type::get(context);
  if (isIntegral)
    element = IntegerType::get(context, 32);
  DimExpr inputColumns =
      isQuantizedInput ? quantizedRowBytes(columns, *adaptor.getGroupSize()) : columns;
  if (dims.empty() || differs(dims.back(), inputColumns)) // C1
    return emitOptionalError(loc, "llm.linear: C1: input ", formatDims(dims),
                             " has no last "
                             "dimension of ",
                             columns.str());
  if (adaptor.getBias() && !isVectorOf(adaptor.getBias(), rows)) // C4
    return emitOptionalError(loc, "llm.linear: C4: bias ", tensorType(adaptor.getBias()), " for ",
                             rows.str(), " outputs");
  dims.back() = rows;
  results.push_back(makeTensorType(dims, element));
  return success();
}

LogicalResult ExpertLinearOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                               Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), ids = getDims(adaptor.getIds());
  Dims weight = getDims(adaptor.getWeight());
  Type index = tensorType(adaptor.getIds()).getElementType();
  auto type = tensorType(adaptor.getInput()), weightType = tensorType(adaptor.getWeight());
  if (!index.isInteger(32) && !index.isInteger(64)) // C1
    return emitOptionalError(loc, "llm.expert_linear: C1: ids of type ", index);
  DimExpr rows, columns;
  if (adaptor.getBits()) {
    if (weight.size() != 4 || !weightType.getElementType().isInteger(8) || !adaptor.getScales() ||
        !adaptor.getGroupSize() || !adaptor.getColumns()) // C3
      return emitOptionalError(loc,
                               "llm.expert_linear: C3: n-bit weights need 4-D ui8 data, "
                               "scales, group_size and columns, found ",
                               weightType);
    rows = weight[1];
    columns = int64_t(*adaptor.getColumns());
  } else {
    if (weight.size() != 3 ||
        !isWeightFor(weightType.getElementType(), type.getElementType())) // C3
      return emitOptionalError(loc, "llm.expert_linear: C3: weight ", weightType, " for input ",
                               type);
    rows = weight[adaptor.getTransposed() ? 1 : 2];
    columns = weight[adaptor.getTransposed() ? 2 : 1];
  }
  bool fits = !input.empty() && !ids.empty() && !differs(input.back(), columns) &&
              (input.size() == ids.size() || input.size() == ids.size() + 1);
  for (size_t i = 0; fits && i + 1 < input.size(); ++i)
    fits = !differs(input[i], ids[i]);
  if (!fits) // C2
    return emitOptionalError(loc, "llm.expert_linear: C2: input ", formatDims(input), " with ids ",
                             formatDims(ids), " and ", columns.str(), " columns");
  if (adaptor.getBias()) {
    Dims bias = getDims(adaptor.getBias());
    if (bias.size() != 2 || differs(bias[0], weight[0]) || differs(bias[1], rows)) // C4
      return emitOptionalError(loc, "llm.expert_linear: C4: bias ", formatDims(bias));
  }
  ids.push_back(rows);
  results.push_back(makeTensorType(ids, type.getElementType()));
  return success();
}

LogicalResult QuantizeInputOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                                Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims dims = getDims(adaptor.getInput());
  if (dims.empty() || !dims.back().constant() ||
      !tensorType(adaptor.getInput()).getElementType().isF32()) // C1
    return emitOptionalError(loc, "llm.quantize_input: C1: ", tensorType(adaptor.getInput()));
  // The parser infers before it sets defaults.
  IntegerAttr groupSize = adaptor.getGroupSizeAttr();
  int64_t group = groupSize ? groupSize.getInt() : 32;
  if (group != 16 && (group <= 0 || group % 32 != 0)) // C2
    return emitOptionalError(loc, "llm.quantize_input: C2: groups of ", group);
  dims.back() = quantizedRowBytes(dims.back(), group);
  results.push_back(makeTensorType(dims, IntegerType::get(context, 8, IntegerType::Unsigned)));
  return success();
}

LogicalResult EmbeddingOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims table = getDims(adaptor.getTable()), dims = getDims(adaptor.getIds());
  Type index = tensorType(adaptor.getIds()).getElementType();
  if (!index.isInteger(32) && !index.isInteger(64)) // C1
    return emitOptionalError(loc, "llm.embedding: C1: ids of type ", index);
  bool quantized = adaptor.getBits().has_value(), packed = adaptor.getPacked().has_value();
  if (table.size() != (packed ? 3 : 2) || (packed && (!quantized || adaptor.getScales())) ||
      (quantized &&
       (!adaptor.getWidth() || !adaptor.getGroupSize() || (!packed && !adaptor.getScales())))) // C2
    return emitOptionalError(loc, "llm.embedding: C2: table ", tensorType(adaptor.getTable()));
  dims.push_back(quantized ? DimExpr(int64_t(*adaptor.getWidth())) : table[1]);
  Type element =
      packed ? Float32Type::get(adaptor.getTable().getContext())
             : tensorType(quantized ? adaptor.getScales() : adaptor.getTable()).getElementType();
  results.push_back(makeTensorType(dims, element));
  return success();
}

LogicalResult RMSNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                          Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto type = tensorType(adaptor.getInput());
  if (type.getRank() == 0 || !isVectorOf(adaptor.getWeight(), getDims(type).back())) // C1
    return emitOptionalError(loc, "llm.rms_norm: C1: weight ", tensorType(adaptor.getWeight()),
                             " for ", type);
  results.push_back(type);
  return success();
}

LogicalResult LayerNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto type = tensorType(adaptor.getInput());
  if (type.getRank() == 0 || !isVectorOf(adaptor.getWeight(), getDims(type).back()) ||
      (adaptor.getBias() && !isVectorOf(adaptor.getBias(), getDims(type).back()))) // C1
    return emitOptionalError(loc, "llm.layer_norm: C1: weight ", tensorType(adaptor.getWeight()),
                             " for ", type);
  results.push_back(type);
  return success();
}

LogicalResult RotaryOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), cos = getDims(adaptor.getCos());
  if (input.size() != 4 || cos.size() != 3 ||
      adaptor.getCos().getType() != adaptor.getSin().getType()) // C1
    return emitOptionalError(loc, "llm.rotary: C1: input ", formatDims(input), ", cos ",
                             formatDims(cos));
  if ((!cos[0].isConstant(1) && differs(cos[0], input[0])) || differs(cos[1], input[2])) // C1
    return emitOptionalError(loc, "llm.rotary: C1: angles ", formatDims(cos), " for ",
                             formatDims(input));
  if (!mayFit(cos[2] * 2, input[3])) // C2
    return emitOptionalError(loc, "llm.rotary: C2: rotates ", (cos[2] * 2).str(), " of ",
                             input[3].str(), " channels");
  results.push_back(adaptor.getInput().getType());
  return success();
}

/// Sizes of a tensor that an op names one by one.
static bool hasSizes(ArrayRef<DimExpr> dims, ArrayRef<DimExpr> due) {
  return dims.size() == due.size() && llvm::none_of(llvm::zip(dims, due), [](const auto &pair) {
           return differs(std::get<0>(pair), std::get<1>(pair));
         });
}

/// Whether a list of steps and bounds is one; null is.
static bool isRounding(std::optional<ArrayRef<double>> rounding, bool keepsZero) {
  for (ArrayRef<double> rest = rounding.value_or(ArrayRef<double>()); !rest.empty();
       rest = rest.drop_front(3)) {
    if (rest.size() < 3 || !llvm::all_of(rest, [](double x) { return std::isfinite(x); }) ||
        rest[0] <= 0 || rest[1] > rest[2] || (keepsZero && (rest[1] > 0 || rest[2] < 0)))
      return false;
  }
  return true;
}

static bool broadcastsTo(ArrayRef<DimExpr> dims, ArrayRef<DimExpr> target) {
  if (dims.size() > target.size())
    return false;
  return llvm::none_of(llvm::zip(dims, target.take_back(dims.size())), [](const auto &pair) {
    return !std::get<0>(pair).isConstant(1) && differs(std::get<0>(pair), std::get<1>(pair));
  });
}

LogicalResult AttentionOp::verify() {
  Dims query = getDims(getQuery()), result = getDims(getResult());
  auto heads = [](Type type) -> std::optional<DimExpr> {
    if (auto state = dyn_cast<StateType>(type))
      return state.getToken().getRank() == 2 ? std::optional(getDims(state.getToken())[0])
                                             : std::nullopt;
    auto tensor = cast<RankedTensorType>(type);
    return tensor.getRank() == 4 ? std::optional(getDims(tensor)[1]) : std::nullopt;
  };
  std::optional<DimExpr> keyHeads = heads(getKey().getType());
  std::optional<DimExpr> valueHeads = heads(getValue().getType());
  if (query.size() != 4 || result.size() != 4 || !keyHeads || !valueHeads ||
      *keyHeads != *valueHeads || !DimExpr::mod(query[1], *keyHeads).isConstant(0)) // C1
    return emitOpError("C1: query ") << getQuery().getType() << ", key " << getKey().getType()
                                     << ", value " << getValue().getType();
  bool hasState = isa<StateType>(getKey().getType());
  if (getBias()) {
    Dims bias = getDims(getBias()), scores(query.begin(), query.begin() + 3);
    // How many keys a state has, no size says.
    scores.push_back(hasState ? (bias.empty() ? DimExpr(1) : bias.back()) : getDims(getKey())[2]);
    if (!broadcastsTo(bias, scores)) // C2
      return emitOpError("C2: bias ")
             << getBias().getType() << " for scores " << formatDims(scores);
  }
  if (hasState != isa<StateType>(getValue().getType()) || (hasState && !getPastLens())) // C3
    return emitOpError("C3: states need past_lens");
  if (getSlopes() &&
      (getDims(getSlopes()).size() != 1 || differs(getDims(getSlopes())[0], query[1])))
    return emitOpError("C4: slopes ")
           << getSlopes().getType() << " for " << query[1].str() << " heads";
  if (!isRounding(getScoreRounding(), /*keepsZero=*/false) ||
      !isRounding(getBiasedRounding(), /*keepsZero=*/false) ||
      !isRounding(getWeightRounding(), /*keepsZero=*/true)) // C6
    return emitOpError("C6: a rounding is no list of step, low, high");
  if (hasState)
    return success();
  Dims key = getDims(getKey()), value = getDims(getValue());
  if (!hasSizes(key, {query[0], key[1], key[2], query[3]}) ||
      !hasSizes(value, {query[0], key[1], key[2], value[3]}) ||
      !hasSizes(result, {query[0], query[1], query[2], value[3]})) // C5
    return emitOpError("C5: query ")
           << getQuery().getType() << ", key " << getKey().getType() << ", value "
           << getValue().getType() << ", result " << getResult().getType();
  return success();
}

LogicalResult KVAppendOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                           Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims past = getDims(adaptor.getPast()), tokens = getDims(adaptor.getTokens());
  bool agrees = past.size() == 4 && tokens.size() == 4;
  for (size_t i : {0, 1, 3})
    agrees = agrees && !differs(past[i], tokens[i]);
  if (!agrees) // C1
    return emitOptionalError(loc, "llm.kv_append: C1: past ", formatDims(past), ", tokens ",
                             formatDims(tokens));
  tokens[2] = past[2] + tokens[2];
  results.push_back(makeTensorType(tokens, tensorType(adaptor.getTokens()).getElementType()));
  return success();
}

LogicalResult KVEvictOp::verify() {
  Dims cache = getDims(getCache()), result = getDims(getResult());
  bool agrees = cache.size() == 4 && result.size() == 4 &&
                tensorType(getCache()).getElementType() == tensorType(getResult()).getElementType();
  for (size_t i : {0, 1, 3})
    agrees = agrees && !differs(cache[i], result[i]);
  if (!agrees) // C1
    return emitOpError("C1: cache ") << formatDims(cache) << " to " << formatDims(result);
  return success();
}

LogicalResult StateAppendOp::verify() {
  Dims tokens = getDims(getTokens()), token = getDims(getState().getType().getToken());
  if (tokens.size() != 4 || token.size() != 2 || differs(tokens[1], token[0]) ||
      differs(tokens[3], token[1])) // C1
    return emitOpError("C1: tokens ") << formatDims(tokens) << " for " << getState().getType();
  return success();
}

LogicalResult StateLoadOp::verify() {
  Dims dims = getDims(getResult()), token = getDims(getState().getType().getToken());
  bool isFixed = getState().getType().getFixed();
  bool agrees = dims.size() == token.size() + (isFixed ? 1 : 2);
  if (agrees && isFixed)
    agrees = ArrayRef(dims).drop_front() == ArrayRef(token);
  else if (agrees)
    agrees = token.size() == 2 && dims[1] == token[0] && dims[3] == token[1];
  if (!agrees) // C1
    return emitOpError("C1: ") << getState().getType() << " as " << getResult().getType();
  return success();
}

LogicalResult StateStoreOp::verify() {
  Dims dims = getDims(getValue()), token = getDims(getState().getType().getToken());
  if (!getState().getType().getFixed() || dims.size() != token.size() + 1 ||
      ArrayRef(dims).drop_front() != ArrayRef(token)) // C1
    return emitOpError("C1: ") << getValue().getType() << " into " << getState().getType();
  return success();
}

LogicalResult CausalConvOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                             Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), weight = getDims(adaptor.getWeight());
  if (input.size() != 3 || weight.size() != 2 || differs(input[1], weight[0]) ||
      !weight[1].constant()) // C1
    return emitOptionalError(loc, "llm.causal_conv: C1: input ", formatDims(input), ", weight ",
                             formatDims(weight));
  if (adaptor.getPast()) {
    Dims past = getDims(adaptor.getPast());
    if (past.size() != 3 || differs(past[0], input[0]) || differs(past[1], input[1]) ||
        differs(past[2], weight[1] - 1)) // C2
      return emitOptionalError(loc, "llm.causal_conv: C2: past ", formatDims(past),
                               " for a kernel of ", weight[1].str());
  }
  if (adaptor.getBias() && !isVectorOf(adaptor.getBias(), input[1])) // C3
    return emitOptionalError(loc, "llm.causal_conv: C3: bias ", tensorType(adaptor.getBias()));
  results.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult LinearAttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                  Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims query = getDims(adaptor.getQuery()), key = getDims(adaptor.getKey());
  Dims value = getDims(adaptor.getValue());
  bool agrees = query.size() == 4 && key.size() == 4 && value.size() == 4;
  for (size_t i : {0, 1, 2})
    agrees = agrees && !differs(key[i], value[i]);
  agrees = agrees && !differs(query[0], key[0]) && !differs(query[2], key[2]) &&
           !differs(query[3], key[3]) && key[1].constant() &&
           DimExpr::mod(query[1], key[1]).isConstant(0);
  if (!agrees) // C1
    return emitOptionalError(loc, "llm.linear_attention: C1: query ", formatDims(query), ", key ",
                             formatDims(key), ", value ", formatDims(value));
  auto isPerToken = [&](Value tensor, const DimExpr &channels) {
    Dims dims = getDims(tensor);
    if (dims.size() != 4)
      return false;
    for (size_t i : {0, 1, 2})
      if (differs(dims[i], key[i]))
        return false;
    return dims[3].isConstant(1) || !differs(dims[3], channels);
  };
  const DimExpr &decayed = adaptor.getRates() ? value[3] : key[3];
  if ((adaptor.getDecay() && !isPerToken(adaptor.getDecay(), decayed)) ||
      (adaptor.getBeta() && !isPerToken(adaptor.getBeta(), 1))) // C2
    return emitOptionalError(loc, "llm.linear_attention: C2: decay or beta do not fit key ",
                             formatDims(key));
  Dims state = {key[0], key[1], key[3], value[3]};
  if (adaptor.getPast()) {
    Dims past = getDims(adaptor.getPast());
    if (!hasSizes(past, state)) // C3
      return emitOptionalError(loc, "llm.linear_attention: C3: past ", formatDims(past), " where ",
                               formatDims(state), " is due");
  }
  if (!state[2].constant() || !state[3].constant()) // C4
    return emitOptionalError(loc, "llm.linear_attention: C4: a matrix of ", formatDims(state));
  if (Value rates = adaptor.getRates()) {
    Dims due = {key[1], key[3], value[3]}, dims = getDims(rates);
    if (!adaptor.getDecay() || !hasSizes(dims, due)) // C5
      return emitOptionalError(loc, "llm.linear_attention: C5: rates ", formatDims(dims),
                               " where a decay and ", formatDims(due), " are due");
  }
  Type element = tensorType(adaptor.getQuery()).getElementType();
  Dims output = query;
  output[3] = value[3];
  results.push_back(makeTensorType(output, element));
  results.push_back(makeTensorType(
      state, adaptor.getPast() ? tensorType(adaptor.getPast()).getElementType() : element));
  return success();
}
