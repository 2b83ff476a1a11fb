//===- RecognizeAttention.cpp - decomposed attention, and what masks mean -===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Three steps, of which the last two also serve attention that was imported as
// one operation:
//
//   matmul(softmax(q k^T * s + m), v)     => attention(q, k, v) bias m {scale}
//   attention(..) bias m                  => {causal, window}, slopes, bias of padding and
//                                            of what is neither
//   where(row sees no key, 0, attention)  => attention
//
// Roundings of queries, keys and values move to where these are made.
//
//===----------------------------------------------------------------------===//
#include "AttentionBias.h"
#include "AttentionPattern.h"
#include "Rounding.h"
#include "SymbolSubstitution.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Debug.h"

#define DEBUG_TYPE "llmc-recognize-attention"

using namespace mlir;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZEATTENTION
#include "llmc/Transforms/Passes.h.inc"

namespace {

using llm::AttentionOp;

Value makeScalar(OpBuilder &builder, Location loc, Type element, double number) {
  auto type = RankedTensorType::get({}, element);
  return llm::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, builder.getFloatAttr(element, number).getValue()));
}

/// What `term` adds to the scores.
LedTensor addend(OpBuilder &builder, Location loc, const MaskTerm &term) {
  LedTensor result = term.tensor;
  if (!term.additive) {
    // where(c, s, -big) and s + where(c, 0, -big) differ by less than the
    // rounding of -big.
    Value zero = makeScalar(builder, loc, term.element, 0.0);
    Value hidden = makeScalar(builder, loc, term.element, term.replacement);
    result.value =
        llm::SelectOp::create(builder, loc, term.tensor.value, term.keepWhere ? zero : hidden,
                              term.keepWhere ? hidden : zero);
  }
  if (term.factor != 1)
    result.value = llm::BinaryOp::create(builder, loc, llm::BinaryKind::mul, result.value,
                                         makeScalar(builder, loc, term.element, term.factor));
  return result;
}

/// A value in `element` as its type.
Value convert(OpBuilder &builder, Location loc, Value value, Type element) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == element)
    return value;
  return llm::CastOp::create(builder, loc, llm::makeTensorType(llm::getDims(type), element), value);
}

/// The sum of all mask terms, or null.
Value buildBias(OpBuilder &builder, Location loc, const AttentionPattern &pattern) {
  bool areAlike = llvm::all_of(pattern.mask, [&](const MaskTerm &term) {
    return term.element == pattern.mask.front().element;
  });
  SmallVector<LedTensor> terms;
  for (const MaskTerm &term : pattern.mask) {
    terms.push_back(addend(builder, loc, term));
    if (!areAlike)
      terms.back().value = convert(builder, loc, terms.back().value, builder.getF32Type());
  }
  return pattern.layout->arrangeSum(builder, terms);
}

/// The query with the factors that its rows of scores have.
Value buildQuery(OpBuilder &builder, Location loc, const AttentionPattern &pattern, Type element) {
  Value query =
      convert(builder, loc, pattern.layout->arrangeQuery(builder, pattern.query), element);
  for (const RowFactor &factor : pattern.rowFactors)
    query = llm::BinaryOp::create(
        builder, loc, factor.divides ? llm::BinaryKind::div : llm::BinaryKind::mul, query,
        convert(builder, loc, pattern.layout->arrangeFactor(builder, factor.tensor), element));
  return query;
}

/// `result` in place of `product`, whose leading dimensions may be grouped otherwise.
void replaceProduct(llm::MatmulOp product, Value result) {
  for (Operation *user : llvm::make_early_inc_range(product->getUsers()))
    if (auto reshape = dyn_cast<llm::ReshapeOp>(user);
        reshape && reshape.getType() == result.getType()) {
      reshape.replaceAllUsesWith(result);
      reshape.erase();
    }
  if (product.getType() != result.getType()) {
    OpBuilder builder(product);
    result = llm::ReshapeOp::create(builder, product.getLoc(), product.getType(), result);
  }
  product.replaceAllUsesWith(result);
  product.erase();
}

DenseF64ArrayAttr makeRounding(OpBuilder &builder, ArrayRef<double> triples) {
  return triples.empty() ? DenseF64ArrayAttr() : builder.getDenseF64ArrayAttr(triples);
}

void replaceByAttention(llm::MatmulOp product, const AttentionPattern &pattern) {
  OpBuilder builder(product);
  Location loc = builder.getFusedLoc(pattern.locations);
  auto resultType = cast<RankedTensorType>(product.getType());
  Type element = resultType.getElementType();
  Value query = buildQuery(builder, loc, pattern, element);
  Value key = convert(builder, loc, pattern.layout->arrangeKey(builder, pattern.key), element);
  Value value = convert(builder, loc, pattern.layout->arrangeKey(builder, pattern.value), element);
  llm::Dims dims = llm::getDims(query);
  Value sinks = pattern.sinks;
  if (sinks && llm::getDims(sinks).size() != 1)
    sinks = llm::ReshapeOp::create(
        builder, loc,
        llm::makeTensorType(dims[1], cast<RankedTensorType>(sinks.getType()).getElementType()),
        sinks);
  dims.back() = llm::getDims(value).back();
  auto attention = AttentionOp::create(
      builder, loc, llm::makeTensorType(dims, element), query, key, value,
      /*bias=*/Value(), /*past_lens=*/Value(), sinks,
      /*slopes=*/Value(), builder.getF64FloatAttr(pattern.scale),
      /*causal=*/UnitAttr(), builder.getI64IntegerAttr(0), builder.getF64FloatAttr(pattern.softcap),
      makeRounding(builder, pattern.scoreRounding), makeRounding(builder, pattern.biasedRounding),
      makeRounding(builder, pattern.weightRounding));
  builder.setInsertionPoint(attention);
  setBias(attention, buildBias(builder, loc, pattern), llm::getDims(key)[2]);
  builder.setInsertionPointAfter(attention);
  Value result = attention.getResult();
  if (pattern.isTransposed)
    result = llm::TransposeOp::create(builder, loc, result, SmallVector<int64_t>{0, 1, 3, 2});
  replaceProduct(product, result);
}

struct RecognizeAttention : impl::RecognizeAttentionBase<RecognizeAttention> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isExternal())
      return;
    SmallVector<llm::MatmulOp> products;
    func.walk([&](llm::MatmulOp op) { products.push_back(op); });
    for (llm::MatmulOp product : products) {
      OpBuilder builder(product);
      for (OpOperand &operand : product->getOpOperands())
        operand.set(roundBeforeMoving(builder, operand.get()));
    }
    for (llm::MatmulOp product : products) {
      std::string reason;
      if (std::optional<AttentionPattern> pattern = matchAttention(product, reason))
        replaceByAttention(product, *pattern);
      else
        LLVM_DEBUG(llvm::dbgs() << product.getLoc() << ": no attention: " << reason << "\n");
    }
    keyMaskBiases.clear();
    biasParts.clear();
    slopes = SlopeFinder();
    analysis = MaskAnalysis();
    SmallVector<AttentionOp> attentions;
    func.walk([&](AttentionOp op) { attentions.push_back(op); });
    for (AttentionOp attention : attentions) {
      stripImportedHeads(attention);
      simplifyMask(attention);
    }
    IRRewriter rewriter(func.getContext());
    (void)runRegionDCE(rewriter, func.getBody());
    if (failed(unifyMaskSizes(func)))
      return signalPassFailure();
  }

  /// Attention that was imported as one operation may still read repeated heads.
  void stripImportedHeads(AttentionOp attention) {
    if (isa<llm::StateType>(attention.getKey().getType()))
      return;
    LedTensor query = LedTensor::at(attention.getQuery(), leadOf(attention.getQuery()));
    LedTensor key = LedTensor::at(attention.getKey(), leadOf(attention.getKey()));
    LedTensor value = LedTensor::at(attention.getValue(), leadOf(attention.getValue()));
    llm::Dims dims = llm::getDims(attention.getKey());
    if (dims[1] != llm::getDims(attention.getQuery())[1])
      return;
    for (LedTensor *tensor : {&key, &value})
      while (tensor->stripRegrouping()) {
      }
    std::optional<HeadLayout> layout =
        HeadLayout::find({query, key, value, {}}, {leadOf(attention.getKey())}, /*isFixed=*/true);
    if (!layout || layout->numKeyHeads() == dims[1])
      return;
    OpBuilder builder(attention);
    attention.getKeyMutable().assign(layout->arrangeKey(builder, key));
    attention.getValueMutable().assign(layout->arrangeKey(builder, value));
  }

  void simplifyMask(AttentionOp attention) {
    if (isa<llm::StateType>(attention.getKey().getType()))
      return;
    llm::Dims query = llm::getDims(attention.getQuery()), key = llm::getDims(attention.getKey());
    AttentionSizes sizes{query[0], query[2], key[2]};
    if (Value lens = attention.getPastLens()) {
      // Lengths that all are what the sizes say anyway add nothing.
      std::optional<double> number = splatNumber(lens);
      std::optional<int64_t> past = sizes.past().constant();
      if (!number || !past || *number != double(*past))
        return;
      attention.getPastLensMutable().clear();
    }
    MaskMeaning meaning;
    if (Value bias = attention.getBias()) {
      const std::optional<BiasParts> &parts = partsOf(bias, sizes);
      if (!parts) {
        LLVM_DEBUG(llvm::dbgs() << attention.getLoc() << ": bias kept: " << analysis.reason()
                                << "\n");
        slopes.takeSlopes(attention, sizes);
        return;
      }
      meaning = parts->mask;
      setBias(attention, parts->rest, sizes.keys);
      slopes.takeSlopes(attention, sizes);
      if (meaning.keyMask)
        addKeyMask(attention, keyMaskBias(meaning.keyMask, attention, sizes), sizes.keys);
    }
    addMask(attention, meaning);
    meaning.causal = attention.getCausal();
    meaning.window = attention.getWindow();
    removeGuards(attention, meaning, sizes);
  }

  const std::optional<BiasParts> &partsOf(Value bias, const AttentionSizes &sizes) {
    auto [entry, isNew] = biasParts.insert({bias, std::nullopt});
    if (isNew)
      entry->second = splitBias(bias, sizes, analysis);
    return entry->second;
  }

  static void addKeyMask(AttentionOp attention, Value mask, const DimExpr &keys) {
    OpBuilder builder(attention);
    if (Value rest = attention.getBias())
      mask = llm::BinaryOp::create(builder, attention.getLoc(), llm::BinaryKind::add, rest, mask);
    setBias(attention, mask, keys);
  }

  /// where(mask, 0, -inf) as [B, 1, 1, T], one per function.
  Value keyMaskBias(BlockArgument mask, AttentionOp attention, const AttentionSizes &sizes) {
    Type element = cast<RankedTensorType>(attention.getQuery().getType()).getElementType();
    maskSizes.insert({mask, sizes});
    Value &bias = keyMaskBiases[{mask, element}];
    if (bias)
      return bias;
    OpBuilder builder = OpBuilder::atBlockBegin(mask.getOwner());
    Location loc = mask.getLoc();
    llm::Dims dims = llm::getDims(mask);
    Type maskElement = cast<RankedTensorType>(mask.getType()).getElementType();
    Value condition = mask;
    if (!maskElement.isInteger(1)) {
      Value zero = llm::ConstantOp::create(
          builder, loc,
          DenseElementsAttr::get(RankedTensorType::get({}, maskElement),
                                 builder.getIntegerAttr(maskElement, 0).getValue()));
      condition = llm::CompareOp::create(builder, loc, llm::ComparePredicate::ne, mask, zero);
    }
    condition = llm::ReshapeOp::create(
        builder, loc, llm::makeTensorType({dims[0], 1, 1, dims[1]}, builder.getI1Type()),
        condition);
    Value zero = makeScalar(builder, loc, element, 0.0);
    Value hidden = makeScalar(builder, loc, element, -std::numeric_limits<double>::infinity());
    return bias = llm::SelectOp::create(builder, loc, condition, zero, hidden);
  }

  /// where(c, 0, attention) where c holds only for rows that are 0 already.
  void removeGuards(AttentionOp attention, const MaskMeaning &meaning,
                    const AttentionSizes &sizes) {
    removeGuardsOf(attention.getResult(), /*swapped=*/false, meaning, sizes);
    for (Operation *user : attention->getUsers())
      if (auto transpose = dyn_cast<llm::TransposeOp>(user);
          transpose && transpose.getPermutation() == ArrayRef<int64_t>{0, 2, 1, 3})
        removeGuardsOf(transpose.getResult(), /*swapped=*/true, meaning, sizes);
  }

  /// `swapped`: heads come behind queries in `result`.
  void removeGuardsOf(Value result, bool swapped, const MaskMeaning &meaning,
                      const AttentionSizes &sizes) {
    for (Operation *user : llvm::make_early_inc_range(result.getUsers())) {
      auto guard = dyn_cast<llm::SelectOp>(user);
      if (!guard || guard.getType() != result.getType() || guard.getRhs() != result ||
          splatNumber(guard.getLhs()) != 0.0)
        continue;
      Value condition = swapped ? beforeSwap(guard.getCondition()) : guard.getCondition();
      if (condition && analysis.isOnlyTrueWithoutKeys(condition, meaning, sizes)) {
        guard.replaceAllUsesWith(result);
        guard.erase();
      }
    }
  }

  /// The `[B, 1, S, 1]` behind a condition `[B, S, 1, 1]`; null where there is none.
  static Value beforeSwap(Value condition) {
    Operation *op = condition.getDefiningOp();
    if (!isa_and_nonnull<llm::ReshapeOp, llm::TransposeOp>(op))
      return {};
    llm::Dims to = llm::getDims(condition), from = llm::getDims(op->getOperand(0));
    bool isSwap = from.size() == 4 && to.size() == 4 && from[0] == to[0] && from[2] == to[1] &&
                  from[1].isConstant(1) && to[2].isConstant(1) && from[3].isConstant(1) &&
                  to[3].isConstant(1);
    return isSwap ? op->getOperand(0) : Value();
  }

  /// Some exporters give the mask's dimensions symbols of their own. A mask that
  /// was found to hold one number per key has the sizes of the keys.
  LogicalResult unifyMaskSizes(func::FuncOp func) {
    llvm::StringMap<DimExpr> known;
    for (auto &[mask, sizes] : maskSizes) {
      llm::Dims dims = llm::getDims(mask);
      for (auto [dim, size] : {std::pair(dims[0], sizes.batch), std::pair(dims[1], sizes.keys)})
        if (std::optional<std::string> name = dim.asSymbol(); name && dim != size)
          known.insert({*name, size});
    }
    maskSizes.clear();
    // A symbol that another argument also has is not the mask's alone.
    for (BlockArgument argument : func.getArguments())
      if (!keyMaskBiases.empty() && !isKeyMask(argument))
        for (const DimExpr &dim : llm::getDims(argument))
          dim.forEachSymbol([&](const std::string &name) { known.erase(name); });
    if (known.empty())
      return success();
    return substituteSymbols(func, [&](const std::string &name) -> std::optional<DimExpr> {
      auto found = known.find(name);
      return found == known.end() ? std::nullopt : std::optional(found->second);
    });
  }

  bool isKeyMask(BlockArgument argument) const {
    return llvm::any_of(keyMaskBiases,
                        [&](const auto &entry) { return entry.first.first == argument; });
  }

  MaskAnalysis analysis;
  SlopeFinder slopes;
  llvm::MapVector<Value, std::optional<BiasParts>> biasParts;
  llvm::MapVector<std::pair<BlockArgument, Type>, Value> keyMaskBiases;
  llvm::MapVector<Value, AttentionSizes> maskSizes;
};

} // namespace
} // namespace llmc
