//===- SmallFloatsTest.cpp - floats of 8 and 4 bits -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values of chosen codes are those of the formats' definitions (Open Compute Project OFP8
// and MX, and the "FNUZ" formats of ONNX). Every code decodes to a value that encodes back,
// and values between two codes round to the nearer one, halfway to the even one.
//
//===----------------------------------------------------------------------===//

#include "math/math.h"

#include "Testing.h"

#include <cmath>
#include <limits>

using namespace llmc::cpu;

namespace {

using Decode = float(int32_t);
using Encode = int32_t(float, int32_t);

constexpr float inf = std::numeric_limits<float>::infinity();

class SmallFloatsTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (!hostSupports(IsaLevel::X86_64_V3))
      GTEST_SKIP() << "the functions are built for x86_64_v3";
  }
};

/// `codes` positive codes from 0 on are finite.
void expectRoundTrip(Decode *decode, Encode *encode, int codes, int signBit) {
  for (int code = 0; code < codes; ++code) {
    float value = decode(code);
    EXPECT_EQ(encode(value, 1), code) << value;
    EXPECT_EQ(encode(value, 0), code) << value;
    if (signBit && code) {
      EXPECT_EQ(decode(code | signBit), -value);
      EXPECT_EQ(encode(-value, 1), code | signBit) << value;
    }
    if (code + 1 == codes)
      continue;
    float next = decode(code + 1), middle = (value + next) / 2;
    EXPECT_LT(value, next);
    EXPECT_EQ(encode(middle, 1), code % 2 ? code + 1 : code) << middle;
    EXPECT_EQ(encode(std::nextafter(middle, -inf), 1), code) << middle;
    EXPECT_EQ(encode(std::nextafter(middle, inf), 1), code + 1) << middle;
  }
}

TEST_F(SmallFloatsTest, RoundTrips) {
  expectRoundTrip(llmc_uk_math_decode_f8e4m3fn_f32, llmc_uk_math_encode_f8e4m3fn_f32, 0x7f, 0x80);
  expectRoundTrip(llmc_uk_math_decode_f8e4m3fnuz_f32, llmc_uk_math_encode_f8e4m3fnuz_f32, 0x80,
                  0x80);
  expectRoundTrip(llmc_uk_math_decode_f8e5m2_f32, llmc_uk_math_encode_f8e5m2_f32, 0x7c, 0x80);
  expectRoundTrip(llmc_uk_math_decode_f8e5m2fnuz_f32, llmc_uk_math_encode_f8e5m2fnuz_f32, 0x80,
                  0x80);
  expectRoundTrip(llmc_uk_math_decode_f4e2m1fn_f32, llmc_uk_math_encode_f4e2m1fn_f32, 8, 8);
  for (int code = 0; code < 255; ++code)
    EXPECT_EQ(llmc_uk_math_encode_f8e8m0fnu_f32(llmc_uk_math_decode_f8e8m0fnu_f32(code), 1), code);
}

TEST_F(SmallFloatsTest, Values) {
  EXPECT_EQ(llmc_uk_math_decode_f8e4m3fn_f32(0x7e), 448);
  EXPECT_EQ(llmc_uk_math_decode_f8e4m3fn_f32(1), 0x1p-9f);
  EXPECT_EQ(llmc_uk_math_decode_f8e4m3fnuz_f32(0x7f), 240);
  EXPECT_EQ(llmc_uk_math_decode_f8e4m3fnuz_f32(1), 0x1p-10f);
  EXPECT_EQ(llmc_uk_math_decode_f8e5m2_f32(0x7b), 57344);
  EXPECT_EQ(llmc_uk_math_decode_f8e5m2_f32(0xfc), -inf);
  EXPECT_EQ(llmc_uk_math_decode_f8e5m2_f32(1), 0x1p-16f);
  EXPECT_EQ(llmc_uk_math_decode_f8e5m2fnuz_f32(0x7f), 57344);
  EXPECT_EQ(llmc_uk_math_decode_f8e5m2fnuz_f32(1), 0x1p-17f);
  EXPECT_EQ(llmc_uk_math_decode_f8e8m0fnu_f32(127), 1);
  EXPECT_EQ(llmc_uk_math_decode_f8e8m0fnu_f32(254), 0x1p127f);
  const float four[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (int code = 0; code < 8; ++code)
    EXPECT_EQ(llmc_uk_math_decode_f4e2m1fn_f32(code), four[code]);
}

TEST_F(SmallFloatsTest, BeyondTheRange) {
  for (float x : {1e6f, inf}) {
    EXPECT_EQ(llmc_uk_math_encode_f8e4m3fn_f32(x, 1), 0x7e);
    EXPECT_EQ(llmc_uk_math_encode_f8e4m3fn_f32(-x, 1), 0xfe);
    EXPECT_EQ(llmc_uk_math_encode_f8e4m3fn_f32(x, 0), 0x7f);
    EXPECT_EQ(llmc_uk_math_encode_f8e4m3fnuz_f32(x, 1), 0x7f);
    EXPECT_EQ(llmc_uk_math_encode_f8e4m3fnuz_f32(-x, 0), 0x80);
    EXPECT_EQ(llmc_uk_math_encode_f8e5m2_f32(x, 1), 0x7b);
    EXPECT_EQ(llmc_uk_math_encode_f8e5m2_f32(-x, 0), 0xfc);
    EXPECT_EQ(llmc_uk_math_encode_f8e5m2fnuz_f32(-x, 1), 0xff);
    EXPECT_EQ(llmc_uk_math_encode_f8e5m2fnuz_f32(x, 0), 0x80);
    EXPECT_EQ(llmc_uk_math_encode_f4e2m1fn_f32(-x, 0), 15);
  }
  // 464 is halfway to the first value that the format lacks: to even, so finite.
  EXPECT_EQ(llmc_uk_math_encode_f8e4m3fn_f32(464, 0), 0x7e);
  EXPECT_EQ(llmc_uk_math_encode_f8e4m3fn_f32(464.1f, 0), 0x7f);
}

TEST_F(SmallFloatsTest, ZeroAndNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(llmc_uk_math_encode_f8e4m3fn_f32(-0.0f, 1), 0x80);
  EXPECT_EQ(llmc_uk_math_encode_f8e4m3fnuz_f32(-0.0f, 1), 0);
  EXPECT_EQ(llmc_uk_math_encode_f8e5m2fnuz_f32(-1e-20f, 1), 0);
  EXPECT_TRUE(std::isnan(llmc_uk_math_decode_f8e4m3fn_f32(llmc_uk_math_encode_f8e4m3fn_f32(nan, 1))));
  EXPECT_EQ(llmc_uk_math_encode_f8e4m3fnuz_f32(nan, 1), 0x80);
  EXPECT_TRUE(std::isnan(llmc_uk_math_decode_f8e4m3fnuz_f32(0x80)));
  EXPECT_TRUE(std::isnan(llmc_uk_math_decode_f8e5m2_f32(llmc_uk_math_encode_f8e5m2_f32(nan, 1))));
  EXPECT_TRUE(std::isnan(llmc_uk_math_decode_f8e5m2fnuz_f32(0x80)));
  EXPECT_EQ(llmc_uk_math_encode_f8e8m0fnu_f32(nan, 1), 255);
  EXPECT_EQ(llmc_uk_math_encode_f8e8m0fnu_f32(-1, 1), 255);
  EXPECT_TRUE(std::isnan(llmc_uk_math_decode_f8e8m0fnu_f32(255)));
}

} // namespace
