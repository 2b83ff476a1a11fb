//===- ExpertSums.cpp - sums over the experts of a mixture ----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ExpertSums.h"
#include "ExpertMatrices.h"
#include "Matchers.h"
#include "SampledComputation.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;
using llmc::reference::Evaluator;
using llmc::reference::Tensor;

/// Finding an expert's rows takes a few dozen operations.
static constexpr size_t kMaxOperations = 4000;

namespace {

/// What one expert adds.
struct Contribution {
  Value update; ///< [n, D]
  Value rows;   ///< [n, 1]: where it is added; null: to all rows
  int64_t expert = -1;
};

/// The terms of a sum.
struct Sum {
  SmallVector<Contribution> contributions;
  SmallVector<Value> others;
};

} // namespace

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

static bool isZero(Value value) { return matchSplat(value) == 0.0; }

/// `accumulated` where `value` is that with rows added.
static std::optional<Contribution> matchScatter(Value value, Value &accumulated) {
  ScatterKind kind;
  Contribution result;
  if (auto scatter = value.getDefiningOp<ScatterNDOp>()) {
    kind = scatter.getKind();
    accumulated = scatter.getInput();
    result.rows = scatter.getIndices();
    result.update = scatter.getUpdates();
  } else if (auto scatter = value.getDefiningOp<ScatterElementsOp>();
             scatter && scatter.getAxis() == 0) {
    auto broadcast = scatter.getIndices().getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return std::nullopt;
    kind = scatter.getKind();
    accumulated = scatter.getInput();
    result.rows = broadcast.getInput();
    result.update = scatter.getUpdates();
  } else {
    return std::nullopt;
  }
  Dims rows = getDims(result.rows), update = getDims(result.update);
  bool fits = rows.size() == 2 && rows[1].isConstant(1) && update.size() == 2 &&
              update[0] == rows[0] && getDims(value).size() == 2;
  bool adds = kind == ScatterKind::add || (kind == ScatterKind::replace && isZero(accumulated));
  return fits && adds ? std::optional(result) : std::nullopt;
}

/// The terms that `value` is the sum of. Sums that something else reads are terms.
static void collectTerms(Value value, Sum &sum, bool isRoot = true) {
  if (isZero(value))
    return;
  Value accumulated;
  auto binary = value.getDefiningOp<BinaryOp>();
  bool isShared = !isRoot && !value.hasOneUse();
  if (auto contribution = isShared ? std::nullopt : matchScatter(value, accumulated)) {
    collectTerms(accumulated, sum, false);
    sum.contributions.push_back(*contribution);
  } else if (binary && binary.getKind() == BinaryKind::add && !isShared &&
             getDims(binary.getLhs()) == getDims(value) &&
             getDims(binary.getRhs()) == getDims(value)) {
    collectTerms(binary.getLhs(), sum, false);
    collectTerms(binary.getRhs(), sum, false);
  } else {
    sum.others.push_back(value);
  }
}

/// The whole sum that `value` is a term of.
static Value climb(Value value) {
  while (value.hasOneUse()) {
    Operation *user = *value.user_begin();
    auto binary = dyn_cast<BinaryOp>(user);
    Value accumulated;
    bool isSum = binary && binary.getKind() == BinaryKind::add &&
                 getDims(binary.getResult()) == getDims(value);
    bool isScatter = isa<ScatterNDOp, ScatterElementsOp>(user) &&
                     matchScatter(user->getResult(0), accumulated) && accumulated == value;
    if (!isSum && !isScatter)
      break;
    value = user->getResult(0);
  }
  return value;
}

namespace {

/// One sum and the routing that its contributions follow.
class ExpertSum {
public:
  ExpertSum(func::FuncOp func, Value root) : func(func), root(root), builder(func.getContext()) {}
  bool replace();
  /// Why a sum of scattered rows was not replaced; empty where it is none.
  std::string explain();

private:
  bool findRouting();
  bool route(TopKIndicesOp candidate);
  bool findExperts();
  bool isWeightOf(const Contribution &contribution, Value value);
  bool areRowsOf(const Contribution &contribution, Value indices);
  bool bindRouting(Evaluator &evaluator, std::mt19937 &random);
  bool separateDense();

  // Lockstep: element c of `values` belongs to contribution c.
  using Values = SmallVector<Value>;
  Value merge(const Values &values);
  Value mergeNew(const Values &values);
  Value mergeOperands(const Values &values);
  Value mergeProduct(const Values &values);
  Value mergeConstants(const Values &values);
  Dims expanded(Value value, size_t c, const DimExpr &choices) const;
  Value reshape(Value value, ArrayRef<DimExpr> dims);

  func::FuncOp func;
  Value root;
  OpBuilder builder;
  Sum sum;
  Value ids; ///< [T, K]
  SmallVector<Value> weightCandidates;
  Value weights; ///< [T, K], once an expert's weight was found to be of it
  DimExpr tokens, choices;
  int64_t numExperts = 0;
  // One draw of the routing.
  std::vector<int64_t> drawnIds;
  std::vector<double> drawnWeights;
  int64_t drawnTokens = 0, drawnChoices = 0;
  DenseMap<Value, Value> merged; ///< by the first contribution's value
};

} // namespace

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

/// Random distinct experts for each token, and random weights.
bool ExpertSum::bindRouting(Evaluator &evaluator, std::mt19937 &random) {
  drawnTokens = evaluator.evaluate(tokens).value_or(0);
  drawnChoices = evaluator.evaluate(choices).value_or(0);
  if (drawnChoices > numExperts)
    return false;
  drawnIds.clear();
  drawnWeights.clear();
  for (int64_t t = 0; t < drawnTokens; ++t) {
    std::vector<int64_t> experts(numExperts);
    for (int64_t e = 0; e < numExperts; ++e)
      experts[e] = e;
    for (int64_t j = 0; j < drawnChoices; ++j) {
      std::swap(experts[j], experts[j + int64_t(random() % uint64_t(numExperts - j))]);
      drawnIds.push_back(experts[j]);
      drawnWeights.push_back(double(1 + random() % 255) / 256); // exact in bf16, too
    }
  }
  SmallVector<int64_t> shape{drawnTokens, drawnChoices};
  evaluator.bind(ids, Tensor::fromInts(elementTypeOf(ids), shape, drawnIds));
  for (Value candidate : weightCandidates)
    if (!weights || candidate == weights)
      evaluator.bind(candidate, Tensor::fromFloats(elementTypeOf(candidate), shape, drawnWeights));
  return true;
}

/// Whether `indices` lists the rows that chose the contribution's expert, each once; finds
/// the expert where it is not known yet.
bool ExpertSum::areRowsOf(const Contribution &contribution, Value indices) {
  auto computation =
      collectComputation(func, indices, kMaxOperations, [&](Value value) { return value == ids; });
  if (!computation || !computation->isSmall())
    return false;
  std::mt19937 random(1);
  for (int sample = 0; sample < 8; ++sample) {
    Evaluator evaluator(computation->sampleSymbols(random, 3));
    if (!bindRouting(evaluator, random) || !computation->defineSizes(evaluator))
      return false;
    std::optional<std::vector<int64_t>> rows = evaluateInts(evaluator, indices);
    if (!rows)
      return false;
    std::vector<int64_t> expected, sorted = *rows;
    for (int64_t i = 0; i < int64_t(drawnIds.size()); ++i)
      if (drawnIds[i] == contribution.expert)
        expected.push_back(i / drawnChoices);
    llvm::sort(sorted);
    if (sorted != expected)
      return false;
    // All lists of a contribution must have one order.
    if (indices != contribution.rows) {
      std::optional<std::vector<int64_t>> order = evaluateInts(evaluator, contribution.rows);
      if (order != rows)
        return false;
    }
  }
  return true;
}

/// Whether `value` has the weights of the contribution's expert, one per row.
bool ExpertSum::isWeightOf(const Contribution &contribution, Value value) {
  auto isRouting = [&](Value v) {
    return v == ids || (weights ? v == weights : llvm::is_contained(weightCandidates, v));
  };
  SmallVector<Value> roots{value};
  if (contribution.rows)
    roots.push_back(contribution.rows);
  auto computation = collectComputation(func, roots, kMaxOperations, isRouting);
  if (!computation || !computation->isSmall() || !llvm::all_of(computation->leaves, isRouting))
    return false;
  Value used;
  for (Value leaf : computation->leaves)
    if (leaf != ids) {
      if (used)
        return false;
      used = leaf;
    }
  if (!used)
    return false;
  std::mt19937 random(1);
  for (int sample = 0; sample < 8; ++sample) {
    Evaluator evaluator(computation->sampleSymbols(random, 3));
    if (!bindRouting(evaluator, random) || !computation->defineSizes(evaluator))
      return false;
    FailureOr<Tensor> tensor = evaluator.evaluate(value);
    if (failed(tensor) || !tensor->isFloat())
      return false;
    std::vector<int64_t> rows;
    if (contribution.rows) {
      std::optional<std::vector<int64_t>> listed = evaluateInts(evaluator, contribution.rows);
      if (!listed)
        return false;
      rows = *listed;
    } else {
      for (int64_t t = 0; t < drawnTokens; ++t)
        rows.push_back(t);
    }
    if (tensor->numElements() != int64_t(rows.size()))
      return false;
    for (auto [r, t] : llvm::enumerate(rows)) {
      double expected = 0;
      for (int64_t j = 0; j < drawnChoices; ++j)
        if (drawnIds[t * drawnChoices + j] == contribution.expert)
          expected = drawnWeights[t * drawnChoices + j];
      if (std::abs(tensor->getFloat(int64_t(r)) - expected) > 1e-6)
        return false;
    }
  }
  weights = used;
  return true;
}

/// The expert of each contribution, by trial; all must occur.
bool ExpertSum::findExperts() {
  std::vector<bool> taken(numExperts, false);
  for (Contribution &contribution : sum.contributions) {
    auto fits = [&](int64_t expert) {
      contribution.expert = expert;
      if (taken[expert])
        return false;
      if (contribution.rows)
        return areRowsOf(contribution, contribution.rows);
      auto product = contribution.update.getDefiningOp<BinaryOp>();
      return isWeightOf(contribution, product.getLhs()) ||
             isWeightOf(contribution, product.getRhs());
    };
    // Exporters keep the experts' order.
    int64_t first = &contribution - sum.contributions.begin();
    int64_t found = -1;
    for (int64_t i = 0; i < numExperts && found < 0; ++i)
      if (int64_t expert = (first + i) % numExperts; fits(expert))
        found = expert;
    if (found < 0)
      return false;
    contribution.expert = found;
    taken[found] = true;
  }
  return llvm::all_of(taken, [](bool isTaken) { return isTaken; });
}

/// Takes `candidate` for the ids; whether all contributions follow it.
bool ExpertSum::route(TopKIndicesOp candidate) {
  Dims dims = getDims(candidate.getResult()), from = getDims(candidate.getInput());
  if (dims.size() != 2 || !from[1].constant() ||
      *from[1].constant() != int64_t(sum.contributions.size()))
    return false;
  ids = candidate.getResult();
  tokens = dims[0];
  choices = dims[1];
  numExperts = *from[1].constant();
  weights = {};
  weightCandidates.clear();
  func.walk([&](Operation *op) {
    for (Value value : op->getResults())
      if (auto type = dyn_cast<RankedTensorType>(value.getType());
          type && isa<FloatType>(type.getElementType()) && getDims(type) == dims)
        weightCandidates.push_back(value);
  });
  return findExperts();
}

bool ExpertSum::findRouting() {
  const Contribution &first = sum.contributions.front();
  auto computation =
      collectComputation(func, first.rows ? first.rows : first.update, kMaxOperations);
  if (!computation)
    return false;
  for (Operation *op : computation->operations)
    if (auto top = dyn_cast<TopKIndicesOp>(op); top && route(top))
      return true;
  return false;
}

//===----------------------------------------------------------------------===//
// Lockstep
//===----------------------------------------------------------------------===//

Value ExpertSum::reshape(Value value, ArrayRef<DimExpr> dims) {
  if (getDims(value) == dims)
    return value;
  return ReshapeOp::create(builder, value.getLoc(), makeTensorType(dims, elementTypeOf(value)),
                           value);
}

/// The sizes of `value` with [T, choices] in place of the rows of contribution c.
Dims ExpertSum::expanded(Value value, size_t c, const DimExpr &choices) const {
  const Contribution &contribution = sum.contributions[c];
  DimExpr rows = contribution.rows ? getDims(contribution.rows)[0] : tokens;
  Dims dims = getDims(value), result;
  for (const DimExpr &dim : dims) {
    result.push_back(dim == rows ? tokens : dim);
    if (dim == rows)
      result.push_back(choices);
  }
  return result.size() == dims.size() + 1 ? result : Dims();
}

/// What all of `values` are for all rows and choices: [.., T, K, ..] or, where the choices
/// do not differ, [.., T, 1, ..]. Null where they are not alike.
Value ExpertSum::merge(const Values &values) {
  auto [entry, isNew] = merged.try_emplace(values.front());
  if (!isNew)
    return entry->second;
  Value result = mergeNew(values);
  return merged[values.front()] = result;
}

Value ExpertSum::mergeNew(const Values &values) {
  Value first = values.front();
  Operation *op = first.getDefiningOp();
  bool isShared = llvm::all_equal(values);
  Dims dims = expanded(first, 0, 1);
  if (isShared && dims.empty())
    return first; // a number or a constant of all experts
  if (isShared && !sum.contributions.front().rows)
    return reshape(first, dims); // the input
  if (!op)
    return {};
  for (Value value : values)
    if (!value.getDefiningOp() || value.getDefiningOp()->getName() != op->getName())
      return {};
  if (isa<ConstantOp>(op))
    return mergeConstants(values);

  auto areAll = [&](llvm::function_ref<bool(const Contribution &, Value)> holds) {
    for (auto [contribution, value] : llvm::zip(sum.contributions, values))
      if (!holds(contribution, value))
        return false;
    return true;
  };
  bool isColumn = !dims.empty() && product(dims) == tokens;
  if (isColumn && areAll([&](const Contribution &c, Value v) { return isWeightOf(c, v); }))
    return reshape(weights, expanded(first, 0, choices));

  if (auto gather = dyn_cast<GatherOp>(op)) {
    bool takesRows = areAll([&](const Contribution &c, Value v) {
      auto other = v.getDefiningOp<GatherOp>();
      return c.rows && other.getInput() == gather.getInput() &&
             other.getAxis() == gather.getAxis() && getDims(other.getIndices()).size() == 1 &&
             getDims(other.getInput())[other.getAxis()] == tokens &&
             areRowsOf(c, other.getIndices());
    });
    return takesRows ? reshape(gather.getInput(), dims) : Value();
  }
  if (auto gather = dyn_cast<GatherNDOp>(op)) {
    bool takesRows = areAll([&](const Contribution &c, Value v) {
      auto other = v.getDefiningOp<GatherNDOp>();
      return c.rows && other.getInput() == gather.getInput() && other.getBatchDims() == 0 &&
             getDims(other.getIndices()).back().isConstant(1) &&
             getDims(other.getInput())[0] == tokens && areRowsOf(c, other.getIndices());
    });
    return takesRows ? reshape(gather.getInput(), dims) : Value();
  }
  if (isa<MatmulOp, LinearOp>(op))
    return mergeProduct(values);
  return mergeOperands(values);
}

/// Constants of experts, one for each row and choice: `[T, K, ..]`.
Value ExpertSum::mergeConstants(const Values &values) {
  Values inOrder(numExperts);
  for (auto [contribution, value] : llvm::zip(sum.contributions, values))
    inOrder[contribution.expert] = value;
  Value stacked = stackConstants(builder, inOrder);
  if (!stacked || getDims(stacked).size() != 2)
    return {};
  return GatherOp::create(builder, stacked.getLoc(), 0, stacked, ids);
}

/// x W_e -> expert_linear(x, ids, W).
Value ExpertSum::mergeProduct(const Values &values) {
  Values inputs, products(numExperts);
  for (auto [contribution, value] : llvm::zip(sum.contributions, values)) {
    inputs.push_back(inputOfProduct(value));
    products[contribution.expert] = value;
  }
  if (!llvm::all_of(inputs, [](Value input) { return bool(input); }))
    return {};
  std::optional<ExpertMatrices> weight = matchExpertProducts(builder, products);
  Value input = weight ? merge(inputs) : Value();
  Dims dims = input ? getDims(input) : Dims();
  if (dims.size() != 3)
    return {};
  if (dims[1].isConstant(1) && !choices.isConstant(1))
    input = reshape(input, {dims[0], dims[2]});
  return makeExpertLinear(builder, values.front().getLoc(), input, ids, *weight);
}

/// Operations that treat rows alike, on merged operands.
Value ExpertSum::mergeOperands(const Values &values) {
  Operation *op = values.front().getDefiningOp();
  bool isElementwise = isa<UnaryOp, BinaryOp, CompareOp, SelectOp, CastOp>(op);
  if (!isElementwise && !isa<ReshapeOp, SliceOp>(op))
    return {};
  for (auto [c, value] : llvm::enumerate(values)) {
    Operation *other = value.getDefiningOp();
    // Sizes may be those of its rows; everything else is the same.
    bool isAlike = isa<ReshapeOp>(op) || other->getAttrDictionary() == op->getAttrDictionary();
    if (!isAlike || expanded(value, c, 1) != expanded(values.front(), 0, 1))
      return {};
  }
  Values operands;
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    Values inputs;
    for (Value value : values)
      inputs.push_back(value.getDefiningOp()->getOperand(i));
    Value operand = merge(inputs);
    if (!operand)
      return {};
    operands.push_back(operand);
  }
  Dims from = getDims(operands.front());
  if (isa<ReshapeOp>(op)) {
    bool differs = product(from) != product(expanded(values.front(), 0, 1));
    Dims to = expanded(values.front(), 0, differs ? choices : DimExpr(1));
    return to.empty() ? Value() : reshape(operands.front(), to);
  }
  if (auto slice = dyn_cast<SliceOp>(op)) {
    // Along the last dimension, behind rows and choices.
    Dims to = from, before = getDims(slice.getInput()), after = getDims(values.front());
    Dims starts(from.size(), DimExpr(0));
    starts.back() = parseExprs(slice.getStarts()).back();
    before.back() = after.back();
    to.back() = after.back();
    SmallVector<int64_t> steps(from.size(), 1);
    steps.back() = slice.getSteps().back();
    if (before != after)
      return {};
    return SliceOp::create(builder, op->getLoc(),
                           makeTensorType(to, elementTypeOf(slice.getInput())), operands.front(),
                           makeExprs(builder.getContext(), starts), steps);
  }
  std::optional<Dims> dims = from;
  for (Value operand : operands)
    if (dims)
      dims = broadcastDims(*dims, getDims(operand));
  if (!dims)
    return {};
  IRMapping mapping;
  mapping.map(op->getOperands(), operands);
  Operation *result = builder.clone(*op, mapping);
  result->getResult(0).setType(makeTensorType(*dims, elementTypeOf(values.front())));
  return result->getResult(0);
}

//===----------------------------------------------------------------------===//
// The sum
//===----------------------------------------------------------------------===//

/// Terms f_e(x) * w_e of all rows become contributions; whether there are some.
bool ExpertSum::separateDense() {
  SmallVector<Value> others;
  for (Value value : sum.others) {
    auto product = value.getDefiningOp<BinaryOp>();
    auto isColumn = [&](Value v) { return getDims(v) == Dims{getDims(value)[0], DimExpr(1)}; };
    bool isWeighted = product && product.getKind() == BinaryKind::mul && value.hasOneUse() &&
                      (isColumn(product.getLhs()) || isColumn(product.getRhs()));
    if (isWeighted)
      sum.contributions.push_back({value, Value()});
    else
      others.push_back(value);
  }
  sum.others = others;
  return !sum.contributions.empty();
}

bool ExpertSum::replace() {
  collectTerms(root, sum);
  if (sum.contributions.empty() && !separateDense())
    return false;
  if (sum.contributions.size() < 2 || !findRouting())
    return false;
  builder.setInsertionPoint(root.getDefiningOp());
  Values updates;
  for (const Contribution &contribution : sum.contributions)
    updates.push_back(contribution.update);
  Value all = merge(updates);
  if (!all || getDims(all) != Dims{tokens, choices, getDims(root).back()})
    return false;
  Location loc = root.getLoc();
  Value result = ReduceOp::create(builder, loc, makeTensorType(getDims(root), elementTypeOf(root)),
                                  ReduceKind::sum, all, ArrayRef<int64_t>{1}, /*keepdims=*/false);
  for (Value other : sum.others)
    result = BinaryOp::create(builder, loc, BinaryKind::add, result, other);
  root.replaceAllUsesWith(result);
  return true;
}

std::string ExpertSum::explain() {
  collectTerms(root, sum);
  if (sum.contributions.size() < 2)
    return "";
  if (!findRouting())
    return "the rows of " + std::to_string(sum.contributions.size()) +
           " terms are not those that chose each of as many experts";
  return "the terms are not alike, or are more than products with constants, arithmetic and "
         "the experts' weights";
}

/// What may be the sum over experts: everything that rows are scattered into or weighted
/// products are added to, as a whole.
static llvm::SetVector<Value> findRoots(func::FuncOp func) {
  llvm::SetVector<Value> roots;
  if (func.getOps<TopKIndicesOp>().empty())
    return roots; // without a choice of experts
  for (Operation &op : func.front()) {
    Value accumulated;
    bool isScatter =
        isa<ScatterNDOp, ScatterElementsOp>(op) && matchScatter(op.getResult(0), accumulated);
    auto product = dyn_cast<BinaryOp>(op);
    bool isProduct = product && product.getKind() == BinaryKind::mul &&
                     getDims(product.getResult()).size() == 2 && product->hasOneUse();
    if (!isScatter && !isProduct)
      continue;
    Value root = climb(op.getResult(0));
    if (root != op.getResult(0) || isScatter)
      roots.insert(root);
  }
  return roots;
}

bool llmc::replaceExpertSums(func::FuncOp func) {
  bool changed = false;
  for (Value root : findRoots(func))
    changed |= ExpertSum(func, root).replace();
  return changed;
}

void llmc::explainExpertSums(func::FuncOp func,
                             llvm::function_ref<void(Operation *, StringRef)> explain) {
  for (Value root : findRoots(func)) {
    std::string reason = ExpertSum(func, root).explain();
    if (!reason.empty())
      explain(root.getDefiningOp(), reason);
  }
}
