//===- ValueBounds.cpp - how large computed integers can become
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ValueBounds.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

using Bound = std::optional<DimExpr>;

/// Counting takes a dozen operations; a longer chain is no count.
static constexpr int kMaxDepth = 24;

/// Operations whose result has elements of the first operand, each as often or less
/// often than there.
static bool selectsElements(Operation *op) {
  return isa<CastOp, ReshapeOp, TransposeOp, SliceOp>(op);
}

/// The elements of a constant where they are whole numbers, behind casts.
static std::optional<SmallVector<int64_t>> constantNumbers(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || elements.getNumElements() > 4096)
    return std::nullopt;
  SmallVector<int64_t> numbers;
  if (isa<FloatType>(elements.getElementType()))
    for (const APFloat &element : elements.getValues<APFloat>()) {
      double number = element.convertToDouble();
      if (!(number == double(int64_t(number)) && std::abs(number) < 1e15))
        return std::nullopt;
      numbers.push_back(int64_t(number));
    }
  else
    for (const APInt &element : elements.getValues<APInt>())
      numbers.push_back(elements.getElementType().isInteger(1) ? int64_t(element.getZExtValue())
                                                               : element.getSExtValue());
  return numbers;
}

static bool isNonNegative(Value value, int depth = 0) {
  Operation *op = value.getDefiningOp();
  if (!op || depth > kMaxDepth)
    return false;
  if (cast<RankedTensorType>(value.getType()).getElementType().isInteger(1))
    return true;
  if (auto numbers = constantNumbers(value))
    return llvm::all_of(*numbers, [](int64_t number) { return number >= 0; });
  auto operandsAre = [&] {
    return llvm::all_of(op->getOperands(), [&](Value v) { return isNonNegative(v, depth + 1); });
  };
  if (auto known = getKnownInts(value))
    return llvm::all_of(*known, [](const DimExpr &e) { return e.provablyNonNegative(); });
  if (isa<IotaOp>(op))
    return DimExpr::parse(cast<IotaOp>(op).getStart())->provablyNonNegative() &&
           DimExpr::parse(cast<IotaOp>(op).getStep())->provablyNonNegative();
  if (isa<TopKIndicesOp>(op))
    return true;
  if (selectsElements(op) || isa<BroadcastOp, CumulativeOp, ReduceOp, ConcatOp>(op))
    return operandsAre();
  if (auto scatter = dyn_cast<ScatterElementsOp>(op))
    return isNonNegative(scatter.getInput(), depth + 1) &&
           isNonNegative(scatter.getUpdates(), depth + 1);
  if (auto binary = dyn_cast<BinaryOp>(op)) {
    if (binary.getKind() == BinaryKind::max)
      return isNonNegative(binary.getLhs(), depth + 1) || isNonNegative(binary.getRhs(), depth + 1);
    return llvm::is_contained({BinaryKind::add, BinaryKind::mul, BinaryKind::min},
                              binary.getKind()) &&
           operandsAre();
  }
  return false;
}

static Bound boundOf(Value value, int depth);

/// What the sum of any of the value's elements, none of them negative, is not above.
static Bound sumBoundOf(Value value, int depth) {
  Operation *op = value.getDefiningOp();
  if (!op || depth > kMaxDepth)
    return std::nullopt;
  if (selectsElements(op))
    return sumBoundOf(op->getOperand(0), depth + 1);
  if (auto scatter = dyn_cast<ScatterElementsOp>(op);
      scatter && scatter.getKind() == ScatterKind::add) {
    Bound before = sumBoundOf(scatter.getInput(), depth + 1);
    Bound added = sumBoundOf(scatter.getUpdates(), depth + 1);
    return before && added ? Bound(*before + *added) : std::nullopt;
  }
  if (auto numbers = constantNumbers(value)) {
    DimExpr sum = 0;
    for (int64_t number : *numbers)
      sum = sum + number;
    return sum;
  }
  Bound largest = boundOf(value, depth + 1);
  return largest ? Bound(*largest * product(getDims(value))) : std::nullopt;
}

static Bound boundOf(Value value, int depth) {
  Operation *op = value.getDefiningOp();
  if (!op || depth > kMaxDepth)
    return std::nullopt;
  if (cast<RankedTensorType>(value.getType()).getElementType().isInteger(1))
    return DimExpr(1);
  auto largest = [&](ValueRange values) {
    Bound result;
    for (auto [i, v] : llvm::enumerate(values)) {
      Bound bound = boundOf(v, depth + 1);
      if (!bound)
        return Bound();
      result = i ? DimExpr::max(*result, *bound) : *bound;
    }
    return result;
  };
  if (auto numbers = constantNumbers(value); numbers && !numbers->empty())
    return DimExpr(*llvm::max_element(*numbers));
  if (auto known = getKnownInts(value); known && !known->empty()) {
    DimExpr bound = known->front();
    for (const DimExpr &element : *known)
      bound = DimExpr::max(bound, element);
    return bound;
  }
  if (selectsElements(op) || isa<BroadcastOp, ConcatOp>(op))
    return largest(op->getOperands());
  if (auto gather = dyn_cast<GatherOp>(op))
    return largest(gather.getInput());
  if (auto iota = dyn_cast<IotaOp>(op)) {
    DimExpr start = *DimExpr::parse(iota.getStart()), step = *DimExpr::parse(iota.getStep());
    return DimExpr::max(start, start + step * (getDims(value)[iota.getDim()] - 1));
  }
  if (auto top = dyn_cast<TopKIndicesOp>(op))
    return getDims(top.getInput())[top.getAxis()] - 1;
  if (auto cumulative = dyn_cast<CumulativeOp>(op); cumulative &&
                                                    cumulative.getKind() == CumulativeKind::sum &&
                                                    isNonNegative(cumulative.getInput()))
    return sumBoundOf(cumulative.getInput(), depth + 1);
  if (auto reduce = dyn_cast<ReduceOp>(op)) {
    if (reduce.getKind() == ReduceKind::sum && isNonNegative(reduce.getInput()))
      return sumBoundOf(reduce.getInput(), depth + 1);
    if (reduce.getKind() == ReduceKind::max || reduce.getKind() == ReduceKind::min)
      return largest(reduce.getInput());
  }
  if (auto select = dyn_cast<SelectOp>(op))
    return largest({select.getLhs(), select.getRhs()});
  if (auto binary = dyn_cast<BinaryOp>(op)) {
    if (binary.getKind() == BinaryKind::sub && isNonNegative(binary.getRhs()))
      return largest(binary.getLhs());
    if (binary.getKind() == BinaryKind::max)
      return largest({binary.getLhs(), binary.getRhs()});
    if (binary.getKind() == BinaryKind::min) {
      Bound lhs = largest(binary.getLhs()), rhs = largest(binary.getRhs());
      return lhs && rhs ? Bound(DimExpr::min(*lhs, *rhs)) : lhs ? lhs : rhs;
    }
    if (binary.getKind() == BinaryKind::add) {
      Bound lhs = largest(binary.getLhs()), rhs = largest(binary.getRhs());
      return lhs && rhs ? Bound(*lhs + *rhs) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<DimExpr> llmc::importer::upperBound(Value value) { return boundOf(value, 0); }
