//===- ExpertLinearTest.cpp - semantics of llm.expert_linear
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values come from numpy products, expert by expert, on inputs (7 i mod 11 - 5) / 8.
//
//===----------------------------------------------------------------------===//
#include "Fixture.h"

using namespace mlir;
using namespace llmc::reference;

static std::vector<double> ramp(int64_t count) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back((i * 7 % 11 - 5) / 8.0);
  return values;
}

/// All choices of a token read its one row; id 5 is the nearest expert, 1.
TEST_F(ReferenceTest, ExpertLinearOfTokens) {
  expectFloats(run("%x: tensor<2x3xf32>, %ids: tensor<2x2xi64>, %w: tensor<2x3x2xf32>, "
                   "%b: tensor<2x2xf32>",
                   "%0 = llm.expert_linear %x, %ids, %w bias %b : (tensor<2x3xf32>, "
                   "tensor<2x2xi64>, tensor<2x3x2xf32>, tensor<2x2xf32>) -> "
                   "tensor<2x2x2xf32>\nreturn %0 : tensor<2x2x2xf32>",
                   {floats({2, 3}, ramp(6)), ints({2, 2}, {1, 0, 0, 5}),
                    floats({2, 3, 2}, ramp(12)), floats({2, 2}, ramp(4))}),
               {2, 2, 2},
               {-0.65625, 0.875, -0.328125, 0.34375, -1.09375, 0.625, 0.046875, 0.90625});
}

TEST_F(ReferenceTest, ExpertLinearOfChoicesTransposed) {
  expectFloats(
      run("%x: tensor<2x2x3xf32>, %ids: tensor<2x2xi64>, %w: tensor<2x2x3xf32>",
          "%0 = llm.expert_linear %x, %ids, %w {transposed} : (tensor<2x2x3xf32>, "
          "tensor<2x2xi64>, tensor<2x2x3xf32>) -> tensor<2x2x2xf32>\n"
          "return %0 : tensor<2x2x2xf32>",
          {floats({2, 2, 3}, ramp(12)), ints({2, 2}, {1, 0, 0, 5}), floats({2, 2, 3}, ramp(12))}),
      {2, 2, 2}, {-0.1875, -0.109375, -0.265625, 0.546875, -0.1875, 0.5, 0.5, 0.546875});
}

/// One output per expert, weights 0, 1, .. 15 and 15, 14, .. 0 in 4 bits around 8.
TEST_F(ReferenceTest, ExpertLinearOfPackedWeights) {
  Type ui8 = IntegerType::get(&context, 8, IntegerType::Unsigned);
  expectFloats(
      run("%x: tensor<1x16xf32>, %ids: tensor<1x2xi64>, %w: tensor<2x1x1x8xui8>, "
          "%s: tensor<2x1x1xf32>",
          "%0 = llm.expert_linear %x, %ids, %w scales %s {bits = 4 : i64, group_size = 16 : i64, "
          "columns = 16 : i64} : (tensor<1x16xf32>, tensor<1x2xi64>, tensor<2x1x1x8xui8>, "
          "tensor<2x1x1xf32>) -> tensor<1x2x1xf32>\nreturn %0 : tensor<1x2x1xf32>",
          {floats({1, 16}, ramp(16)), ints({1, 2}, {1, 0}),
           Tensor::fromInts(
               ui8, {2, 1, 1, 8},
               {16, 50, 84, 118, 152, 186, 220, 254, 239, 205, 171, 137, 103, 69, 35, 1}),
           floats({2, 1, 1}, {0.5, 0.25})}),
      {1, 2, 1}, {-1.0, 1.9375});
}
