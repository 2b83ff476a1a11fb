//===- ElementwiseTest.cpp - elementwise semantics
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Fixture.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace llmc::reference;

TEST_F(ReferenceTest, BinaryBroadcasts) {
  expectFloats(run("%a: tensor<2x1xf32>, %b: tensor<3xf32>",
                   "%0 = llm.binary sub %a, %b : tensor<2x1xf32>, tensor<3xf32>\n"
                   "return %0 : tensor<2x3xf32>",
                   {floats({2, 1}, {10, 20}), floats({3}, {1, 2, 3})}),
               {2, 3}, {9, 8, 7, 19, 18, 17});
}

TEST_F(ReferenceTest, IntegerDivisionTruncatesAndModFollowsDivisor) {
  const char *signature = "%a: tensor<4xi64>, %b: tensor<4xi64>";
  Tensor a = ints({4}, {7, -7, 7, -7}), b = ints({4}, {3, 3, -3, -3});
  auto body = [](std::string kind) {
    return "%0 = llm.binary " + kind +
           " %a, %b : tensor<4xi64>, tensor<4xi64>\nreturn %0 : tensor<4xi64>";
  };
  expectInts(run(signature, body("div"), {a, b}), {4}, {2, -2, -2, 2});
  expectInts(run(signature, body("mod"), {a, b}), {4}, {1, 2, -2, -1});
  expectInts(run(signature, body("fmod"), {a, b}), {4}, {1, -1, 1, -1});
}

TEST_F(ReferenceTest, DivisionByZeroDoesNotTrap) {
  expectInts(
      run("%a: tensor<2xi64>, %b: tensor<2xi64>",
          "%0 = llm.binary div %a, %b : tensor<2xi64>, tensor<2xi64>\nreturn %0 : tensor<2xi64>",
          {ints({2}, {1, std::numeric_limits<int64_t>::min()}), ints({2}, {0, -1})}),
      {2}, {0, std::numeric_limits<int64_t>::min()});
}

TEST_F(ReferenceTest, MaxKeepsNaN) {
  FailureOr<Tensor> result = run("%a: tensor<2xf32>, %b: tensor<2xf32>",
                                 "%0 = llm.binary max %a, %b : tensor<2xf32>, tensor<2xf32>\n"
                                 "return %0 : tensor<2xf32>",
                                 {floats({2}, {NAN, 1}), floats({2}, {1, NAN})});
  ASSERT_TRUE(succeeded(result));
  EXPECT_TRUE(std::isnan(result->getFloat(0)) && std::isnan(result->getFloat(1)));
}

// torch.nn.functional.{silu, gelu, gelu(approximate="tanh"), softplus} at -1 and 2.
TEST_F(ReferenceTest, Activations) {
  auto body = [](std::string kind) {
    return "%0 = llm.unary " + kind + " %a : tensor<2xf32>\nreturn %0 : tensor<2xf32>";
  };
  Tensor a = floats({2}, {-1, 2});
  expectFloats(run("%a: tensor<2xf32>", body("silu"), {a}), {2}, {-0.2689414, 1.7615942});
  expectFloats(run("%a: tensor<2xf32>", body("gelu_erf"), {a}), {2}, {-0.1586553, 1.9544997});
  expectFloats(run("%a: tensor<2xf32>", body("gelu_tanh"), {a}), {2}, {-0.1588080, 1.9545977});
  expectFloats(run("%a: tensor<2xf32>", body("softplus"), {a}), {2}, {0.3132617, 2.1269280});
}

TEST_F(ReferenceTest, RoundsToEven) {
  expectFloats(run("%a: tensor<4xf32>",
                   "%0 = llm.unary round %a : tensor<4xf32>\nreturn %0 : tensor<4xf32>",
                   {floats({4}, {0.5, 1.5, -2.5, 2.6})}),
               {4}, {0, 2, -2, 3});
}

TEST_F(ReferenceTest, ComparesAndSelects) {
  expectFloats(
      run("%a: tensor<2x1xi64>, %b: tensor<3xi64>, %x: tensor<3xf32>, %y: tensor<f32>",
          "%0 = llm.compare le %b, %a : tensor<3xi64>, tensor<2x1xi64>\n"
          "%1 = llm.select %0, %x, %y : tensor<2x3xi1>, tensor<3xf32>, tensor<f32>\n"
          "return %1 : tensor<2x3xf32>",
          {ints({2, 1}, {0, 1}), ints({3}, {0, 1, 2}), floats({3}, {1, 2, 3}), floats({}, {-9})}),
      {2, 3}, {1, -9, -9, 1, 2, -9});
}

TEST_F(ReferenceTest, CastTruncatesAndRounds) {
  expectInts(run("%a: tensor<3xf32>",
                 "%0 = llm.cast %a : tensor<3xf32> to tensor<3xi32>\nreturn %0 : tensor<3xi32>",
                 {floats({3}, {1.9, -1.9, 0})}),
             {3}, {1, -1, 0});
  expectInts(run("%a: tensor<3xf32>",
                 "%0 = llm.cast %a : tensor<3xf32> to tensor<3xi1>\nreturn %0 : tensor<3xi1>",
                 {floats({3}, {0.5, -2, 0})}),
             {3}, {1, 1, 0});
  // 1 + 2^-11 lies between two f16 values, the even one is 1.
  expectFloats(run("%a: tensor<2xf32>",
                   "%0 = llm.cast %a : tensor<2xf32> to tensor<2xf16>\nreturn %0 : tensor<2xf16>",
                   {floats({2}, {1.00048828125, 65504})}),
               {2}, {1, 65504});
}

TEST_F(ReferenceTest, CastReadsEveryKindOfHalf) {
  // The smallest and the largest subnormal, the smallest and the largest normal number, -2.
  expectFloats(run("%a: tensor<1xf32>",
                   "%0 = llm.constant dense<[0x0001, 0x03FF, 0x0400, 0x7BFF, 0xC000]> : "
                   "tensor<5xf16>\n"
                   "%1 = llm.cast %0 : tensor<5xf16> to tensor<5xf32>\nreturn %1 : tensor<5xf32>",
                   {floats({1}, {0})}),
               {5}, {0x1p-24, 0x3FFp-24, 0x1p-14, 65504, -2});
  expectFloats(run("%a: tensor<1xf32>",
                   "%0 = llm.constant dense<[0x0001, 0x3F80, 0xC049]> : tensor<3xbf16>\n"
                   "%1 = llm.cast %0 : tensor<3xbf16> to tensor<3xf32>\nreturn %1 : tensor<3xf32>",
                   {floats({1}, {0})}),
               {3}, {0x1p-133, 1, -3.140625});
}
