//===- Activations.cpp - activation functions
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

template <UnaryKind kind> static void unaryOp(Node &n) { n.setOutput(n.unary(kind, n.input(0))); }

static void geluOp(Node &n) {
  std::string approximate = n.stringAttr("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    return n.fail("not supported: approximate = '" + approximate + "'");
  n.setOutput(
      n.unary(approximate == "tanh" ? UnaryKind::gelu_tanh : UnaryKind::gelu_erf, n.input(0)));
}

template <UnaryKind kind> static void biasThen(Node &n) {
  Value x = n.input(0);
  if (n.input(1))
    x = n.binary(BinaryKind::add, x, n.input(1));
  n.setOutput(n.unary(kind, x));
}

/// x * sigmoid(alpha x); SiLU where alpha is 1.
static Value scaledSwish(Node &n, double alpha) {
  Value x = n.input(0);
  if (alpha == 1.0)
    return n.unary(UnaryKind::silu, x);
  Value scaled = n.binary(BinaryKind::mul, x, n.scalar(alpha, n.elementTypeOf(x)));
  return n.binary(BinaryKind::mul, x, n.unary(UnaryKind::sigmoid, scaled));
}

static void swishOp(Node &n) { n.setOutput(scaledSwish(n, n.floatAttr("alpha", 1.0))); }
static void quickGeluOp(Node &n) { n.setOutput(scaledSwish(n, n.floatAttr("alpha", 1.702))); }

static void leakyReluOp(Node &n) {
  Value x = n.input(0);
  Type type = n.elementTypeOf(x);
  Value scaled = n.binary(BinaryKind::mul, x, n.scalar(n.floatAttr("alpha", 0.01), type));
  Value negative = n.compare(llm::ComparePredicate::lt, x, n.scalar(0, type));
  n.setOutput(n.select(negative, scaled, x));
}

/// max(0, min(1, alpha x + beta)).
static Value hardSigmoid(Node &n, double alpha, double beta) {
  Value x = n.input(0);
  Type type = n.elementTypeOf(x);
  Value line = n.binary(BinaryKind::add, n.binary(BinaryKind::mul, x, n.scalar(alpha, type)),
                        n.scalar(beta, type));
  return n.binary(BinaryKind::max, n.scalar(0, type),
                  n.binary(BinaryKind::min, n.scalar(1, type), line));
}

static void hardSigmoidOp(Node &n) {
  n.setOutput(hardSigmoid(n, n.floatAttr("alpha", 0.2), n.floatAttr("beta", 0.5)));
}

static void hardSwishOp(Node &n) {
  n.setOutput(n.binary(BinaryKind::mul, n.input(0), hardSigmoid(n, 1.0 / 6, 0.5)));
}

void llmc::importer::addActivationOps(OpTable &t) {
  t.add("", "Relu", 1, {unaryOp<UnaryKind::relu>, 1, 1, 1});
  t.add("", "Sigmoid", 1, {unaryOp<UnaryKind::sigmoid>, 1, 1, 1});
  t.add("", "Softplus", 1, {unaryOp<UnaryKind::softplus>, 1, 1, 1});
  t.add("", "LeakyRelu", 6, {leakyReluOp, 1, 1, 1, "alpha"});
  t.add("", "HardSigmoid", 6, {hardSigmoidOp, 1, 1, 1, "alpha beta"});
  t.add("", "HardSwish", 14, {hardSwishOp, 1, 1, 1});
  t.add("", "Gelu", 20, {geluOp, 1, 1, 1, "approximate"});
  t.add("", "Swish", 24, {swishOp, 1, 1, 1, "alpha"});
  t.add(kMicrosoft, "Gelu", 1, {unaryOp<UnaryKind::gelu_erf>, 1, 1, 1});
  t.add(kMicrosoft, "FastGelu", 1, {biasThen<UnaryKind::gelu_tanh>, 1, 2, 1});
  t.add(kMicrosoft, "BiasGelu", 1, {biasThen<UnaryKind::gelu_erf>, 2, 2, 1});
  t.add(kMicrosoft, "QuickGelu", 1, {quickGeluOp, 1, 1, 1, "alpha"});
}
