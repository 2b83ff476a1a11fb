//===- TensorKernelsTest.cpp - kernels of the tensor operations -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Against the reference, at several sizes where sizes are dynamic.
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"
#include "mlir/AsmParser/AsmParser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace llmc;
using llmc::reference::Tensor;

namespace {

class TensorKernelsTest : public CompiledFunction {
protected:
  /// All sizes up to 128.
  void compile(const std::string &text) { CompiledFunction::compile(text, 128, 128, 128); }
  Type type(const std::string &name) { return parseType(name, &context); }
  Tensor ints(ArrayRef<int64_t> shape, unsigned seed, int64_t low, int64_t high) {
    return uniform(i64(), shape, seed, double(low), double(high));
  }
};

TEST_F(TensorKernelsTest, MatrixOfSizes) {
  compile(R"(
    func.func @run(%x: tensor<?x?xf32, #llm.dims<"n", "m">>) -> tensor<3x2xi64> {
      %0 = llm.dim_values ["n", "m", "n + m", "2 * m", "7", "m + 3"] : tensor<2x3xi64>
      %1 = llm.transpose %0 [1, 0] : tensor<2x3xi64>
      return %1 : tensor<3x2xi64>
    })");
  check({uniform(f32(), {5, 4}, 1)});
}

TEST_F(TensorKernelsTest, GatherElements) {
  compile(R"(
    !x = tensor<?x5x?xf32, #llm.dims<"n", "5", "m">>
    !i = tensor<?x3x?xi64, #llm.dims<"n", "3", "m">>
    !r = tensor<?x3x?xf32, #llm.dims<"n", "3", "m">>
    func.func @run(%x: !x, %i: !i) -> !r {
      %0 = llm.gather_elements 1 %x, %i : !x, !i
      return %0 : !r
    })");
  for (int64_t n : {1, 7})
    check({uniform(f32(), {n, 5, 4}, 1), ints({n, 3, 4}, 2, -8, 8)});
}

TEST_F(TensorKernelsTest, ScatterElements) {
  for (const char *kind : {"replace", "add", "mul", "max", "min"})
    for (const char *element : {"f32", "f16", "ui8"}) {
      SCOPED_TRACE(std::string(kind) + " " + element);
      std::string x = std::string("tensor<6x9x4x") + element + ">";
      std::string u = std::string("tensor<5x7x4x") + element + ">";
      compile("func.func @run(%x: " + x + ", %i: tensor<5x7x4xi64>, %u: " + u + ") -> (" + x +
              ", " + x + ") {\n%0 = llm.scatter_elements " + kind + " 1 %x, %i, %u : " + x +
              ", tensor<5x7x4xi64>, " + u + "\n%1 = llm.scatter_elements " + kind +
              " 0 %x, %i, %u : " + x + ", tensor<5x7x4xi64>, " + u + "\nreturn %0, %1 : " + x +
              ", " + x + "\n}");
      double high = element[0] == 'u' ? 200 : 2;
      check({uniform(type(element), {6, 9, 4}, 1, 0, high), ints({5, 7, 4}, 2, -11, 11),
             uniform(type(element), {5, 7, 4}, 3, 0, high)},
            element[1] == '1' ? 4e-3 : 1e-6);
    }
}

TEST_F(TensorKernelsTest, ScatterND) {
  for (const char *kind : {"replace", "add", "max"}) {
    SCOPED_TRACE(kind);
    compile(std::string(R"(
      !x = tensor<?x9x4xf32, #llm.dims<"n", "9", "4">>
      !i = tensor<?x2xi64, #llm.dims<"m", "2">>
      !u = tensor<?x4xf32, #llm.dims<"m", "4">>
      !j = tensor<?x3xi64, #llm.dims<"m", "3">>
      !v = tensor<?xf32, #llm.dims<"m">>
      func.func @run(%x: !x, %i: !i, %u: !u, %j: !j, %v: !v) -> (!x, !x) {
        %0 = llm.scatter_nd )") +
            kind + " %x, %i, %u : !x, !i, !u\n %1 = llm.scatter_nd " + kind +
            " %x, %j, %v : !x, !j, !v\n return %0, %1 : !x, !x\n}");
    for (int64_t n : {1, 40})
      for (int64_t m : {1, 100}) // many duplicates: their order counts
        check({uniform(f32(), {n, 9, 4}, 1), ints({m, 2}, 2, -10, 10), uniform(f32(), {m, 4}, 3),
               ints({m, 3}, 4, -4, 4), uniform(f32(), {m}, 5)});
  }
}

TEST_F(TensorKernelsTest, Cumulative) {
  compile(R"(
    !x = tensor<?x11x3xf32, #llm.dims<"n", "11", "3">>
    !i = tensor<?x11x3xi8, #llm.dims<"n", "11", "3">>
    !h = tensor<?x11x3xf16, #llm.dims<"n", "11", "3">>
    func.func @run(%x: !x, %i: !i, %h: !h) -> (!x, !x, !x, !i, !h, !x) {
      %0 = llm.cumulative sum 1 %x : !x
      %1 = llm.cumulative sum 2 %x {exclusive, reverse} : !x
      %2 = llm.cumulative prod 0 %x {reverse} : !x
      %3 = llm.cumulative prod 1 %i {exclusive} : !i
      %4 = llm.cumulative sum 1 %h : !h
      %e = llm.unary exp %x : !x
      %5 = llm.cumulative sum 1 %e : !x
      return %0, %1, %2, %3, %4, %5 : !x, !x, !x, !i, !h, !x
    })");
  for (int64_t n : {1, 5})
    check({uniform(f32(), {n, 11, 3}, 1), uniform(type("i8"), {n, 11, 3}, 2, -5, 5),
           uniform(type("f16"), {n, 11, 3}, 3)},
          1e-3);
}

TEST_F(TensorKernelsTest, TopKIndices) {
  compile(R"(
    !x = tensor<?x13x3xf32, #llm.dims<"n", "13", "3">>
    !i = tensor<?x13x3xi64, #llm.dims<"n", "13", "3">>
    !b = tensor<?x13x3xbf16, #llm.dims<"n", "13", "3">>
    !j = tensor<1x13x3xi64>
    func.func @run(%x: !x) -> (tensor<?x4x3xi64, #llm.dims<"n", "4", "3">>, !i, !j, !i) {
      %0 = llm.top_k_indices 1 %x "4" {largest} : !x
      %1 = llm.top_k_indices 1 %x "13" : !x
      %2 = llm.top_k_indices 0 %x "1" {largest} : !x
      %y = llm.cast %x : !x to !b
      %3 = llm.top_k_indices 1 %y "13" {largest} : !b
      return %0, %1, %2, %3 : tensor<?x4x3xi64, #llm.dims<"n", "4", "3">>, !i, !j, !i
    })");
  for (int64_t n : {1, 6}) {
    Tensor x = uniform(f32(), {n, 13, 3}, 1, -3, 3);
    for (int64_t i = 0; i < x.numElements(); i += 2)
      x.setFloat(i, double(i % 4)); // equal ones
    check({x});
  }
}

TEST_F(TensorKernelsTest, Convolutions) {
  // 1-D depthwise and causal, 2-D with groups, strides, dilations and uneven pads, 3-D.
  compile(R"(
    !a = tensor<?x6x?xf32, #llm.dims<"n", "6", "t">>
    !b = tensor<2x4x9x8xf32>
    !c = tensor<1x2x4x5x6xf64>
    !r = tensor<2x6x5x7xf32>
    !s = tensor<1x3x3x4x5xf64>
    func.func @run(%a: !a, %aw: tensor<6x1x3xf32>, %ab: tensor<6xf32>, %b: !b,
                   %bw: tensor<6x2x3x2xf32>, %c: !c, %cw: tensor<3x2x2x2x2xf64>) -> (!a, !r, !s) {
      %0 = llm.conv %a, %aw bias %ab {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 2, 0>, groups = 6 : i64} : (!a, tensor<6x1x3xf32>, tensor<6xf32>) -> !a
      %1 = llm.conv %b, %bw {strides = array<i64: 2, 1>, dilations = array<i64: 1, 3>, pads = array<i64: 1, 2, 1, 0>, groups = 2 : i64} : (!b, tensor<6x2x3x2xf32>) -> !r
      %2 = llm.conv %c, %cw {strides = array<i64: 1, 1, 1>, dilations = array<i64: 1, 1, 1>, pads = array<i64: 0, 0, 0, 0, 0, 0>, groups = 1 : i64} : (!c, tensor<3x2x2x2x2xf64>) -> !s
      return %0, %1, %2 : !a, !r, !s
    })");
  for (int64_t n : {1, 3})
    for (int64_t t : {1, 2, 40})
      check({uniform(f32(), {n, 6, t}, 1), uniform(f32(), {6, 1, 3}, 2), uniform(f32(), {6}, 3),
             uniform(f32(), {2, 4, 9, 8}, 4), uniform(f32(), {6, 2, 3, 2}, 5),
             uniform(type("f64"), {1, 2, 4, 5, 6}, 6), uniform(type("f64"), {3, 2, 2, 2, 2}, 7)});
}

TEST_F(TensorKernelsTest, WindowReductions) {
  compile(R"(
    !x = tensor<?x3x9x10xf32, #llm.dims<"n", "3", "9", "10">>
    !r = tensor<?x3x5x5xf32, #llm.dims<"n", "3", "5", "5">>
    !i = tensor<2x3x9xi8>
    func.func @run(%x: !x, %i: !i) -> (!r, !r, !r, !i) {
      %0 = llm.window_reduce max %x {window = array<i64: 3, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 0>} : (!x) -> !r
      %1 = llm.window_reduce sum %x {window = array<i64: 3, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 0>} : (!x) -> !r
      %2 = llm.window_reduce prod %x {window = array<i64: 3, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 0>} : (!x) -> !r
      %3 = llm.window_reduce min %i {window = array<i64: 3>, strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 1, 1>} : (!i) -> !i
      return %0, %1, %2, %3 : !r, !r, !r, !i
    })");
  for (int64_t n : {1, 4})
    check({uniform(f32(), {n, 3, 9, 10}, 1), uniform(type("i8"), {2, 3, 9}, 2, -100, 100)});
}

TEST_F(TensorKernelsTest, MatmulOfOtherTypes) {
  for (const char *element : {"f64", "i8", "i32", "ui16", "f16", "bf16"}) {
    SCOPED_TRACE(element);
    std::string e = element;
    compile("!a = tensor<?x2x5x7x" + e + R"(, #llm.dims<"n", "2", "5", "7">>
      !b = tensor<2x7x6x)" +
            e + R"(>
      !c = tensor<?x2x5x6x)" +
            e + R"(, #llm.dims<"n", "2", "5", "6">>
      func.func @run(%a: !a, %b: !b) -> !c {
        %0 = llm.matmul %a, %b : !a, !b
        return %0 : !c
      })");
    double tolerance = e == "bf16" ? 8e-3 : e == "f16" ? 1e-3 : 1e-14;
    for (int64_t n : {1, 3})
      check({uniform(type(e), {n, 2, 5, 7}, 1, 0, 9), uniform(type(e), {2, 7, 6}, 2, 0, 9)},
            tolerance);
  }
}

TEST_F(TensorKernelsTest, LinearOfOtherTypes) {
  for (std::string e : {"f16", "bf16", "f64"}) {
    SCOPED_TRACE(e);
    compile("!x = tensor<?x4x" + e + R"(, #llm.dims<"n", "4">>
      !y = tensor<?x3x)" +
            e + R"(, #llm.dims<"n", "3">>
      func.func @run(%x: !x) -> (!y, !y) {
        %w = llm.constant dense<[[1.0, -2.0, 0.5], [0.25, 3.0, 4.0], [-1.0, 8.0, 0.125], [1.5, 2.5, -3.0]]> : tensor<4x3x)" +
            e + R"(>
        %t = llm.constant dense<[[1.0, -2.0, 0.5, 3.0], [0.25, 3.0, 4.0, -1.0], [-1.0, 8.0, 0.125, 2.0]]> : tensor<3x4x)" +
            e + R"(>
        %b = llm.constant dense<[1.0, 2.0, -1.0]> : tensor<3x)" +
            e + R"(>
        %0 = llm.linear %x, %w bias %b : (!x, tensor<4x3x)" +
            e + R"(>, tensor<3x)" + e + R"(>) -> !y
        %1 = llm.linear %x, %t {transposed} : (!x, tensor<3x4x)" +
            e + R"(>) -> !y
        return %0, %1 : !y, !y
      })");
    for (int64_t n : {1, 9})
      check({uniform(type(e), {n, 4}, 1)}, e == "f64" ? 1e-14 : e == "f16" ? 1e-3 : 8e-3);
  }
}

/// `dense<"0x..">` of `size` pseudo-random bytes.
static std::string randomBytes(int64_t size, unsigned seed) {
  std::string text = "dense<\"0x";
  for (uint32_t i = 0, state = seed; i < size; ++i) {
    state = state * 1664525u + 1013904223u;
    text += llvm::utohexstr(state >> 24, /*LowerCase=*/false, /*Width=*/2);
  }
  return text + "\">";
}

// The rounded input is spelt out, so that the reference multiplies the same integers.
TEST_F(TensorKernelsTest, LinearOfInt8Activations) {
  constexpr int64_t outputs = 20, columns = 100;
  for (int64_t bits : {4, 8}) {
    SCOPED_TRACE(bits);
    std::string body, results, types;
    for (int64_t group : {16, 32, 64})
      for (bool hasZeroPoints : {false, true}) {
        int64_t groups = (columns + group - 1) / group, blob = group * bits / 8;
        int64_t zeroBytes = (groups * bits + 7) / 8;
        std::string id = std::to_string(group) + (hasZeroPoints ? "z" : "");
        auto constant = [&](const char *name, const std::string &value, const std::string &type) {
          body += "%" + (name + id) + " = llm.constant " + value + " : " + type + "\n";
        };
        std::string w = llvm::formatv("tensor<{0}x{1}x{2}xui8>", outputs, groups, blob);
        std::string s = llvm::formatv("tensor<{0}x{1}xf32>", outputs, groups);
        std::string z = llvm::formatv("tensor<{0}x{1}xui8>", outputs, zeroBytes);
        constant("w", randomBytes(outputs * groups * blob, group), w);
        constant("s", "dense<0.01>", s);
        if (hasZeroPoints)
          constant("z", randomBytes(outputs * zeroBytes, group), z);
        body +=
            llvm::formatv("%y{0} = llm.linear %q{3}, %w{0} scales %s{0} {1} bias %b {{bits = {2} : "
                          "i64, group_size = {3} : i64, columns = 100 : i64, activations = "
                          "#llm<activations int8>} : (!q{3}, {4}, {5}{6}, !b) -> !y\n",
                          id, hasZeroPoints ? "zero_points %z" + id : "", bits, group, w, s,
                          hasZeroPoints ? ", " + z : "");
        results += (results.empty() ? "%y" : ", %y") + id;
        types += types.empty() ? "!y" : ", !y";
      }
    compile(R"(
      !x = tensor<?x100xf32, #llm.dims<"n", "100">>
      !q16 = tensor<?x168xui8, #llm.dims<"n", "168">>
      !q32 = tensor<?x160xui8, #llm.dims<"n", "160">>
      !q64 = tensor<?x160xui8, #llm.dims<"n", "160">>
      !y = tensor<?x20xf32, #llm.dims<"n", "20">>
      !b = tensor<20xf32>
      func.func @run(%x: !x) -> ()" +
            types + R"() {
        %b = llm.constant dense<0.5> : !b
        %q16 = llm.quantize_input %x groups 16 : !x
        %q32 = llm.quantize_input %x : !x
        %q64 = llm.quantize_input %x groups 64 : !x
        )" + body +
            "return " + results + " : " + types + "\n}");
    for (int64_t n : {1, 9})
      check({uniform(f32(), {n, columns}, 1)});
  }
}

} // namespace
