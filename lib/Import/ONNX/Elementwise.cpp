//===- Elementwise.cpp - arithmetic, comparison, logic, conversion
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "Tensors.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

template <UnaryKind kind> static void unaryOp(Node &n) { n.setOutput(n.unary(kind, n.input(0))); }

template <BinaryKind kind> static void binaryOp(Node &n) {
  n.setOutput(n.binary(kind, n.input(0), n.input(1)));
}

template <llm::ComparePredicate predicate> static void compareOp(Node &n) {
  n.setOutput(n.compare(predicate, n.input(0), n.input(1)));
}

template <BinaryKind kind> static void variadicOp(Node &n) {
  Value result = n.input(0);
  for (int i = 1; i < n.numInputs(); ++i)
    result = n.binary(kind, result, n.input(i));
  n.setOutput(result);
}

static void meanOp(Node &n) {
  variadicOp<BinaryKind::add>(n);
  if (n.numInputs() > 1 && !n.failed())
    n.setOutput(n.binary(BinaryKind::div, n.results[0],
                         n.scalar(n.numInputs(), n.elementTypeOf(n.input(0)))));
}

/// In the type of the base, but an integer to a fractional power.
static void powOp(Node &n) {
  Type base = n.elementTypeOf(n.input(0)), exponent = n.elementTypeOf(n.input(1));
  bool inFloat = isa<IntegerType>(base) && isa<FloatType>(exponent);
  Type type = inFloat ? exponent : base;
  Value power = n.binary(BinaryKind::pow, n.cast(n.input(0), type), n.cast(n.input(1), type));
  n.setOutput(n.cast(power, base));
}

/// The remainder with the divisor's sign, from that with the dividend's.
static Value floatMod(Node &n, Value a, Value b) {
  Value rest = n.binary(BinaryKind::fmod, a, b);
  auto isNegative = [&](Value x) { return n.compare(llm::ComparePredicate::lt, x, 0); };
  Value differs = n.binary(BinaryKind::logical_and, n.compare(llm::ComparePredicate::ne, rest, 0),
                           n.binary(BinaryKind::logical_xor, isNegative(rest), isNegative(b)));
  return n.select(differs, n.binary(BinaryKind::add, rest, b), rest);
}

static void modOp(Node &n) {
  Value a = n.input(0), b = n.input(1);
  if (n.intAttr("fmod", 0) != 0)
    return n.setOutput(n.binary(BinaryKind::fmod, a, b));
  bool isFloat = isa<FloatType>(n.elementTypeOf(a));
  n.setOutput(isFloat ? floatMod(n, a, b) : n.binary(BinaryKind::mod, a, b));
}

static void isInfOp(Node &n) {
  bool negative = n.intAttr("detect_negative", 1) != 0;
  bool positive = n.intAttr("detect_positive", 1) != 0;
  Value x = n.input(0), found = n.unary(UnaryKind::is_inf, x);
  if (!negative) // which leaves nothing, where positive ones do not count either
    found = n.binary(BinaryKind::logical_and, found, n.compare(llm::ComparePredicate::gt, x, 0));
  if (!positive)
    found = n.binary(BinaryKind::logical_and, found, n.compare(llm::ComparePredicate::lt, x, 0));
  n.setOutput(found);
}

static void bitShiftOp(Node &n) {
  std::string direction = n.stringAttr("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    return n.fail("direction is '" + direction + "', expected LEFT or RIGHT");
  Value x = n.input(0), shift = n.input(1);
  if (direction == "LEFT")
    return n.setOutput(n.binary(BinaryKind::shift_left, x, shift));
  if (n.elementTypeOf(x).isUnsignedInteger())
    return n.setOutput(n.binary(BinaryKind::shift_right, x, shift));
  // A negative number is filled with ones: as zeros of its complement.
  Value negative = n.compare(llm::ComparePredicate::lt, x, 0);
  auto flipped = [&](Value y) { return n.select(negative, n.unary(UnaryKind::bitwise_not, y), y); };
  n.setOutput(flipped(n.binary(BinaryKind::shift_right, flipped(x), shift)));
}

static void whereOp(Node &n) {
  if (!n.elementTypeOf(n.input(0)).isInteger(1))
    return n.fail("the condition is not boolean");
  n.setOutput(n.select(n.input(0), n.input(1), n.input(2)));
}

/// Rounds to a power of two by the bits: `up` adds all of the fraction but its last bit
/// before it is cut off, `down` cuts it off; `nearest` is what the conversion does.
static Value roundToPower(Node &n, Value x, StringRef mode) {
  x = n.cast(x, n.builder.getF32Type());
  if (mode == "nearest" || n.failed())
    return x;
  if (mode != "up" && mode != "down") {
    n.fail("round_mode '" + mode + "' is none of up, down and nearest");
    return {};
  }
  Type i32 = n.builder.getI32Type();
  Value bits = n.make<llm::BitcastOp>(llm::makeTensorType(n.dims(x), i32), x);
  if (mode == "up")
    bits = n.binary(BinaryKind::add, bits, n.scalar(0x7fffff, i32));
  bits = n.binary(BinaryKind::bitwise_and, bits, n.scalar(-0x800000, i32));
  Value rounded =
      n.make<llm::BitcastOp>(llm::makeTensorType(n.dims(x), n.builder.getF32Type()), bits);
  return n.select(n.unary(UnaryKind::is_nan, x), x, rounded);
}

/// To an 8-bit float a value beyond it becomes the largest one, unless `saturate` is 0.
static Value castTo(Node &n, Type type) {
  bool saturate = n.intAttr("saturate", 1) != 0;
  Value x = n.input(0);
  if (isa<Float8E8M0FNUType>(type) && n.elementTypeOf(x) != type)
    x = roundToPower(n, x, n.stringAttr("round_mode", "up"));
  if (saturate || n.failed() || n.elementTypeOf(x) == type)
    return n.cast(x, type);
  return n.make<llm::CastOp>(llm::makeTensorType(n.dims(x), type), x, n.builder.getBoolAttr(false));
}

static void castOp(Node &n) {
  int64_t to = n.intAttr("to", 0);
  Type type = elementType(n.builder.getContext(), int(to));
  if (!type)
    return n.fail("not supported: casting to data type " + dataTypeName(int(to)));
  n.setOutput(castTo(n, type));
}

static void castLikeOp(Node &n) { n.setOutput(castTo(n, n.elementTypeOf(n.input(1)))); }

static void bitcastOp(Node &n) {
  int64_t to = n.intAttr("to", 0);
  Type type = elementType(n.builder.getContext(), int(to)), from = n.elementTypeOf(n.input(0));
  if (n.failed())
    return;
  // Memory holds a bool as a byte of 0 or 1.
  if (type && type.isInteger(8) && from.isInteger(1))
    return n.setOutput(n.cast(n.input(0), type));
  if (!type || type.getIntOrFloatBitWidth() != from.getIntOrFloatBitWidth())
    return n.fail("not supported: data type " + dataTypeName(int(to)) + " for elements of " +
                  Twine(from.getIntOrFloatBitWidth()) + " bits");
  n.setOutput(n.make<llm::BitcastOp>(llm::makeTensorType(n.dims(n.input(0)), type), n.input(0)));
}

/// Bounds as inputs since opset 11, as attributes before.
static void clipOp(Node &n) {
  Type type = n.elementTypeOf(n.input(0));
  Value low = n.input(1), high = n.input(2), x = n.input(0);
  if (!low && n.hasAttribute("min"))
    low = n.scalar(n.floatAttr("min", 0), type);
  if (!high && n.hasAttribute("max"))
    high = n.scalar(n.floatAttr("max", 0), type);
  if (low)
    x = n.binary(BinaryKind::max, x, low);
  if (high)
    x = n.binary(BinaryKind::min, x, high);
  n.setOutput(x);
}

static void identityOp(Node &n) { n.setOutput(n.input(0)); }

/// Whether the ratio is known to be 0, as an input since opset 12.
static bool dropsNothing(Node &n) {
  if (!n.input(1))
    return n.hasAttribute("ratio") && n.floatAttr("ratio", 0.5) == 0;
  auto constant = n.input(1).getDefiningOp<llm::ConstantOp>();
  auto dense = constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue()) : nullptr;
  return dense && dense.getNumElements() == 1 && (*dense.begin()).isZero();
}

static void dropoutOp(Node &n) {
  if (n.input(2) && !dropsNothing(n)) {
    std::optional<Dims> training = n.known(n.input(2));
    if (!training || training->size() != 1 || !training->front().isConstant(0))
      return n.fail("not supported: Dropout in training mode");
  }
  n.setOutput(n.input(0));
  if (n.hasOutput(1))
    n.setOutput(1, n.broadcast(n.scalar(1, n.builder.getI1Type()), n.dims(n.input(0))));
}

void llmc::importer::addElementwiseOps(OpTable &t) {
  auto unary = [&](StringRef name, Handler handler) { t.add("", name, 1, {handler, 1, 1, 1}); };
  auto binary = [&](StringRef name, Handler handler) { t.add("", name, 7, {handler, 2, 2, 1}); };
  unary("Abs", unaryOp<UnaryKind::abs>);
  unary("Neg", unaryOp<UnaryKind::neg>);
  unary("Exp", unaryOp<UnaryKind::exp>);
  unary("Log", unaryOp<UnaryKind::log>);
  unary("Sqrt", unaryOp<UnaryKind::sqrt>);
  unary("Reciprocal", unaryOp<UnaryKind::reciprocal>);
  unary("Sin", unaryOp<UnaryKind::sin>);
  unary("Cos", unaryOp<UnaryKind::cos>);
  unary("Tanh", unaryOp<UnaryKind::tanh>);
  unary("Erf", unaryOp<UnaryKind::erf>);
  unary("Floor", unaryOp<UnaryKind::floor>);
  unary("Ceil", unaryOp<UnaryKind::ceil>);
  unary("Round", unaryOp<UnaryKind::round>);
  unary("Sign", unaryOp<UnaryKind::sign>);
  unary("Tan", unaryOp<UnaryKind::tan>);
  unary("Asin", unaryOp<UnaryKind::asin>);
  unary("Acos", unaryOp<UnaryKind::acos>);
  unary("Atan", unaryOp<UnaryKind::atan>);
  unary("Sinh", unaryOp<UnaryKind::sinh>);
  unary("Cosh", unaryOp<UnaryKind::cosh>);
  unary("Asinh", unaryOp<UnaryKind::asinh>);
  unary("Acosh", unaryOp<UnaryKind::acosh>);
  unary("Atanh", unaryOp<UnaryKind::atanh>);
  t.add("", "BitwiseNot", 18, {unaryOp<UnaryKind::bitwise_not>, 1, 1, 1});
  unary("Not", unaryOp<UnaryKind::logical_not>);
  unary("IsNaN", unaryOp<UnaryKind::is_nan>);
  t.add("", "IsInf", 10, {isInfOp, 1, 1, 1, "detect_negative detect_positive"});

  binary("Add", binaryOp<BinaryKind::add>);
  binary("Sub", binaryOp<BinaryKind::sub>);
  binary("Mul", binaryOp<BinaryKind::mul>);
  binary("Div", binaryOp<BinaryKind::div>);
  binary("Pow", powOp);
  t.add("", "Mod", 10, {modOp, 2, 2, 1, "fmod"});
  binary("And", binaryOp<BinaryKind::logical_and>);
  binary("Or", binaryOp<BinaryKind::logical_or>);
  binary("Xor", binaryOp<BinaryKind::logical_xor>);
  t.add("", "BitwiseAnd", 18, {binaryOp<BinaryKind::bitwise_and>, 2, 2, 1});
  t.add("", "BitwiseOr", 18, {binaryOp<BinaryKind::bitwise_or>, 2, 2, 1});
  t.add("", "BitwiseXor", 18, {binaryOp<BinaryKind::bitwise_xor>, 2, 2, 1});
  t.add("", "BitShift", 11, {bitShiftOp, 2, 2, 1, "direction"});
  binary("Equal", compareOp<llm::ComparePredicate::eq>);
  binary("Less", compareOp<llm::ComparePredicate::lt>);
  binary("Greater", compareOp<llm::ComparePredicate::gt>);
  t.add("", "LessOrEqual", 12, {compareOp<llm::ComparePredicate::le>, 2, 2, 1});
  t.add("", "GreaterOrEqual", 12, {compareOp<llm::ComparePredicate::ge>, 2, 2, 1});

  t.add("", "Max", 8, {variadicOp<BinaryKind::max>, 1, kVariadic, 1});
  t.add("", "Min", 8, {variadicOp<BinaryKind::min>, 1, kVariadic, 1});
  t.add("", "Sum", 8, {variadicOp<BinaryKind::add>, 1, kVariadic, 1});
  t.add("", "Mean", 8, {meanOp, 1, kVariadic, 1});
  t.add("", "Where", 9, {whereOp, 3, 3, 1});
  t.add("", "Clip", 6, {clipOp, 1, 3, 1, "min max"});
  t.add("", "Cast", 6, {castOp, 1, 1, 1, "to saturate round_mode", "strings"});
  t.add("", "CastLike", 15, {castLikeOp, 2, 2, 1, "saturate round_mode", "strings"});
  t.add("", "BitCast", 26, {bitcastOp, 1, 1, 1, "to", "types of different width"});
  t.add("", "Identity", 1, {identityOp, 1, 1, 1, "", "sequences and optionals"});
  t.add("", "Dropout", 7, {dropoutOp, 1, 3, 2, "ratio seed", "training mode, but for ratio 0"});
}
