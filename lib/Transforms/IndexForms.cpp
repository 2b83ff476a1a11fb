//===- IndexForms.cpp - integers that follow from sizes and indices -------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "IndexForms.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace llmc {

using llm::Dims;
using llm::getDims;

DimExpr IndexForms::index(int64_t axis) {
  return DimExpr::symbol("index " + std::to_string(axis)); // no size has a space in its name
}

/// `form` with other expressions for the indices; those that `expressions` has none of stay.
static DimExpr withIndices(const DimExpr &form, ArrayRef<std::pair<int64_t, DimExpr>> expressions) {
  return form.substitute([&](const std::string &name) -> std::optional<DimExpr> {
    for (const auto &[axis, expression] : expressions)
      if (name == IndexForms::index(axis).asSymbol())
        return expression;
    return std::nullopt;
  });
}

std::optional<DimExpr> IndexForms::lookup(Value value) {
  Operation *op = value.getDefiningOp();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!op || op->getNumResults() != 1 || !type || !type.getElementType().isInteger() ||
      type.getElementType().isInteger(1))
    return std::nullopt;
  if (auto found = known.find(value); found != known.end())
    return found->second;
  std::optional<DimExpr> form = compute(op);
  if (form) {
    SmallVector<std::pair<int64_t, DimExpr>> zeros;
    for (auto [axis, dim] : llvm::enumerate(getDims(type)))
      if (dim.isConstant(1))
        zeros.push_back({int64_t(axis), DimExpr(0)});
    form = withIndices(*form, zeros);
  }
  known[value] = form;
  return form;
}

/// One number, or numbers in arithmetic progression along the only dimension that is not 1.
static std::optional<DimExpr> constantForm(DenseElementsAttr elements) {
  constexpr int64_t kMaxElements = 1 << 16; // positions of a long context
  if (elements.isSplat())
    return DimExpr(elements.getSplatValue<APInt>().getSExtValue());
  ArrayRef<int64_t> shape = elements.getType().getShape();
  int64_t count = elements.getNumElements();
  const auto *axis = llvm::find(shape, count);
  if (count < 2 || axis == shape.end() || count > kMaxElements)
    return std::nullopt;
  auto values = elements.getValues<APInt>();
  int64_t first = values[0].getSExtValue(), step;
  if (llvm::SubOverflow(values[1].getSExtValue(), first, step))
    return std::nullopt;
  for (auto [i, value] : llvm::enumerate(values)) {
    int64_t distance, expected;
    if (llvm::MulOverflow(int64_t(i), step, distance) ||
        llvm::AddOverflow(first, distance, expected) || value.getSExtValue() != expected)
      return std::nullopt;
  }
  return DimExpr(first) + DimExpr(step) * IndexForms::index(axis - shape.begin());
}

/// Where both shapes are the same but for dimensions of 1, the result's indices in the place
/// of the input's.
static std::optional<DimExpr> reshapeForm(const DimExpr &form, const Dims &from, const Dims &to) {
  SmallVector<std::pair<int64_t, DimExpr>> moved;
  size_t at = 0;
  for (auto [axis, dim] : llvm::enumerate(from)) {
    if (dim.isConstant(1))
      continue;
    while (at < to.size() && to[at].isConstant(1))
      ++at;
    if (at == to.size() || to[at] != dim)
      return std::nullopt;
    moved.push_back({int64_t(axis), IndexForms::index(int64_t(at++))});
  }
  return withIndices(form, moved);
}

/// `form` of a value of `rank` dimensions where that is broadcast to `toRank`.
static DimExpr broadcastForm(const DimExpr &form, int64_t rank, int64_t toRank) {
  SmallVector<std::pair<int64_t, DimExpr>> moved;
  for (int64_t axis = 0; axis < rank; ++axis)
    moved.push_back({axis, IndexForms::index(toRank - rank + axis)});
  return withIndices(form, moved);
}

static std::optional<DimExpr> binaryForm(llm::BinaryKind kind, const DimExpr &a, const DimExpr &b) {
  switch (kind) {
  case llm::BinaryKind::add:
    return a + b;
  case llm::BinaryKind::sub:
    return a - b;
  case llm::BinaryKind::mul:
    return a * b;
  case llm::BinaryKind::max:
    if ((a - b).provablyNonNegative())
      return a;
    return (b - a).provablyNonNegative() ? std::optional(b) : std::nullopt;
  case llm::BinaryKind::min:
    if ((a - b).provablyNonNegative())
      return b;
    return (b - a).provablyNonNegative() ? std::optional(a) : std::nullopt;
  default:
    return std::nullopt;
  }
}

/// A running sum of equal numbers along an axis.
static std::optional<DimExpr> cumulativeForm(llm::CumulativeOp op, const DimExpr &input) {
  int64_t axis = op.getAxis();
  bool isEqual = true;
  input.forEachSymbol(
      [&](const std::string &name) { isEqual &= name != IndexForms::index(axis).asSymbol(); });
  if (op.getKind() != llm::CumulativeKind::sum || !isEqual)
    return std::nullopt;
  DimExpr before = IndexForms::index(axis);
  if (op.getReverse())
    before = getDims(op.getInput())[axis] - 1 - before;
  return input * (before + (op.getExclusive() ? 0 : 1));
}

std::optional<DimExpr> IndexForms::compute(Operation *op) {
  DenseElementsAttr elements;
  if (matchPattern(op, m_Constant(&elements)))
    return constantForm(elements);
  Dims to = getDims(op->getResult(0));
  if (auto sizes = dyn_cast<llm::DimValuesOp>(op)) {
    Dims values = llm::parseExprs(sizes.getExprs());
    return values.size() == 1 ? std::optional(values[0]) : std::nullopt;
  }
  if (auto iota = dyn_cast<llm::IotaOp>(op)) {
    std::optional<DimExpr> start = DimExpr::parse(iota.getStart()),
                           step = DimExpr::parse(iota.getStep());
    return *start + *step * index(iota.getDim());
  }
  if (!isa<llm::ReshapeOp, llm::BroadcastOp, llm::TransposeOp, llm::SliceOp, llm::CastOp,
           llm::BinaryOp, llm::CumulativeOp>(op))
    return std::nullopt;
  std::optional<DimExpr> input = lookup(op->getOperand(0));
  if (!input)
    return std::nullopt;
  Dims from = getDims(op->getOperand(0));
  if (isa<llm::CastOp>(op))
    return input;
  if (isa<llm::ReshapeOp>(op))
    return reshapeForm(*input, from, to);
  if (isa<llm::BroadcastOp>(op))
    return broadcastForm(*input, from.size(), to.size());
  if (auto cumulative = dyn_cast<llm::CumulativeOp>(op))
    return cumulativeForm(cumulative, *input);
  if (auto binary = dyn_cast<llm::BinaryOp>(op)) {
    std::optional<DimExpr> other = lookup(binary.getRhs());
    if (!other)
      return std::nullopt;
    return binaryForm(binary.getKind(), broadcastForm(*input, from.size(), to.size()),
                      broadcastForm(*other, getDims(binary.getRhs()).size(), to.size()));
  }
  SmallVector<std::pair<int64_t, DimExpr>> moved;
  if (auto transpose = dyn_cast<llm::TransposeOp>(op)) {
    for (auto [axis, source] : llvm::enumerate(transpose.getPermutation()))
      moved.push_back({source, index(axis)});
  } else if (auto slice = dyn_cast<llm::SliceOp>(op)) {
    Dims starts = llm::parseExprs(slice.getStarts());
    for (auto [axis, start] : llvm::enumerate(starts))
      moved.push_back({int64_t(axis), start + DimExpr(slice.getSteps()[axis]) * index(axis)});
  }
  return withIndices(*input, moved);
}

} // namespace llmc
