//===- Elementwise.cpp - reference semantics of elementwise operations
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Frame.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

static Type elementTypeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

static double evaluateFloat(UnaryKind kind, double x) {
  switch (kind) {
  case UnaryKind::abs:
    return std::fabs(x);
  case UnaryKind::neg:
    return -x;
  case UnaryKind::exp:
    return std::exp(x);
  case UnaryKind::log:
    return std::log(x);
  case UnaryKind::sqrt:
    return std::sqrt(x);
  case UnaryKind::rsqrt:
    return 1 / std::sqrt(x);
  case UnaryKind::reciprocal:
    return 1 / x;
  case UnaryKind::sin:
    return std::sin(x);
  case UnaryKind::cos:
    return std::cos(x);
  case UnaryKind::tanh:
    return std::tanh(x);
  case UnaryKind::erf:
    return std::erf(x);
  case UnaryKind::sigmoid:
    return sigmoid(x);
  case UnaryKind::silu:
    return x * sigmoid(x);
  case UnaryKind::gelu_erf:
    return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
  case UnaryKind::gelu_tanh:
    return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  case UnaryKind::relu:
    return x < 0 ? 0 : x; // keeps NaN
  case UnaryKind::floor:
    return std::floor(x);
  case UnaryKind::ceil:
    return std::ceil(x);
  case UnaryKind::round:
    return std::nearbyint(x); // to even in the default mode
  case UnaryKind::sign:
    return x > 0 ? 1 : x < 0 ? -1 : x;
  case UnaryKind::logical_not:
    return x == 0;
  case UnaryKind::is_nan:
    return std::isnan(x);
  case UnaryKind::is_inf:
    return std::isinf(x);
  case UnaryKind::tan:
    return std::tan(x);
  case UnaryKind::asin:
    return std::asin(x);
  case UnaryKind::acos:
    return std::acos(x);
  case UnaryKind::atan:
    return std::atan(x);
  case UnaryKind::sinh:
    return std::sinh(x);
  case UnaryKind::cosh:
    return std::cosh(x);
  case UnaryKind::asinh:
    return std::asinh(x);
  case UnaryKind::acosh:
    return std::acosh(x);
  case UnaryKind::atanh:
    return std::atanh(x);
  case UnaryKind::bitwise_not:
    break; // integers only
  // Without overflow for large x: log(1 + e^x) = x + log(1 + e^-x).
  case UnaryKind::softplus:
    return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
  }
  llvm_unreachable("a unary kind without semantics");
}

/// Integer kinds that keep all 64 bits; nullopt where the float formula serves.
static std::optional<int64_t> evaluateInt(UnaryKind kind, int64_t x, bool isUnsigned) {
  switch (kind) {
  case UnaryKind::abs:
    return x < 0 && !isUnsigned ? int64_t(-uint64_t(x)) : x;
  case UnaryKind::neg:
    return int64_t(-uint64_t(x));
  case UnaryKind::relu:
    return x < 0 && !isUnsigned ? 0 : x;
  case UnaryKind::sign:
    return isUnsigned ? x != 0 : (x > 0) - (x < 0);
  case UnaryKind::bitwise_not:
    return ~x;
  case UnaryKind::logical_not:
    return x == 0;
  case UnaryKind::floor:
  case UnaryKind::ceil:
  case UnaryKind::round:
    return x;
  default:
    return std::nullopt;
  }
}

FailureOr<Tensor> evaluateOp(UnaryOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  Tensor result(elementTypeOf(op), input.shape());
  for (int64_t i = 0; i < input.numElements(); ++i) {
    std::optional<int64_t> integer;
    if (!input.isFloat())
      integer = evaluateInt(op.getKind(), input.getInt(i), input.elementType().isUnsignedInteger());
    if (integer)
      result.setInt(i, *integer);
    else
      result.setFloat(i, evaluateFloat(op.getKind(), input.getFloat(i)));
  }
  return result;
}

static double evaluateFloat(BinaryKind kind, double x, double y) {
  bool hasNaN = std::isnan(x) || std::isnan(y);
  switch (kind) {
  case BinaryKind::add:
    return x + y;
  case BinaryKind::sub:
    return x - y;
  case BinaryKind::mul:
    return x * y;
  case BinaryKind::div:
    return x / y;
  case BinaryKind::mod: {
    double rest = std::fmod(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
  }
  case BinaryKind::fmod:
    return std::fmod(x, y);
  case BinaryKind::pow:
    return std::pow(x, y);
  case BinaryKind::max:
    return hasNaN ? x + y : std::fmax(x, y);
  case BinaryKind::min:
    return hasNaN ? x + y : std::fmin(x, y);
  case BinaryKind::logical_and:
    return x != 0 && y != 0;
  case BinaryKind::logical_or:
    return x != 0 || y != 0;
  case BinaryKind::logical_xor:
    return (x != 0) != (y != 0);
  case BinaryKind::bitwise_and:
  case BinaryKind::bitwise_or:
  case BinaryKind::bitwise_xor:
  case BinaryKind::shift_left:
  case BinaryKind::shift_right:
    break; // integers only
  }
  llvm_unreachable("a binary kind of integers only");
}

/// Wraps around; 1 / x^n truncates towards zero.
static int64_t integerPower(int64_t base, int64_t exponent) {
  if (exponent < 0)
    return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
  uint64_t result = 1, factor = base;
  for (; exponent; exponent >>= 1, factor *= factor)
    if (exponent & 1)
      result *= factor;
  return result;
}

/// Wraps around on overflow; a division by zero, open in ONNX, gives 0. `bits` of the
/// numbers count.
static int64_t evaluateInt(BinaryKind kind, int64_t x, int64_t y, unsigned bits, bool isUnsigned) {
  bool isLess = isUnsigned ? uint64_t(x) < uint64_t(y) : x < y;
  uint64_t mask = bits < 64 ? (uint64_t(1) << bits) - 1 : ~uint64_t(0);
  uint64_t shift = uint64_t(y) & mask;
  switch (kind) {
  case BinaryKind::add:
    return uint64_t(x) + uint64_t(y);
  case BinaryKind::sub:
    return uint64_t(x) - uint64_t(y);
  case BinaryKind::mul:
    return uint64_t(x) * uint64_t(y);
  case BinaryKind::div:
    if (isUnsigned)
      return y == 0 ? 0 : uint64_t(x) / uint64_t(y);
    return y == 0 ? 0 : y == -1 ? int64_t(-uint64_t(x)) : x / y;
  case BinaryKind::mod: {
    if (isUnsigned)
      return y == 0 ? 0 : uint64_t(x) % uint64_t(y);
    int64_t rest = y == 0 || y == -1 ? 0 : x % y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
  }
  case BinaryKind::fmod:
    if (isUnsigned)
      return y == 0 ? 0 : uint64_t(x) % uint64_t(y);
    return y == 0 || y == -1 ? 0 : x % y;
  case BinaryKind::pow:
    return integerPower(x, y);
  case BinaryKind::max:
    return isLess ? y : x;
  case BinaryKind::min:
    return isLess ? x : y;
  case BinaryKind::logical_and:
    return x && y;
  case BinaryKind::logical_or:
    return x || y;
  case BinaryKind::logical_xor:
    return !x != !y;
  case BinaryKind::bitwise_and:
    return x & y;
  case BinaryKind::bitwise_or:
    return x | y;
  case BinaryKind::bitwise_xor:
    return x ^ y;
  case BinaryKind::shift_left:
    return shift < bits ? int64_t(uint64_t(x) << shift) : 0;
  case BinaryKind::shift_right:
    return shift < bits ? int64_t((uint64_t(x) & mask) >> shift) : 0;
  }
  llvm_unreachable("a binary kind without semantics");
}

FailureOr<Tensor> evaluateOp(BinaryOp op, const OpFrame &frame) {
  const Tensor &lhs = frame[op.getLhs()], &rhs = frame[op.getRhs()];
  FailureOr<Shape> shape = broadcastShapes(lhs.shape(), rhs.shape());
  if (failed(shape))
    return frame.fail("shapes do not broadcast");
  Tensor result(lhs.elementType(), *shape);
  BinaryKind kind = op.getKind();
  unsigned bits = lhs.elementType().getIntOrFloatBitWidth();
  bool isFloat = lhs.isFloat(), isUnsigned = lhs.elementType().isUnsignedInteger();
  forEachBroadcast<2>(*shape, {&lhs, &rhs}, [&](int64_t target, const auto &offsets) {
    auto [i, j] = offsets;
    if (isFloat)
      result.setFloat(target, evaluateFloat(kind, lhs.getFloat(i), rhs.getFloat(j)));
    else
      result.setInt(target, evaluateInt(kind, lhs.getInt(i), rhs.getInt(j), bits, isUnsigned));
  });
  return result;
}

template <typename Element> static bool holds(ComparePredicate predicate, Element x, Element y) {
  switch (predicate) {
  case ComparePredicate::eq:
    return x == y;
  case ComparePredicate::ne:
    return x != y;
  case ComparePredicate::lt:
    return x < y;
  case ComparePredicate::le:
    return x <= y;
  case ComparePredicate::gt:
    return x > y;
  case ComparePredicate::ge:
    return x >= y;
  }
  llvm_unreachable("a predicate without semantics");
}

FailureOr<Tensor> evaluateOp(CompareOp op, const OpFrame &frame) {
  const Tensor &lhs = frame[op.getLhs()], &rhs = frame[op.getRhs()];
  FailureOr<Shape> shape = broadcastShapes(lhs.shape(), rhs.shape());
  if (failed(shape))
    return frame.fail("shapes do not broadcast");
  Tensor result(elementTypeOf(op), *shape);
  ComparePredicate predicate = op.getPredicate();
  bool isFloat = lhs.isFloat(), isUnsigned = lhs.elementType().isUnsignedInteger();
  forEachBroadcast<2>(*shape, {&lhs, &rhs}, [&](int64_t target, const auto &offsets) {
    auto [i, j] = offsets;
    bool value;
    if (isFloat)
      value = holds(predicate, lhs.getFloat(i), rhs.getFloat(j));
    else if (isUnsigned)
      value = holds(predicate, uint64_t(lhs.getInt(i)), uint64_t(rhs.getInt(j)));
    else
      value = holds(predicate, lhs.getInt(i), rhs.getInt(j));
    result.setInt(target, value);
  });
  return result;
}

FailureOr<Tensor> evaluateOp(SelectOp op, const OpFrame &frame) {
  const Tensor &condition = frame[op.getCondition()];
  const Tensor &lhs = frame[op.getLhs()], &rhs = frame[op.getRhs()];
  FailureOr<Shape> shape = broadcastShapes(lhs.shape(), rhs.shape());
  if (succeeded(shape))
    shape = broadcastShapes(*shape, condition.shape());
  if (failed(shape))
    return frame.fail("shapes do not broadcast");
  Tensor result(lhs.elementType(), *shape);
  forEachBroadcast<3>(*shape, {&condition, &lhs, &rhs}, [&](int64_t target, const auto &offsets) {
    auto [choice, i, j] = offsets;
    bool isFirst = condition.getBool(choice);
    result.copyElement(target, isFirst ? lhs : rhs, isFirst ? i : j);
  });
  return result;
}

/// The largest finite number of a float type of at most 8 bits; infinity for others.
static double saturationOf(Type type) {
  auto floats = dyn_cast<FloatType>(type);
  if (!floats || floats.getWidth() > 8)
    return std::numeric_limits<double>::infinity();
  return APFloat::getLargest(floats.getFloatSemantics()).convertToDouble();
}

FailureOr<Tensor> evaluateOp(CastOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()];
  Tensor result(elementTypeOf(op), input.shape());
  double largest = op.getSaturate() ? saturationOf(result.elementType())
                                    : std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < input.numElements(); ++i) {
    if (result.elementType().isInteger(1))
      result.setInt(i, input.getBool(i));
    else if (result.isFloat()) {
      double x = input.getFloat(i);
      result.setFloat(i, x > largest ? largest : x < -largest ? -largest : x);
    } else if (input.isFloat())
      result.setFloat(i, input.getFloat(i));
    else
      result.setInt(i, input.getInt(i));
  }
  return result;
}

FailureOr<Tensor> evaluateOp(BitcastOp op, const OpFrame &frame) {
  return frame[op.getInput()].bitcast(elementTypeOf(op));
}

} // namespace llmc::reference
