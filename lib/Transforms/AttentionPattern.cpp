//===- AttentionPattern.cpp - the shape of decomposed attention -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parts of the pattern, from the result back to the operands:
//
//   product       matmul(probabilities, V), or both transposed in the other order
//   probabilities [where(isnan(p), 0, p)] [slice off the sinks] p = softmax(..)
//   scores        any nesting of: + mask, - mask, where(cond, ., -big), * c, / c,
//                 c * tanh(. / c), max(., -big), factors of rows, matmul(q [* c], k^T [* c])
//
// with reshapes of the leading dimensions anywhere between, and roundings of probabilities
// and scores.
//
//===----------------------------------------------------------------------===//
#include "AttentionPattern.h"
#include "Matchers.h"
#include "Rounding.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/Splat.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;

namespace llmc {

using llm::BinaryKind;
using llm::Dims;
using llm::getDims;

std::optional<double> splatNumber(Value value) {
  // A scalar may have been given its consumer's shape.
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<llm::BroadcastOp, llm::ReshapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return llm::getSplatValue(value);
}

static int64_t rankOf(Value value) { return cast<RankedTensorType>(value.getType()).getRank(); }

/// Casts between floats keep what a value is.
static Value stripFloatCasts(Value value) {
  while (auto cast = value.getDefiningOp<llm::CastOp>()) {
    auto isFloat = [](Value v) {
      return isa<FloatType>(mlir::cast<RankedTensorType>(v.getType()).getElementType());
    };
    if (!isFloat(cast.getInput()) || !isFloat(cast.getResult()))
      break;
    value = cast.getInput();
  }
  return value;
}

/// `value` without multiplication and division by constants, which go to `scale`; those of a
/// rounding belong to it.
static Value stripScale(Value value, double &scale) {
  while (true) {
    value = stripFloatCasts(value);
    if (matchRounding(value))
      return value;
    auto op = value.getDefiningOp<llm::BinaryOp>();
    if (!op || (op.getKind() != BinaryKind::mul && op.getKind() != BinaryKind::div))
      return value;
    bool isProduct = op.getKind() == BinaryKind::mul;
    if (std::optional<double> factor = splatNumber(op.getRhs());
        factor && *factor != 0 && rankOf(op.getLhs()) == rankOf(value)) {
      scale *= isProduct ? *factor : 1 / *factor;
      value = op.getLhs();
    } else if (std::optional<double> other = splatNumber(op.getLhs());
               other && isProduct && rankOf(op.getRhs()) == rankOf(value)) {
      scale *= *other;
      value = op.getRhs();
    } else {
      return value;
    }
  }
}

/// `tensor` without casts and regrouping, and where there is a `scale` without constant
/// factors, which go to it.
static void stripOperand(LedTensor &tensor, double *scale) {
  do
    tensor.value = scale ? stripScale(tensor.value, *scale) : stripFloatCasts(tensor.value);
  while (tensor.stripRegrouping());
}

/// The `[.., T, D]` behind a transposed one `[.., D, T]` that is used in `place`.
static LedTensor matchTransposed(Value transposed, ArrayRef<DimExpr> place, double *scale) {
  LedTensor result = LedTensor::at(transposed, place);
  stripOperand(result, scale);
  int64_t rank = rankOf(result.value);
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (auto transpose = result.value.getDefiningOp<llm::TransposeOp>()) {
    permutation.assign(transpose.getPermutation().begin(), transpose.getPermutation().end());
    result.value = transpose.getInput();
    if (scale)
      result.value = stripScale(result.value, *scale);
  }
  std::swap(permutation[rank - 2], permutation[rank - 1]);
  if (llvm::is_sorted(permutation))
    stripOperand(result, scale);
  else
    result.permutation = permutation;
  return result;
}

namespace {

/// Fills a pattern from the scores' expression.
class ScoresMatcher {
public:
  /// `steps` bounds the operations that are looked at: shared ones are reached on many ways.
  ScoresMatcher(AttentionPattern &pattern, int &steps) : pattern(pattern), steps(steps) {}

  bool match(Value scores);
  /// The leading dimensions on the way.
  SmallVector<Dims> views;
  /// Where the expression ends that is none.
  Operation *stranger = nullptr;

private:
  /// Whether `inside` has all elements of `scores`; a side that is repeated is no scores.
  static bool isWhole(Value inside, Value scores) {
    Dims own = getDims(inside), all = getDims(scores);
    return own.size() == all.size() && llvm::all_of(llvm::zip(own, all), [](const auto &pair) {
             return !std::get<0>(pair).isConstant(1) || std::get<1>(pair).isConstant(1);
           });
  }
  /// Matches one of several alternatives: what a failed one has found is forgotten.
  bool matchInside(Value inside) {
    ScoresMatcher matcher(pattern, steps);
    AttentionPattern before = pattern;
    if (matcher.match(inside)) {
      views.append(matcher.views);
      return true;
    }
    pattern = before;
    if (!stranger)
      stranger = matcher.stranger;
    return false;
  }
  bool matchProduct(llm::MatmulOp product);
  bool matchChoice(llm::SelectOp choice);
  bool matchSum(llm::BinaryOp sum);
  bool matchRowFactor(llm::BinaryOp product);
  bool matchScaled(Value scores);
  bool matchFloor(llm::BinaryOp max);
  bool matchRounded(const Rounding &rounding);
  /// Scores in other units, by a positive factor.
  void scaleBy(double factor);

  AttentionPattern &pattern;
  int &steps;
};

} // namespace

bool ScoresMatcher::matchProduct(llm::MatmulOp product) {
  Dims place = leadOf(product);
  views.push_back(place);
  pattern.query = LedTensor::at(product.getLhs(), place);
  stripOperand(pattern.query, &pattern.scale);
  pattern.key = matchTransposed(product.getRhs(), place, &pattern.scale);
  return true;
}

bool ScoresMatcher::matchChoice(llm::SelectOp choice) {
  for (bool keepWhere : {true, false}) {
    Value kept = keepWhere ? choice.getLhs() : choice.getRhs();
    Value other = keepWhere ? choice.getRhs() : choice.getLhs();
    std::optional<double> replacement = splatNumber(other);
    // Scores that are replaced by an ordinary number are no mask.
    if (!replacement || *replacement > -1e4 || !isWhole(kept, choice.getResult()) ||
        !matchInside(kept))
      continue;
    if (!pattern.biasedRounding.empty())
      return false;
    MaskTerm term{LedTensor::at(choice.getCondition(), leadOf(choice)), elementTypeOf(choice)};
    term.additive = false;
    term.keepWhere = keepWhere;
    term.replacement = *replacement;
    pattern.mask.push_back(term);
    return true;
  }
  return false;
}

bool ScoresMatcher::matchSum(llm::BinaryOp sum) {
  bool isDifference = sum.getKind() == BinaryKind::sub;
  for (auto [inside, mask] :
       {std::pair(sum.getLhs(), sum.getRhs()), std::pair(sum.getRhs(), sum.getLhs())}) {
    if (isWhole(inside, sum.getResult()) && matchInside(inside)) {
      if (!pattern.biasedRounding.empty())
        return false;
      MaskTerm term{LedTensor::at(mask, leadOf(sum)), elementTypeOf(sum)};
      term.factor = isDifference ? -1 : 1;
      pattern.mask.push_back(term);
      return true;
    }
    if (isDifference)
      break;
  }
  return false;
}

/// s * f, s / f, where f has one number for all keys.
bool ScoresMatcher::matchRowFactor(llm::BinaryOp product) {
  bool divides = product.getKind() == BinaryKind::div;
  for (auto [inside, factor] : {std::pair(product.getLhs(), product.getRhs()),
                                std::pair(product.getRhs(), product.getLhs())}) {
    Dims dims = getDims(factor);
    if (!dims.empty() && dims.back().isConstant(1) && isWhole(inside, product.getResult()) &&
        matchInside(inside)) {
      // What is added to the scores would have to be multiplied, too, and steps.
      if (!pattern.mask.empty() || pattern.softcap != 0 || !pattern.scoreRounding.empty())
        return false;
      pattern.rowFactors.push_back({LedTensor::at(factor, leadOf(product)), divides});
      return true;
    }
    if (divides)
      break;
  }
  return false;
}

void ScoresMatcher::scaleBy(double factor) {
  pattern.scale *= factor;
  for (MaskTerm &term : pattern.mask)
    term.factor *= factor;
  for (SmallVector<double> *rounding : {&pattern.scoreRounding, &pattern.biasedRounding})
    for (size_t i = 0; i < rounding->size(); i += 3)
      (*rounding)[i] *= factor;
}

bool ScoresMatcher::matchRounded(const Rounding &rounding) {
  if (!matchInside(rounding.input))
    return false;
  bool isBiased = !pattern.mask.empty() || pattern.softcap != 0;
  (isBiased ? pattern.biasedRounding : pattern.scoreRounding)
      .append({rounding.step, rounding.low, rounding.high});
  return true;
}

/// c * s, s / c and c * tanh(s).
bool ScoresMatcher::matchScaled(Value scores) {
  double factor = 1;
  Value inside = stripScale(scores, factor);
  if (inside == scores)
    return false;
  if (auto tanh = inside.getDefiningOp<llm::UnaryOp>();
      tanh && tanh.getKind() == llm::UnaryKind::tanh) {
    if (factor <= 0 || !matchInside(tanh.getInput()) || !pattern.mask.empty() ||
        pattern.softcap != 0)
      return false;
    // c * tanh(s / c): the division is part of the scale that was found.
    scaleBy(factor);
    pattern.softcap = factor;
    return true;
  }
  // A factor outside of a mask scales that, too; a negative one would show what it hides.
  if (!matchInside(inside) || pattern.softcap != 0)
    return false;
  bool isPlain = pattern.mask.empty() && pattern.scoreRounding.empty();
  if (factor <= 0 && !isPlain)
    return false;
  scaleBy(factor);
  return true;
}

/// max(s, -big) is s: nothing but what a mask hides is as low.
bool ScoresMatcher::matchFloor(llm::BinaryOp max) {
  auto element = cast<FloatType>(elementTypeOf(max));
  double lowest =
      APFloat::getLargest(element.getFloatSemantics(), /*Negative=*/true).convertToDouble();
  for (auto [inside, floor] :
       {std::pair(max.getLhs(), max.getRhs()), std::pair(max.getRhs(), max.getLhs())})
    if (std::optional<double> number = splatNumber(floor);
        number && *number <= lowest && isWhole(inside, max.getResult()))
      return matchInside(inside);
  stranger = max;
  return false;
}

bool ScoresMatcher::match(Value scores) {
  scores = stripFloatCasts(scores);
  Operation *op = scores.getDefiningOp();
  if (!op || steps-- <= 0)
    return false;
  pattern.locations.push_back(op->getLoc());
  if (std::optional<Rounding> rounding = matchRounding(scores))
    return matchRounded(*rounding);
  if (auto product = dyn_cast<llm::MatmulOp>(op))
    return matchProduct(product);
  if (auto reshape = dyn_cast<llm::ReshapeOp>(op); reshape && keepsRowsAndColumns(reshape)) {
    views.push_back(leadOf(reshape));
    return matchInside(reshape.getInput());
  }
  if (auto choice = dyn_cast<llm::SelectOp>(op))
    return matchChoice(choice);
  if (auto binary = dyn_cast<llm::BinaryOp>(op)) {
    if (binary.getKind() == BinaryKind::add || binary.getKind() == BinaryKind::sub)
      return matchSum(binary);
    if (binary.getKind() == BinaryKind::max)
      return matchFloor(binary);
    double factor = 1;
    if (binary.getKind() != BinaryKind::mul && binary.getKind() != BinaryKind::div) {
      stranger = op;
      return false;
    }
    return stripScale(scores, factor) == scores ? matchRowFactor(binary) : matchScaled(scores);
  }
  stranger = op;
  return false;
}

/// x - max(x): softmax does not change by what is subtracted from a whole row.
static Value stripRowShift(Value value) {
  auto sub = value.getDefiningOp<llm::BinaryOp>();
  if (!sub || sub.getKind() != BinaryKind::sub)
    return value;
  auto max = sub.getRhs().getDefiningOp<llm::ReduceOp>();
  if (!max || max.getKind() != llm::ReduceKind::max || !max.getKeepdims() ||
      max.getInput() != sub.getLhs() || max.getAxes() != ArrayRef<int64_t>{rankOf(value) - 1})
    return value;
  return sub.getLhs();
}

/// What has one number per head and nothing else behind a column of `[B, Hq, S, 1]`.
static Value matchSinks(Value column, const DimExpr &heads) {
  while (Operation *op = column.getDefiningOp()) {
    bool isPerHead = llm::product(getDims(column)) == heads;
    if (rankOf(column) == 1 && isPerHead)
      return column;
    bool keepsHeads = rankOf(column) >= 3 && getDims(column)[rankOf(column) - 3] == heads;
    if (!isa<llm::BroadcastOp, llm::ReshapeOp>(op) || !keepsHeads)
      return keepsHeads && isPerHead ? column : Value();
    column = op->getOperand(0);
  }
  return {};
}

/// Takes the column of sinks, which `kept` leaves behind after the softmax, off `scores`.
/// Why it is none; null where it is one.
static const char *takeOffSinks(llm::SliceOp kept, Value &scores, AttentionPattern &pattern) {
  auto joined = scores.getDefiningOp<llm::ConcatOp>();
  if (rankOf(scores) != 4 || !joined || joined.getInputs().size() != 2 || joined.getAxis() != 3)
    return "the softmax is sliced, but its input is no concatenation with sinks";
  scores = joined.getInputs()[0];
  Dims all = getDims(scores);
  for (const DimExpr &start : llm::parseExprs(kept.getStarts()))
    if (!start.isConstant(0))
      return "the slice does not take the first keys";
  if (getDims(kept) != all || !getDims(joined.getInputs()[1])[3].isConstant(1))
    return "the slice does not take off one column of sinks";
  pattern.sinks = matchSinks(joined.getInputs()[1], all[1]);
  return pattern.sinks ? nullptr
                       : "the column beside the scores is no vector with one number per head";
}

/// An operation in a message.
static std::string nameOf(Operation *op) {
  StringRef kind;
  if (auto unary = dyn_cast<llm::UnaryOp>(op))
    kind = llm::stringifyUnaryKind(unary.getKind());
  else if (auto binary = dyn_cast<llm::BinaryOp>(op))
    kind = llm::stringifyBinaryKind(binary.getKind());
  return (op->getName().getStringRef() + (kind.empty() ? "" : " ") + kind).str();
}

static DimExpr numRows(const LedTensor &tensor) {
  Dims dims = getDims(tensor.value);
  size_t axis = dims.size() - 2;
  return dims[tensor.permutation.empty() ? axis : tensor.permutation[axis]];
}

/// The value behind reshapes of its leading dimensions, which `views` gets.
static Value stripViews(Value value, SmallVectorImpl<Dims> &views) {
  views.push_back(leadOf(value));
  value = stripFloatCasts(value);
  while (auto reshape = value.getDefiningOp<llm::ReshapeOp>()) {
    if (!keepsRowsAndColumns(reshape))
      break;
    value = stripFloatCasts(reshape.getInput());
    views.push_back(leadOf(value));
  }
  return value;
}

/// The value behind reshapes and roundings of probabilities.
static Value stripRoundings(Value value, SmallVectorImpl<Dims> &views, AttentionPattern &pattern) {
  value = stripViews(value, views);
  while (std::optional<Rounding> rounding = matchRounding(value)) {
    SmallVector<double> all{rounding->step, rounding->low, rounding->high};
    all.append(pattern.weightRounding);
    pattern.weightRounding = all;
    value = stripViews(rounding->input, views);
  }
  return value;
}

/// What scores of -inf become by a rounding of biased scores.
static double lowestScore(ArrayRef<double> rounding) {
  double score = -std::numeric_limits<double>::infinity();
  for (; !rounding.empty(); rounding = rounding.drop_front(3))
    score = rounding[0] * std::clamp(std::nearbyint(score / rounding[0]), rounding[1], rounding[2]);
  return score;
}

/// Whether keys that a mask hides stay hidden; the operation gives them no weight at all.
static bool hidesMasked(const AttentionPattern &pattern) {
  constexpr double kHidden = -1e3; // exp of it, and of it less any usual score, is 0
  for (ArrayRef<double> rest = pattern.weightRounding; !rest.empty(); rest = rest.drop_front(3))
    if (rest[1] > 0 || rest[2] < 0)
      return false;
  return lowestScore(pattern.biasedRounding) <= kHidden;
}

/// The softmax, behind reshapes of leading dimensions, that `value` is with rows and columns
/// swapped; null where it is something else.
static Value behindTranspose(Value value) {
  auto transpose = stripFloatCasts(value).getDefiningOp<llm::TransposeOp>();
  if (!transpose)
    return {};
  SmallVector<int64_t> swapped = llvm::to_vector(transpose.getPermutation());
  std::swap(swapped.end()[-1], swapped.end()[-2]);
  SmallVector<Dims> views;
  bool isSoftmax = stripViews(transpose.getInput(), views).getDefiningOp<llm::SoftmaxOp>();
  return isSoftmax && llvm::is_sorted(swapped) ? transpose.getInput() : Value();
}

/// Groups `[batch, heads]` of the one leading dimension of `query`, by what it was made of:
/// `[.., batch, heads * D] -> [.., batch * heads, D]`.
static std::optional<Dims> guessHeads(Value query) {
  constexpr int kMaxSteps = 8;
  Dims dims = getDims(query);
  DimExpr size = dims.front();
  std::optional<int64_t> depth = dims.back().constant();
  for (int i = 0; i < kMaxSteps && depth; ++i) {
    Operation *op = query.getDefiningOp();
    if (!isa_and_nonnull<llm::ReshapeOp, llm::TransposeOp, llm::BinaryOp, llm::CastOp,
                         llm::SliceOp>(op))
      break;
    query = op->getOperand(0);
    Dims from = getDims(query);
    std::optional<int64_t> all = from.empty() ? std::nullopt : from.back().constant();
    if (!isa<llm::ReshapeOp>(op) || !all || *all <= *depth || *all % *depth != 0)
      continue;
    DimExpr heads = *all / *depth;
    if (DimExpr::mod(size, heads).isConstant(0))
      return Dims{DimExpr::floorDiv(size, heads), heads};
  }
  return std::nullopt;
}

/// What tells the heads from the batch where the scores have one leading dimension: the
/// dimensions that the result gets, or that the query had.
static void addHints(llm::MatmulOp product, Value query, SmallVectorImpl<Dims> &views) {
  if (rankOf(product) != 3 || rankOf(query) != 3)
    return;
  for (Operation *user : product->getUsers())
    if (auto reshape = dyn_cast<llm::ReshapeOp>(user);
        reshape && keepsRowsAndColumns(reshape) && rankOf(reshape) == 4)
      views.push_back(leadOf(reshape));
  if (std::optional<Dims> groups = guessHeads(query))
    views.push_back(*groups);
}

std::optional<AttentionPattern> matchAttention(llm::MatmulOp product, std::string &reason) {
  auto fail = [&](const llvm::Twine &text) {
    reason = text.str();
    return std::nullopt;
  };
  AttentionPattern pattern;
  // The operation computes in f32.
  if (cast<RankedTensorType>(product.getType()).getElementType().isF64())
    return fail("attention in f64 keeps its precision in pieces");
  pattern.locations.push_back(product.getLoc());
  Dims place = leadOf(product);
  Value probabilities = behindTranspose(product.getRhs());
  pattern.isTransposed = probabilities != nullptr;
  if (pattern.isTransposed) {
    pattern.value = matchTransposed(product.getLhs(), place, /*scale=*/nullptr);
  } else {
    probabilities = product.getLhs();
    pattern.value = LedTensor::at(product.getRhs(), place);
    stripOperand(pattern.value, /*scale=*/nullptr);
  }
  if (leadOf(probabilities) != place)
    return fail("the same probabilities weigh several values");

  SmallVector<Dims> views;
  probabilities = stripRoundings(probabilities, views, pattern);
  if (auto guard = probabilities.getDefiningOp<llm::SelectOp>()) {
    auto test = guard.getCondition().getDefiningOp<llm::UnaryOp>();
    if (!test || test.getKind() != llm::UnaryKind::is_nan || test.getInput() != guard.getRhs() ||
        splatNumber(guard.getLhs()) != 0.0)
      return fail("the left operand is a select that is no guard against NaN");
    probabilities = stripRoundings(guard.getRhs(), views, pattern);
  }
  auto withoutSinks = probabilities.getDefiningOp<llm::SliceOp>();
  if (withoutSinks)
    probabilities = stripRoundings(withoutSinks.getInput(), views, pattern);
  auto softmax = probabilities.getDefiningOp<llm::SoftmaxOp>();
  if (!softmax || rankOf(softmax) < 2 || softmax.getAxis() + 1 != uint64_t(rankOf(softmax)))
    return fail("the left operand is no softmax of the last dimension");
  pattern.locations.push_back(softmax.getLoc());

  Value scores = stripRowShift(stripFloatCasts(softmax.getInput()));
  if (withoutSinks) {
    if (const char *text = takeOffSinks(withoutSinks, scores, pattern))
      return fail(text);
    views.insert(views.begin(), leadOf(scores));
  }
  int steps = 200;
  ScoresMatcher matcher(pattern, steps);
  if (!matcher.match(scores)) {
    std::string text = "the scores are no scaled and masked product of queries and keys";
    return fail(matcher.stranger ? text + ": they come from " + nameOf(matcher.stranger) : text);
  }
  if (!hidesMasked(pattern))
    return fail("the rounding of masked scores or of probabilities does not keep keys hidden");
  views.append(matcher.views);
  HeadLayout::Operands operands{pattern.query, pattern.key, pattern.value, {}};
  for (MaskTerm &term : pattern.mask) {
    while (term.tensor.stripRegrouping()) {
    }
    operands.others.push_back(&term.tensor);
  }
  for (const RowFactor &factor : pattern.rowFactors)
    operands.others.push_back(&factor.tensor);
  addHints(product, pattern.query.value, views);
  pattern.layout = HeadLayout::find(operands, views, /*isFixed=*/pattern.sinks != nullptr);
  if (!pattern.layout)
    return fail("the batch and the heads of queries, keys, values and masks do not line up");
  if (DimExpr::equal(numRows(pattern.value), numRows(pattern.key)) == false)
    return fail("key and value disagree on the number of keys");
  return pattern;
}

} // namespace llmc
