//===- GrowStaticCaches.cpp - caches of a fixed capacity as ones that grow
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   run(ids [2, 1], mask [2, 1, 1, 8], cache [2, H, 8, D], length) ->
//     scatter cache at length by new, length + 1
//   =>
//   growing(ids [batch, seq], cache [batch, H, past, D]) -> concat cache, new
//
// Exports with static shapes write new keys and values into a cache at the number of tokens
// that it holds. The function made here is the same decoder with sizes of its own for batch,
// tokens and past; prefill and decode are derived from it as from any other.
//
// That a cache is written so is found by evaluation, as masks are (decision 5). Sizes are
// followed from the inputs through every operation: each has to treat tokens and sequences
// alike, whatever their number, and a constant that has one of these sizes ends the attempt.
//
//===----------------------------------------------------------------------===//
#include "PhaseRoles.h"
#include "SampledComputation.h"
#include "SymbolSubstitution.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"
#include <algorithm>
#include <map>
#include <vector>

using namespace mlir;

namespace llmc {
#define GEN_PASS_DEF_GROWSTATICCACHES
#include "llmc/Transforms/Passes.h.inc"

namespace {

using llm::Dims;
using llm::getDims;
using llm::makeTensorType;
using reference::Tensor;

/// A cache argument [batch, heads, capacity, dim], the result it becomes, and what is
/// written: `update`, whose dimension permutation[a] is the cache's dimension a.
struct StaticCache {
  unsigned argument, result;
  Value update;
  SmallVector<int64_t> permutation;
};

/// The operation behind layout changes that writes into a tensor; null for others.
Operation *findScatter(Value value) {
  Operation *op = value.getDefiningOp();
  while (isa_and_nonnull<llm::TransposeOp, llm::ReshapeOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return isa_and_nonnull<llm::ScatterNDOp, llm::ScatterElementsOp>(op) ? op : nullptr;
}

class CacheFinder {
public:
  CacheFinder(func::FuncOp func, int64_t tokens) : func(func), tokens(tokens) {}

  std::optional<StaticCache> find(unsigned result) {
    Value present = func.front().getTerminator()->getOperand(result);
    auto type = dyn_cast<RankedTensorType>(present.getType());
    Operation *scatter = findScatter(present);
    if (!scatter || !type || !type.hasStaticShape() || type.getRank() != 4 ||
        !isa<FloatType>(type.getElementType()) || type.getDimSize(2) <= tokens ||
        type.getNumElements() > kMaxElements)
      return std::nullopt;
    Value update = scatter->getOperand(2);
    constexpr size_t kMaxOperations = 200; // indices and layout changes
    std::optional<SampledComputation> written = collectComputation(
        func, {present}, kMaxOperations, [&](Value value) { return value == update; });
    if (!written || cast<RankedTensorType>(update.getType()).getRank() != 4)
      return std::nullopt;
    BlockArgument cache;
    for (Value leaf : written->leaves)
      if (leaf != update && leaf.getType() == type)
        cache = dyn_cast<BlockArgument>(leaf);
    if (!cache)
      return std::nullopt;
    // Layers are alike, and an evaluation takes long.
    auto [answer, isNew] = permutations.try_emplace(describe(*written, update, cache));
    StaticCache found{cache.getArgNumber(), result, update, answer->second};
    if (!isNew)
      return found.permutation.empty() ? std::nullopt : std::optional(found);
    found.permutation = {0, 1, 2, 3};
    do
      if (isAppend(*written, present, cache, found)) {
        answer->second = found.permutation;
        return found;
      }
    while (std::next_permutation(found.permutation.begin(), found.permutation.end()));
    return std::nullopt;
  }

private:
  /// What is equal for computations that differ only in which arguments they read.
  using Description = std::vector<uintptr_t>;
  static Description describe(const SampledComputation &written, Value update, Value cache) {
    Description words;
    auto add = [&](const void *unique) { words.push_back(reinterpret_cast<uintptr_t>(unique)); };
    llvm::DenseMap<Value, uintptr_t> numbers;
    for (Value leaf : written.leaves) {
      numbers.try_emplace(leaf, numbers.size());
      add(leaf.getType().getAsOpaquePointer());
      words.push_back(leaf == cache ? 1 : leaf == update ? 2 : 0);
    }
    for (Operation *op : written.operations)
      for (Value result : op->getResults())
        numbers.try_emplace(result, numbers.size());
    for (Operation *op : written.operations) {
      add(op->getName().getAsOpaquePointer());
      add(op->getAttrDictionary().getAsOpaquePointer());
      for (Value operand : op->getOperands())
        words.push_back(numbers.lookup(operand));
      for (Type type : op->getResultTypes())
        add(type.getAsOpaquePointer());
    }
    return words;
  }

  static constexpr int64_t kMaxElements = int64_t(1) << 24; // 16 heads of 128, 8192 places

  /// Whether present[b, h, j, d] is what was written for p <= j < p + tokens and the cache
  /// elsewhere, for the first, a middle and the last p that integers among the inputs tell.
  bool isAppend(const SampledComputation &written, Value present, BlockArgument cache,
                const StaticCache &found) {
    auto type = cast<RankedTensorType>(present.getType());
    auto updateType = cast<RankedTensorType>(found.update.getType());
    ArrayRef<int64_t> shape = type.getShape(), from = updateType.getShape();
    for (int64_t axis = 0; axis < 4; ++axis)
      if (from[found.permutation[axis]] != (axis == 2 ? tokens : shape[axis]))
        return false;
    Tensor old = numbered(type, 0), added = numbered(updateType, type.getNumElements());
    int64_t last = shape[2] - tokens;
    for (int64_t past : {int64_t(0), last / 2, last}) {
      reference::Evaluator evaluator;
      evaluator.bind(cache, old);
      evaluator.bind(found.update, added);
      for (Value leaf : written.leaves)
        if (leaf != cache && leaf != found.update && isa<BlockArgument>(leaf) &&
            !bindLength(evaluator, leaf, past))
          return false;
      FailureOr<Tensor> value = evaluator.evaluate(present);
      if (failed(value) || !matches(*value, old, added, found, past))
        return false;
    }
    return true;
  }

  bool matches(const Tensor &value, const Tensor &old, const Tensor &added,
               const StaticCache &found, int64_t past) const {
    std::array<int64_t, 4> strides; // of the update, by the cache's dimensions
    for (int64_t axis = 0; axis < 4; ++axis) {
      strides[axis] = 1;
      for (int64_t later = found.permutation[axis] + 1; later < 4; ++later)
        strides[axis] *= added.dim(later);
    }
    int64_t at = 0;
    for (int64_t b = 0; b < value.dim(0); ++b)
      for (int64_t h = 0; h < value.dim(1); ++h)
        for (int64_t j = 0; j < value.dim(2); ++j)
          for (int64_t d = 0; d < value.dim(3); ++d, ++at) {
            bool isNew = j >= past && j < past + tokens;
            double expected = isNew ? added.getFloat(b * strides[0] + h * strides[1] +
                                                     (j - past) * strides[2] + d * strides[3])
                                    : old.getFloat(at);
            if (value.getFloat(at) != expected)
              return false;
          }
    return true;
  }

  /// Numbers that bf16 holds, without a pattern that a wrong order of dimensions would keep.
  static Tensor numbered(RankedTensorType type, int64_t first) {
    Tensor tensor(type.getElementType(), type.getShape());
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      tensor.setFloat(i, double((uint64_t(first + i) * 2654435761u >> 16) % 251));
    return tensor;
  }

  /// An integer input holds the length, or the positions of the tokens.
  bool bindLength(reference::Evaluator &evaluator, Value argument, int64_t past) const {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || !type.hasStaticShape() || type.getNumElements() > kMaxElements ||
        !type.getElementType().isInteger() || type.getElementType().isInteger(1))
      return false;
    bool isPositions = type.getRank() > 0 && type.getShape().back() == tokens && tokens > 1;
    std::vector<int64_t> values(type.getNumElements());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = past + (isPositions ? int64_t(i) % tokens : 0);
    evaluator.bind(argument, Tensor::fromInts(type.getElementType(), type.getShape(), values));
    return true;
  }

  func::FuncOp func;
  int64_t tokens;
  std::map<Description, SmallVector<int64_t>> permutations; // empty: no append
};

/// Gives `to`, a reshape of sizes `from` before they became `sizes`, its own; nullopt where
/// a size that became an expression is split.
std::optional<Dims> reshapedSizes(ArrayRef<int64_t> from, ArrayRef<DimExpr> sizes,
                                  ArrayRef<int64_t> to) {
  // Groups of dimensions with the same product on both sides, as small as possible. Units
  // with a size of their own go to the next unit of the other side.
  Dims result;
  size_t at = 0;
  for (size_t i = 0; i < to.size();) {
    int64_t left = 1, right = to[i];
    if (right == 1) {
      bool hasUnit = at < from.size() && from[at] == 1;
      result.push_back(hasUnit ? sizes[at] : DimExpr(1));
      at += hasUnit;
      ++i;
      continue;
    }
    while (at < from.size() && from[at] == 1 && sizes[at].isConstant(1))
      ++at;
    size_t first = at, begin = i;
    ++i;
    while (left != right)
      if (left < right && at < from.size())
        left *= from[at++];
      else if (right < left && i < to.size())
        right *= to[i++];
      else
        return std::nullopt;
    ArrayRef<DimExpr> group = sizes.slice(first, at - first);
    if (i - begin == 1) {
      result.push_back(llm::product(group));
      continue;
    }
    // Split: what is an expression has to come first, as a factor of the first dimension.
    DimExpr rest = llm::product(group);
    for (size_t k = begin + 1; k < i; ++k) {
      if (!DimExpr::mod(rest, to[k]).isConstant(0))
        return std::nullopt;
      rest = DimExpr::floorDiv(rest, to[k]);
    }
    result.push_back(rest);
    result.append(to.begin() + begin + 1, to.begin() + i);
  }
  for (; at < from.size(); ++at)
    if (!sizes[at].isConstant(1))
      return std::nullopt;
  return result;
}

class Grower {
public:
  Grower(func::FuncOp func, unsigned tokens) : func(func), builder(func) {
    ArrayRef<int64_t> shape = shapeOf(func.getArgument(tokens));
    oldBatch = shape[0];
    oldSeq = shape[1];
  }

  /// Changes `func` to one that grows; false with a reason.
  bool grow() {
    CacheFinder finder(func, oldSeq);
    for (unsigned result = 0; result < func.getNumResults(); ++result)
      if (std::optional<StaticCache> cache = finder.find(result))
        caches.push_back(*cache);
    if (caches.empty())
      return fail("no input is a cache that the new tokens are written into");
    capacity = shapeOf(func.getArgument(caches[0].argument))[2];
    for (const StaticCache &cache : caches)
      if (shapeOf(func.getArgument(cache.argument))[0] != oldBatch ||
          shapeOf(func.getArgument(cache.argument))[2] != capacity)
        return fail("caches have different sizes");
    for (Operation &op : func.front())
      for (Value value : op.getResults())
        oldShapes[value] = llvm::to_vector(shapeOf(value));
    for (BlockArgument argument : func.getArguments())
      oldShapes[argument] = llvm::to_vector(shapeOf(argument));
    giveInputsSizes();
    appendToCaches();
    dropOtherResults();
    if (!replaceMasks())
      return false;
    for (Operation &op : func.front().without_terminator())
      if (!giveResultSizes(&op))
        return fail("'" + op.getName().getStringRef() + "' at " + locationText(&op) +
                    " does not treat tokens and sequences alike");
    return finish();
  }

  std::string reason;

private:
  bool fail(const llvm::Twine &text) {
    reason = text.str();
    return false;
  }

  static ArrayRef<int64_t> shapeOf(Value value) {
    return cast<RankedTensorType>(value.getType()).getShape();
  }

  static std::string locationText(Operation *op) {
    std::string text;
    llvm::raw_string_ostream(text) << op->getLoc();
    return text;
  }

  static void setSizes(Value value, ArrayRef<DimExpr> sizes) {
    value.setType(makeTensorType(sizes, cast<RankedTensorType>(value.getType()).getElementType()));
  }

  void giveInputsSizes() {
    for (BlockArgument argument : func.getArguments()) {
      ArrayRef<int64_t> shape = shapeOf(argument);
      bool isInteger = cast<RankedTensorType>(argument.getType()).getElementType().isInteger();
      if (isInteger && shape == ArrayRef<int64_t>{oldBatch, oldSeq})
        setSizes(argument, {batch, seq});
      else if (isInteger && shape == ArrayRef<int64_t>{oldBatch, capacity})
        setSizes(argument, {batch, past + seq});
    }
    for (const StaticCache &cache : caches) {
      BlockArgument argument = func.getArgument(cache.argument);
      ArrayRef<int64_t> shape = shapeOf(argument);
      setSizes(argument, {batch, shape[1], past, shape[3]});
    }
  }

  void appendToCaches() {
    for (StaticCache &cache : caches) {
      Operation *terminator = func.front().getTerminator();
      Value present = terminator->getOperand(cache.result);
      builder.setInsertionPointAfterValue(present);
      Location loc = present.getLoc();
      Value added = cache.update;
      if (!llvm::is_sorted(cache.permutation)) {
        added = llm::TransposeOp::create(builder, loc, added, cache.permutation);
        oldShapes[added] = llvm::to_vector(shapeOf(added));
      }
      // Its type follows when sizes are given.
      Value all = llm::ConcatOp::create(builder, loc, present.getType(), /*axis=*/2,
                                        ValueRange{func.getArgument(cache.argument), added});
      oldShapes[all] = llvm::to_vector(shapeOf(present));
      replaceBehind(present, all);
    }
  }

  /// `all` in the place of `present` and of what it is a transpose of.
  void replaceBehind(Value present, Value all) {
    while (auto transpose = present.getDefiningOp<llm::TransposeOp>()) {
      SmallVector<int64_t> inverse(transpose.getPermutation().size());
      for (auto [to, from] : llvm::enumerate(transpose.getPermutation()))
        inverse[from] = to;
      Value back = llm::TransposeOp::create(builder, present.getLoc(), all, inverse);
      oldShapes[back] = llvm::to_vector(shapeOf(transpose.getInput()));
      Value input = transpose.getInput();
      present.replaceAllUsesWith(all);
      input.replaceUsesWithIf(back, [&](OpOperand &use) {
        return use.getOwner() != transpose && back.getDefiningOp()->isBeforeInBlock(use.getOwner());
      });
      present = input;
      all = back;
    }
    if (all.getDefiningOp<llm::ConcatOp>())
      present.replaceAllUsesWith(all);
  }

  /// Lengths and what else the caller keeps.
  void dropOtherResults() {
    Operation *terminator = func.front().getTerminator();
    SmallVector<Value> kept;
    SmallVector<Attribute> names;
    for (auto [number, value] : llvm::enumerate(terminator->getOperands())) {
      auto type = cast<RankedTensorType>(value.getType());
      if (!isa<FloatType>(type.getElementType()))
        continue;
      kept.push_back(value);
      DictionaryAttr attributes = func.getResultAttrDict(number);
      names.push_back(attributes ? attributes : builder.getDictionaryAttr({}));
    }
    terminator->setOperands(kept);
    func.setFunctionType(FunctionType::get(func.getContext(), func.front().getArgumentTypes(),
                                           terminator->getOperandTypes()));
    func.setResAttrsAttr(builder.getArrayAttr(names));
    IRRewriter rewriter(func.getContext());
    (void)runRegionDCE(rewriter, func.getBody());
  }

  /// Which of the cache's places a query sees is which came before it, for each caller.
  bool replaceMasks() {
    builder.setInsertionPointToStart(&func.front());
    for (BlockArgument argument : func.getArguments()) {
      auto type = cast<RankedTensorType>(argument.getType());
      if (argument.use_empty() || !type.getElementType().isInteger(1))
        continue;
      ArrayRef<int64_t> shape = type.getShape();
      bool isVisibility = shape.size() == 4 && (shape[0] == oldBatch || shape[0] == 1) &&
                          shape[2] == oldSeq && shape[3] == capacity;
      if (!isVisibility)
        return fail("the input " + describeArgument(func, argument.getArgNumber()) +
                    " is no mask of the cache");
      Location loc = argument.getLoc();
      Type i64 = builder.getI64Type();
      Value rows =
          llm::IotaOp::create(builder, loc, makeTensorType({seq, 1}, i64), past.str(), "1", 0);
      Value columns =
          llm::IotaOp::create(builder, loc, makeTensorType({1, past + seq}, i64), "0", "1", 1);
      Value sees = llm::CompareOp::create(builder, loc, llm::ComparePredicate::le, columns, rows);
      Dims sizes{shape[0] == 1 ? DimExpr(1) : batch, shape[1], seq, past + seq};
      Value mask =
          llm::BroadcastOp::create(builder, loc, makeTensorType(sizes, builder.getI1Type()), sees);
      made.insert({rows.getDefiningOp(), columns.getDefiningOp(), sees.getDefiningOp(),
                   mask.getDefiningOp()});
      oldShapes[mask] = llvm::to_vector(shape);
      argument.replaceAllUsesWith(mask);
    }
    return true;
  }

  static bool isSized(Value value) {
    return isa<RankedTensorType>(value.getType()) &&
           !cast<RankedTensorType>(value.getType()).hasStaticShape();
  }

  bool isSizedAt(Value value, int64_t axis) const { return !getDims(value)[axis].constant(); }

  bool giveResultSizes(Operation *op) {
    if (made.contains(op) || llvm::none_of(op->getOperands(), isSized))
      return true;
    for (Value operand : op->getOperands())
      if (operand.getDefiningOp<llm::ReshapeOp>() && !fitsUsers(operand))
        placeUnits(operand);
    if (op->getNumResults() != 1 || !treatsAlike(op))
      return false;
    Value result = op->getResult(0);
    if (auto reshape = dyn_cast<llm::ReshapeOp>(op)) {
      Value input = reshape.getInput();
      std::optional<Dims> sizes =
          reshapedSizes(oldShapes[input], getDims(input), oldShapes[result]);
      if (!sizes)
        return false;
      setSizes(result, *sizes);
    } else if (auto broadcast = dyn_cast<llm::BroadcastOp>(op)) {
      Dims sizes = getDims(result), from = getDims(broadcast.getInput());
      ArrayRef<int64_t> old = oldShapes[broadcast.getInput()];
      size_t lead = sizes.size() - from.size();
      for (size_t axis = 0; axis < from.size(); ++axis)
        if (old[axis] == oldShapes[result][lead + axis])
          sizes[lead + axis] = from[axis];
        else if (!from[axis].isConstant(1))
          return false;
      setSizes(result, sizes);
    } else if (auto slice = dyn_cast<llm::SliceOp>(op)) {
      Dims sizes = getDims(result), from = getDims(slice.getInput());
      for (size_t axis = 0; axis < from.size(); ++axis)
        if (!from[axis].constant()) {
          if (oldShapes[slice.getInput()][axis] != oldShapes[result][axis] ||
              slice.getSteps()[axis] != 1)
            return false;
          sizes[axis] = from[axis];
        }
      setSizes(result, sizes);
    } else if (failed(refreshTypes(op))) {
      return false;
    }
    return hasOldSizes(result);
  }

  /// Where one token was a dimension of 1 beside others, the users' other operands tell
  /// which of them it is.
  void placeUnits(Value value) {
    Dims sizes = getDims(value);
    ArrayRef<int64_t> old = oldShapes[value];
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
      if (old[axis] != 1 || sizes[axis].constant())
        continue;
      for (size_t other = axis; other < sizes.size() && old[other] == 1; ++other) {
        Dims moved = sizes;
        std::swap(moved[axis], moved[other]);
        setSizes(value, moved);
        if (fitsUsers(value))
          return;
      }
      setSizes(value, sizes);
    }
  }

  /// Whether elementwise users agree, as far as their operands have got their sizes.
  static bool fitsUsers(Value value) {
    return llvm::all_of(value.getUsers(), [](Operation *user) {
      return !isa<llm::BinaryOp, llm::CompareOp, llm::SelectOp>(user) ||
             !llvm::all_of(user->getOperands(), isSized) || broadcastsAlike(user->getOperands(), 0);
    });
  }

  /// With the numbers of the static graph the sizes are what they were.
  bool hasOldSizes(Value value) {
    Dims sizes = getDims(value);
    auto number = [&](const std::string &name) -> std::optional<int64_t> {
      return name == "batch" ? oldBatch : name == "seq" ? oldSeq : capacity - oldSeq;
    };
    for (auto [size, old] : llvm::zip(sizes, oldShapes[value]))
      if (size.evaluate(number) != old)
        return false;
    return true;
  }

  /// Whether `op` does the same to each token and sequence, of which there may be any number.
  bool treatsAlike(Operation *op) {
    if (isa<llm::UnaryOp, llm::CastOp, llm::TransposeOp, llm::ReshapeOp, llm::BroadcastOp,
            llm::SliceOp>(op))
      return true;
    if (isa<llm::BinaryOp, llm::CompareOp, llm::SelectOp>(op))
      return broadcastsAlike(op->getOperands(), 0);
    if (auto matmul = dyn_cast<llm::MatmulOp>(op)) {
      Dims lhs = getDims(matmul.getLhs()), rhs = getDims(matmul.getRhs());
      return lhs.size() >= 2 && rhs.size() >= 2 && lhs.back() == rhs[rhs.size() - 2] &&
             broadcastsAlike(op->getOperands(), 2);
    }
    if (auto concat = dyn_cast<llm::ConcatOp>(op))
      return isCacheAppend(concat) || (!isSizedAt(concat.getResult(), concat.getAxis()) &&
                                       llvm::none_of(concat.getInputs(), [&](Value input) {
                                         return isSizedAt(input, concat.getAxis());
                                       }));
    if (auto gather = dyn_cast<llm::GatherOp>(op))
      return !isSizedAt(gather.getInput(), gather.getAxis());
    if (auto reduce = dyn_cast<llm::ReduceOp>(op))
      return llvm::all_of(reduce.getAxes(),
                          [&](int64_t axis) { return mayReduce(reduce.getInput(), axis); });
    if (auto softmax = dyn_cast<llm::SoftmaxOp>(op))
      return mayReduce(softmax.getInput(), softmax.getAxis());
    if (auto rotary = dyn_cast<llm::RotaryOp>(op))
      return getDims(rotary.getCos())[1] == getDims(rotary.getInput())[2];
    if (auto attention = dyn_cast<llm::AttentionOp>(op))
      return attendsAlike(attention);
    return isa<llm::RMSNormOp, llm::LayerNormOp>(op) && !isSizedAt(op->getOperand(0), lastAxis(op));
  }

  static int64_t lastAxis(Operation *op) { return getDims(op->getOperand(0)).size() - 1; }

  static bool attendsAlike(llm::AttentionOp attention) {
    if (attention.getPastLens())
      return false;
    DimExpr keys = getDims(attention.getKey())[2];
    Dims scores = getDims(attention.getQuery());
    scores.back() = keys;
    if (keys != getDims(attention.getValue())[2])
      return false;
    Dims bias = attention.getBias() ? getDims(attention.getBias()) : Dims();
    for (size_t fromEnd = 1; fromEnd <= bias.size(); ++fromEnd) {
      const DimExpr &size = bias[bias.size() - fromEnd];
      if (!size.isConstant(1) && size != scores[scores.size() - fromEnd])
        return false;
    }
    return true;
  }

  bool isCacheAppend(llm::ConcatOp concat) {
    auto argument = dyn_cast<BlockArgument>(concat.getInputs()[0]);
    return argument && llvm::any_of(caches, [&](const StaticCache &cache) {
             return cache.argument == argument.getArgNumber();
           });
  }

  /// Along what is no size of the call, or along keys, which a mask hides.
  bool mayReduce(Value input, int64_t axis) const {
    DimExpr size = getDims(input)[axis];
    return size.constant() || size == past + seq;
  }

  /// Whether dimensions that meet, but for the last `own`, are 1 or the same.
  static bool broadcastsAlike(ValueRange operands, size_t own) {
    size_t rank = 0;
    for (Value operand : operands)
      rank = std::max(rank, getDims(operand).size());
    Dims met(rank, DimExpr(1));
    for (Value operand : operands) {
      Dims dims = getDims(operand);
      for (size_t axis = 0; axis + own < dims.size(); ++axis) {
        DimExpr &size = met[rank - dims.size() + axis];
        if (dims[axis].isConstant(1))
          continue;
        if (!size.isConstant(1) && size != dims[axis])
          return false;
        size = dims[axis];
      }
    }
    return true;
  }

  bool finish() {
    Operation *terminator = func.front().getTerminator();
    func.setFunctionType(FunctionType::get(func.getContext(), func.front().getArgumentTypes(),
                                           terminator->getOperandTypes()));
    llvm::BitVector unused(func.getNumArguments());
    for (BlockArgument argument : func.getArguments()) {
      if (argument.use_empty())
        unused.set(argument.getArgNumber());
      else if (!isSized(argument))
        return fail("the input " + describeArgument(func, argument.getArgNumber()) +
                    " is needed for more than writing into caches");
    }
    return succeeded(func.eraseArguments(unused));
  }

  func::FuncOp func;
  OpBuilder builder;
  int64_t oldBatch, oldSeq, capacity = 0;
  DimExpr batch = DimExpr::symbol("batch"), seq = DimExpr::symbol("seq"),
          past = DimExpr::symbol("past");
  SmallVector<StaticCache> caches;
  DenseMap<Value, SmallVector<int64_t>> oldShapes;
  llvm::SmallPtrSet<Operation *, 8> made; ///< with their sizes already
};

struct GrowStaticCaches : impl::GrowStaticCachesBase<GrowStaticCaches> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp func : functions)
      if (isStatic(func))
        addGrowing(func);
  }

private:
  static bool isStatic(func::FuncOp func) {
    return !func.isExternal() && func.getBody().hasOneBlock() &&
           llvm::all_of(func.getArgumentTypes(), [](Type type) {
             auto tensor = dyn_cast<RankedTensorType>(type);
             return tensor && tensor.hasStaticShape();
           });
  }

  void addGrowing(func::FuncOp func) {
    std::optional<unsigned> tokens = findTokens(func);
    if (!tokens || llm::getDims(func.getArgument(*tokens)).size() != 2)
      return;
    OwningOpRef<func::FuncOp> copy(cast<func::FuncOp>(func->clone()));
    Grower grower(*copy, *tokens);
    if (!grower.grow()) {
      func.emitRemark("no cache that grows: ") << grower.reason;
      return;
    }
    copy->setName((func.getName() + "_growing").str());
    copy->setPrivate();
    copy->getOperation()->setAttr("llm.stateful_source", UnitAttr::get(&getContext()));
    getOperation().push_back(copy.release());
  }
};

} // namespace
} // namespace llmc
