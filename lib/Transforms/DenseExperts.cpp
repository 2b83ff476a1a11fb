//===- DenseExperts.cpp - mixtures that compute every expert for all tokens
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "DenseExperts.h"
#include "ExpertMatrices.h"
#include "Matchers.h"
#include "SampledComputation.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;
using llmc::reference::Evaluator;
using llmc::reference::Tensor;

/// Scores are made of a dozen operations.
static constexpr size_t kMaxOperations = 200;

namespace {

/// How the dimensions of a value run over experts and tokens: [0, split) over one of them,
/// [split, lead) over the other, or [0, lead) over both at once. Each is whole or, where
/// the value broadcasts, 1. The dimensions behind are features.
struct Place {
  size_t split, lead;
  bool expertsFirst;
  bool isMerged = false;

  bool operator==(const Place &other) const = default;
};

/// One sum over the stacked experts of a mixture.
class DenseExperts {
public:
  explicit DenseExperts(ReduceOp root)
      : func(root->getParentOfType<func::FuncOp>()), root(root), builder(root) {}
  bool replace();
  /// Why the sum was not replaced; empty where it is over no experts.
  std::string explain();

private:
  bool matchRoot();
  bool findRouting();
  void discard(Operation *last);

  // Where values have experts and tokens.
  DimExpr product(Value value, size_t begin, size_t end) const;
  bool hasExperts(Value value, const Place &place) const;
  bool hasTokens(Value value, const Place &place) const;
  bool isValid(Value value, const Place &place) const;
  static Place operandPlace(Value result, Value operand, const Place &place);
  std::optional<Place> inputPlace(Operation *op, const Place &place) const;
  std::optional<Place> inputPlace(ReshapeOp op, const Place &place) const;

  // Whether a value is zero for the experts that a token did not choose.
  bool vanishes(Value value, const Place &place);
  bool vanishesNew(Value value, const Place &place);
  bool areScoresZero(Value scores, const Place &place);

  // Values for the chosen experts: [T or 1, K or 1, features..].
  Value choose(Value value, const Place &place);
  Value chooseThrough(Value value, const Place &place);
  Value chooseOperands(Operation *op, const Place &place);
  Value chooseByIds(Value value, const Place &place);
  Value idsPerToken();
  Value chooseProduct(MatmulOp op, const Place &place);
  Dims features(Value value, const Place &place) const;
  Value reshape(Value value, ArrayRef<DimExpr> dims);

  func::FuncOp func;
  ReduceOp root;
  OpBuilder builder;
  Place place{0, 0, false};
  Value ids;     ///< [.., K], one row per token
  Value flatIds; ///< [T, K]
  DimExpr tokens, choices;
  int64_t numExperts = 0, numProducts = 0;
  template <class T> struct Known {
    Place place;
    T result;
  };
  DenseMap<Value, Known<Value>> chosen;
  DenseMap<Value, Known<bool>> vanished; ///< under these ids
  Operation *obstacle = nullptr;         ///< what could not be computed for chosen experts
};

} // namespace

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

static DimExpr productOf(ArrayRef<DimExpr> dims) { return llmc::llm::product(dims); }

DimExpr DenseExperts::product(Value value, size_t begin, size_t end) const {
  Dims dims = getDims(value);
  return productOf(ArrayRef(dims).slice(begin, end - begin));
}

bool DenseExperts::hasExperts(Value value, const Place &place) const {
  if (place.isMerged)
    return !product(value, 0, place.lead).isConstant(1);
  size_t begin = place.expertsFirst ? 0 : place.split;
  return !product(value, begin, place.expertsFirst ? place.split : place.lead).isConstant(1);
}

bool DenseExperts::hasTokens(Value value, const Place &place) const {
  if (place.isMerged)
    return hasExperts(value, place);
  size_t begin = place.expertsFirst ? place.split : 0;
  return !product(value, begin, place.expertsFirst ? place.lead : place.split).isConstant(1);
}

bool DenseExperts::isValid(Value value, const Place &place) const {
  auto isWholeOrOne = [&](size_t begin, size_t end, const DimExpr &whole) {
    DimExpr size = product(value, begin, end);
    return size == whole || size.isConstant(1);
  };
  if (place.isMerged)
    return isWholeOrOne(0, place.lead, tokens * numExperts);
  return isWholeOrOne(0, place.split, place.expertsFirst ? DimExpr(numExperts) : tokens) &&
         isWholeOrOne(place.split, place.lead, place.expertsFirst ? tokens : DimExpr(numExperts));
}

/// The place of an operand that broadcasts to `result`.
Place DenseExperts::operandPlace(Value result, Value operand, const Place &place) {
  size_t missing = getDims(result).size() - getDims(operand).size();
  Place inner = place;
  inner.split -= std::min(missing, inner.split);
  inner.lead -= std::min(missing, inner.lead);
  return inner;
}

/// Dimensions of the input that have the sizes which the result's leading ones have.
std::optional<Place> DenseExperts::inputPlace(ReshapeOp op, const Place &place) const {
  Dims from = getDims(op.getInput());
  auto find = [&](size_t begin, const DimExpr &size) -> std::optional<size_t> {
    DimExpr found = 1;
    for (size_t end = begin;; ++end) {
      if (found == size)
        return end;
      if (end == from.size())
        return std::nullopt;
      found = found * from[end];
    }
  };
  DimExpr all = product(op.getResult(), 0, place.lead), first;
  if (!place.isMerged)
    first = product(op.getResult(), 0, place.split);
  else if (!all.isConstant(1))
    first = place.expertsFirst ? DimExpr(numExperts) : tokens;
  else
    first = 1;
  std::optional<size_t> lead = find(0, all), split = find(0, first);
  if (!lead)
    return std::nullopt;
  if (split && *split <= *lead)
    return Place{*split, *lead, place.expertsFirst};
  return Place{0, *lead, place.expertsFirst, /*isMerged=*/true};
}

/// The place of the one operand of an operation that moves elements.
std::optional<Place> DenseExperts::inputPlace(Operation *op, const Place &place) const {
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return inputPlace(reshape, place);
  if (isa<BroadcastOp>(op))
    return operandPlace(op->getResult(0), op->getOperand(0), place);
  if (auto slice = dyn_cast<SliceOp>(op)) {
    Dims from = getDims(slice.getInput()), to = getDims(slice.getResult());
    Dims starts = parseExprs(slice.getStarts());
    for (size_t d = 0; d < place.lead; ++d)
      if (from[d] != to[d] || !starts[d].isConstant(0) || slice.getSteps()[d] != 1)
        return std::nullopt;
    return place;
  }
  auto transpose = dyn_cast<TransposeOp>(op);
  if (!transpose)
    return std::nullopt;
  ArrayRef<int64_t> permutation = transpose.getPermutation();
  auto rotatesBy = [&](size_t shift) {
    for (size_t d = 0; d < permutation.size(); ++d) {
      size_t source = d < place.lead ? (d + shift) % place.lead : d;
      if (permutation[d] != int64_t(source))
        return false;
    }
    return true;
  };
  if (rotatesBy(0))
    return place;
  if (place.isMerged || !rotatesBy(place.lead - place.split))
    return std::nullopt;
  return Place{place.lead - place.split, place.lead, !place.expertsFirst};
}

Dims DenseExperts::features(Value value, const Place &place) const {
  Dims dims = getDims(value);
  return Dims(dims.begin() + place.lead, dims.end());
}

Value DenseExperts::reshape(Value value, ArrayRef<DimExpr> dims) {
  if (getDims(value) == dims)
    return value;
  Type type = makeTensorType(dims, elementTypeOf(value));
  return ReshapeOp::create(builder, value.getLoc(), type, value);
}

//===----------------------------------------------------------------------===//
// Zeros
//===----------------------------------------------------------------------===//

static bool keepsZero(UnaryKind kind) {
  return llvm::is_contained({UnaryKind::neg, UnaryKind::abs, UnaryKind::tanh, UnaryKind::erf,
                             UnaryKind::silu, UnaryKind::gelu_erf, UnaryKind::gelu_tanh,
                             UnaryKind::relu, UnaryKind::sign, UnaryKind::sqrt},
                            kind);
}

bool DenseExperts::vanishes(Value value, const Place &place) {
  auto [entry, isNew] = vanished.try_emplace(value, Known<bool>{place, false});
  if (!isNew)
    return entry->second.place == place && entry->second.result;
  bool result = vanishesNew(value, place);
  return vanished[value].result = result;
}

bool DenseExperts::vanishesNew(Value value, const Place &place) {
  if (matchSplat(value) == 0.0)
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || !isValid(value, place) || !hasExperts(value, place))
    return false;
  bool isScore = productOf(features(value, place)).isConstant(1);
  if (isScore && areScoresZero(value, place))
    return true;
  auto operandVanishes = [&](unsigned i) {
    return vanishes(op->getOperand(i), operandPlace(value, op->getOperand(i), place));
  };
  if (auto binary = dyn_cast<BinaryOp>(op)) {
    BinaryKind kind = binary.getKind();
    if (kind == BinaryKind::mul)
      return operandVanishes(0) || operandVanishes(1);
    if (kind == BinaryKind::div)
      return operandVanishes(0);
    return llvm::is_contained({BinaryKind::add, BinaryKind::sub, BinaryKind::max, BinaryKind::min},
                              kind) &&
           operandVanishes(0) && operandVanishes(1);
  }
  if (auto unary = dyn_cast<UnaryOp>(op))
    return keepsZero(unary.getKind()) && operandVanishes(0);
  if (isa<CastOp>(op) || (isa<MatmulOp>(op) && place.lead == 2 && !place.isMerged))
    return operandVanishes(0);
  if (isa<SelectOp>(op))
    return operandVanishes(1) && operandVanishes(2);
  std::optional<Place> inner = inputPlace(op, place);
  return inner && vanishes(op->getOperand(0), *inner);
}

/// Whether scores are zero where their expert was not chosen, for random ids and values
/// of the choices.
bool DenseExperts::areScoresZero(Value scores, const Place &place) {
  Dims perChoice = getDims(ids);
  auto isOfChoices = [&](Value v) {
    auto type = dyn_cast<RankedTensorType>(v.getType());
    return v == ids || (type && isa<FloatType>(type.getElementType()) && getDims(v) == perChoice);
  };
  auto computation = collectComputation(func, scores, kMaxOperations, isOfChoices);
  if (!computation || !computation->isSmall() || place.isMerged ||
      !llvm::is_contained(computation->leaves, ids) ||
      !llvm::all_of(computation->leaves, isOfChoices))
    return false;
  std::mt19937 random(1);
  for (int sample = 0; sample < 8; ++sample) {
    Evaluator evaluator(computation->sampleSymbols(random, 3));
    int64_t numTokens = evaluator.evaluate(tokens).value_or(0);
    int64_t numChoices = evaluator.evaluate(choices).value_or(0);
    if (numChoices > numExperts)
      return false;
    SmallVector<int64_t> shape;
    for (const DimExpr &dim : perChoice)
      shape.push_back(evaluator.evaluate(dim).value_or(0));
    std::vector<int64_t> drawn;
    std::vector<bool> isChosen(numTokens * numExperts);
    for (int64_t t = 0; t < numTokens; ++t) {
      std::vector<int64_t> experts(numExperts);
      for (int64_t e = 0; e < numExperts; ++e)
        experts[e] = e;
      for (int64_t j = 0; j < numChoices; ++j) {
        std::swap(experts[j], experts[j + int64_t(random() % uint64_t(numExperts - j))]);
        drawn.push_back(experts[j]);
        isChosen[t * numExperts + experts[j]] = true;
      }
    }
    evaluator.bind(ids, Tensor::fromInts(elementTypeOf(ids), shape, drawn));
    for (Value leaf : computation->leaves) {
      if (leaf == ids)
        continue;
      std::vector<double> values;
      for (size_t i = 0; i < drawn.size(); ++i)
        values.push_back(double(int64_t(random() % 513) - 256) / 128);
      evaluator.bind(leaf, Tensor::fromFloats(elementTypeOf(leaf), shape, values));
    }
    if (!computation->defineSizes(evaluator))
      return false;
    FailureOr<Tensor> tensor = evaluator.evaluate(scores);
    if (failed(tensor) || !tensor->isFloat() || tensor->numElements() != numTokens * numExperts)
      return false;
    for (int64_t t = 0; t < numTokens; ++t)
      for (int64_t e = 0; e < numExperts; ++e) {
        int64_t at = place.expertsFirst ? e * numTokens + t : t * numExperts + e;
        if (!isChosen[t * numExperts + e] && tensor->getFloat(at) != 0)
          return false;
      }
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Chosen experts
//===----------------------------------------------------------------------===//

Value DenseExperts::choose(Value value, const Place &place) {
  if (place.lead == 0)
    return value; // a number or a vector of features
  if (!isValid(value, place))
    return {};
  if (!hasExperts(value, place)) {
    Dims dims{hasTokens(value, place) ? tokens : DimExpr(1), DimExpr(1)};
    dims.append(features(value, place));
    return reshape(value, dims);
  }
  auto [entry, isNew] = chosen.try_emplace(value, Known<Value>{place, Value()});
  if (!isNew)
    return entry->second.place == place ? entry->second.result : Value();
  Value result = chooseThrough(value, place);
  if (!result)
    result = chooseByIds(value, place);
  if (!result && !obstacle)
    obstacle = value.getDefiningOp();
  return chosen[value].result = result;
}

Value DenseExperts::chooseThrough(Value value, const Place &place) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  if (isa<UnaryOp, BinaryOp, CompareOp, SelectOp, CastOp>(op))
    return chooseOperands(op, place);
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return chooseProduct(matmul, place);
  std::optional<Place> inner = inputPlace(op, place);
  Value input = inner ? choose(op->getOperand(0), *inner) : Value();
  if (!input)
    return {};
  Dims from = getDims(input), to(from.begin(), from.begin() + std::min<size_t>(2, from.size()));
  if (inner->lead == 0)
    to = {DimExpr(1), DimExpr(1)};
  to.append(features(value, place));
  if (isa<ReshapeOp>(op))
    return reshape(input, to);
  if (isa<TransposeOp>(op))
    return input;
  Type type = makeTensorType(to, elementTypeOf(value));
  if (isa<BroadcastOp>(op)) // the choices of a token broadcast by themselves
    return from == to ? input : BroadcastOp::create(builder, op->getLoc(), type, input).getResult();
  auto slice = cast<SliceOp>(op);
  Dims starts{DimExpr(0), DimExpr(0)}, all = parseExprs(slice.getStarts());
  SmallVector<int64_t> steps{1, 1};
  llvm::append_range(starts, ArrayRef(all).drop_front(place.lead));
  llvm::append_range(steps, ArrayRef(slice.getSteps()).drop_front(place.lead));
  return SliceOp::create(builder, op->getLoc(), type, input,
                         makeExprs(builder.getContext(), starts), steps);
}

Value DenseExperts::chooseOperands(Operation *op, const Place &place) {
  SmallVector<Value> operands;
  std::optional<Dims> dims = Dims();
  for (Value operand : op->getOperands()) {
    operands.push_back(choose(operand, operandPlace(op->getResult(0), operand, place)));
    if (!operands.back())
      return {};
    dims = dims ? broadcastDims(*dims, getDims(operands.back())) : dims;
  }
  if (!dims)
    return {};
  IRMapping mapping;
  mapping.map(op->getOperands(), operands);
  Operation *result = builder.clone(*op, mapping);
  result->getResult(0).setType(makeTensorType(*dims, elementTypeOf(op->getResult(0))));
  return result->getResult(0);
}

/// matmul(x, W[E, ..]) in batches of experts -> expert_linear(x, ids, W).
Value DenseExperts::chooseProduct(MatmulOp op, const Place &place) {
  bool isBatchOfExperts = place.expertsFirst && !place.isMerged && place.split == 1 &&
                          place.lead == 2 && getDims(op.getResult()).size() == 3;
  if (!isBatchOfExperts || !getDims(op.getRhs())[0].isConstant(numExperts))
    return {};
  std::optional<ExpertMatrices> weight = matchMatrixStack(builder, op.getRhs());
  if (!weight)
    return {};
  Value input = choose(op.getLhs(), operandPlace(op.getResult(), op.getLhs(), place));
  Dims dims = input ? getDims(input) : Dims();
  if (dims.size() != 3 || dims[0] != tokens)
    return {};
  if (dims[1].isConstant(1) && !choices.isConstant(1))
    input = reshape(input, {dims[0], dims[2]});
  ++numProducts;
  return makeExpertLinear(builder, op.getLoc(), input, idsPerToken(), *weight);
}

/// The elements of the chosen experts: constants of experts, or scores.
Value DenseExperts::chooseByIds(Value value, const Place &place) {
  Dims behind = features(value, place), result{tokens, choices};
  result.append(behind);
  Location loc = value.getLoc();
  if (!hasTokens(value, place)) {
    Dims matrix{DimExpr(numExperts), productOf(behind)};
    Value perExpert = reshapeConstant(builder, value, matrix); // as a bias is wanted
    if (!perExpert)
      perExpert = reshape(value, matrix);
    return reshape(GatherOp::create(builder, loc, 0, perExpert, idsPerToken()), result);
  }
  if (!productOf(behind).isConstant(1) || place.isMerged)
    return {};
  auto scatter = value.getDefiningOp<ScatterElementsOp>();
  if (scatter && scatter.getKind() == ScatterKind::replace && scatter.getIndices() == ids &&
      scatter.getAxis() + 1 == getDims(ids).size() && !place.expertsFirst)
    return reshape(scatter.getUpdates(), result);
  DimExpr experts = numExperts;
  Value scores = reshape(value, place.expertsFirst ? Dims{experts, tokens} : Dims{tokens, experts});
  if (place.expertsFirst)
    scores = TransposeOp::create(builder, loc, scores, ArrayRef<int64_t>{1, 0});
  return reshape(GatherElementsOp::create(builder, loc, uint64_t(1), scores, idsPerToken()),
                 result);
}

Value DenseExperts::idsPerToken() {
  if (!flatIds)
    flatIds = reshape(ids, {tokens, choices});
  return flatIds;
}

//===----------------------------------------------------------------------===//
// The sum
//===----------------------------------------------------------------------===//

/// sum over the first of experts, tokens.., outputs or the second to last of tokens..,
/// experts, outputs.
bool DenseExperts::matchRoot() {
  Dims dims = getDims(root.getInput());
  if (root.getKind() != ReduceKind::sum || root.getAxes().size() != 1 || dims.size() < 3 ||
      !isa<FloatType>(elementTypeOf(root.getInput())))
    return false;
  size_t axis = size_t(root.getAxes()[0]), lead = dims.size() - 1;
  std::optional<int64_t> experts = dims[axis].constant();
  if (!experts || *experts < 2 || (axis != 0 && axis + 1 != lead))
    return false;
  numExperts = *experts;
  place = Place{axis == 0 ? 1 : axis, lead, axis == 0};
  tokens = axis == 0 ? product(root.getInput(), 1, lead) : product(root.getInput(), 0, axis);
  return tokens != DimExpr(numExperts);
}

bool DenseExperts::findRouting() {
  auto computation = collectComputation(func, root.getInput(), SIZE_MAX);
  if (!computation)
    return false;
  for (Operation *op : computation->operations) {
    auto top = dyn_cast<TopKIndicesOp>(op);
    Dims from = top ? getDims(top.getInput()) : Dims();
    if (!top || top.getAxis() + 1 != from.size() || !from.back().isConstant(numExperts) ||
        productOf(ArrayRef(from).drop_back()) != tokens)
      continue;
    ids = top.getResult();
    choices = getDims(ids).back();
    std::optional<int64_t> count = choices.constant();
    vanished.clear();
    if (count && *count < numExperts && vanishes(root.getInput(), place))
      return true;
  }
  return false;
}

/// Erases what was made for nothing.
void DenseExperts::discard(Operation *last) {
  while (root->getPrevNode() != last)
    root->getPrevNode()->erase();
}

bool DenseExperts::replace() {
  if (!matchRoot() || !findRouting())
    return false;
  Operation *last = root->getPrevNode();
  Value all = choose(root.getInput(), place);
  Dims dims = getDims(root.getInput());
  if (!all || !numProducts || getDims(all) != Dims{tokens, choices, dims.back()}) {
    discard(last);
    return false;
  }
  Type type = makeTensorType({tokens, dims.back()}, elementTypeOf(all));
  Value sum = ReduceOp::create(builder, root.getLoc(), type, ReduceKind::sum, all,
                               ArrayRef<int64_t>{1}, /*keepdims=*/false);
  root.replaceAllUsesWith(reshape(sum, getDims(root.getResult())));
  return true;
}

std::string DenseExperts::explain() {
  if (!matchRoot())
    return "";
  auto computation = collectComputation(func, root.getInput(), SIZE_MAX);
  auto isProductOfExperts = [&](Operation *op) {
    auto matmul = dyn_cast<MatmulOp>(op);
    return matmul && getDims(matmul.getRhs()).size() == 3 &&
           getDims(matmul.getRhs())[0].isConstant(numExperts);
  };
  if (!computation || llvm::none_of(computation->operations, isProductOfExperts))
    return "";
  if (!findRouting())
    return "what experts add that a token did not choose is not known to be zero; all of them "
           "are computed";
  Operation *last = root->getPrevNode();
  choose(root.getInput(), place);
  discard(last);
  if (obstacle)
    return obstacle->getName().getStringRef().str() +
           " stands between the stacked experts and their sum";
  return "";
}

bool llmc::replaceDenseExperts(func::FuncOp func) {
  if (func.getOps<TopKIndicesOp>().empty())
    return false;
  bool changed = false;
  for (ReduceOp sum : llvm::to_vector(func.getOps<ReduceOp>()))
    changed |= DenseExperts(sum).replace();
  return changed;
}

void llmc::explainDenseExperts(func::FuncOp func,
                               llvm::function_ref<void(Operation *, StringRef)> explain) {
  for (ReduceOp sum : llvm::to_vector(func.getOps<ReduceOp>())) {
    std::string reason = DenseExperts(sum).explain();
    if (!reason.empty())
      explain(sum, reason);
  }
}
