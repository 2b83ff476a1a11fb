//===- LoopTest.cpp - compiled loops
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// test/Conversion/LLMToExec/loops.mlir shows what is copied and what is not, and
// test/E2E/Loops compares models with onnxruntime.
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"
#include <random>

using namespace mlir;
using namespace llmc;
using llmc::reference::Tensor;

namespace {
class LoopTest : public CompiledFunction {
protected:
  /// All sizes up to 128.
  void compile(const std::string &text) { CompiledFunction::compile(text, 128, 128, 128); }
};

Tensor number(Type i64, int64_t value) { return Tensor::fromInts(i64, {}, {value}); }

/// What is carried is exchanged, stays, is read after its update, and comes from a product
/// with packed weights; one initial value serves twice and is returned, too.
TEST_F(LoopTest, ManyCarriedValues) {
  compile(R"(
    !x = tensor<?x3x40xf32, #llm.dims<"n", "3", "40">>
    !h = tensor<3x40xf32>
    func.func @run(%x: !x, %h: !h) -> (!h, !h, !h, !h, !x, !x, !h) {
      %start = llm.unary tanh %h : !h
      %0:6 = llm.loop "i0" < "n" (%start, %start, %h, %h) captured (%x) stacks ["i0", "n - 1 - i0"] : (!h, !h, !h, !h, !x) -> (!h, !h, !h, !h, !x, !x) {
      ^bb0(%a: !h, %b: !h, %c: !h, %d: !h, %s: !x):
        %w = llm.constant dense<0.02> : tensor<40x40xf32>
        %bias = llm.constant dense<0.5> : tensor<40xf32>
        %1 = llm.slice %s ["i0", "0", "0"] [1, 1, 1] : !x to tensor<1x3x40xf32>
        %2 = llm.reshape %1 : tensor<1x3x40xf32> to !h
        %3 = llm.linear %a, %w bias %bias : (!h, tensor<40x40xf32>, tensor<40xf32>) -> !h
        %4 = llm.unary silu %3 : !h
        %5 = llm.binary add %4, %2 : !h, !h
        %6 = llm.softmax 1 %5 : !h
        %7 = llm.binary add %6, %c : !h, !h
        %8 = llm.binary mul %7, %b : !h, !h
        llm.yield %b, %5, %8, %d, %6, %a : !h, !h, !h, !h, !h, !h
      }
      return %0#0, %0#1, %0#2, %0#3, %0#4, %0#5, %start : !h, !h, !h, !h, !x, !x, !h
    })");
  for (int64_t n : {0, 1, 2, 63})
    check({uniform(f32(), {n, 3, 40}, 1), uniform(f32(), {3, 40}, 2)}, 1e-5);
}

/// Joined and reduced inside, a loop around a loop whose stack leaves it as a slice, and
/// results that are read through views.
TEST_F(LoopTest, Nested) {
  compile(R"(
    !x = tensor<?x4x6xf32, #llm.dims<"n", "4", "6">>
    !y = tensor<?x6xf32, #llm.dims<"m", "6">>
    !ys = tensor<?x?x6xf32, #llm.dims<"n", "m", "6">>
    !flat = tensor<?xf32, #llm.dims<"6 * m * n">>
    func.func @run(%x: !x, %y: !y, %h: tensor<6xf32>) -> (tensor<6xf32>, !flat, tensor<f32>) {
      %0:2 = llm.loop "i0" < "n" (%h) captured (%x, %y) stacks ["i0"] : (tensor<6xf32>, !x, !y) -> (tensor<6xf32>, !ys) {
      ^bb0(%a: tensor<6xf32>, %s: !x, %t: !y):
        %1 = llm.slice %s ["i0", "0", "0"] [1, 1, 1] : !x to tensor<1x4x6xf32>
        %2 = llm.softmax 2 %1 : tensor<1x4x6xf32>
        %g = llm.constant dense<2.0> : tensor<6xf32>
        %3 = llm.rms_norm %1, %g {epsilon = 1.000000e-05 : f64} : tensor<1x4x6xf32>, tensor<6xf32>
        %4 = llm.concat 1 (%2, %3) : tensor<1x4x6xf32>, tensor<1x4x6xf32>
        %5 = llm.reduce sum %4 [0, 1] {keepdims = false} : tensor<1x8x6xf32>
        %6 = llm.binary add %5, %a : tensor<6xf32>, tensor<6xf32>
        %7:2 = llm.loop "i1" < "m" (%6) captured (%t, %a) stacks ["i1"] : (tensor<6xf32>, !y, tensor<6xf32>) -> (tensor<6xf32>, !y) {
        ^bb0(%b: tensor<6xf32>, %u: !y, %v: tensor<6xf32>):
          %8 = llm.slice %u ["m - 1 - i1", "0"] [1, 1] : !y to tensor<1x6xf32>
          %9 = llm.reshape %8 : tensor<1x6xf32> to tensor<6xf32>
          %10 = llm.binary mul %b, %9 : tensor<6xf32>, tensor<6xf32>
          %11 = llm.dim_values ["i0 + i1"] : tensor<i64>
          %12 = llm.cast %11 : tensor<i64> to tensor<f32>
          %13 = llm.binary add %10, %12 : tensor<6xf32>, tensor<f32>
          %14 = llm.unary tanh %13 : tensor<6xf32>
          %15 = llm.binary sub %14, %v : tensor<6xf32>, tensor<6xf32>
          llm.yield %14, %15 : tensor<6xf32>, tensor<6xf32>
        }
        %16 = llm.unary sin %7#0 : tensor<6xf32>
        llm.yield %16, %7#1 : tensor<6xf32>, !y
      }
      %17 = llm.reshape %0#1 : !ys to !flat
      %18 = llm.reduce sum %17 [0] {keepdims = false} : !flat
      return %0#0, %17, %18 : tensor<6xf32>, !flat, tensor<f32>
    })");
  for (int64_t n : {0, 1, 7})
    for (int64_t m : {0, 1, 9})
      check({uniform(f32(), {n, 4, 6}, 1), uniform(f32(), {m, 6}, 2), uniform(f32(), {6}, 3)},
            1e-5);
}

/// As often as data say, and not beyond the bound; behind it the size is used again.
TEST_F(LoopTest, CountFromData) {
  compile(R"(
    !x = tensor<?x5xf32, #llm.dims<"n", "5">>
    !y = tensor<?x5xf32, #llm.dims<"k", "5">>
    func.func @run(%x: !x, %count: tensor<i64>) -> (tensor<5xf32>, !y) {
      llm.define_size "k" <= "n" (%count) : tensor<i64>
      %h = llm.constant dense<1.0> : tensor<5xf32>
      %0:2 = llm.loop "i0" < "k" (%h) captured (%x) stacks ["i0"] : (tensor<5xf32>, !x) -> (tensor<5xf32>, !y) {
      ^bb0(%a: tensor<5xf32>, %s: !x):
        %1 = llm.slice %s ["i0", "0"] [1, 1] : !x to tensor<1x5xf32>
        %2 = llm.reshape %1 : tensor<1x5xf32> to tensor<5xf32>
        %3 = llm.binary mul %a, %2 : tensor<5xf32>, tensor<5xf32>
        %4 = llm.binary add %3, %2 : tensor<5xf32>, tensor<5xf32>
        llm.yield %4, %4 : tensor<5xf32>, tensor<5xf32>
      }
      %5 = llm.unary neg %0#1 : !y
      return %0#0, %5 : tensor<5xf32>, !y
    })");
  for (int64_t count : {-3, 0, 1, 8, 11, 100})
    check({uniform(f32(), {11, 5}, 1), number(i64(), count)}, 1e-5);
}

/// Narrow floats and products of them, whose kernels compute in f32.
TEST_F(LoopTest, HalfPrecision) {
  compile(R"(
    !x = tensor<?x2x16xf16, #llm.dims<"n", "2", "16">>
    !h = tensor<2x16xf16>
    func.func @run(%x: !x, %h: !h) -> (!h, !x) {
      %0:2 = llm.loop "i0" < "n" (%h) captured (%x) stacks ["i0"] : (!h, !x) -> (!h, !x) {
      ^bb0(%a: !h, %s: !x):
        %w = llm.constant dense<0.06> : tensor<16x16xf16>
        %1 = llm.slice %s ["i0", "0", "0"] [1, 1, 1] : !x to tensor<1x2x16xf16>
        %2 = llm.reshape %1 : tensor<1x2x16xf16> to !h
        %3 = llm.linear %a, %w : (!h, tensor<16x16xf16>) -> !h
        %4 = llm.binary add %3, %2 : !h, !h
        %5 = llm.unary tanh %4 : !h
        llm.yield %5, %5 : !h, !h
      }
      return %0#0, %0#1 : !h, !x
    })");
  for (int64_t n : {1, 30})
    check({uniform(Float16Type::get(&context), {n, 2, 16}, 1),
           uniform(Float16Type::get(&context), {2, 16}, 2)},
          5e-3);
}

/// A body of random operations over what is carried, captured and computed before, each of
/// which may be carried on or stacked: what is kept in memory, written in place, directly or
/// copied differs from one to the next.
std::string randomLoop(std::mt19937 &random) {
  auto below = [&](size_t n) { return size_t(random() % n); };
  size_t numCarried = 1 + below(4), numStacks = below(3);
  std::vector<std::string> values;
  std::string arguments, types, body;
  for (size_t i = 0; i < numCarried; ++i)
    values.push_back("%c" + std::to_string(i));
  std::string initial, blockArguments;
  for (size_t i = 0; i < numCarried; ++i) {
    initial += (i ? ", " : "") + std::string(below(2) ? "%p" : "%h");
    blockArguments += (i ? ", " : "") + values[i] + ": !h";
    types += "!h, ";
  }
  auto pick = [&] { return values[below(values.size())]; };
  body += "%row0 = llm.slice %s [\"i0\", \"0\", \"0\"] [1, 1, 1] : !x to tensor<1x4x8xf32>\n"
          "%row = llm.reshape %row0 : tensor<1x4x8xf32> to !h\n";
  values.push_back("%row");
  values.push_back("%k");
  for (size_t i = 0, count = 1 + below(8); i < count; ++i) {
    std::string name = "%v" + std::to_string(i), a = pick(), b = pick();
    switch (below(7)) {
    case 0:
      body += name + " = llm.unary tanh " + a + " : !h\n";
      break;
    case 1:
      body += name + " = llm.softmax 1 " + a + " : !h\n";
      break;
    case 2:
      body += name + "w = llm.constant dense<0.05> : tensor<8x8xf32>\n" + name + " = llm.linear " +
              a + ", " + name + "w : (!h, tensor<8x8xf32>) -> !h\n";
      break;
    case 3:
      body += name + "t = llm.transpose " + a + " [1, 0] : !h\n" + name + " = llm.reshape " + name +
              "t : tensor<8x4xf32> to !h\n";
      break;
    case 4:
      body += name + "r = llm.reduce mean " + a + " [0] {keepdims = true} : !h\n" + name +
              " = llm.binary add " + b + ", " + name + "r : !h, tensor<1x8xf32>\n";
      break;
    case 5:
      body += name + "l = llm.slice " + a + " [\"0\", \"0\"] [1, 1] : !h to tensor<2x8xf32>\n" +
              name + "m = llm.softmax 1 " + name + "l : tensor<2x8xf32>\n" + name +
              " = llm.concat 0 (" + name + "m, " + name + "l) : tensor<2x8xf32>, tensor<2x8xf32>\n";
      break;
    default:
      body += name + " = llm.binary " + (below(2) ? "add " : "max ") + a + ", " + b + " : !h, !h\n";
    }
    values.push_back(name);
  }
  std::string given, givenTypes, results, returned, positions;
  for (size_t i = 0; i < numCarried + numStacks; ++i) {
    given += (i ? ", " : "") + pick();
    givenTypes += std::string(i ? ", " : "") + "!h";
    results += std::string(i ? ", " : "") + (i < numCarried ? "!h" : "!x");
    returned += (i ? ", %0#" : "%0#") + std::to_string(i);
    if (i >= numCarried)
      positions +=
          std::string(i > numCarried ? ", " : "") + (below(2) ? "\"i0\"" : "\"n - 1 - i0\"");
  }
  // Of results only some are returned; the others are computed from.
  return "!x = tensor<?x4x8xf32, #llm.dims<\"n\", \"4\", \"8\">>\n!h = tensor<4x8xf32>\n"
         "func.func @run(%x: !x, %h: !h) -> (" +
         results +
         ", !h) {\n"
         "%p = llm.unary sin %h : !h\n%q = llm.softmax 2 %x : !x\n"
         "%0:" +
         std::to_string(numCarried + numStacks) + " = llm.loop \"i0\" < \"n\" (" + initial +
         ") captured (%q, %p) stacks [" + positions + "] : (" + types + "!x, !h) -> (" + results +
         ") {\n^bb0(" + blockArguments + ", %s: !x, %k: !h):\n" + body + "llm.yield " + given +
         " : " + givenTypes + "\n}\n%sum = llm.binary add %0#0, %p : !h, !h\nreturn " + returned +
         ", %sum : " + results + ", !h\n}";
}

TEST_F(LoopTest, RandomBodies) {
  std::mt19937 random(7);
  for (int i = 0; i < 25; ++i) {
    std::string text = randomLoop(random);
    SCOPED_TRACE(text);
    compile(text);
    for (int64_t n : {0, 1, 5})
      check({uniform(f32(), {n, 4, 8}, 1), uniform(f32(), {4, 8}, 2)}, 1e-5);
    if (HasFailure())
      return;
  }
}

} // namespace
