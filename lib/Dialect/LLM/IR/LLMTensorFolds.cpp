//===- LLMTensorFolds.cpp - local folds of the tensor operations
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Dialect/LLM/IR/Splat.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

std::optional<double> llm::getSplatValue(DenseElementsAttr elements) {
  if (!elements.isSplat())
    return std::nullopt;
  Type type = elements.getElementType();
  if (isa<FloatType>(type))
    return elements.getSplatValue<APFloat>().convertToDouble();
  APInt number = elements.getSplatValue<APInt>();
  bool isUnsigned = type.isInteger(1) || type.isUnsignedInteger();
  return isUnsigned ? double(number.getZExtValue()) : double(number.getSExtValue());
}

std::optional<double> llm::getSplatValue(Value value) {
  DenseElementsAttr elements;
  return matchPattern(value, m_Constant(&elements)) ? getSplatValue(elements) : std::nullopt;
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult UnaryOp::fold(FoldAdaptor) {
  auto inner = getInput().getDefiningOp<UnaryOp>();
  bool involution = getKind() == UnaryKind::neg || getKind() == UnaryKind::logical_not;
  if (involution && inner && inner.getKind() == getKind())
    return inner.getInput();
  return {};
}

OpFoldResult BinaryOp::fold(FoldAdaptor) {
  std::optional<double> lhs = getSplatValue(getLhs()), rhs = getSplatValue(getRhs());
  auto keeps = [&](Value operand) { return operand.getType() == getType(); };
  switch (getKind()) {
  case BinaryKind::add:
    // x + (-0.0) is exact for floats as x + 0.0 is but for x = -0.0.
    if (rhs == 0.0 && keeps(getLhs()))
      return getLhs();
    if (lhs == 0.0 && keeps(getRhs()))
      return getRhs();
    break;
  case BinaryKind::sub:
    if (rhs == 0.0 && keeps(getLhs()))
      return getLhs();
    break;
  case BinaryKind::mul:
    if (lhs == 1.0 && keeps(getRhs()))
      return getRhs();
    [[fallthrough]];
  case BinaryKind::div:
  case BinaryKind::pow:
    if (rhs == 1.0 && keeps(getLhs()))
      return getLhs();
    break;
  case BinaryKind::logical_and:
    if (rhs == 1.0 && keeps(getLhs()))
      return getLhs();
    if (lhs == 1.0 && keeps(getRhs()))
      return getRhs();
    break;
  case BinaryKind::logical_or:
    if (rhs == 0.0 && keeps(getLhs()))
      return getLhs();
    if (lhs == 0.0 && keeps(getRhs()))
      return getRhs();
    break;
  default:
    break;
  }
  return {};
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  return {};
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto inner = getInput().getDefiningOp<ReshapeOp>()) {
    setOperand(inner.getInput());
    return getResult();
  }
  return {};
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  return {};
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  if (llvm::is_sorted(getPermutation()))
    return getInput();
  if (auto inner = getInput().getDefiningOp<TransposeOp>()) {
    SmallVector<int64_t> composed;
    for (int64_t axis : getPermutation())
      composed.push_back(inner.getPermutation()[axis]);
    setPermutation(composed);
    setOperand(inner.getInput());
    return getResult();
  }
  return {};
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  if (getInput().getType() != getType() ||
      llvm::any_of(getSteps(), [](int64_t step) { return step != 1; }))
    return {};
  for (const DimExpr &start : parseExprs(getStarts()))
    if (!start.isConstant(0))
      return {};
  return getInput();
}
