//===- FusedOps.cpp - products with the activation function that follows
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// onnxruntime's optimizer writes them into models that it saves.
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// The function `name` of x; `parameters` are those that onnxruntime names alpha and beta.
static Value activate(Node &n, Value x, StringRef name, ArrayRef<double> parameters) {
  if (n.failed())
    return {};
  auto needs = [&](size_t count) {
    if (parameters.size() < count)
      n.fail("activation '" + name + "' needs " + Twine(count) + " parameters");
    return !n.failed();
  };
  auto limit = [&](BinaryKind kind, Value value, double bound) {
    return n.binary(kind, value, bound);
  };
  if (name.empty())
    return x;
  if (name == "Relu")
    return n.unary(UnaryKind::relu, x);
  if (name == "Sigmoid")
    return n.unary(UnaryKind::sigmoid, x);
  if (name == "Tanh")
    return n.unary(UnaryKind::tanh, x);
  if (name == "LeakyRelu") {
    if (!needs(1))
      return {};
    Value isNegative = n.compare(llm::ComparePredicate::lt, x, 0.0);
    return n.select(isNegative, n.binary(BinaryKind::mul, x, parameters[0]), x);
  }
  if (name == "Clip") {
    if (!needs(2))
      return {};
    return limit(BinaryKind::min, limit(BinaryKind::max, x, parameters[0]), parameters[1]);
  }
  if (name == "HardSigmoid") {
    if (!needs(2))
      return {};
    Value scaled = n.binary(BinaryKind::mul, x, parameters[0]);
    Value line = n.binary(BinaryKind::add, scaled, parameters[1]);
    return limit(BinaryKind::max, limit(BinaryKind::min, line, 1), 0);
  }
  n.fail("not supported: activation '" + name + "'");
  return {};
}

static void fusedGemmOp(Node &n) {
  SmallVector<double> parameters;
  for (StringRef name : {"activation_alpha", "activation_beta"})
    if (n.hasAttribute(name))
      parameters.push_back(n.floatAttr(name, 0));
  n.setOutput(activate(n, gemm(n), n.stringAttr("activation", ""), parameters));
}

/// Input 3, if there, is added before the function.
static void fusedConvOp(Node &n) {
  SmallVector<double> parameters;
  if (const AttributeProto *given = n.attribute("activation_params"))
    parameters.assign(given->floats().begin(), given->floats().end());
  Value y = convolution(n);
  if (n.input(3))
    y = n.binary(BinaryKind::add, y, n.input(3));
  n.setOutput(activate(n, y, n.stringAttr("activation", ""), parameters));
}

void llmc::importer::addFusedOps(OpTable &t) {
  constexpr StringRef limits = "activations but Clip, HardSigmoid, LeakyRelu, Relu, Sigmoid, Tanh";
  t.add(kMicrosoft, "FusedGemm", 1,
        {fusedGemmOp, 2, 3, 1,
         "activation activation_alpha activation_beta activation_gamma alpha beta transA transB",
         limits});
  t.add(kMicrosoft, "FusedConv", 1,
        {fusedConvOp, 2, 4, 1,
         "activation activation_params auto_pad dilations group kernel_shape pads strides",
         limits});
}
