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

static void powOp(Node &n) {
  Type base = n.elementTypeOf(n.input(0));
  n.setOutput(n.binary(BinaryKind::pow, n.input(0), n.cast(n.input(1), base)));
}

static void modOp(Node &n) {
  bool truncated = n.intAttr("fmod", 0) != 0;
  if (!truncated && isa<FloatType>(n.elementTypeOf(n.input(0))))
    n.fail("fmod = 0 is defined for integers only");
  n.setOutput(n.binary(truncated ? BinaryKind::fmod : BinaryKind::mod, n.input(0), n.input(1)));
}

static void isInfOp(Node &n) {
  if (n.intAttr("detect_negative", 1) != 1 || n.intAttr("detect_positive", 1) != 1)
    n.fail("not supported: detecting one sign only");
  unaryOp<UnaryKind::is_inf>(n);
}

static void whereOp(Node &n) {
  if (!n.elementTypeOf(n.input(0)).isInteger(1))
    return n.fail("the condition is not boolean");
  n.setOutput(n.select(n.input(0), n.input(1), n.input(2)));
}

static void castOp(Node &n) {
  int64_t to = n.intAttr("to", 0);
  Type type = elementType(n.builder.getContext(), int(to));
  if (!type || to > TensorProto::BFLOAT16)
    return n.fail("not supported: casting to data type " + dataTypeName(int(to)));
  n.setOutput(n.cast(n.input(0), type));
}

static void castLikeOp(Node &n) { n.setOutput(n.cast(n.input(0), n.elementTypeOf(n.input(1)))); }

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

static void dropoutOp(Node &n) {
  if (n.hasOutput(1))
    n.fail("not supported: Dropout's mask output");
  if (n.input(2)) {
    auto training = n.known(n.input(2));
    if (!training || !training->front().isConstant(0))
      n.fail("not supported: Dropout in training mode");
  }
  n.setOutput(n.input(0));
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
  t.add("", "Cast", 6, {castOp, 1, 1, 1, "to saturate round_mode"});
  t.add("", "CastLike", 15, {castLikeOp, 2, 2, 1, "saturate round_mode"});
  t.add("", "Identity", 1, {identityOp, 1, 1, 1});
  t.add("", "Dropout", 7, {dropoutOp, 1, 3, 2, "ratio seed"});
}
