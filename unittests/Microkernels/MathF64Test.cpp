//===- MathF64Test.cpp - double functions against long double libm --------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bounds are those of math.h: 4 ulp of a double, 1 ulp of an f32 where the f32 function
// is the double one, rounded.
//
//===----------------------------------------------------------------------===//

#include "math/math.h"

#include "Testing.h"

#include <bit>

#include <cmath>
#include <limits>

using namespace llmc::cpu;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
const double nan = std::numeric_limits<double>::quiet_NaN();

class MathF64Test : public ::testing::Test {
protected:
  void SetUp() override {
    if (!hostSupports(IsaLevel::X86_64_V3))
      GTEST_SKIP() << "the functions are built for x86_64_v3";
  }
};

/// |actual - exact| in units of the last place of a double at `exact`.
double ulps(double actual, long double exact) {
  double rounded = double(exact);
  if (std::isnan(rounded))
    return std::isnan(actual) ? 0 : inf;
  if (std::isinf(rounded) || std::isinf(actual))
    return rounded == actual ? 0 : inf;
  int exponent;
  std::frexp(exact, &exponent);
  return double(std::fabs(actual - exact) / std::ldexp(1.0L, std::max(exponent - 53, -1074)));
}

template <class F> void forEachInput(double low, double high, F &&visit) {
  std::mt19937_64 engine(7);
  for (int i = 0; i < 300000; ++i) {
    double x = std::bit_cast<double>(engine());
    if (x >= low && x <= high)
      visit(x);
  }
  double from = std::max(low, -100.0), to = std::min(high, 100.0);
  std::uniform_real_distribution<double> wide(from, to);
  std::uniform_real_distribution<double> narrow(std::max(low, -3.0), std::min(high, 3.0));
  for (int i = 0; i < 200000; ++i) {
    visit(wide(engine));
    visit(narrow(engine));
  }
  for (double x : {0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, inf, -inf})
    if (x >= low && x <= high)
      visit(x);
}

using Function = double(double);
using Exact = long double(long double);

void expectUlps(Function *f, Exact *exact, double bound, double low = -inf, double high = inf) {
  double worst = 0, at = 0;
  forEachInput(low, high, [&](double x) {
    double e = ulps(f(x), exact(x));
    if (!(e <= worst))
      worst = e, at = x;
  });
  EXPECT_LE(worst, bound) << "at " << at << ": " << f(at) << ", exact " << double(exact(at));
}

long double exactSigmoid(long double x) { return 1 / (1 + std::exp(-x)); }

TEST_F(MathF64Test, ExponentialsAndLogarithms) {
  expectUlps(llmc_uk_math_exp_f64, std::exp, 4);
  expectUlps(llmc_uk_math_expm1_f64, std::expm1, 4);
  expectUlps(llmc_uk_math_log_f64, std::log, 4);
  expectUlps(llmc_uk_math_log1p_f64, std::log1p, 4);
  expectUlps(llmc_uk_math_sigmoid_f64, exactSigmoid, 4, -700);
}
TEST_F(MathF64Test, Trigonometry) {
  expectUlps(llmc_uk_math_sin_f64, std::sin, 4, -1e9, 1e9);
  expectUlps(llmc_uk_math_cos_f64, std::cos, 4, -1e9, 1e9);
  expectUlps(llmc_uk_math_tan_f64, std::tan, 4, -1e9, 1e9);
  expectUlps(llmc_uk_math_asin_f64, std::asin, 4);
  expectUlps(llmc_uk_math_acos_f64, std::acos, 4);
  expectUlps(llmc_uk_math_atan_f64, std::atan, 4);
  EXPECT_TRUE(std::isnan(llmc_uk_math_sin_f64(inf)));
  EXPECT_TRUE(std::isnan(llmc_uk_math_tan_f64(-inf)));
}
TEST_F(MathF64Test, Hyperbolics) {
  expectUlps(llmc_uk_math_sinh_f64, std::sinh, 4);
  expectUlps(llmc_uk_math_cosh_f64, std::cosh, 4);
  expectUlps(llmc_uk_math_tanh_f64, std::tanh, 4);
  expectUlps(llmc_uk_math_asinh_f64, std::asinh, 4);
  expectUlps(llmc_uk_math_acosh_f64, std::acosh, 4);
  expectUlps(llmc_uk_math_atanh_f64, std::atanh, 4);
}
TEST_F(MathF64Test, Erf) { expectUlps(llmc_uk_math_erf_f64, std::erf, 4); }

TEST_F(MathF64Test, SinglesAreRoundedDoubles) {
  float (*const functions[])(float) = {
#define LLMC_UK_NAME(fn) llmc_uk_math_##fn##_f32,
      LLMC_UK_MATH_ROUNDED_FUNCTIONS(LLMC_UK_NAME)
#undef LLMC_UK_NAME
  };
  double (*const exact[])(double) = {std::tan,  std::asin,  std::acos,  std::atan, std::sinh,
                                     std::cosh, std::asinh, std::acosh, std::atanh};
  for (size_t f = 0; f < std::size(functions); ++f)
    for (uint64_t bits = 0; bits <= 0xffffffffu; bits += 99991) {
      float x = std::bit_cast<float>(uint32_t(bits));
      float actual = functions[f](x), expected = float(exact[f](x));
      if (f == 0 && std::fabs(x) > 1e9f)
        continue;
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(actual)) << f << " at " << x;
        continue;
      }
      EXPECT_TRUE(actual == expected || actual == std::nextafter(expected, actual))
          << f << " at " << x << ": " << actual << ", expected " << expected;
    }
}

TEST_F(MathF64Test, Pow) {
  std::mt19937_64 engine(1);
  std::uniform_real_distribution<double> logX(-300, 300), anyY(-4, 4), nearOne(0.5, 2),
      large(-1000, 1000);
  double worst = 0;
  auto check = [&](double x, double y) {
    long double exact = std::pow((long double)x, (long double)y);
    if (std::fabs(exact) < 1e-300L || std::fabs(exact) > 1e300L)
      return; // subnormal results round twice
    worst = std::max(worst, ulps(llmc_uk_math_pow_f64(x, y), exact));
  };
  for (int i = 0; i < 200000; ++i) {
    check(std::exp(logX(engine)), anyY(engine));
    check(nearOne(engine), large(engine));
  }
  EXPECT_LE(worst, 4);
}

TEST_F(MathF64Test, PowSpecialValues) {
  const double values[] = {0.0,   -0.0,   1,     -1,     2,    -2,   3,    -3,  0.5, -0.5,
                           inf,   -inf,   1e308, 1e-310, 1e10, -1e10, 4,   2.5, nan, -1e-310,
                           0x1p53 - 1, 0x1p53, 1.0000000001, 0.9999999999};
  for (double x : values)
    for (double y : values) {
      double expected = std::pow(x, y), actual = llmc_uk_math_pow_f64(x, y);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(actual)) << x << " ^ " << y;
        continue;
      }
      EXPECT_LE(ulps(actual, expected), 4) << x << " ^ " << y << " = " << actual;
      EXPECT_EQ(std::signbit(actual), std::signbit(expected)) << x << " ^ " << y;
    }
}

TEST_F(MathF64Test, FmodIsExact) {
  std::mt19937_64 engine(3);
  auto same = [](auto a, auto b) {
    return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
  };
  for (int i = 0; i < 200000; ++i) {
    double x = std::bit_cast<double>(engine()), y = std::bit_cast<double>(engine());
    EXPECT_TRUE(same(llmc_uk_math_fmod_f64(x, y), std::fmod(x, y))) << x << " % " << y;
    float a = std::bit_cast<float>(uint32_t(engine())), b = std::bit_cast<float>(uint32_t(engine()));
    EXPECT_TRUE(same(llmc_uk_math_fmod_f32(a, b), std::fmod(a, b))) << a << " % " << b;
  }
  const double values[] = {0.0, -0.0, 1, -1, 5.5, -7.25, inf, -inf, nan, 5e-324, 1e-310, 2e-308, 1e308};
  for (double x : values)
    for (double y : values)
      EXPECT_TRUE(same(llmc_uk_math_fmod_f64(x, y), std::fmod(x, y))) << x << " % " << y;
}

TEST_F(MathF64Test, NanPropagates) {
#define LLMC_UK_CHECK_NAN(fn) EXPECT_TRUE(std::isnan(llmc_uk_math_##fn##_f64(nan)));
  LLMC_UK_MATH_UNARY_FUNCTIONS(LLMC_UK_CHECK_NAN)
  LLMC_UK_MATH_ROUNDED_FUNCTIONS(LLMC_UK_CHECK_NAN)
#undef LLMC_UK_CHECK_NAN
}

} // namespace
