//===- MovementTest.cpp - data movement, reductions, products
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Fixture.h"

using namespace mlir;
using namespace llmc::reference;

TEST_F(ReferenceTest, Transpose) {
  expectInts(run("%a: tensor<2x3xi64>",
                 "%0 = llm.transpose %a [1, 0] : tensor<2x3xi64>\nreturn %0 : tensor<3x2xi64>",
                 {ints({2, 3}, {0, 1, 2, 3, 4, 5})}),
             {3, 2}, {0, 3, 1, 4, 2, 5});
}

TEST_F(ReferenceTest, SliceBackwards) {
  expectInts(run("%a: tensor<5xi64>",
                 "%0 = llm.slice %a [\"4\"] [-2] : tensor<5xi64> to tensor<3xi64>\nreturn %0 : "
                 "tensor<3xi64>",
                 {ints({5}, {0, 1, 2, 3, 4})}),
             {3}, {4, 2, 0});
}

TEST_F(ReferenceTest, SliceOutsideFails) {
  EXPECT_TRUE(failed(run(
      "%a: tensor<5xi64>",
      "%0 = llm.slice %a [\"3\"] [1] : tensor<5xi64> to tensor<3xi64>\nreturn %0 : tensor<3xi64>",
      {ints({5}, {0, 1, 2, 3, 4})})));
  EXPECT_EQ(evaluator.message(), "llm.slice: leaves dimension 0 of size 5");
}

TEST_F(ReferenceTest, ConcatAndBroadcast) {
  expectInts(run("%a: tensor<1x2xi64>, %b: tensor<2x1xi64>",
                 "%0 = llm.broadcast %a : tensor<1x2xi64> to tensor<2x2xi64>\n"
                 "%1 = llm.concat 1 (%0, %b) : tensor<2x2xi64>, tensor<2x1xi64>\n"
                 "return %1 : tensor<2x3xi64>",
                 {ints({1, 2}, {1, 2}), ints({2, 1}, {8, 9})}),
             {2, 3}, {1, 2, 8, 1, 2, 9});
}

TEST_F(ReferenceTest, GatherCountsFromTheEndAndClamps) {
  expectInts(run("%a: tensor<2x3xi64>, %i: tensor<2x2xi64>",
                 "%0 = llm.gather 1 %a, %i : tensor<2x3xi64>, tensor<2x2xi64>\nreturn %0 : "
                 "tensor<2x2x2xi64>",
                 {ints({2, 3}, {0, 1, 2, 10, 11, 12}), ints({2, 2}, {0, -1, 1, 7})}),
             {2, 2, 2}, {0, 2, 1, 2, 10, 12, 11, 12});
}

// The examples of ONNX GatherND, batch_dims 0 and 1.
TEST_F(ReferenceTest, GatherND) {
  expectInts(run("%a: tensor<2x2xi64>, %i: tensor<2x2xi64>",
                 "%0 = llm.gather_nd 0 %a, %i : tensor<2x2xi64>, tensor<2x2xi64>\nreturn %0 : "
                 "tensor<2xi64>",
                 {ints({2, 2}, {0, 1, 2, 3}), ints({2, 2}, {0, 0, 1, 1})}),
             {2}, {0, 3});
  expectInts(run("%a: tensor<2x2x2xi64>, %i: tensor<2x1xi64>",
                 "%0 = llm.gather_nd 1 %a, %i : tensor<2x2x2xi64>, tensor<2x1xi64>\nreturn %0 : "
                 "tensor<2x2xi64>",
                 {ints({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}), ints({2, 1}, {1, 0})}),
             {2, 2}, {2, 3, 4, 5});
}

TEST_F(ReferenceTest, Reduce) {
  Tensor a = floats({2, 3}, {1, 2, 3, -4, 5, -6});
  auto body = [](std::string kind) {
    return "%0 = llm.reduce " + kind +
           " %a [1] {keepdims = false} : tensor<2x3xf32>\nreturn %0 : tensor<2xf32>";
  };
  expectFloats(run("%a: tensor<2x3xf32>", body("mean"), {a}), {2}, {2, -5.0 / 3});
  expectFloats(run("%a: tensor<2x3xf32>", body("max"), {a}), {2}, {3, 5});
  expectFloats(run("%a: tensor<2x3xf32>", body("min"), {a}), {2}, {1, -6});
  expectFloats(run("%a: tensor<2x3xf32>", body("prod"), {a}), {2}, {6, 120});
}

TEST_F(ReferenceTest, Softmax) {
  expectFloats(run("%a: tensor<2x2xf32>",
                   "%0 = llm.softmax 0 %a : tensor<2x2xf32>\nreturn %0 : tensor<2x2xf32>",
                   {floats({2, 2}, {0, 1000, 0, 1000.6931472})}),
               {2, 2}, {0.5, 0.33332687, 0.5, 0.66667313});
}

TEST_F(ReferenceTest, MatmulBroadcastsLeadingDimensions) {
  expectFloats(run("%a: tensor<2x1x2xf32>, %b: tensor<2x2xf32>",
                   "%0 = llm.matmul %a, %b : tensor<2x1x2xf32>, tensor<2x2xf32>\nreturn %0 : "
                   "tensor<2x1x2xf32>",
                   {floats({2, 1, 2}, {1, 2, 3, 4}), floats({2, 2}, {1, 10, 100, 1000})}),
               {2, 1, 2}, {201, 2010, 403, 4030});
}
