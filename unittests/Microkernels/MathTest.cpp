//===- MathTest.cpp - elementary functions against double libm ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bounds are those of math.h. Every 997th f32 bit pattern and a dense range per function.
//
//===----------------------------------------------------------------------===//

#include "math/math.h"

#include "Testing.h"

#include <bit>

#include <cmath>
#include <limits>

using namespace llmc::cpu;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
const float nan = std::numeric_limits<float>::quiet_NaN();

class MathTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (!hostSupports(IsaLevel::X86_64_V3))
      GTEST_SKIP() << "the functions are built for x86_64_v3";
  }
};

/// |actual - exact| in units of the last place of an f32 at `exact`.
double ulps(float actual, double exact) {
  float rounded = float(exact);
  if (std::isnan(rounded))
    return std::isnan(actual) ? 0 : inf;
  if (std::isinf(rounded) || std::isinf(actual)) // half an ulp around the largest
    return rounded == actual ? 0
                             : std::fabs(std::fabs(exact) - std::ldexp(1.0, 128)) / std::ldexp(1.0, 104);
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(actual - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

using Function = float(float);
using Exact = double(double);

template <class F> void forEachInput(float low, float high, F &&visit) {
  for (uint64_t bits = 0; bits <= 0xffffffffu; bits += 997) {
    float x = std::bit_cast<float>(uint32_t(bits));
    if (x >= low && x <= high)
      visit(x);
  }
  float from = std::max(low, -100.0f), to = std::min(high, 100.0f);
  for (int i = 0; i <= 400000; ++i)
    visit(from + (to - from) * (float(i) / 400000));
}

void expectUlps(Function *f, Exact *exact, double bound, float low = -inf, float high = inf) {
  double worst = 0;
  float at = 0;
  forEachInput(low, high, [&](float x) {
    double e = ulps(f(x), exact(x));
    if (!(e <= worst))
      worst = e, at = x;
  });
  EXPECT_LE(worst, bound) << "at " << at << ": " << f(at) << ", exact " << exact(at);
}

void expectAbsolute(Function *f, Exact *exact, double bound, float low, float high) {
  double worst = 0;
  float at = 0;
  forEachInput(low, high, [&](float x) {
    double e = std::fabs(f(x) - exact(x));
    if (!(e <= worst))
      worst = e, at = x;
  });
  EXPECT_LE(worst, bound) << "at " << at << ": " << f(at) << ", exact " << exact(at);
}

double exactSigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST_F(MathTest, Exp) {
  expectUlps(llmc_uk_math_exp_f32, std::exp, 2);
  EXPECT_EQ(llmc_uk_math_exp_f32(0), 1);
  EXPECT_EQ(llmc_uk_math_exp_f32(-inf), 0);
  EXPECT_EQ(llmc_uk_math_exp_f32(inf), inf);
}
TEST_F(MathTest, Expm1) {
  expectUlps(llmc_uk_math_expm1_f32, std::expm1, 3);
  EXPECT_TRUE(std::signbit(llmc_uk_math_expm1_f32(-0.0f)));
}
TEST_F(MathTest, Log) {
  expectUlps(llmc_uk_math_log_f32, std::log, 2);
  EXPECT_EQ(llmc_uk_math_log_f32(0), -inf);
  EXPECT_TRUE(std::isnan(llmc_uk_math_log_f32(-1)));
}
TEST_F(MathTest, Log1p) {
  expectUlps(llmc_uk_math_log1p_f32, std::log1p, 3);
  EXPECT_EQ(llmc_uk_math_log1p_f32(-1), -inf);
}
TEST_F(MathTest, Tanh) {
  expectUlps(llmc_uk_math_tanh_f32, std::tanh, 4);
  EXPECT_TRUE(std::signbit(llmc_uk_math_tanh_f32(-0.0f)));
}
TEST_F(MathTest, Sigmoid) {
  expectUlps(llmc_uk_math_sigmoid_f32, exactSigmoid, 4, -87, inf);
  expectAbsolute(llmc_uk_math_sigmoid_f32, exactSigmoid, 2e-38, -inf, -87);
}
TEST_F(MathTest, Erf) {
  expectAbsolute(llmc_uk_math_erf_f32, std::erf, 5e-7, -inf, inf);
  expectUlps(llmc_uk_math_erf_f32, std::erf, 4, -0.999f, 0.999f);
}
TEST_F(MathTest, SinCos) {
  expectAbsolute(llmc_uk_math_sin_f32, std::sin, 2e-7, -1e5f, 1e5f);
  expectAbsolute(llmc_uk_math_cos_f32, std::cos, 2e-7, -1e5f, 1e5f);
  for (int i = 0; i < 100000; ++i) { // rotary angles at integer positions
    EXPECT_NEAR(llmc_uk_math_sin_f32(float(i)), std::sin(double(i)), 2e-7);
    EXPECT_NEAR(llmc_uk_math_cos_f32(float(i)), std::cos(double(i)), 2e-7);
  }
  EXPECT_TRUE(std::isnan(llmc_uk_math_sin_f32(inf)));
  EXPECT_TRUE(std::isnan(llmc_uk_math_cos_f32(-inf)));
}

TEST_F(MathTest, Pow) {
  std::mt19937 engine(1);
  std::uniform_real_distribution<float> logX(-60, 60), anyY(-4, 4);
  double worst = 0;
  for (int i = 0; i < 1000000; ++i) {
    float x = std::exp(logX(engine)), y = anyY(engine);
    worst = std::max(worst, ulps(llmc_uk_math_pow_f32(x, y), std::pow(double(x), double(y))));
  }
  EXPECT_LE(worst, 1);
}

TEST_F(MathTest, PowSpecialValues) {
  const float values[] = {0.0f, -0.0f, 1,    -1,  2,    -2,   3,    -3,    0.5f, -0.5f,
                          inf,  -inf,  1e38f, 1e-40f, 1e10f, -1e10f, 4, 2.5f, nan,  -1e-40f,
                          16777215.0f, 16777216.0f, 1.0000001f, 0.99999994f};
  for (float x : values)
    for (float y : values) {
      float expected = float(std::pow(double(x), double(y)));
      float actual = llmc_uk_math_pow_f32(x, y);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(actual)) << x << " ^ " << y;
        continue;
      }
      EXPECT_LE(ulps(actual, expected), 1) << x << " ^ " << y << " = " << actual;
      EXPECT_EQ(std::signbit(actual), std::signbit(expected)) << x << " ^ " << y;
    }
}

TEST_F(MathTest, NanPropagates) {
#define LLMC_UK_CHECK_NAN(fn) EXPECT_TRUE(std::isnan(llmc_uk_math_##fn##_f32(nan)));
  LLMC_UK_MATH_UNARY_FUNCTIONS(LLMC_UK_CHECK_NAN)
#undef LLMC_UK_CHECK_NAN
}

} // namespace
