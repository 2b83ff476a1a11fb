//===- JoinTest.cpp - compiled concatenations that are written in place ---===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// test/Conversion/LLMToExec/joins.mlir shows which concatenations are joins.
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"

using namespace mlir;
using namespace llmc;

namespace {

class JoinTest : public CompiledFunction {
protected:
  /// All sizes up to 128.
  void compile(const std::string &text) { CompiledFunction::compile(text, 128, 128, 128); }
};

/// Rows apart from each other: of linears (several tiles of rows, outputs that end within a
/// panel, an epilogue with bias), of a normalisation, and a copy of an input.
TEST_F(JoinTest, InnermostDimension) {
  compile(R"(
    !x = tensor<?x3x40xf32, #llm.dims<"n", "3", "40">>
    !h = tensor<?x3x100xf32, #llm.dims<"n", "3", "100">>
    !all = tensor<?x3x220xf32, #llm.dims<"n", "3", "220">>
    func.func @run(%x: !x, %r: !x, %g: tensor<40xf32>) -> (!x, !all) {
      %up = llm.constant dense<0.03> : tensor<40x100xf32>
      %bias = llm.constant dense<0.5> : tensor<100xf32>
      %down = llm.constant dense<0.02> : tensor<220x40xf32>
      %0 = llm.linear %x, %up bias %bias : (!x, tensor<40x100xf32>, tensor<100xf32>) -> !h
      %1 = llm.unary silu %0 : !h
      %2 = llm.rms_norm %x, %g {epsilon = 1.000000e-05 : f64} : !x, tensor<40xf32>
      %3 = llm.softmax 2 %2 : !x
      %4 = llm.concat 2 (%1, %r, %2, %3) : !h, !x, !x, !x
      %5 = llm.linear %4, %down : (!all, tensor<220x40xf32>) -> !x
      return %5, %4 : !x, !all
    })");
  for (int64_t n : {1, 2, 43, 128})
    check({uniform(f32(), {n, 3, 40}, 1), uniform(f32(), {n, 3, 40}, 2), uniform(f32(), {40}, 3)},
          2e-6);
}

/// One behind the other, at places that sizes decide; in the arena and in an output. A part
/// has another reader, and a part is a concatenation of its own.
TEST_F(JoinTest, OutermostDimension) {
  compile(R"(
    !n = tensor<?x40xf32, #llm.dims<"n", "40">>
    !m = tensor<?x40xf32, #llm.dims<"m", "40">>
    !nm = tensor<?x40xf32, #llm.dims<"m + n", "40">>
    !nmn = tensor<?x40xf32, #llm.dims<"m + 2 * n", "40">>
    func.func @run(%x: !n, %y: !m) -> (!nm, !nmn, !n) {
      %0 = llm.softmax 1 %x : !n
      %1 = llm.softmax 1 %y : !m
      %2 = llm.concat 0 (%0, %1) : !n, !m
      %3 = llm.softmax 1 %2 : !nm
      %4 = llm.softmax 1 %x : !n
      %5 = llm.concat 0 (%3, %4) : !nm, !n
      %6 = llm.binary add %0, %x : !n, !n
      %7 = llm.softmax 1 %6 : !n
      return %3, %5, %7 : !nm, !nmn, !n
    })");
  for (int64_t n : {1, 3, 128})
    check({uniform(f32(), {n, 40}, 1), uniform(f32(), {n / 2 + 1, 40}, 2)});
}

/// Parts seen through reshapes; columns of size 1; elements of one byte; a product.
TEST_F(JoinTest, ViewsAndSmallRows) {
  compile(R"(
    !x = tensor<?x2x6xf32, #llm.dims<"n", "2", "6">>
    !row = tensor<?x12xf32, #llm.dims<"n", "12">>
    !one = tensor<?x1xf32, #llm.dims<"n", "1">>
    !all = tensor<?x13xf32, #llm.dims<"n", "13">>
    !p = tensor<?x2x6xf32, #llm.dims<"n", "2", "6">>
    !pp = tensor<?x2x9xf32, #llm.dims<"n", "2", "9">>
    func.func @run(%x: !x, %r: !row, %m: tensor<6x6xf32>) -> (!all, !pp, tensor<?x13xi1, #llm.dims<"n", "13">>) {
      %w = llm.constant dense<0.1> : tensor<12x1xf32>
      %0 = llm.softmax 1 %r : !row
      %1 = llm.linear %r, %w : (!row, tensor<12x1xf32>) -> !one
      %2 = llm.concat 1 (%1, %0) : !one, !row
      %3 = llm.matmul %x, %m : !x, tensor<6x6xf32>
      %4 = llm.slice %x ["0", "0", "3"] [1, 1, 1] : !x to tensor<?x2x3xf32, #llm.dims<"n", "2", "3">>
      %5 = llm.concat 2 (%3, %4) : !p, tensor<?x2x3xf32, #llm.dims<"n", "2", "3">>
      %6 = llm.compare lt %2, %2 : !all, !all
      return %2, %5, %6 : !all, !pp, tensor<?x13xi1, #llm.dims<"n", "13">>
    })");
  for (int64_t n : {1, 5, 128})
    check({uniform(f32(), {n, 2, 6}, 1), uniform(f32(), {n, 12}, 2), uniform(f32(), {6, 6}, 3)},
          2e-6);
}

} // namespace
