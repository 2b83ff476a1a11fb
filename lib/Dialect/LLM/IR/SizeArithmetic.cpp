//===- SizeArithmetic.cpp - operators on known elements
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SizeArithmetic.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

static std::optional<DimExpr> fromBool(std::optional<bool> value) {
  return value ? std::optional<DimExpr>(DimExpr(int64_t(*value))) : std::nullopt;
}

static std::optional<DimExpr> divide(const DimExpr &a, const DimExpr &b) {
  std::optional<int64_t> x = a.constant(), y = b.constant();
  if (y == 0)
    return std::nullopt;
  if (x && y && *y != -1)
    return DimExpr(*x / *y); // C++ truncates as ONNX does
  if (y == -1)
    return -a;
  // Floor and truncation agree where both signs are known to be the same.
  if (a.provablyNonNegative() && b.provablyNonNegative())
    return DimExpr::floorDiv(a, b);
  return std::nullopt;
}

std::optional<DimExpr> llm::applyBinary(BinaryKind kind, const DimExpr &a, const DimExpr &b) {
  switch (kind) {
  case BinaryKind::add:
    return a + b;
  case BinaryKind::sub:
    return a - b;
  case BinaryKind::mul:
    return a * b;
  case BinaryKind::div:
    return divide(a, b);
  case BinaryKind::max:
    return DimExpr::max(a, b);
  case BinaryKind::min:
    return DimExpr::min(a, b);
  case BinaryKind::mod: // has the sign of the divisor, as that of sizes
    return b.provablyPositive() ? std::optional(DimExpr::mod(a, b)) : std::nullopt;
  case BinaryKind::fmod:
    return a.provablyNonNegative() ? applyBinary(BinaryKind::mod, a, b) : std::nullopt;
  case BinaryKind::logical_and:
    if (a.isConstant(0) || b.isConstant(0))
      return DimExpr(0);
    return a.constant() && b.constant() ? std::optional(DimExpr(1)) : std::nullopt;
  case BinaryKind::logical_or:
    if (a.isConstant(1) || b.isConstant(1))
      return DimExpr(1);
    return a.constant() && b.constant() ? std::optional(DimExpr(0)) : std::nullopt;
  case BinaryKind::logical_xor:
    return a.constant() && b.constant() ? std::optional(DimExpr(a != b)) : std::nullopt;
  case BinaryKind::pow: {
    std::optional<int64_t> exponent = b.constant();
    if (!exponent || *exponent < 0 || *exponent > 8)
      return std::nullopt;
    DimExpr result = 1;
    for (int64_t i = 0; i < *exponent; ++i)
      result = result * a;
    return result;
  }
  case BinaryKind::bitwise_and:
  case BinaryKind::bitwise_or:
  case BinaryKind::bitwise_xor:
  case BinaryKind::shift_left:
  case BinaryKind::shift_right:
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<DimExpr> llm::applyCompare(ComparePredicate predicate, const DimExpr &a,
                                         const DimExpr &b) {
  auto negate = [](std::optional<bool> v) { return v ? std::optional(!*v) : v; };
  switch (predicate) {
  case ComparePredicate::eq:
    return fromBool(DimExpr::equal(a, b));
  case ComparePredicate::ne:
    return fromBool(negate(DimExpr::equal(a, b)));
  case ComparePredicate::lt:
    return fromBool(DimExpr::less(a, b));
  case ComparePredicate::gt:
    return fromBool(DimExpr::less(b, a));
  case ComparePredicate::le:
    return fromBool(negate(DimExpr::less(b, a)));
  case ComparePredicate::ge:
    return fromBool(negate(DimExpr::less(a, b)));
  }
  return std::nullopt;
}

std::optional<DimExpr> llm::applyUnary(UnaryKind kind, const DimExpr &a) {
  switch (kind) {
  case UnaryKind::neg:
    return -a;
  case UnaryKind::abs:
    if (a.provablyNonNegative())
      return a;
    return (-a).provablyNonNegative() ? std::optional(-a) : std::nullopt;
  case UnaryKind::relu:
    return DimExpr::max(a, 0);
  case UnaryKind::logical_not:
    return a.constant() ? std::optional(DimExpr(a.isConstant(0))) : std::nullopt;
  case UnaryKind::floor:
  case UnaryKind::ceil:
  case UnaryKind::round:
    return a;
  default:
    return std::nullopt;
  }
}

std::optional<DimExpr> llm::applyCast(const DimExpr &a, Type from, Type to) {
  if (!from.isInteger() || !to.isInteger())
    return std::nullopt;
  if (to.isInteger(1))
    return a.constant() || a.provablyPositive() ? std::optional(DimExpr(!a.isConstant(0)))
                                                : std::nullopt;
  std::optional<int64_t> value = a.constant();
  unsigned width = to.getIntOrFloatBitWidth();
  if (!value || width >= 64)
    return a;
  APInt bits(64, *value, true);
  APInt narrow = bits.trunc(width);
  return DimExpr(to.isUnsignedInteger() ? int64_t(narrow.getZExtValue()) : narrow.getSExtValue());
}
