//===- InPlaceTest.cpp - compiled kernels that write over their operands --===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In each function every result but the last may lie over an operand, and the planner,
// which saves what it can, puts it there (test/Transforms/Exec/plan-arena-in-place.mlir).
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"
#include <random>

using namespace mlir;
using namespace llmc;

namespace {

class InPlaceTest : public CompiledFunction {
protected:
  /// All sizes up to 128.
  void compile(const std::string &text) { CompiledFunction::compile(text, 128, 128, 128); }
};

/// "dense<[[..], ..]> : tensor<RxCxf32>"
std::string matrix(int64_t rows, int64_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::string text = "dense<[";
  for (int64_t i = 0; i < rows; ++i) {
    text += i ? ", [" : "[";
    for (int64_t j = 0; j < columns; ++j)
      text += (j ? ", " : "") + std::to_string(double(random() % 2000) / 10000 - 0.1);
    text += "]";
  }
  return text + "]> : tensor<" + std::to_string(rows) + "x" + std::to_string(columns) + "xf32>";
}

/// A residual over what it is added to, and a product over its gate. 3 * 100 rows are
/// several tiles, up to four rows take another way through the microkernels; 100 outputs
/// end within a panel.
TEST_F(InPlaceTest, EpiloguesOfLinears) {
  compile(R"(
    !x = tensor<?x3x40xf32, #llm.dims<"n", "3", "40">>
    !h = tensor<?x3x100xf32, #llm.dims<"n", "3", "100">>
    func.func @run(%x: !x) -> !x {
      %gate = llm.constant )" +
          matrix(40, 100, 1) + "\n%up = llm.constant " + matrix(40, 100, 2) +
          "\n%down = llm.constant " + matrix(100, 40, 3) + R"(
      %0 = llm.unary tanh %x : !x
      %1 = llm.linear %0, %gate : (!x, tensor<40x100xf32>) -> !h
      %2 = llm.unary silu %1 : !h
      %3 = llm.linear %0, %up : (!x, tensor<40x100xf32>) -> !h
      %4 = llm.binary mul %2, %3 : !h, !h
      %5 = llm.linear %4, %down : (!h, tensor<100x40xf32>) -> !x
      %6 = llm.binary add %0, %5 : !x, !x
      %7 = llm.linear %6, %gate : (!x, tensor<40x100xf32>) -> !h
      %8 = llm.linear %7, %down : (!h, tensor<100x40xf32>) -> !x
      %9 = llm.binary sub %8, %6 : !x, !x
      %10 = llm.softmax 2 %9 : !x
      return %10 : !x
    })");
  for (int64_t n : {1, 2, 43, 100})
    check({uniform(f32(), {n, 3, 40}, 4)}, 2e-6);
}

/// What computes a row or a line reads it before it writes it.
TEST_F(InPlaceTest, RowsAndLines) {
  compile(R"(
    !x = tensor<?x70xf32, #llm.dims<"n", "70">>
    func.func @run(%x: !x, %w: tensor<70xf32>, %at: tensor<2x1xi64>, %u: tensor<2x70xf32>) -> !x {
      %0 = llm.softmax 1 %x : !x
      %1 = llm.rms_norm %0, %w {epsilon = 1.000000e-05 : f64} : !x, tensor<70xf32>
      %2 = llm.softmax 1 %1 : !x
      %3 = llm.scatter_nd add %2, %at, %u : !x, tensor<2x1xi64>, tensor<2x70xf32>
      %4 = llm.softmax 1 %3 : !x
      return %4 : !x
    })");
  for (int64_t n : {1, 2, 128})
    check({uniform(f32(), {n, 70}, 1), uniform(f32(), {70}, 2), uniform(i64(), {2, 1}, 3, 0, 1),
           uniform(f32(), {2, 70}, 4)});
}

} // namespace
