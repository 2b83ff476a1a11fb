//===- UniformValue.cpp - tensors whose elements are all one number -------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "UniformValue.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Dialect/LLM/IR/Splat.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace llmc {

std::optional<double> UniformValues::lookup(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto found = known.find(value); found != known.end())
    return found->second;
  std::optional<double> result = compute(op);
  known[value] = result;
  return result;
}

static std::optional<double> compare(llm::ComparePredicate predicate, double a, double b) {
  switch (predicate) {
  case llm::ComparePredicate::eq:
    return a == b;
  case llm::ComparePredicate::ne:
    return a != b;
  case llm::ComparePredicate::lt:
    return a < b;
  case llm::ComparePredicate::le:
    return a <= b;
  case llm::ComparePredicate::gt:
    return a > b;
  case llm::ComparePredicate::ge:
    return a >= b;
  }
  return std::nullopt;
}

/// Only what masks are made of; rounding never matters for 0, 1 and infinity.
static std::optional<double> binary(llm::BinaryKind kind, double a, double b) {
  switch (kind) {
  case llm::BinaryKind::add:
    return a + b;
  case llm::BinaryKind::sub:
    return a - b;
  case llm::BinaryKind::mul:
    return a * b;
  case llm::BinaryKind::max:
    return std::max(a, b);
  case llm::BinaryKind::min:
    return std::min(a, b);
  case llm::BinaryKind::logical_and:
    return a != 0 && b != 0;
  case llm::BinaryKind::logical_or:
    return a != 0 || b != 0;
  case llm::BinaryKind::logical_xor:
    return (a != 0) != (b != 0);
  default:
    return std::nullopt;
  }
}

std::optional<double> UniformValues::compute(Operation *op) {
  DenseElementsAttr elements;
  if (matchPattern(op, m_Constant(&elements)))
    return llm::getSplatValue(elements);
  if (isa<llm::ReshapeOp, llm::BroadcastOp, llm::TransposeOp, llm::SliceOp>(op))
    return lookup(op->getOperand(0));
  if (auto gather = dyn_cast<llm::GatherOp>(op))
    return lookup(gather.getInput());
  if (auto gather = dyn_cast<llm::GatherNDOp>(op))
    return lookup(gather.getInput());
  if (auto cast = dyn_cast<llm::CastOp>(op)) {
    std::optional<double> input = lookup(cast.getInput());
    Type element = mlir::cast<RankedTensorType>(cast.getType()).getElementType();
    if (input && element.isInteger(1))
      return *input != 0;
    // Masks hold 0 and 1, which every type has.
    return input == 0.0 || input == 1.0 ? input : std::nullopt;
  }
  if (auto compareOp = dyn_cast<llm::CompareOp>(op)) {
    std::optional<double> lhs = lookup(compareOp.getLhs()), rhs = lookup(compareOp.getRhs());
    return lhs && rhs ? compare(compareOp.getPredicate(), *lhs, *rhs) : std::nullopt;
  }
  if (auto binaryOp = dyn_cast<llm::BinaryOp>(op)) {
    std::optional<double> lhs = lookup(binaryOp.getLhs()), rhs = lookup(binaryOp.getRhs());
    return lhs && rhs ? binary(binaryOp.getKind(), *lhs, *rhs) : std::nullopt;
  }
  if (auto unary = dyn_cast<llm::UnaryOp>(op);
      unary && unary.getKind() == llm::UnaryKind::logical_not) {
    std::optional<double> input = lookup(unary.getInput());
    return input ? std::optional<double>(*input == 0) : std::nullopt;
  }
  if (auto select = dyn_cast<llm::SelectOp>(op)) {
    std::optional<double> condition = lookup(select.getCondition());
    if (condition)
      return lookup(*condition != 0 ? select.getLhs() : select.getRhs());
    std::optional<double> lhs = lookup(select.getLhs());
    return lhs && lhs == lookup(select.getRhs()) ? lhs : std::nullopt;
  }
  return std::nullopt;
}

} // namespace llmc
