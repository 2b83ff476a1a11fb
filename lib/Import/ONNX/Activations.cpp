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

static void swiGLUOp(Node &n) {
  for (int64_t i = 0; i < n.rank(n.input(0)) && n.rank(n.input(0)) == n.rank(n.input(1)); ++i)
    n.requireEqual(n.dims(n.input(0))[i], n.dims(n.input(1))[i], "dimension " + Twine(i));
  n.setOutput(n.binary(BinaryKind::mul, scaledSwish(n, n.floatAttr("alpha", 1.0)), n.input(1)));
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

/// exp(x) - 1, times a factor.
static Value expMinusOne(Node &n, Value x, double factor) {
  return n.binary(BinaryKind::mul, n.binary(BinaryKind::sub, n.unary(UnaryKind::exp, x), 1),
                  factor);
}

/// x where it is positive, `otherwise` elsewhere.
static Value whereNotPositive(Node &n, Value otherwise) {
  Value x = n.input(0);
  return n.select(n.compare(llm::ComparePredicate::gt, x, 0), x, otherwise);
}

static void eluOp(Node &n) {
  n.setOutput(whereNotPositive(n, expMinusOne(n, n.input(0), n.floatAttr("alpha", 1))));
}

static void seluOp(Node &n) {
  // The constants of Klambauer et al. 2017, as ONNX writes them.
  double alpha = n.floatAttr("alpha", 1.67326319217681884765625);
  double gamma = n.floatAttr("gamma", 1.05070102214813232421875);
  Value elu = whereNotPositive(n, expMinusOne(n, n.input(0), alpha));
  n.setOutput(n.binary(BinaryKind::mul, elu, gamma));
}

static void celuOp(Node &n) {
  double alpha = n.floatAttr("alpha", 1);
  Value scaled = n.binary(BinaryKind::div, n.input(0), alpha);
  n.setOutput(whereNotPositive(n, expMinusOne(n, scaled, alpha)));
}

static void pReluOp(Node &n) {
  Value x = n.input(0);
  std::optional<Dims> shape = llm::broadcastDims(n.dims(x), n.dims(n.input(1)));
  if (!n.failed() && (!shape || shape->size() != n.dims(x).size()))
    return n.fail("slope " + llm::formatDims(n.dims(n.input(1))) + " does not broadcast to " +
                  llm::formatDims(n.dims(x)));
  n.setOutput(n.select(n.compare(llm::ComparePredicate::lt, x, 0),
                       n.binary(BinaryKind::mul, x, n.input(1)), x));
}

static void mishOp(Node &n) {
  Value gate = n.unary(UnaryKind::tanh, n.unary(UnaryKind::softplus, n.input(0)));
  n.setOutput(n.binary(BinaryKind::mul, n.input(0), gate));
}

static void softsignOp(Node &n) {
  Value x = n.input(0);
  n.setOutput(
      n.binary(BinaryKind::div, x, n.binary(BinaryKind::add, n.unary(UnaryKind::abs, x), 1)));
}

static void shrinkOp(Node &n) {
  Value x = n.input(0);
  double lambda = n.floatAttr("lambd", 0.5), bias = n.floatAttr("bias", 0);
  Value inner = n.select(n.compare(llm::ComparePredicate::gt, x, lambda),
                         n.binary(BinaryKind::sub, x, bias), n.scalar(0, n.elementTypeOf(x)));
  n.setOutput(n.select(n.compare(llm::ComparePredicate::lt, x, -lambda),
                       n.binary(BinaryKind::add, x, bias), inner));
}

static void thresholdedReluOp(Node &n) {
  Value x = n.input(0);
  Value above = n.compare(llm::ComparePredicate::gt, x, n.floatAttr("alpha", 1));
  n.setOutput(n.select(above, x, n.scalar(0, n.elementTypeOf(x))));
}

void llmc::importer::addActivationOps(OpTable &t) {
  t.add("", "Relu", 1, {unaryOp<UnaryKind::relu>, 1, 1, 1});
  t.add("", "Sigmoid", 1, {unaryOp<UnaryKind::sigmoid>, 1, 1, 1});
  t.add("", "Softplus", 1, {unaryOp<UnaryKind::softplus>, 1, 1, 1});
  t.add("", "Elu", 6, {eluOp, 1, 1, 1, "alpha"});
  t.add("", "Selu", 6, {seluOp, 1, 1, 1, "alpha gamma"});
  t.add("", "Celu", 12, {celuOp, 1, 1, 1, "alpha"});
  t.add("", "PRelu", 7, {pReluOp, 2, 2, 1});
  t.add("", "Mish", 18, {mishOp, 1, 1, 1});
  t.add("", "Softsign", 1, {softsignOp, 1, 1, 1});
  t.add("", "Shrink", 9, {shrinkOp, 1, 1, 1, "lambd bias"});
  t.add("", "ThresholdedRelu", 10, {thresholdedReluOp, 1, 1, 1, "alpha"});
  t.add("", "LeakyRelu", 6, {leakyReluOp, 1, 1, 1, "alpha"});
  t.add("", "HardSigmoid", 6, {hardSigmoidOp, 1, 1, 1, "alpha beta"});
  t.add("", "HardSwish", 14, {hardSwishOp, 1, 1, 1});
  t.add("", "Gelu", 20, {geluOp, 1, 1, 1, "approximate"});
  t.add("", "SwiGLU", 28, {swiGLUOp, 2, 2, 1, "alpha"});
  t.add("", "Swish", 24, {swishOp, 1, 1, 1, "alpha"});
  t.add(kMicrosoft, "Gelu", 1, {unaryOp<UnaryKind::gelu_erf>, 1, 1, 1});
  t.add(kMicrosoft, "FastGelu", 1, {biasThen<UnaryKind::gelu_tanh>, 1, 2, 1});
  t.add(kMicrosoft, "BiasGelu", 1, {biasThen<UnaryKind::gelu_erf>, 2, 2, 1});
  t.add(kMicrosoft, "QuickGelu", 1, {quickGeluOp, 1, 1, 1, "alpha"});
}
