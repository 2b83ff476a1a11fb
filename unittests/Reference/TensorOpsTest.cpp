//===- TensorOpsTest.cpp - semantics of scatters, ranks, windows and element types
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Expected values are what onnxruntime 1.31 gives for the ONNX operator.
//
//===----------------------------------------------------------------------===//
#include "Fixture.h"
#include "mlir/AsmParser/AsmParser.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace llmc::reference;

namespace {

class TensorOpsTest : public ReferenceTest {
protected:
  Type type(const char *name) { return parseType(name, &context); }
  Tensor counting(ArrayRef<int64_t> shape) {
    Tensor tensor(f32(), shape);
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      tensor.setFloat(i, double(i + 1));
    return tensor;
  }
};

TEST_F(TensorOpsTest, GatherElements) {
  expectFloats(run("%a: tensor<2x4xf32>, %i: tensor<2x2xi64>",
                   "%0 = llm.gather_elements 1 %a, %i : tensor<2x4xf32>, tensor<2x2xi64>\n"
                   "return %0 : tensor<2x2xf32>",
                   {counting({2, 4}), ints({2, 2}, {3, -4, 0, 1})}),
               {2, 2}, {4, 1, 5, 6});
}

TEST_F(TensorOpsTest, ScatterElements) {
  auto body = [](std::string kind) {
    return "%0 = llm.scatter_elements " + kind +
           " 1 %a, %i, %u : tensor<2x4xf32>, tensor<2x2xi64>, tensor<2x2xf32>\n"
           "return %0 : tensor<2x4xf32>";
  };
  const char *signature = "%a: tensor<2x4xf32>, %i: tensor<2x2xi64>, %u: tensor<2x2xf32>";
  Tensor updates = floats({2, 2}, {10, 20, 30, 40});
  expectFloats(
      run(signature, body("add"), {counting({2, 4}), ints({2, 2}, {1, 1, -1, 0}), updates}), {2, 4},
      {1, 32, 3, 4, 45, 6, 7, 38});
  expectFloats(
      run(signature, body("replace"), {counting({2, 4}), ints({2, 2}, {1, 2, -1, 0}), updates}),
      {2, 4}, {1, 10, 20, 4, 40, 6, 7, 30});
  // What ONNX leaves open: an index outside writes nothing, the last write stays.
  expectFloats(
      run(signature, body("replace"), {counting({2, 4}), ints({2, 2}, {4, -5, 3, 3}), updates}),
      {2, 4}, {1, 2, 3, 4, 5, 6, 7, 40});
}

TEST_F(TensorOpsTest, ScatterND) {
  expectFloats(run("%a: tensor<2x4xf32>, %i: tensor<3x1xi64>, %u: tensor<3x4xf32>",
                   "%0 = llm.scatter_nd mul %a, %i, %u : tensor<2x4xf32>, tensor<3x1xi64>, "
                   "tensor<3x4xf32>\nreturn %0 : tensor<2x4xf32>",
                   {counting({2, 4}), ints({3, 1}, {1, 0, 1}),
                    floats({3, 4}, {1, 1, 1, 1, 2, 2, 2, 2, .5, .5, .5, .5})}),
               {2, 4}, {2, 4, 6, 8, 2.5, 3, 3.5, 4});
}

TEST_F(TensorOpsTest, Cumulative) {
  expectFloats(run("%a: tensor<2x4xf32>",
                   "%0 = llm.cumulative sum 1 %a {exclusive, reverse} : tensor<2x4xf32>\n"
                   "return %0 : tensor<2x4xf32>",
                   {counting({2, 4})}),
               {2, 4}, {9, 7, 4, 0, 21, 15, 8, 0});
}

TEST_F(TensorOpsTest, TopKIndices) {
  Tensor a = floats({2, 4}, {3, 1, 3, 2, 0, 5, 5, -1});
  expectInts(run("%a: tensor<2x4xf32>",
                 "%0 = llm.top_k_indices 1 %a \"3\" {largest} : tensor<2x4xf32>\n"
                 "return %0 : tensor<2x3xi64>",
                 {a}),
             {2, 3}, {0, 2, 3, 1, 2, 0});
  expectInts(run("%a: tensor<2x4xf32>",
                 "%0 = llm.top_k_indices 1 %a \"2\" : tensor<2x4xf32>\n"
                 "return %0 : tensor<2x2xi64>",
                 {a}),
             {2, 2}, {1, 3, 3, 0});
}

TEST_F(TensorOpsTest, Conv) {
  expectFloats(
      run("%x: tensor<1x2x5xf32>, %w: tensor<2x1x3xf32>, %b: tensor<2xf32>",
          "%0 = llm.conv %x, %w bias %b {strides = array<i64: 2>, dilations = "
          "array<i64: 1>, pads = array<i64: 2, 0>, groups = 2 : i64} : "
          "(tensor<1x2x5xf32>, tensor<2x1x3xf32>, tensor<2xf32>) -> tensor<1x2x3xf32>\n"
          "return %0 : tensor<1x2x3xf32>",
          {counting({1, 2, 5}), floats({2, 1, 3}, {1, 0, -1, .5, 2, 1}), floats({2}, {10, -1})}),
      {1, 2, 3}, {9, 8, 8, 5, 24, 31});
}

TEST_F(TensorOpsTest, WindowReduce) {
  expectFloats(
      run("%x: tensor<1x2x5xf32>",
          "%0 = llm.window_reduce max %x {window = array<i64: 2>, strides = array<i64: 2>, "
          "dilations = array<i64: 1>, pads = array<i64: 1, 0>} : (tensor<1x2x5xf32>) -> "
          "tensor<1x2x3xf32>\nreturn %0 : tensor<1x2x3xf32>",
          {counting({1, 2, 5})}),
      {1, 2, 3}, {1, 3, 5, 6, 8, 10});
}

TEST_F(TensorOpsTest, ReduceOfNothingIsTheLimit) {
  FailureOr<Tensor> result = run("%a: tensor<2x0xf32>",
                                 "%0 = llm.reduce max %a [1] {keepdims = false} : tensor<2x0xf32>\n"
                                 "return %0 : tensor<2xf32>",
                                 {floats({2, 0}, {})});
  ASSERT_TRUE(succeeded(result));
  EXPECT_EQ(result->getFloat(0), -std::numeric_limits<double>::infinity());
}

TEST_F(TensorOpsTest, BitwiseAndShifts) {
  auto body = [](std::string kind) {
    return "%0 = llm.binary " + kind +
           " %a, %b : tensor<4xui8>, tensor<4xui8>\nreturn %0 : tensor<4xui8>";
  };
  const char *signature = "%a: tensor<4xui8>, %b: tensor<4xui8>";
  Tensor a = Tensor::fromInts(type("ui8"), {4}, {16, 4, 255, 129});
  Tensor b = Tensor::fromInts(type("ui8"), {4}, {1, 2, 8, 7});
  expectInts(run(signature, body("shift_left"), {a, b}), {4}, {32, 16, 0, 128});
  expectInts(run(signature, body("shift_right"), {a, b}), {4}, {8, 1, 0, 1});
  expectInts(run(signature, body("bitwise_xor"), {a, b}), {4}, {17, 6, 247, 134});
}

TEST_F(TensorOpsTest, UnsignedOrder) {
  const int64_t big = -1; // the largest ui64
  expectInts(run("%a: tensor<2xui64>, %b: tensor<2xui64>",
                 "%0 = llm.binary max %a, %b : tensor<2xui64>, tensor<2xui64>\n"
                 "return %0 : tensor<2xui64>",
                 {Tensor::fromInts(type("ui64"), {2}, {big, 1}),
                  Tensor::fromInts(type("ui64"), {2}, {1, 2})}),
             {2}, {big, 2});
}

TEST_F(TensorOpsTest, SmallFloatsSaturateOrNot) {
  Tensor a = floats({4}, {1e6, -1e6, 0.3, 448});
  auto body = [](std::string attribute, std::string to) {
    return "%0 = llm.cast %a" + attribute + " : tensor<4xf32> to tensor<4x" + to +
           ">\nreturn %0 : tensor<4x" + to + ">";
  };
  expectFloats(run("%a: tensor<4xf32>", body("", "f8E4M3FN"), {a}), {4}, {448, -448, 0.3125, 448});
  expectFloats(run("%a: tensor<4xf32>", body("", "f4E2M1FN"), {a}), {4}, {6, -6, 0.5, 6});
  FailureOr<Tensor> open = run("%a: tensor<4xf32>", body(" {saturate = false}", "f8E5M2"), {a});
  ASSERT_TRUE(succeeded(open));
  EXPECT_EQ(open->getFloat(1), -std::numeric_limits<double>::infinity());
  open = run("%a: tensor<4xf32>", body(" {saturate = false}", "f8E4M3FN"), {a});
  ASSERT_TRUE(succeeded(open));
  EXPECT_TRUE(std::isnan(open->getFloat(0)));
}

TEST_F(TensorOpsTest, Bitcast) {
  expectInts(run("%a: tensor<2xf32>",
                 "%0 = llm.bitcast %a : tensor<2xf32> to tensor<2xi32>\nreturn %0 : tensor<2xi32>",
                 {floats({2}, {1, -2})}),
             {2}, {0x3f800000, int32_t(0xc0000000)});
}

} // namespace
