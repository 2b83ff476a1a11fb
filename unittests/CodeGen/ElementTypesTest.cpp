//===- ElementTypesTest.cpp - every element type in generated code --------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per element type computes many operations; the oracle is the reference.
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"
#include "mlir/AsmParser/AsmParser.h"

using namespace mlir;
using namespace llmc;
using llmc::reference::Tensor;

namespace {

class ElementTypesTest : public CompiledFunction {
protected:
  Type type(const std::string &name) { return parseType(name, &context); }

  /// `func @run(%a, %b : tensor<COUNTxT>)` that returns what `add` was given.
  struct Function {
    std::string tensor, body, names, types;
    int count = 0;

    /// `text` is an operation up to its types.
    void add(const std::string &text, const std::string &operandTypes,
             const std::string &resultType) {
      std::string name = "%r" + std::to_string(count++);
      body += "  " + name + " = " + text + " : " + operandTypes + "\n";
      names += (names.empty() ? "" : ", ") + name;
      types += (types.empty() ? "" : ", ") + resultType;
    }
    void unary(const std::string &kind) { add("llm.unary " + kind + " %a", tensor, tensor); }
    void binary(const std::string &kind) {
      add("llm.binary " + kind + " %a, %b", tensor + ", " + tensor, tensor);
    }
    void compare(const std::string &predicate, const std::string &bools) {
      add("llm.compare " + predicate + " %a, %b", tensor + ", " + tensor, bools);
    }
    void cast(const std::string &result) { add("llm.cast %a", tensor + " to " + result, result); }
    std::string text() const {
      return "func.func @run(%a: " + tensor + ", %b: " + tensor + ") -> (" + types + ") {\n" +
             body + "  return " + names + " : " + types + "\n}";
    }
  };
};

TEST_F(ElementTypesTest, NarrowFloats) {
  // Half a unit in the last place of a result, which exact and f32 arithmetic may round
  // to either side.
  const std::pair<const char *, double> types[] = {
      {"f16", 1e-3},    {"bf16", 8e-3},       {"f8E4M3FN", 0.07}, {"f8E4M3FNUZ", 0.07},
      {"f8E5M2", 0.14}, {"f8E5M2FNUZ", 0.14}, {"f4E2M1FN", 0.26}};
  for (auto [name, tolerance] : types) {
    SCOPED_TRACE(name);
    Function function{std::string("tensor<67x") + name + ">", {}, {}, {}};
    for (const char *kind : {"neg", "abs", "exp", "relu", "tanh", "floor"})
      function.unary(kind);
    for (const char *kind : {"add", "mul", "max", "min", "sub"})
      function.binary(kind);
    function.compare("lt", "tensor<67xi1>");
    for (const char *to : {"f32", "f64", "i8", "i64", "i1"})
      function.cast("tensor<67x" + std::string(to) + ">");
    compile(function.text());
    check({uniform(type(name), {67}, 1, -4, 4), uniform(type(name), {67}, 2, -4, 4)}, tolerance);
  }
}

TEST_F(ElementTypesTest, Doubles) {
  Function function{"tensor<67xf64>", {}, {}, {}};
  for (const char *kind :
       {"exp",  "sqrt",    "rsqrt", "reciprocal", "sin",       "cos",      "tanh",
        "erf",  "sigmoid", "silu",  "gelu_erf",   "gelu_tanh", "softplus", "tan",
        "asin", "acos",    "atan",  "sinh",       "cosh",      "asinh",    "atanh",
        "log",  "round",   "sign",  "logical_not"})
    function.unary(kind);
  for (const char *kind : {"add", "div", "pow", "mod", "fmod", "max", "logical_and"})
    function.binary(kind);
  function.add("llm.reduce mean %a [0] {keepdims = false}", "tensor<67xf64>", "tensor<f64>");
  function.add("llm.softmax 0 %a", "tensor<67xf64>", "tensor<67xf64>");
  compile(function.text());
  check({uniform(type("f64"), {67}, 1, 0.01, 0.99), uniform(type("f64"), {67}, 2, -3, 3)}, 1e-14);
}

TEST_F(ElementTypesTest, Singles) {
  Function function{"tensor<67xf32>", {}, {}, {}};
  for (const char *kind :
       {"tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "atanh", "logical_not"})
    function.unary(kind);
  for (const char *kind : {"mod", "fmod", "logical_or", "logical_xor"})
    function.binary(kind);
  for (const char *to : {"f8E4M3FN", "f8E4M3FNUZ", "f8E5M2", "f8E5M2FNUZ", "f4E2M1FN", "bf16"})
    function.cast(std::string("tensor<67x") + to + ">");
  function.add("llm.cast %a {saturate = false}", "tensor<67xf32> to tensor<67xf8E5M2>",
               "tensor<67xf8E5M2>");
  function.add("llm.bitcast %a", "tensor<67xf32> to tensor<67xi32>", "tensor<67xi32>");
  compile(function.text());
  check({uniform(f32(), {67}, 1, -0.99, 0.99), uniform(f32(), {67}, 2, -3, 3)}, 1e-6);
  check({uniform(f32(), {67}, 3, -1e6, 1e6), uniform(f32(), {67}, 4, -3, 3)}, 1e-6);
}

TEST_F(ElementTypesTest, Integers) {
  for (std::string name :
       {"i8", "ui8", "i16", "ui16", "i32", "ui32", "i64", "ui64", "i4", "ui4", "i2", "ui2"}) {
    SCOPED_TRACE(name);
    std::string tensor = "tensor<129x" + name + ">";
    Function function{tensor, {}, {}, {}};
    for (const char *kind : {"abs", "neg", "relu", "sign", "logical_not", "bitwise_not", "floor"})
      function.unary(kind);
    for (const char *kind : {"add", "sub", "mul", "div", "mod", "fmod", "pow", "max", "min",
                             "logical_and", "logical_or", "logical_xor", "bitwise_and",
                             "bitwise_or", "bitwise_xor", "shift_left", "shift_right"})
      function.binary(kind);
    for (const char *predicate : {"eq", "lt", "ge"})
      function.compare(predicate, "tensor<129xi1>");
    for (const char *to : {"f32", "f64", "i8", "ui8", "i32", "i64", "ui64", "i4", "ui2", "i1"})
      function.cast("tensor<129x" + std::string(to) + ">");
    for (const char *kind : {"sum", "max", "min", "prod", "mean"})
      function.add(std::string("llm.reduce ") + kind + " %a [0] {keepdims = false}", tensor,
                   "tensor<" + name + ">");
    compile(function.text());
    unsigned width = type(name).getIntOrFloatBitWidth();
    Tensor a(type(name), {129}), b(type(name), {129});
    for (int64_t i = 0; i < 129; ++i) { // all kinds of values, with zeros and extremes
      uint64_t x = uint64_t(i) * 0x9e3779b97f4a7c15u, y = uint64_t(i * i) * 0xc2b2ae3d27d4eb4fu;
      a.setInt(i, i % 3 == 0 ? int64_t(x >> 3) : i % 3 == 1 ? i - 64 : int64_t(1) << (width - 1));
      b.setInt(i, i % 3 == 0 ? int64_t(y >> 5) : i % 5 == 1 ? -1 : i % 7);
    }
    check({a, b}, 1e-6);
  }
}

TEST_F(ElementTypesTest, FloatsToIntegers) {
  Function function{"tensor<9xf32>", {}, {}, {}};
  for (const char *to :
       {"i8", "ui8", "i16", "ui16", "i32", "ui32", "i64", "ui64", "i4", "ui4", "i1"})
    function.cast(std::string("tensor<9x") + to + ">");
  function.add("llm.binary add %a, %b", "tensor<9xf32>, tensor<9xf32>", "tensor<9xf32>");
  compile(function.text());
  Tensor values =
      Tensor::fromFloats(f32(), {9}, {0, -1.9, 300.7, -129, 3e9, -3e9, 1e20, -1e20, NAN});
  check({values, values});
}

} // namespace
