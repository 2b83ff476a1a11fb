//===- RecognizeRotary.cpp - decomposed rotary embeddings
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "RotaryTables.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZEROTARY
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

namespace {

/// Channels [start, start + size * step) of the last dimension of `base`.
struct Channels {
  Value base;
  int64_t start = 0, size = 0, step = 1;

  /// The whole of `value`, or what it slices from another along the last dimension.
  static std::optional<Channels> of(Value value) {
    Dims dims = getDims(value);
    if (dims.empty() || !dims.back().constant())
      return std::nullopt;
    Channels channels{value, 0, *dims.back().constant()};
    auto slice = value.getDefiningOp<SliceOp>();
    if (!slice)
      return channels;
    Dims from = getDims(slice.getInput()), starts = parseExprs(slice.getStarts());
    for (size_t axis = 0; axis + 1 < from.size(); ++axis)
      if (from[axis] != dims[axis] || !starts[axis].isConstant(0) || slice.getSteps()[axis] != 1)
        return channels;
    std::optional<int64_t> start = starts.back().constant();
    if (!start || !from.back().constant() || slice.getSteps().back() < 1)
      return channels;
    return Channels{slice.getInput(), *start, *dims.back().constant(), slice.getSteps().back()};
  }

  bool covers(const Channels &first, const Channels &second) const {
    return base == first.base && base == second.base && step == 1 && first.size == second.size &&
           first.size * 2 == size && first.start == start;
  }
};

/// The two members of each pair: x_a and x_b.
struct Pairs {
  Channels first, second;
  bool interleaved = false;
  bool isBackward = false; ///< turned by the opposite of the tables' angle

  /// Both windows together where they are neighbours in one value.
  std::optional<Channels> whole() const {
    if (first.base != second.base || first.size != second.size)
      return std::nullopt;
    int64_t distance = interleaved ? 1 : first.size, step = interleaved ? 2 : 1;
    if (first.step != step || second.step != step || second.start != first.start + distance)
      return std::nullopt;
    return Channels{first.base, first.start, 2 * first.size};
  }
};

/// What a rotation is made of, before tables are derived.
struct Rotation {
  Channels input;      ///< without base where the members of a pair lie apart:
  Value first, second; ///< then all first members, and all second ones
  bool interleaved = false;
  Value cos, sin;
  Repetition repetition = Repetition::Halves;
  bool isBackward = false;
};

Value matchNegated(Value value) {
  if (Value operand = matchUnary(value, UnaryKind::neg))
    return operand;
  auto product = matchWithSplat(value, BinaryKind::mul);
  return product && product->second == -1 ? product->first : Value();
}

std::optional<ConcatOp> matchLastConcat(Value value) {
  auto concat = value.getDefiningOp<ConcatOp>();
  if (!concat || concat.getInputs().size() != 2 || concat.getAxis() + 1 != getDims(value).size())
    return std::nullopt;
  return concat;
}

/// concat(-x_b, x_a), or the pairs (-x_b, x_a) stacked and flattened; concat(x_b, -x_a)
/// turns the other way.
std::optional<Pairs> matchRotatedPairs(Value value) {
  std::optional<ConcatOp> concat = matchLastConcat(value);
  auto flatten = value.getDefiningOp<ReshapeOp>();
  if (flatten)
    concat = matchLastConcat(flatten.getInput());
  if (!concat)
    return std::nullopt;
  Value second = concat->getInputs()[0], first = concat->getInputs()[1];
  if (flatten) { // both are [.., R, 1] columns
    auto left = second.getDefiningOp<ReshapeOp>(), right = first.getDefiningOp<ReshapeOp>();
    if (!left || !right || !getDims(second).back().isConstant(1) ||
        getDims(left.getInput()) != getDims(right.getInput()))
      return std::nullopt;
    second = left.getInput();
    first = right.getInput();
  }
  Value negatedSecond = matchNegated(second), negatedFirst = matchNegated(first);
  if (!negatedSecond == !negatedFirst)
    return std::nullopt;
  std::optional<Channels> b = Channels::of(negatedSecond ? negatedSecond : second);
  std::optional<Channels> a = Channels::of(negatedFirst ? negatedFirst : first);
  if (!a || !b)
    return std::nullopt;
  return Pairs{*a, *b, bool(flatten), /*isBackward=*/bool(negatedFirst)};
}

/// x * cos + rotated(x) * sin.
std::optional<Rotation> matchSumSpelling(BinaryOp sum) {
  std::optional<Rotation> result;
  matchEitherOrder(sum.getResult(), BinaryKind::add, [&](Value straight, Value turned) {
    return matchEitherOrder(turned, BinaryKind::mul, [&](Value rotated, Value sin) {
      std::optional<Pairs> pairs = matchRotatedPairs(rotated);
      std::optional<Channels> whole = pairs ? pairs->whole() : std::nullopt;
      if (!whole)
        return false;
      return matchEitherOrder(straight, BinaryKind::mul, [&](Value x, Value cos) {
        std::optional<Channels> input = Channels::of(x);
        // x is the window, or a value that the members are sliced from.
        bool isWindow = input && input->base == whole->base && input->start == whole->start &&
                        input->size == whole->size && input->step == 1;
        bool isBase =
            x == whole->base && whole->start == 0 && getDims(x).back().isConstant(whole->size);
        if (!isWindow && !isBase)
          return false;
        result = Rotation{*whole,
                          {},
                          {},
                          pairs->interleaved,
                          cos,
                          sin,
                          pairs->interleaved ? Repetition::Interleaved : Repetition::Halves,
                          pairs->isBackward};
        return true;
      });
    });
  });
  return result;
}

/// The pair of factors of a product.
std::optional<std::pair<Value, Value>> matchProduct(Value value) {
  BinaryOp op = matchBinary(value, BinaryKind::mul);
  return op ? std::optional(std::pair(op.getLhs(), op.getRhs())) : std::nullopt;
}

/// concat(x_a * cos - x_b * sin, x_b * cos + x_a * sin) with tables per pair. The members
/// of pairs may be interleaved in x although the result has them in halves.
std::optional<Rotation> matchConcatSpelling(ConcatOp concat) {
  if (!matchLastConcat(concat.getResult()))
    return std::nullopt;
  BinaryOp difference = matchBinary(concat.getInputs()[0], BinaryKind::sub);
  BinaryOp sum = matchBinary(concat.getInputs()[1], BinaryKind::add);
  auto aCos = difference ? matchProduct(difference.getLhs()) : std::nullopt;
  auto bSin = difference ? matchProduct(difference.getRhs()) : std::nullopt;
  if (!aCos || !bSin || !sum)
    return std::nullopt;
  std::optional<Rotation> result;
  auto matches = [&](Value a, Value cos, Value b, Value sin) {
    auto isProductOf = [](Value value, Value x, Value y) {
      auto factors = matchProduct(value);
      return factors && (*factors == std::pair(x, y) || *factors == std::pair(y, x));
    };
    bool agrees = (isProductOf(sum.getLhs(), b, cos) && isProductOf(sum.getRhs(), a, sin)) ||
                  (isProductOf(sum.getRhs(), b, cos) && isProductOf(sum.getLhs(), a, sin));
    std::optional<Channels> first = Channels::of(a), second = Channels::of(b);
    if (!agrees || !first || !second)
      return false;
    if (std::optional<Channels> whole = Pairs{*first, *second}.whole())
      result = Rotation{*whole, {}, {}, false, cos, sin, Repetition::None};
    else if (a.getType() == b.getType() && a.getType() == difference.getType())
      result = Rotation{{Value(), 0, 2 * first->size}, a, b, false, cos, sin, Repetition::None};
    return result.has_value();
  };
  auto [a, cos] = *aCos;
  auto [b, sin] = *bSin;
  (void)(matches(a, cos, b, sin) || matches(cos, a, b, sin) || matches(a, cos, sin, b) ||
         matches(cos, a, sin, b));
  return result;
}

struct RecognizeRotary : llmc::impl::RecognizeRotaryBase<RecognizeRotary> {
  void runOnOperation() override {
    OpBuilder builder(&getContext());
    RotaryTables tables(builder);
    SmallVector<Operation *> roots;
    getOperation().walk([&](Operation *op) {
      if (isa<BinaryOp, ConcatOp>(op))
        roots.push_back(op);
    });
    for (Operation *root : roots) {
      std::optional<Rotation> rotation;
      if (auto sum = dyn_cast<BinaryOp>(root))
        rotation = matchSumSpelling(sum);
      else
        rotation = matchConcatSpelling(cast<ConcatOp>(root));
      if (rotation)
        rewrite(root, *rotation, tables, builder);
    }
    // What the rotations were made of is dead, last operations first.
    IRRewriter rewriter(&getContext());
    (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }

private:
  /// The axis of heads: what cos has 1 in place of, beside the sequence.
  static std::optional<int64_t> headAxis(Value cos, const Dims &input) {
    Dims table = getDims(cos);
    auto fits = [&](int64_t axis, const DimExpr &size) {
      return table[axis].isConstant(1) && !(DimExpr::equal(size, input[3 - axis]) == false);
    };
    if (table.size() < 4) // [seq, d] or [1, seq, d] in front of heads
      return 1;
    if (fits(1, table[2]))
      return 1;
    return fits(2, table[1]) ? std::optional<int64_t>(2) : std::nullopt;
  }

  /// Where `value`, the rotated part, is only used in front of the channels that
  /// pass: the concatenation of both.
  static ConcatOp matchPassing(Value value, const Channels &rotated) {
    auto concat = value.hasOneUse() ? dyn_cast<ConcatOp>(*value.user_begin()) : ConcatOp();
    if (!concat || !matchLastConcat(concat.getResult()) || concat.getInputs()[0] != value)
      return {};
    std::optional<Channels> rest = Channels::of(concat.getInputs()[1]);
    bool passes = rest && rest->base == rotated.base && rest->step == 1 && rotated.start == 0 &&
                  rest->start == rotated.size &&
                  getDims(rotated.base).back().isConstant(rotated.size + rest->size);
    return passes ? concat : ConcatOp();
  }

  static void rewrite(Operation *root, const Rotation &rotation, RotaryTables &tables,
                      OpBuilder &builder) {
    Value result = root->getResult(0);
    Dims dims = getDims(result);
    if (dims.size() != 4 || !dims.back().isConstant(rotation.input.size) ||
        elementTypeOf(rotation.cos) != elementTypeOf(result))
      return;
    std::optional<int64_t> heads = headAxis(rotation.cos, dims);
    if (!heads || headAxis(rotation.sin, dims) != heads)
      return;
    Value cos = tables.pairTable(rotation.cos, rotation.repetition, *heads);
    Value sin = tables.pairTable(rotation.sin, rotation.repetition, *heads);
    if (!cos || !sin || cos.getType() != sin.getType() ||
        !getDims(cos).back().isConstant(rotation.input.size / 2))
      return;

    if (rotation.isBackward)
      sin = tables.negated(sin);
    bool isApart = !rotation.input.base;
    ConcatOp passing = isApart ? ConcatOp() : matchPassing(result, rotation.input);
    Operation *replaced = passing ? passing : root;
    builder.setInsertionPoint(replaced);
    Location loc = fuseLocations(replaced, {isApart ? rotation.first : rotation.input.base,
                                            rotation.second, rotation.cos, rotation.sin});
    Value x = rotation.input.base;
    if (isApart)
      x = ConcatOp::create(builder, loc, result.getType(), 3,
                           ValueRange{rotation.first, rotation.second});
    else if (!passing && !getDims(x).back().isConstant(rotation.input.size)) {
      Dims starts(4, DimExpr(0));
      starts.back() = rotation.input.start;
      x = SliceOp::create(builder, loc, result.getType(), x,
                          makeExprs(builder.getContext(), starts), SmallVector<int64_t>(4, 1));
    }
    SmallVector<int64_t> swapHeads{0, 2, 1, 3};
    if (*heads == 2)
      x = TransposeOp::create(builder, loc, x, swapHeads);
    x = RotaryOp::create(builder, loc, x, cos, sin, rotation.interleaved);
    if (*heads == 2)
      x = TransposeOp::create(builder, loc, x, swapHeads);
    if (x.getType() == replaced->getResult(0).getType())
      replaced->getResult(0).replaceAllUsesWith(x);
  }
};

} // namespace
