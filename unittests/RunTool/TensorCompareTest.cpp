//===- TensorCompareTest.cpp - what counts as equal ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TensorCompare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace llmc::run;

namespace {

constexpr float NaN = std::numeric_limits<float>::quiet_NaN();
constexpr float Inf = std::numeric_limits<float>::infinity();

template <typename T> HostTensor make(uint32_t dtype, const std::vector<T> &values) {
  HostTensor tensor;
  tensor.dtype = dtype;
  tensor.dims = {static_cast<int64_t>(values.size())};
  const auto *bytes = reinterpret_cast<const uint8_t *>(values.data());
  tensor.bytes.assign(bytes, bytes + values.size() * sizeof(T));
  return tensor;
}

HostTensor f32(const std::vector<float> &values) { return make(LLMC_DTYPE_F32, values); }

Comparison compare(const std::vector<float> &expected, const std::vector<float> &actual,
                   Tolerance tolerance = {}) {
  return compareTensors(f32(expected), f32(actual), tolerance);
}

TEST(TensorCompare, ErrorIsRelativeToTheLargestMagnitude) {
  Comparison result = compare({0, -100}, {0.0625f, -100});
  EXPECT_TRUE(result.isMatch);
  EXPECT_DOUBLE_EQ(result.maxAbsError, 0.0625);
  EXPECT_DOUBLE_EQ(result.maxRelError, 0.000625);
  result = compare({1, 0, 100}, {1, 0.125f, 100.25f});
  EXPECT_FALSE(result.isMatch);
  EXPECT_EQ(result.numMismatches, 2u);
  EXPECT_EQ(result.firstMismatch, 1u);
}

TEST(TensorCompare, AbsoluteToleranceIsAdded) {
  EXPECT_FALSE(compare({0, 0}, {0.5f, 0}).isMatch);
  EXPECT_TRUE(compare({0, 0}, {0.5f, 0}, {0, 0.5}).isMatch);
}

TEST(TensorCompare, ExpectedNaNIsNotCompared) {
  Comparison result = compare({NaN, 2, NaN}, {7, 2, NaN});
  EXPECT_TRUE(result.isMatch);
  EXPECT_EQ(result.numCompared, 1u);
  EXPECT_FALSE(compare({1, 2}, {1, NaN}).isMatch);
}

TEST(TensorCompare, InfinityMatchesItself) {
  EXPECT_TRUE(compare({Inf, -Inf, 1}, {Inf, -Inf, 1}).isMatch);
  EXPECT_FALSE(compare({Inf}, {-Inf}).isMatch);
  EXPECT_FALSE(compare({Inf, 1}, {1e30f, 1}).isMatch);
  EXPECT_FALSE(compare({1}, {Inf}).isMatch);
}

TEST(TensorCompare, ElementwiseIsRelativeToEachElement) {
  constexpr Tolerance Elementwise = {0.5, 0.25, true};
  EXPECT_TRUE(compare({100, 1, 0}, {150, 1.75f, -0.25f}, Elementwise).isMatch);
  Comparison result = compare({100, 1, 0}, {100, 1.875f, 0.5f}, Elementwise);
  EXPECT_EQ(result.numMismatches, 2u);
  EXPECT_EQ(result.firstMismatch, 1u);
}

TEST(TensorCompare, ElementwiseNaNMatchesNaNOnly) {
  constexpr Tolerance Elementwise = {0.5, 0, true};
  EXPECT_TRUE(compare({NaN, 2}, {NaN, 2}, Elementwise).isMatch);
  EXPECT_FALSE(compare({NaN, 2}, {7, 2}, Elementwise).isMatch);
  EXPECT_FALSE(compare({1}, {NaN}, Elementwise).isMatch);
  EXPECT_TRUE(compare({Inf, -Inf}, {Inf, -Inf}, Elementwise).isMatch);
  EXPECT_FALSE(compare({Inf}, {1e30f}, Elementwise).isMatch);
  EXPECT_FALSE(compare({Inf}, {-Inf}, Elementwise).isMatch);
}

TEST(TensorCompare, IntegersMustBeEqual) {
  // Neighbours that double cannot tell apart.
  int64_t big = (int64_t{1} << 53) + 1;
  HostTensor expected = make<int64_t>(LLMC_DTYPE_I64, {big});
  EXPECT_TRUE(compareTensors(expected, expected, {}).isMatch);
  EXPECT_FALSE(compareTensors(expected, make<int64_t>(LLMC_DTYPE_I64, {big - 1}), {1, 1}).isMatch);
}

TEST(TensorCompare, HalfTypes) {
  HostTensor half = make<uint16_t>(LLMC_DTYPE_F16, {0x3c00, 0xc000, 0x0001});
  EXPECT_EQ(loadAsDouble(half.dtype, half.bytes.data(), 1), -2.0);
  EXPECT_EQ(loadAsDouble(half.dtype, half.bytes.data(), 2), std::ldexp(1, -24));
  HostTensor brain = make<uint16_t>(LLMC_DTYPE_BF16, {0x3fc0, 0x7f80});
  EXPECT_EQ(loadAsDouble(brain.dtype, brain.bytes.data(), 0), 1.5);
  EXPECT_TRUE(std::isinf(loadAsDouble(brain.dtype, brain.bytes.data(), 1)));
  EXPECT_TRUE(compareTensors(half, half, {}).isMatch);
}

TEST(TensorCompare, ShapeAndTypeAreNamed) {
  Comparison result = compare({1, 2}, {1});
  EXPECT_FALSE(result.isMatch);
  EXPECT_EQ(result.problem, "expected f32[2], got f32[1]");
  result = compareTensors(f32({1}), make<double>(LLMC_DTYPE_F64, {1}), {});
  EXPECT_EQ(result.problem, "expected f32[1], got f64[1]");
}

TEST(TensorCompare, EmptyTensorsMatch) { EXPECT_TRUE(compare({}, {}).isMatch); }

} // namespace
