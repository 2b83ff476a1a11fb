//===- TransformerTest.cpp - semantics of the model operations
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values come from onnxruntime 1.31.1 (Attention, RMSNormalization,
// LayerNormalization, RotaryEmbedding of opset 23; MatMulNBits of com.microsoft)
// on inputs (7 i mod 11 - 5) / 8, except where a comment says otherwise.
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

namespace {
class AttentionTest : public ReferenceTest {
protected:
  FailureOr<Tensor> attend(const std::string &attributes, const std::string &operands = "",
                           const std::string &types = "", const std::string &signature = "",
                           ArrayRef<Tensor> more = {}) {
    SmallVector<Tensor> arguments{floats({1, 2, 2, 2}, ramp(8)), floats({1, 1, 3, 2}, ramp(6)),
                                  floats({1, 1, 3, 2}, ramp(6))};
    arguments.append(more.begin(), more.end());
    return run("%q: tensor<1x2x2x2xf32>, %k: tensor<1x1x3x2xf32>, %v: tensor<1x1x3x2xf32>" +
                   signature,
               "%0 = llm.attention %q, %k, %v " + operands + " {" + attributes +
                   "} : (tensor<1x2x2x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>" + types +
                   ") -> tensor<1x2x2x2xf32>\nreturn %0 : tensor<1x2x2x2xf32>",
               arguments);
  }
};
} // namespace

TEST_F(AttentionTest, GroupedHeads) {
  expectFloats(attend("scale = 0.5 : f64"), {1, 2, 2, 2},
               {-0.287783, 0.20956, -0.283361, 0.226686, -0.228657, 0.129137, -0.226597, 0.146494});
}

TEST_F(AttentionTest, CausalAtTheEnd) {
  expectFloats(
      attend("scale = 0.5 : f64, causal"), {1, 2, 2, 2},
      {-0.444089, 0.430911, -0.283361, 0.226686, -0.441894, 0.433106, -0.226597, 0.146494});
}

TEST_F(AttentionTest, Softcap) {
  expectFloats(
      attend("scale = 0.5 : f64, softcap = 0.25 : f64"), {1, 2, 2, 2},
      {-0.281732, 0.205725, -0.280546, 0.217639, -0.229462, 0.131423, -0.228756, 0.147279});
}

TEST_F(AttentionTest, Bias) {
  expectFloats(attend("scale = 0.5 : f64", "bias %b", ", tensor<2x3xf32>", ", %b: tensor<2x3xf32>",
                      {floats({2, 3}, ramp(6))}),
               {1, 2, 2, 2},
               {-0.244376, 0.290272, -0.39104, 0.287281, -0.196457, 0.207406, -0.348865, 0.236948});
}

// Scores and biased scores that all saturate at one number are equal, a third each; that is one
// step of a quarter. The mean of the values is (-0.25, 1/6).
TEST_F(AttentionTest, Roundings) {
  for (std::string rounding : {"score_rounding = array<f64: 1.0, 3.0, 3.0>",
                               "biased_rounding = array<f64: 0.5, -9.0, 9.0, 1.0, 2.0, 2.0>"})
    expectFloats(
        attend("scale = 0.5 : f64, weight_rounding = array<f64: 0.25, 0.0, 255.0>, " + rounding),
        {1, 2, 2, 2}, {-0.1875, 0.125, -0.1875, 0.125, -0.1875, 0.125, -0.1875, 0.125});
  // Steps of 1 from the middle to the even one: scores of 0.5 are 0.
  expectFloats(attend("scale = 0.0 : f64, biased_rounding = array<f64: 1.0, -9.0, 9.0>", "bias %b",
                      ", tensor<1x3xf32>", ", %b: tensor<1x3xf32>",
                      {floats({1, 3}, {0.5, 0.0, -0.5})}),
               {1, 2, 2, 2}, {-0.25, 1.0 / 6, -0.25, 1.0 / 6, -0.25, 1.0 / 6, -0.25, 1.0 / 6});
}

// With a length of 0 the two queries are keys 0 and 1; the first sees only key 0
// and a window of 1 leaves each its own key.
TEST_F(AttentionTest, PastLengthAndWindow) {
  expectFloats(attend("scale = 0.5 : f64, causal, window = 1 : i64", "past_lens %n",
                      ", tensor<1xi64>", ", %n: tensor<1xi64>", {ints({1}, {0})}),
               {1, 2, 2, 2}, {-0.625, 0.25, -0.25, 0.625, -0.625, 0.25, -0.25, 0.625});
}

// A query whose window ends before the first key gives zeros.
TEST_F(AttentionTest, NothingVisible) {
  expectFloats(attend("scale = 0.5 : f64, causal", "past_lens %n", ", tensor<1xi64>",
                      ", %n: tensor<1xi64>", {ints({1}, {-2})}),
               {1, 2, 2, 2}, {0, 0, 0, 0, 0, 0, 0, 0});
}

// A sink as large as the denominator of equal scores halves the result: scores
// are 0 with scale 0, the mean of the values is (-0.25, 1/6), log 3 = 1.0986123.
TEST_F(AttentionTest, Sinks) {
  expectFloats(attend("scale = 0.0 : f64", "sinks %s", ", tensor<2xf32>", ", %s: tensor<2xf32>",
                      {floats({2}, {1.0986123, -1000})}),
               {1, 2, 2, 2}, {-0.125, 1.0 / 12, -0.125, 1.0 / 12, -0.25, 1.0 / 6, -0.25, 1.0 / 6});
}

TEST_F(ReferenceTest, RMSNorm) {
  expectFloats(
      run("%x: tensor<2x4xf32>, %w: tensor<4xf32>",
          "%0 = llm.rms_norm %x, %w {epsilon = 1.0e-5 : f64} : tensor<2x4xf32>, tensor<4xf32>\n"
          "return %0 : tensor<2x4xf32>",
          {floats({2, 4}, ramp(8)), floats({4}, {1, 2, 0.5, -1})}),
      {2, 4}, {-1.31304, 1.05043, -0.262607, -1.31304, 0.392213, -2.35328, 0.784426, 0});
}

TEST_F(ReferenceTest, LayerNorm) {
  expectFloats(
      run("%x: tensor<2x4xf32>, %w: tensor<4xf32>, %b: tensor<4xf32>",
          "%0 = llm.layer_norm %x, %w bias %b {epsilon = 1.0e-5 : f64} : "
          "(tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>\n"
          "return %0 : tensor<2x4xf32>",
          {floats({2, 4}, ramp(8)), floats({4}, {1, 2, 0.5, -1}), floats({4}, {0, 1, 2, 3})}),
      {2, 4}, {-1.31304, 2.05043, 1.73739, 1.68696, 0.19999, -1.79986, 2.69996, 3.19999});
}

TEST_F(ReferenceTest, Rotary) {
  const char *signature = "%x: tensor<1x2x2x6xf32>, %c: tensor<1x2x2xf32>, %s: tensor<1x2x2xf32>";
  auto body = [](std::string attributes) {
    return "%0 = llm.rotary %x, %c, %s " + attributes +
           " : tensor<1x2x2x6xf32>, tensor<1x2x2xf32>\nreturn %0 : tensor<1x2x2x6xf32>";
  };
  SmallVector<Tensor> arguments{
      floats({1, 2, 2, 6}, ramp(24)),
      floats({1, 2, 2}, {0.99500417, 0.98006658, 0.95533649, 0.92106099}),
      floats({1, 2, 2}, {0.09983342, 0.19866933, 0.29552021, 0.38941834})};
  expectFloats(run(signature, body(""), arguments), {1, 2, 2, 6},
               {-0.596919, 0.120848, -0.311147, 0.662209,  0.125,    -0.375,    0.625428, -0.146032,
                -0.329908, 0.345398, -0.125,    -0.625,    0.186355, -0.26985,  0.646836, 0.072841,
                -0.375,    0.5,      -0.11082,  -0.411853, 0.358251, -0.309842, -0.625,   0.25});
  expectFloats(run(signature, body("{interleaved}"), arguments), {1, 2, 2, 6},
               {-0.646836, 0.186355, -0.369185, 0.562874,  0.125,    -0.375,    0.477668, 0.14776,
                -0.606562, 0.150689, -0.125,    -0.625,    0.273709, -0.223793, 0.587708, 0.246677,
                -0.375,    0.5,      0.14776,   -0.477668, 0.394075, 0.0308992, -0.625,   0.25});
}

// Two sequences of lengths 2 and 1, one new token; by hand.
TEST_F(ReferenceTest, KVAppend) {
  expectFloats(
      run("%p: tensor<2x1x2x1xf32>, %t: tensor<2x1x1x1xf32>, %n: tensor<2xi64>",
          "%0 = llm.kv_append %p, %t, %n : tensor<2x1x2x1xf32>, tensor<2x1x1x1xf32>, "
          "tensor<2xi64>\n"
          "return %0 : tensor<2x1x3x1xf32>",
          {floats({2, 1, 2, 1}, {1, 2, 3, 4}), floats({2, 1, 1, 1}, {8, 9}), ints({2}, {2, 1})}),
      {2, 1, 3, 1}, {1, 2, 8, 3, 9, 0});
}

// The first sequence drops one token of three, the second none; by hand.
TEST_F(ReferenceTest, KVEvict) {
  expectFloats(run("%c: tensor<2x1x3x1xf32>, %n: tensor<2xi64>",
                   "%0 = llm.kv_evict %c, %n : tensor<2x1x3x1xf32>, tensor<2xi64> to "
                   "tensor<2x1x4x1xf32>\n"
                   "return %0 : tensor<2x1x4x1xf32>",
                   {floats({2, 1, 3, 1}, {1, 2, 3, 4, 5, 6}), ints({2}, {1, 0})}),
               {2, 1, 4, 1}, {2, 3, 0, 0, 4, 5, 6, 0});
}

TEST_F(ReferenceTest, LinearDense) {
  Tensor x = floats({2, 2}, {1, 2, 3, 4});
  expectFloats(run("%x: tensor<2x2xf32>, %w: tensor<2x3xf32>, %b: tensor<3xf32>",
                   "%0 = llm.linear %x, %w bias %b : (tensor<2x2xf32>, tensor<2x3xf32>, "
                   "tensor<3xf32>) -> tensor<2x3xf32>\n"
                   "return %0 : tensor<2x3xf32>",
                   {x, floats({2, 3}, {1, 0, 2, 0, 1, 2}), floats({3}, {10, 20, 30})}),
               {2, 3}, {11, 22, 36, 13, 24, 44});
  expectFloats(run("%x: tensor<2x2xf32>, %w: tensor<3x2xf32>",
                   "%0 = llm.linear %x, %w {transposed} : (tensor<2x2xf32>, tensor<3x2xf32>) -> "
                   "tensor<2x3xf32>\n"
                   "return %0 : tensor<2x3xf32>",
                   {x, floats({3, 2}, {1, 0, 0, 1, 2, 2})}),
               {2, 3}, {1, 2, 6, 3, 4, 14});
}

TEST_F(ReferenceTest, LinearGrouped) {
  Type ui8 = IntegerType::get(&context, 8, IntegerType::Unsigned);
  auto packed = [&](int64_t bytes) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < 2 * bytes; ++i)
      values.push_back(i * 37 % 256);
    return Tensor::fromInts(ui8, {2, 1, bytes}, values);
  };
  Tensor x = floats({1, 16}, ramp(16)), scales = floats({2, 1}, {0.5, 0.25});
  expectFloats(run("%x: tensor<1x16xf32>, %w: tensor<2x1x8xui8>, %s: tensor<2x1xf32>",
                   "%0 = llm.linear %x, %w scales %s {bits = 4 : i64, group_size = 16 : i64, "
                   "columns = 16 : i64} : "
                   "(tensor<1x16xf32>, tensor<2x1x8xui8>, tensor<2x1xf32>) -> tensor<1x2xf32>\n"
                   "return %0 : tensor<1x2xf32>",
                   {x, packed(8), scales}),
               {1, 2}, {0.875, -1.8125});
  expectFloats(
      run("%x: tensor<1x16xf32>, %w: tensor<2x1x8xui8>, %s: tensor<2x1xf32>, %z: tensor<2x1xui8>",
          "%0 = llm.linear %x, %w scales %s zero_points %z {bits = 4 : i64, group_size = 16 : i64, "
          "columns = 16 : i64} : "
          "(tensor<1x16xf32>, tensor<2x1x8xui8>, tensor<2x1xf32>, tensor<2x1xui8>) -> "
          "tensor<1x2xf32>\n"
          "return %0 : tensor<1x2xf32>",
          {x, packed(8), scales, Tensor::fromInts(ui8, {2, 1}, {3, 12})}),
      {1, 2}, {1.1875, -1.9375});
  expectFloats(run("%x: tensor<1x16xf32>, %w: tensor<2x1x16xui8>, %s: tensor<2x1xf32>",
                   "%0 = llm.linear %x, %w scales %s {bits = 8 : i64, group_size = 16 : i64, "
                   "columns = 16 : i64} : "
                   "(tensor<1x16xf32>, tensor<2x1x16xui8>, tensor<2x1xf32>) -> tensor<1x2xf32>\n"
                   "return %0 : tensor<1x2xf32>",
                   {x, packed(16), scales}),
               {1, 2}, {2.1875, -4.40625});
}

// 255 * -128 three times, and 255 * 127; by hand.
TEST_F(ReferenceTest, LinearOfIntegers) {
  Type ui8 = IntegerType::get(&context, 8, IntegerType::Unsigned);
  expectInts(run("%x: tensor<1x3xui8>, %w: tensor<3x2xi8>",
                 "%0 = llm.linear %x, %w : (tensor<1x3xui8>, tensor<3x2xi8>) -> tensor<1x2xi32>\n"
                 "return %0 : tensor<1x2xi32>",
                 {Tensor::fromInts(ui8, {1, 3}, {255, 255, 255}),
                  Tensor::fromInts(integer(8), {3, 2}, {-128, 127, -128, 0, -128, 0})}),
             {1, 2}, {-97920, 32385});
}

// absmax 127 makes the scale 1: 63.5 rounds to the even 64. 33 columns take two
// blocks of 40 bytes; read back, the linear sums 127 - 2 + 64 + 127.
TEST_F(ReferenceTest, QuantizedInput) {
  std::vector<double> row(33, 0.0);
  row[0] = 127, row[1] = -2, row[2] = 63.5, row[32] = 127;
  FailureOr<Tensor> bytes =
      run("%x: tensor<1x33xf32>",
          "%0 = llm.quantize_input %x : tensor<1x33xf32>\nreturn %0 : tensor<1x80xui8>",
          {floats({1, 33}, row)});
  ASSERT_TRUE(succeeded(bytes)) << evaluator.message();
  EXPECT_EQ(bytes->getInt(1), 254);
  EXPECT_EQ(bytes->getInt(2), 64);
  EXPECT_EQ(bytes->getInt(72), 189); // the first block's sum
  Type ui8 = bytes->elementType();
  Tensor ones = Tensor::fromInts(ui8, {1, 2, 32}, std::vector<int64_t>(64, 129));
  expectFloats(run("%x: tensor<1x80xui8>, %w: tensor<1x2x32xui8>, %s: tensor<1x2xf32>",
                   "%0 = llm.linear %x, %w scales %s {bits = 8 : i64, group_size = 32 : i64, "
                   "columns = 33 : i64, activations = #llm<activations int8>} : "
                   "(tensor<1x80xui8>, tensor<1x2x32xui8>, tensor<1x2xf32>) -> tensor<1x1xf32>\n"
                   "return %0 : tensor<1x1xf32>",
                   {*bytes, ones, floats({1, 2}, {1, 1})}),
               {1, 1}, {316});
}

// Rows of 4-bit values 1 2 3 4 and 15 0 8 9 in groups of 2; by hand.
TEST_F(ReferenceTest, Embedding) {
  expectFloats(
      run("%t: tensor<2x2xf32>, %i: tensor<1x3xi64>",
          "%0 = llm.embedding %t, %i : (tensor<2x2xf32>, tensor<1x3xi64>) -> tensor<1x3x2xf32>\n"
          "return %0 : tensor<1x3x2xf32>",
          {floats({2, 2}, {1, 2, 3, 4}), ints({1, 3}, {1, 0, 9})}),
      {1, 3, 2}, {3, 4, 1, 2, 3, 4});
  Type ui8 = IntegerType::get(&context, 8, IntegerType::Unsigned);
  expectFloats(run("%t: tensor<2x2xui8>, %i: tensor<1xi64>, %s: tensor<2x2xf32>",
                   "%0 = llm.embedding %t, %i scales %s {bits = 4 : i64, group_size = 2 : i64, "
                   "width = 4 : i64} : "
                   "(tensor<2x2xui8>, tensor<1xi64>, tensor<2x2xf32>) -> tensor<1x4xf32>\n"
                   "return %0 : tensor<1x4xf32>",
                   {Tensor::fromInts(ui8, {2, 2}, {0x21, 0x43, 0x0f, 0x98}), ints({1}, {1}),
                    floats({2, 2}, {1, 10, 2, 0.5})}),
               {1, 4}, {14, -16, 0, 0.5});
}
