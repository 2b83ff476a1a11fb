//===- RecognizeExperts.cpp - mixtures of experts -------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters sort a batch's rows by the expert that serves them:
//
//   perm   = argsort(ids)                      ids[R]: experts of R = tokens * choices
//   sorted = concat_e(x[perm / choices][range_e] W_e)
//   y      = sorted[inverse of perm]
//
// First the concatenation becomes expert_linear(x[perm / choices], ids[perm], W). Which
// rows range_e takes is computed by counting in many spellings; it is evaluated on
// random ids. Then the gather by the inverse moves up through everything that treats
// rows alike, to the operands, where perm[inverse] = 0, 1, 2, ..
//
//===----------------------------------------------------------------------===//
#include "DenseExperts.h"
#include "ExpertMatrices.h"
#include "ExpertSums.h"
#include "Matchers.h"
#include "SampledComputation.h"
#include "SymbolSubstitution.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/Debug.h"

#define DEBUG_TYPE "llmc-recognize-experts"

using namespace mlir;
using namespace llmc::llm;
using llmc::reference::Tensor;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZEEXPERTS
#include "llmc/Transforms/Passes.h.inc"

namespace {

//===----------------------------------------------------------------------===//
// Permutations
//===----------------------------------------------------------------------===//

/// 0, 1, 2, .. along a vector.
bool isCounting(Value value) {
  auto iota = value.getDefiningOp<IotaOp>();
  return iota && getDims(value).size() == 1 && iota.getStart() == "0" && iota.getStep() == "1";
}

Value stripReshapes(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getInput();
  return value;
}

/// The operation where `value` orders all elements of a vector.
TopKIndicesOp matchArgsort(Value value) {
  auto top = value.getDefiningOp<TopKIndicesOp>();
  if (!top || getDims(top.getInput()).size() != 1 ||
      *DimExpr::parse(top.getCount()) != getDims(top.getInput())[0])
    return {};
  return top;
}

/// The permutation of which `value` is the inverse: a scatter of 0, 1, .. to its
/// places, or its argsort.
TopKIndicesOp matchInverse(Value value) {
  Value places, updates;
  if (auto scatter = value.getDefiningOp<ScatterNDOp>();
      scatter && scatter.getKind() == ScatterKind::replace &&
      getDims(scatter.getIndices()).back().isConstant(1)) {
    places = scatter.getIndices();
    updates = scatter.getUpdates();
  } else if (auto scatter = value.getDefiningOp<ScatterElementsOp>();
             scatter && scatter.getKind() == ScatterKind::replace) {
    places = scatter.getIndices();
    updates = scatter.getUpdates();
  } else if (TopKIndicesOp sort = matchArgsort(value); sort && !sort.getLargest()) {
    return matchArgsort(sort.getInput());
  }
  if (!places || getDims(value).size() != 1 || !isCounting(updates))
    return {};
  TopKIndicesOp permutation = matchArgsort(stripReshapes(places));
  return permutation && getDims(permutation) == getDims(value) ? permutation : TopKIndicesOp();
}

/// `vector[argsort(vector)]`, ascending.
bool isSorted(Value value) {
  auto gather = value.getDefiningOp<GatherOp>();
  TopKIndicesOp order = gather ? matchArgsort(gather.getIndices()) : TopKIndicesOp();
  return order && !order.getLargest() && gather.getAxis() == 0 &&
         order.getInput() == gather.getInput();
}

//===----------------------------------------------------------------------===//
// Evaluating hypotheses
//===----------------------------------------------------------------------===//

/// Counting rows takes a few dozen operations per expert.
constexpr size_t kMaxOperations = 4000;

/// Whether `indices[r]` is `r / divisor`, whatever the sizes are.
bool isCountingBy(func::FuncOp func, Value indices, int64_t divisor) {
  auto computation = collectComputation(func, indices, kMaxOperations);
  if (!computation || !computation->isSmall())
    return false;
  std::mt19937 random(1);
  for (int sample = 0; sample < 6; ++sample) {
    reference::Evaluator evaluator(computation->sampleSymbols(random, 5));
    if (!computation->defineSizes(evaluator))
      return false;
    std::optional<std::vector<int64_t>> values = evaluateInts(evaluator, indices);
    if (!values)
      return false;
    for (auto [r, value] : llvm::enumerate(*values))
      if (value != int64_t(r) / divisor)
        return false;
  }
  return true;
}

/// The sorted ids for which `ranges[e]` lists the rows of expert e, for all e; null
/// where there are none.
Value findSortedIds(func::FuncOp func, ArrayRef<Value> ranges, const DimExpr &rows) {
  auto computation = collectComputation(func, ranges, kMaxOperations);
  if (!computation || !computation->isSmall())
    return {};
  auto isListOf = [&](Value candidate) {
    std::mt19937 random(1);
    Type type = elementTypeOf(candidate);
    for (int sample = 0; sample < 12; ++sample) {
      reference::Evaluator evaluator(computation->sampleSymbols(random, 5));
      std::optional<int64_t> count = evaluator.evaluate(rows);
      if (!count)
        return false;
      std::vector<int64_t> ids;
      // Some experts get no row, sometimes all but one.
      int64_t used = sample % 3 == 0 ? 1 : int64_t(ranges.size());
      for (int64_t i = 0; i < *count; ++i)
        ids.push_back((int64_t(random() % used) + sample) % int64_t(ranges.size()));
      llvm::sort(ids);
      evaluator.bind(candidate, Tensor::fromInts(type, {*count}, ids));
      if (!computation->defineSizes(evaluator))
        return false;
      int64_t row = 0;
      for (auto [expert, range] : llvm::enumerate(ranges)) {
        std::vector<int64_t> expected;
        for (; row < *count && ids[row] == int64_t(expert); ++row)
          expected.push_back(row);
        if (evaluateInts(evaluator, range) != expected)
          return false;
      }
    }
    return true;
  };
  for (Operation *op : computation->operations)
    for (Value candidate : op->getResults())
      if (isSorted(candidate) && getDims(candidate)[0] == rows && isListOf(candidate))
        return candidate;
  return {};
}

//===----------------------------------------------------------------------===//
// Rewrites
//===----------------------------------------------------------------------===//

Value makeReshape(OpBuilder &builder, Location loc, Value value, ArrayRef<DimExpr> dims) {
  if (getDims(value) == dims)
    return value;
  return ReshapeOp::create(builder, loc, makeTensorType(dims, elementTypeOf(value)), value);
}

/// Sizes that data decides add up to `total`: one of them is what the others leave.
LogicalResult unifySum(func::FuncOp func, const DimExpr &sum, const DimExpr &total) {
  if (sum == total)
    return success();
  for (auto size : func.getOps<DefineSizeOp>()) {
    DimExpr symbol = DimExpr::symbol(size.getSymbol());
    DimExpr others = sum - symbol;
    bool occurs = false;
    others.forEachSymbol([&](const std::string &name) { occurs |= name == size.getSymbol(); });
    bool isPart = false;
    sum.forEachSymbol([&](const std::string &name) { isPart |= name == size.getSymbol(); });
    if (!isPart || occurs)
      continue;
    DimExpr by = total - others;
    return substituteSymbols(func, [&](const std::string &name) -> std::optional<DimExpr> {
      return name == size.getSymbol() ? std::optional(by) : std::nullopt;
    });
  }
  return refreshTypes(func);
}

/// concat 0 over e of x[range_e] W_e -> expert_linear(x, ids, W) for sorted ids.
bool replaceGroupedProduct(ConcatOp concat) {
  auto func = concat->getParentOfType<func::FuncOp>();
  if (concat.getAxis() != 0 || concat.getInputs().size() < 2 ||
      getDims(concat.getResult()).size() != 2)
    return false;
  Value rows;
  SmallVector<Value> ranges, products(concat.getInputs());
  for (Value product : products) {
    Value input = inputOfProduct(product);
    auto gather = input ? input.getDefiningOp<GatherOp>() : nullptr;
    if (!gather || gather.getAxis() != 0 || getDims(gather.getInput()).size() != 2 ||
        getDims(gather.getIndices()).size() != 1 || (rows && gather.getInput() != rows))
      return false;
    rows = gather.getInput();
    ranges.push_back(gather.getIndices());
  }
  Value ids = findSortedIds(func, ranges, getDims(rows)[0]);
  if (!ids) {
    LLVM_DEBUG(llvm::dbgs() << concat.getLoc() << ": the ranges are not those of sorted ids\n");
    return false;
  }
  OpBuilder builder(concat);
  std::optional<ExpertMatrices> weight = matchExpertProducts(builder, products);
  if (!weight)
    return false;
  Value result = makeExpertLinear(builder, concat.getLoc(), rows, ids, *weight);
  DimExpr sum = getDims(concat.getResult())[0], all = getDims(rows)[0];
  concat.getResult().replaceAllUsesWith(result);
  concat.erase();
  return succeeded(unifySum(func, sum, all));
}

/// The product that `value` is, also behind reshapes there and back, if nothing else reads it.
ExpertLinearOp onlyReshaped(Value value) {
  Type type = value.getType();
  while (value.hasOneUse() && value.getDefiningOp<ReshapeOp>())
    value = value.getDefiningOp()->getOperand(0);
  auto linear = value.getDefiningOp<ExpertLinearOp>();
  return linear && linear->hasOneUse() && linear.getType() == type ? linear : ExpertLinearOp();
}

/// expert_linear(x, ids, W) + b[ids] -> expert_linear(x, ids, W) bias b.
bool absorbBias(BinaryOp sum) {
  ExpertLinearOp linear;
  Value bias;
  bool matches = matchEitherOrder(sum.getResult(), BinaryKind::add, [&](Value product, Value row) {
    linear = onlyReshaped(product);
    auto gather = row.getDefiningOp<GatherOp>();
    bias = gather ? gather.getInput() : Value();
    return linear && gather && gather.getAxis() == 0 && gather.getIndices() == linear.getIds() &&
           isConstant(bias) && getDims(bias).size() == 2;
  });
  if (!matches || linear.getBias() || sum.getType() != linear.getType())
    return false;
  bias.getDefiningOp()->moveBefore(linear);
  linear.getBiasMutable().assign(bias);
  sum.replaceAllUsesWith(linear.getResult());
  sum.erase();
  return true;
}

/// Rows behind one another that are each row of `[T, K]` so many times: that row, and how
/// many; nullopt for others.
struct RepeatedRows {
  Value rows;
  int64_t times;
};
std::optional<RepeatedRows> matchRepeatedRows(OpBuilder &builder, Value value) {
  DimExpr width = getDims(value).back();
  auto broadcast = stripReshapes(value).getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return std::nullopt;
  Dims narrow = getDims(broadcast.getInput()), to = getDims(broadcast.getResult());
  Dims from(to.size() - narrow.size(), DimExpr(1));
  from.append(narrow);
  std::optional<size_t> repeated;
  for (size_t d = 0; d < to.size(); ++d)
    if (from[d] != to[d]) {
      if (repeated)
        return std::nullopt;
      repeated = d;
    }
  std::optional<int64_t> times = repeated ? to[*repeated].constant() : std::nullopt;
  if (!times || product(ArrayRef(to).drop_front(*repeated + 1)) != width)
    return std::nullopt;
  Dims dims{product(ArrayRef(to).take_front(*repeated)), width};
  return RepeatedRows{makeReshape(builder, value.getLoc(), broadcast.getInput(), dims), *times};
}

/// Choices of a token that read copies of its row read the row itself.
bool shareRows(ExpertLinearOp linear) {
  Dims ids = getDims(linear.getIds());
  if (ids.size() != 1 || getDims(linear.getInput()).size() != 2)
    return false;
  OpBuilder builder(linear);
  std::optional<RepeatedRows> repeated = matchRepeatedRows(builder, linear.getInput());
  if (!repeated)
    return false;
  Location loc = linear.getLoc();
  Dims perToken{getDims(repeated->rows)[0], DimExpr(repeated->times)};
  linear.getInputMutable().assign(repeated->rows);
  linear.getIdsMutable().assign(makeReshape(builder, loc, linear.getIds(), perToken));
  Type flat = linear.getType();
  perToken.push_back(getDims(linear.getResult()).back());
  linear.getResult().setType(makeTensorType(perToken, elementTypeOf(linear.getResult())));
  builder.setInsertionPointAfter(linear);
  auto result = ReshapeOp::create(builder, loc, flat, linear.getResult());
  linear.getResult().replaceAllUsesExcept(result, result);
  return true;
}

/// matmul(x[.., 1, K], W[ids]) or matmul(W[ids], x[.., K, 1]) -> expert_linear(x, ids, W).
bool replaceGatheredProduct(MatmulOp product) {
  Dims result = getDims(product.getResult());
  for (bool isLeft : {false, true}) {
    Value matrices = isLeft ? product.getLhs() : product.getRhs();
    Value x = isLeft ? product.getRhs() : product.getLhs();
    bool transposed = isLeft; // a matrix on the left is [N, K]
    matrices = stripTranspose(skipWidening(matrices), transposed);
    OpBuilder builder(product);
    Value chosen, all = beforeGather(builder, matrices, chosen);
    if (!all)
      continue;
    Dims ids = getDims(chosen), dims = getDims(x);
    // [ids.., 1, K], on the right [ids.., K, 1]
    bool isRow = dims.size() == ids.size() + 2 && dims[ids.size() + (isLeft ? 1 : 0)].isConstant(1);
    if (!isRow || ids.empty() || ArrayRef(dims).take_front(ids.size()) != ArrayRef(ids))
      continue;
    std::optional<ExpertMatrices> weight = matchMatrixStack(builder, all, transposed);
    if (!weight)
      continue;
    Dims input(ids);
    input.push_back(dims[ids.size() + (isLeft ? 0 : 1)]);
    x = makeReshape(builder, product.getLoc(), x, input);
    Value y = makeExpertLinear(builder, product.getLoc(), x, chosen, *weight);
    product.replaceAllUsesWith(makeReshape(builder, product.getLoc(), y, result));
    product.erase();
    return true;
  }
  return false;
}

/// Moves a gather by the inverse of `permutation` up to the operands.
class Unsorter {
public:
  Unsorter(OpBuilder &builder, TopKIndicesOp permutation)
      : builder(builder), func(permutation->getParentOfType<func::FuncOp>()),
        permutation(permutation.getResult()), rows(getDims(this->permutation)[0]) {}

  /// What `value[inverse]` is without any permutation; null where it cannot do without.
  Value unsort(Value value) {
    auto [entry, isNew] = done.try_emplace(value);
    if (!isNew)
      return entry->second;
    Value result = unsortOnce(value);
    return done[value] = result;
  }

private:
  bool hasRows(Value value) const {
    Dims dims = getDims(value);
    return !dims.empty() && dims[0] == rows;
  }

  Value unsortOnce(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || !hasRows(value))
      return {};
    if (value == permutation)
      return IotaOp::create(builder, op->getLoc(), value.getType(), "0", "1", 0);
    if (auto gather = dyn_cast<GatherOp>(op)) {
      Value indices = gather.getAxis() == 0 && getDims(gather.getIndices()).size() == 1
                          ? unsort(gather.getIndices())
                          : Value();
      return indices ? gatherRows(gather, indices) : Value();
    }
    if (auto linear = dyn_cast<ExpertLinearOp>(op))
      return unsortLinear(linear);
    if (isa<UnaryOp, BinaryOp, CompareOp, SelectOp, CastOp>(op))
      return unsortOperands(op, getDims(value).size());
    if (auto reshape = dyn_cast<ReshapeOp>(op))
      return hasRows(reshape.getInput()) ? unsortOperands(op, 0) : Value();
    if (auto reduce = dyn_cast<ReduceOp>(op))
      return llvm::is_contained(reduce.getAxes(), 0) ? Value() : unsortOperands(op, 0);
    if (auto slice = dyn_cast<SliceOp>(op)) {
      bool keepsRows = hasRows(slice.getInput()) && slice.getSteps()[0] == 1 &&
                       parseExprs(slice.getStarts())[0].isConstant(0);
      return keepsRows ? unsortOperands(op, 0) : Value();
    }
    if (auto concat = dyn_cast<ConcatOp>(op))
      return concat.getAxis() != 0 ? unsortOperands(op, 0) : Value();
    if (auto constant = dyn_cast<ConstantOp>(op))
      return getKnownSplat(constant) ? value : Value();
    if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
      Dims from = getDims(broadcast.getInput());
      if (from.size() < getDims(value).size() || from[0].isConstant(1))
        return value; // all rows are alike
      return unsortOperands(op, 0);
    }
    return {};
  }

  static bool getKnownSplat(ConstantOp constant) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    return elements && elements.isSplat();
  }

  /// `op` on unsorted operands. Operands that broadcast over the rows stay, `rank` being
  /// the result's rank, 0 where none does.
  Value unsortOperands(Operation *op, size_t rank) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      Dims dims = getDims(operand);
      bool isPerRow = dims.size() >= rank && !dims.empty() && !dims[0].isConstant(1);
      Value unsorted = isPerRow ? unsort(operand) : operand;
      if (!unsorted)
        return {};
      operands.push_back(unsorted);
    }
    IRMapping mapping;
    mapping.map(op->getOperands(), operands);
    return builder.clone(*op, mapping)->getResult(0);
  }

  /// `gather` at other rows; each row several times where the indices count tokens.
  Value gatherRows(GatherOp gather, Value indices) {
    Location loc = gather.getLoc();
    Value source = gather.getInput();
    Dims from = getDims(source), to = getDims(gather.getResult());
    std::optional<int64_t> times;
    if (from[0] * DimExpr::floorDiv(rows, from[0]) == rows)
      times = DimExpr::floorDiv(rows, from[0]).constant();
    if (!times || !isCountingBy(func, indices, *times))
      return GatherOp::create(builder, loc, gather.getType(), 0, source, indices);
    if (*times == 1)
      return source;
    Dims narrow(from), wide(from);
    narrow.insert(narrow.begin() + 1, 1);
    wide.insert(wide.begin() + 1, *times);
    Value repeated = BroadcastOp::create(builder, loc, makeTensorType(wide, elementTypeOf(source)),
                                         makeReshape(builder, loc, source, narrow));
    Value result = makeReshape(builder, loc, repeated, to);
    tokens[result] = {source, *times};
    return result;
  }

  Value unsortLinear(ExpertLinearOp linear) {
    if (getDims(linear.getIds()).size() != 1)
      return {};
    Value input = unsort(linear.getInput()), ids = unsort(linear.getIds());
    if (!input || !ids)
      return {};
    Location loc = linear.getLoc();
    auto token = tokens.find(input);
    if (token != tokens.end()) {
      input = token->second.first;
      ids = makeReshape(builder, loc, ids, {getDims(input)[0], token->second.second});
    }
    IRMapping mapping;
    mapping.map(linear.getInput(), input);
    mapping.map(linear.getIds(), ids);
    Operation *result = builder.clone(*linear, mapping);
    Dims dims = getDims(ids);
    dims.push_back(getDims(linear.getResult()).back());
    result->getResult(0).setType(makeTensorType(dims, elementTypeOf(input)));
    return makeReshape(builder, loc, result->getResult(0), getDims(linear.getResult()));
  }

  OpBuilder &builder;
  func::FuncOp func;
  Value permutation;
  DimExpr rows;
  DenseMap<Value, Value> done;
  /// Rows that are those of `first`, each `second` times.
  DenseMap<Value, std::pair<Value, int64_t>> tokens;
};

/// y[inverse of perm] -> y without the sort.
bool replaceUnsorting(GatherOp gather) {
  if (gather.getAxis() != 0 || getDims(gather.getIndices()).size() != 1)
    return false;
  TopKIndicesOp permutation = matchInverse(gather.getIndices());
  if (!permutation)
    return false;
  OpBuilder builder(gather);
  Value result = Unsorter(builder, permutation).unsort(gather.getInput());
  if (!result || result.getType() != gather.getType())
    return false;
  gather.replaceAllUsesWith(result);
  gather.erase();
  return true;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

template <typename Op> bool replaceAll(func::FuncOp func, bool (*replace)(Op)) {
  SmallVector<Op> candidates;
  func.walk([&](Op op) { candidates.push_back(op); });
  bool changed = false;
  for (Op op : candidates)
    changed |= replace(op);
  return changed;
}

/// Sizes that nothing is of any more.
void eraseUnusedSizes(func::FuncOp func) {
  llvm::StringSet<> used;
  auto addText = [&](StringRef text) {
    DimExpr::parse(text)->forEachSymbol([&](const std::string &name) { used.insert(name); });
  };
  func.walk([&](Operation *op) {
    for (Value result : op->getResults())
      addSymbols(result.getType(), used);
    if (auto sizes = dyn_cast<DimValuesOp>(op))
      llvm::for_each(sizes.getExprs().getAsValueRange<StringAttr>(), addText);
    else if (auto slice = dyn_cast<SliceOp>(op))
      llvm::for_each(slice.getStarts().getAsValueRange<StringAttr>(), addText);
    else if (auto top = dyn_cast<TopKIndicesOp>(op))
      addText(top.getCount());
    else if (auto size = dyn_cast<DefineSizeOp>(op))
      addText(size.getBound());
    else if (auto iota = dyn_cast<IotaOp>(op)) {
      addText(iota.getStart());
      addText(iota.getStep());
    }
  });
  for (auto size : llvm::make_early_inc_range(func.getOps<DefineSizeOp>()))
    if (!used.contains(size.getSymbol()))
      size.erase();
}

struct RecognizeExperts : impl::RecognizeExpertsBase<RecognizeExperts> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isDeclaration())
      return;
    bool changed = replaceAll<MatmulOp>(func, replaceGatheredProduct);
    changed |= replaceAll<ConcatOp>(func, replaceGroupedProduct);
    changed |= replaceExpertSums(func);
    changed |= replaceDenseExperts(func);
    if (!changed)
      return;
    replaceAll<BinaryOp>(func, absorbBias);
    replaceAll<ExpertLinearOp>(func, shareRows);
    replaceAll<GatherOp>(func, replaceUnsorting);
    IRRewriter rewriter(&getContext());
    (void)runRegionDCE(rewriter, func.getBody());
    eraseUnusedSizes(func);
    (void)runRegionDCE(rewriter, func.getBody());
  }
};

} // namespace
} // namespace llmc
