//===- RecurrenceTest.cpp - causal_conv, linear_attention and data's sizes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values come from numpy, written after the formulas of the op descriptions with plain
// loops over tokens, on inputs (7 i mod 11 - 5) / 8.
//
//===----------------------------------------------------------------------===//
#include "Fixture.h"

using namespace mlir;
using namespace llmc::reference;

static std::vector<double> ramp(int64_t count, double (*change)(double) = nullptr) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) {
    double value = double(i * 7 % 11 - 5) / 8;
    values.push_back(change ? change(value) : value);
  }
  return values;
}
static double negative(double x) { return -std::abs(x); }
static double positive(double x) { return std::abs(x); }

namespace {
using RecurrenceTest = ReferenceTest;
}

TEST_F(RecurrenceTest, CausalConv) {
  expectFloats(
      run("%x: tensor<1x2x4xf32>, %w: tensor<2x3xf32>, %b: tensor<2xf32>, %p: tensor<1x2x2xf32>",
          "%0 = llm.causal_conv %x, %w bias %b past %p : (tensor<1x2x4xf32>, tensor<2x3xf32>, "
          "tensor<2xf32>, tensor<1x2x2xf32>) -> tensor<1x2x4xf32>\nreturn %0 : tensor<1x2x4xf32>",
          {floats({1, 2, 4}, ramp(8)), floats({2, 3}, ramp(6)), floats({2}, {0.5, -1}),
           floats({1, 2, 2}, ramp(4))}),
      {1, 2, 4}, {1.109375, 0.125, 1.015625, 0.125, -1.125, -0.453125, -1.15625, -1.171875});
  expectFloats(run("%x: tensor<1x2x4xf32>, %w: tensor<2x3xf32>",
                   "%0 = llm.causal_conv %x, %w : (tensor<1x2x4xf32>, tensor<2x3xf32>) -> "
                   "tensor<1x2x4xf32>\nreturn %0 : tensor<1x2x4xf32>",
                   {floats({1, 2, 4}, ramp(8)), floats({2, 3}, ramp(6))}),
               {1, 2, 4},
               {0.15625, -0.21875, 0.515625, -0.375, -0.046875, 0.15625, -0.15625, -0.171875});
}

TEST_F(RecurrenceTest, GatedDeltaRuleWithQueryGroups) {
  for (bool wantsState : {false, true})
    expectFloats(
        run("%q: tensor<1x2x3x2xf32>, %k: tensor<1x1x3x2xf32>, %v: tensor<1x1x3x3xf32>, "
            "%g: tensor<1x1x3x1xf32>, %b: tensor<1x1x3x1xf32>, %p: tensor<1x1x2x3xf32>",
            "%o, %s = llm.linear_attention %q, %k, %v decay %g beta %b past %p {scale = 0.5 : f64, "
            "delta} : (tensor<1x2x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x3xf32>, "
            "tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x2x3xf32>) -> "
            "(tensor<1x2x3x3xf32>, tensor<1x1x2x3xf32>)\nreturn " +
                std::string(wantsState ? "%s : tensor<1x1x2x3xf32>" : "%o : tensor<1x2x3x3xf32>"),
            {floats({1, 2, 3, 2}, ramp(12)), floats({1, 1, 3, 2}, ramp(6)),
             floats({1, 1, 3, 3}, ramp(9)), floats({1, 1, 3, 1}, ramp(3, negative)),
             floats({1, 1, 3, 1}, ramp(3, positive)), floats({1, 1, 2, 3}, ramp(6))}),
        wantsState ? ArrayRef<int64_t>{1, 1, 2, 3} : ArrayRef<int64_t>{1, 2, 3, 3},
        wantsState ? ArrayRef<double>{0.006198243, 0.003575822, -0.0190709, 0.1278529, 0.07641539,
                                      -0.1270781}
                   : ArrayRef<double>{0.01640981, 0.01142078, -0.02341059, 0.07458329, 0.03133988,
                                      -0.07212201, -0.02358502, -0.0141044, 0.02263521, 0.005986602,
                                      0.002505824, -0.0057728, 0.04735563, 0.01820656, -0.04297243,
                                      -0.04034142, -0.0241033, 0.04090383});
}

TEST_F(RecurrenceTest, DecayPerChannel) {
  expectFloats(
      run("%q: tensor<1x2x3x2xf32>, %k: tensor<1x1x3x2xf32>, %v: tensor<1x1x3x3xf32>, "
          "%g: tensor<1x1x3x2xf32>",
          "%o, %s = llm.linear_attention %q, %k, %v decay %g {scale = 1.0 : f64} : "
          "(tensor<1x2x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x3xf32>, tensor<1x1x3x2xf32>) "
          "-> (tensor<1x2x3x3xf32>, tensor<1x1x2x3xf32>)\nreturn %s : tensor<1x1x2x3xf32>",
          {floats({1, 2, 3, 2}, ramp(12)), floats({1, 1, 3, 2}, ramp(6)),
           floats({1, 1, 3, 3}, ramp(9)), floats({1, 1, 3, 2}, ramp(6, negative))}),
      {1, 1, 2, 3}, {0.1930822, -0.134967, 0.127623, 0.02349121, 0.07668694, 0.00342411});
}

TEST_F(RecurrenceTest, RatesPerElement) {
  for (bool wantsState : {false, true})
    expectFloats(
        run("%q: tensor<1x1x3x2xf32>, %k: tensor<1x1x3x2xf32>, %v: tensor<1x1x3x3xf32>, "
            "%g: tensor<1x1x3x3xf32>, %a: tensor<1x2x3xf32>",
            "%o, %s = llm.linear_attention %q, %k, %v decay %g rates %a {scale = 1.0 : f64} : "
            "(tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x3xf32>, "
            "tensor<1x1x3x3xf32>, tensor<1x2x3xf32>) -> (tensor<1x1x3x3xf32>, "
            "tensor<1x1x2x3xf32>)\nreturn " +
                std::string(wantsState ? "%s : tensor<1x1x2x3xf32>" : "%o : tensor<1x1x3x3xf32>"),
            {floats({1, 1, 3, 2}, ramp(6)), floats({1, 1, 3, 2}, ramp(6)),
             floats({1, 1, 3, 3}, ramp(9)), floats({1, 1, 3, 3}, ramp(9, positive)),
             floats({1, 2, 3}, ramp(6, negative))}),
        wantsState ? ArrayRef<int64_t>{1, 1, 2, 3} : ArrayRef<int64_t>{1, 1, 3, 3},
        wantsState
            ? ArrayRef<double>{0.1415585, -0.1826927, 0.1457845, 0.02093800, 0.1396560, -0.05182076}
            : ArrayRef<double>{-0.2832031, 0.1132813, -0.1132813, 0.1510481, 0.1329582, -0.2394268,
                               0.009843058, -0.07520760, 0.03765585});
}

TEST_F(RecurrenceTest, SizesFromData) {
  std::string body = R"(
    %zero = llm.constant dense<0.0> : tensor<f32>
    %m = llm.compare ne %x, %zero : tensor<2x3xf32>, tensor<f32>
    %n = llm.cast %m : tensor<2x3xi1> to tensor<2x3xi64>
    %count = llm.reduce sum %n [0, 1] {keepdims = false} : tensor<2x3xi64>
    llm.define_size "k0" <= "6" (%count) : tensor<i64>
    %0 = llm.nonzero %x : tensor<2x3xf32> to tensor<?x2xi64, #llm.dims<"k0", "2">>
    return %0 : tensor<?x2xi64, #llm.dims<"k0", "2">>)";
  expectInts(run("%x: tensor<2x3xf32>", body, {floats({2, 3}, {0, 1, 0, -2, 0, 0.5})}), {3, 2},
             {0, 1, 1, 0, 1, 2});
  expectInts(run("%x: tensor<2x3xf32>", body, {floats({2, 3}, {0, 0, 0, 0, 0, 0})}), {0, 2}, {});
}
