//===- AttentionPattern.cpp - the shape of decomposed attention -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parts of the pattern, from the result back to the operands:
//
//   product       matmul(probabilities, V)
//   probabilities [where(isnan(p), 0, p)] [slice off the sinks] p = softmax(..)
//   scores        any nesting of: + mask, where(cond, ., -big), * c, / c,
//                 c * tanh(. / c), matmul(q [* c], k^T [* c])
//
//===----------------------------------------------------------------------===//
#include "AttentionPattern.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/Splat.h"
#include "mlir/IR/Matchers.h"

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

/// `value` without multiplication and division by constants, which go to `scale`.
static Value stripScale(Value value, double &scale) {
  while (true) {
    value = stripFloatCasts(value);
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

/// The `[B, H, T, D]` behind `[B, H, G, T, D]` = broadcast of `[B, H, 1, T, D]`.
static Value stripGroupBroadcast(Value value) {
  auto broadcast = value.getDefiningOp<llm::BroadcastOp>();
  if (!broadcast || rankOf(value) != 5)
    return {};
  auto expanded = broadcast.getInput().getDefiningOp<llm::ReshapeOp>();
  if (!expanded || rankOf(expanded) != 5 || rankOf(expanded.getInput()) != 4)
    return {};
  Dims grouped = getDims(expanded), source = getDims(expanded.getInput()),
       result = getDims(broadcast);
  if (!grouped[2].isConstant(1))
    return {};
  for (auto [inGroup, inSource] : {std::pair(0, 0), {1, 1}, {3, 2}, {4, 3}})
    if (grouped[inGroup] != source[inSource] || grouped[inGroup] != result[inGroup])
      return {};
  return expanded.getInput();
}

Value stripRepeatedHeads(Value value) {
  auto merged = value.getDefiningOp<llm::ReshapeOp>();
  if (!merged || rankOf(value) != 4)
    return value;
  Value source = stripGroupBroadcast(merged.getInput());
  if (!source)
    return value;
  Dims result = getDims(value), grouped = getDims(merged.getInput());
  if (result[1] != grouped[1] * grouped[2] || result[2] != grouped[3] || result[3] != grouped[4])
    return value;
  return source;
}

/// The key behind a transposed key `[B, H, D, T]`.
static std::optional<KeyOperand> matchTransposedKey(Value transposed, double &scale) {
  transposed = stripScale(transposed, scale);
  KeyOperand key;
  if (auto op = transposed.getDefiningOp<llm::TransposeOp>(); op && rankOf(op) == 4) {
    ArrayRef<int64_t> permutation = op.getPermutation();
    key.permutation = {permutation[0], permutation[1], permutation[3], permutation[2]};
    key.source = stripScale(op.getInput(), scale);
    if (llvm::is_sorted(key.permutation))
      key.source = stripScale(stripRepeatedHeads(key.source), scale);
    return key;
  }
  // [B, H, T, D] -> [B * H, T, D] -> [B * H, D, T] -> [B, H, D, T]
  auto unmerged = transposed.getDefiningOp<llm::ReshapeOp>();
  auto swapped = unmerged ? unmerged.getInput().getDefiningOp<llm::TransposeOp>() : nullptr;
  if (!swapped || rankOf(transposed) != 4 || rankOf(swapped) != 3 ||
      swapped.getPermutation() != ArrayRef<int64_t>{0, 2, 1})
    return std::nullopt;
  auto merged = swapped.getInput().getDefiningOp<llm::ReshapeOp>();
  Dims wanted = getDims(transposed), rows = getDims(swapped.getInput());
  std::swap(wanted[2], wanted[3]);
  if (!merged || rows[1] != wanted[2] || rows[2] != wanted[3])
    return std::nullopt;
  Value source = merged.getInput();
  if (rankOf(source) == 4 && getDims(source) == wanted) {
    key.source = stripScale(stripRepeatedHeads(source), scale);
    return key;
  }
  // The reshape that merges a repeated key's heads has been folded into this one.
  Value base = rankOf(source) == 5 ? stripGroupBroadcast(source) : Value();
  if (!base || getDims(source)[3] != wanted[2] || getDims(source)[4] != wanted[3])
    return std::nullopt;
  key.source = stripScale(base, scale);
  return key;
}

/// Fills `pattern` from the scores' expression; false where it is not one.
static bool matchScores(Value scores, AttentionPattern &pattern) {
  scores = stripFloatCasts(scores);
  Operation *op = scores.getDefiningOp();
  if (!op)
    return false;
  pattern.locations.push_back(op->getLoc());

  if (auto product = dyn_cast<llm::MatmulOp>(op)) {
    pattern.query = stripScale(product.getLhs(), pattern.scale);
    std::optional<KeyOperand> key = matchTransposedKey(product.getRhs(), pattern.scale);
    if (!key || rankOf(pattern.query) != 4 || rankOf(key->source) != 4)
      return false;
    pattern.key = *key;
    return true;
  }

  if (auto choice = dyn_cast<llm::SelectOp>(op)) {
    for (bool keepWhere : {true, false}) {
      Value kept = keepWhere ? choice.getLhs() : choice.getRhs();
      Value other = keepWhere ? choice.getRhs() : choice.getLhs();
      std::optional<double> replacement = splatNumber(other);
      AttentionPattern inner = pattern;
      // Scores that are replaced by an ordinary number are no mask.
      if (!replacement || *replacement > -1e4 || !matchScores(kept, inner))
        continue;
      pattern = inner;
      pattern.mask.push_back({choice.getCondition(), /*additive=*/false, keepWhere, other, 1});
      return true;
    }
    return false;
  }

  auto binary = dyn_cast<llm::BinaryOp>(op);
  if (!binary)
    return false;
  Value lhs = binary.getLhs(), rhs = binary.getRhs();
  if (binary.getKind() == BinaryKind::add) {
    for (auto [inside, mask] : {std::pair(lhs, rhs), std::pair(rhs, lhs)}) {
      AttentionPattern inner = pattern;
      if (rankOf(mask) > 4 || !matchScores(inside, inner))
        continue;
      pattern = inner;
      pattern.mask.push_back({mask, /*additive=*/true, /*keepWhere=*/true, /*replacement=*/{}, 1});
      return true;
    }
    return false;
  }

  double factor = 1;
  Value inside = stripScale(scores, factor);
  if (inside == scores)
    return false;
  if (auto tanh = inside.getDefiningOp<llm::UnaryOp>();
      tanh && tanh.getKind() == llm::UnaryKind::tanh) {
    AttentionPattern inner = pattern;
    if (!matchScores(tanh.getInput(), inner) || !inner.mask.empty() || inner.softcap != 0 ||
        factor <= 0)
      return false;
    // c * tanh(s / c): the division is part of the scale that was found.
    inner.scale *= factor;
    inner.softcap = factor;
    pattern = inner;
    return true;
  }
  // A factor outside of a mask scales that, too; a negative one would show what it hides.
  if (!matchScores(inside, pattern) || (!pattern.mask.empty() && factor <= 0) ||
      pattern.softcap != 0)
    return false;
  pattern.scale *= factor;
  for (MaskTerm &term : pattern.mask)
    term.factor *= factor;
  return true;
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

std::optional<AttentionPattern> matchAttention(llm::MatmulOp product, std::string &reason) {
  auto fail = [&](const char *text) {
    reason = text;
    return std::nullopt;
  };
  AttentionPattern pattern;
  // The operation computes in f32.
  if (cast<RankedTensorType>(product.getType()).getElementType().isF64())
    return fail("attention in f64 keeps its precision in pieces");
  pattern.locations.push_back(product.getLoc());

  Value probabilities = stripFloatCasts(product.getLhs());
  if (auto guard = probabilities.getDefiningOp<llm::SelectOp>()) {
    auto test = guard.getCondition().getDefiningOp<llm::UnaryOp>();
    if (!test || test.getKind() != llm::UnaryKind::is_nan || test.getInput() != guard.getRhs() ||
        splatNumber(guard.getLhs()) != 0.0)
      return fail("the left operand is a select that is no guard against NaN");
    probabilities = stripFloatCasts(guard.getRhs());
  }
  auto withoutSinks = probabilities.getDefiningOp<llm::SliceOp>();
  if (withoutSinks)
    probabilities = stripFloatCasts(withoutSinks.getInput());
  auto softmax = probabilities.getDefiningOp<llm::SoftmaxOp>();
  if (!softmax || rankOf(softmax) != 4 || softmax.getAxis() != 3)
    return fail("the left operand is no softmax of the last of four dimensions");
  pattern.locations.push_back(softmax.getLoc());

  Value scores = stripRowShift(stripFloatCasts(softmax.getInput()));
  if (withoutSinks) {
    auto joined = scores.getDefiningOp<llm::ConcatOp>();
    if (!joined || joined.getInputs().size() != 2 || joined.getAxis() != 3)
      return fail("the softmax is sliced, but its input is no concatenation with sinks");
    scores = joined.getInputs()[0];
    Dims kept = getDims(withoutSinks), all = getDims(scores);
    for (const DimExpr &start : llm::parseExprs(withoutSinks.getStarts()))
      if (!start.isConstant(0))
        return fail("the slice does not take the first keys");
    if (kept != all || !getDims(joined.getInputs()[1])[3].isConstant(1))
      return fail("the slice does not take off one column of sinks");
    pattern.sinks = matchSinks(joined.getInputs()[1], all[1]);
    if (!pattern.sinks)
      return fail("the column beside the scores is no vector with one number per head");
  }
  if (!matchScores(scores, pattern))
    return fail("the scores are no scaled and masked product of queries and keys");

  pattern.value = stripRepeatedHeads(stripFloatCasts(product.getRhs()));
  if (rankOf(pattern.value) != 4)
    return fail("the value has no four dimensions");
  Dims query = getDims(pattern.query), source = getDims(pattern.key.source), key;
  for (int64_t axis : pattern.key.permutation)
    key.push_back(source[axis]);
  Dims value = getDims(pattern.value);
  if (key[1] != value[1] || !DimExpr::mod(query[1], key[1]).isConstant(0))
    return fail("key and value have different heads");
  if (DimExpr::equal(key[2], value[2]) == false || DimExpr::equal(query[0], key[0]) == false)
    return fail("query, key and value disagree on the batch or the number of keys");
  return pattern;
}

} // namespace llmc
