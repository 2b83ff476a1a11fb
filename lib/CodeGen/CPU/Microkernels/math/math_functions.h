//===- math_functions.h - bodies of the elementary functions --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bounds in math.h. Conversions to integer see clamped values only: a vectorised select
// evaluates both sides, so every side must be defined for every input.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_MATH_FUNCTIONS_H
#define LLMC_UK_MATH_FUNCTIONS_H

#include "coefficients.h"
#include <stdint.h>

namespace llmc_uk_math {
namespace {

#define LLMC_UK_MATH_INLINE inline __attribute__((always_inline))

template <class T, int N> LLMC_UK_MATH_INLINE T horner(T x, const T (&c)[N]) {
  T p = c[N - 1];
#pragma unroll
  for (int i = N - 2; i >= 0; --i)
    p = __builtin_elementwise_fma(p, x, c[i]);
  return p;
}

LLMC_UK_MATH_INLINE float fma(float a, float b, float c) {
  return __builtin_elementwise_fma(a, b, c);
}
LLMC_UK_MATH_INLINE float fromBits(int32_t i) { return __builtin_bit_cast(float, i); }
LLMC_UK_MATH_INLINE int32_t toBits(float x) { return __builtin_bit_cast(int32_t, x); }
LLMC_UK_MATH_INLINE float power2(int32_t n) { return fromBits((n + 127) << 23); }

/// x = n ln2 + r: returns e^r - 1 and n. x must be in [expLowest, expHighest].
LLMC_UK_MATH_INLINE float expReduced(float x, int32_t &n) {
  float k = __builtin_roundevenf(x * log2e);
  float r = fma(k, -ln2High, x);
  r = fma(k, -ln2Low, r);
  n = (int32_t)k;
  return fma(horner(r, expPoly), r * r, r);
}

/// NaN becomes `lo`.
LLMC_UK_MATH_INLINE float clamp(float x, float lo, float hi) {
  x = x > lo ? x : lo;
  return x < hi ? x : hi;
}

LLMC_UK_MATH_INLINE float exp(float x) {
  int32_t n;
  float p = expReduced(clamp(x, expLowest, expHighest), n) + 1.0f;
  // 2^n in two factors: n reaches -150 and 128, one factor ends at -126 and 127.
  int32_t half = n >> 1;
  float r = p * power2(half) * power2(n - half);
  return x != x ? x : r;
}

LLMC_UK_MATH_INLINE float expm1(float x) {
  int32_t n;
  float p = expReduced(clamp(x, -30.0f, expHighest), n);
  // 2^(n-1) so that n = 128 stays finite before the last doubling
  float s = power2(n - 1);
  float r = fma(p, s, s - 0.5f) * 2.0f;
  r = n == 0 ? p : r;
  return x != x || x == 0 ? x : r;
}

/// log(m 2^e + low) given 1 + f = m in [sqrt(1/2), sqrt(2)).
LLMC_UK_MATH_INLINE float logReduced(float f, float low, float e) {
  float f2 = f * f;
  float p = fma(horner(f, logPoly), f * f2, fma(e, ln2Low, low));
  p = fma(f2, -0.5f, p);
  return fma(e, ln2High, f + p);
}

/// Splits positive, finite, normal x = m 2^e.
LLMC_UK_MATH_INLINE float splitExponent(float x, int32_t &e) {
  int32_t bits = toBits(x);
  e = (bits - 0x3f3504f3) >> 23; // sqrt(1/2)
  return fromBits(bits - (int32_t)((uint32_t)e << 23));
}

LLMC_UK_MATH_INLINE float log(float x) {
  const float inf = __builtin_inff();
  bool tiny = x < 0x1p-126f;
  int32_t e;
  float m = splitExponent(tiny ? x * 0x1p24f : x, e);
  float r = logReduced(m - 1.0f, 0.0f, (float)(tiny ? e - 24 : e));
  r = x == 0 ? -inf : r;
  r = x < 0 ? __builtin_nanf("") : r;
  return x == inf || x != x ? x : r;
}

LLMC_UK_MATH_INLINE float log1p(float x) {
  const float inf = __builtin_inff();
  float u = 1.0f + x;
  // u = 1 + x - c exactly, with the larger operand taken off first
  float c = x < 1.0f ? x - (u - 1.0f) : 1.0f - (u - x);
  int32_t e;
  float m = splitExponent(u, e);
  float r = logReduced(m - 1.0f, c / u, (float)e);
  r = x == -1.0f ? -inf : r;
  r = x < -1.0f ? __builtin_nanf("") : r;
  return x == inf || x != x || x == 0 ? x : r;
}

LLMC_UK_MATH_INLINE float tanh(float x) {
  float a = __builtin_fabsf(x), y = x * x;
  float small = fma(horner(y, tanhPoly) * y, a, a);
  float large = 1.0f - 2.0f / (exp(a + a) + 1.0f);
  return __builtin_copysignf(a < tanhSplit ? small : large, x);
}

LLMC_UK_MATH_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

LLMC_UK_MATH_INLINE float erf(float x) {
  float a = __builtin_fabsf(x);
  float small = a * horner(x * x, erfSmall);
  float large = 1.0f - exp(horner(a < 4.0f ? a : 4.0f, erfLarge));
  float r = __builtin_copysignf(a < 1.0f ? small : large, x);
  return x != x ? x : r;
}

/// sin(x + quarter * pi/2)
LLMC_UK_MATH_INLINE float sinQuarter(float x, int32_t quarter) {
  float n = __builtin_roundevenf(clamp(x, -1e8f, 1e8f) * twoOverPi);
  float r = fma(n, -halfPi1, x);
  r = fma(n, -halfPi2, r);
  r = fma(n, -halfPi3, r);
  int32_t q = (int32_t)n + quarter;
  float y = r * r;
  float s = fma(horner(y, sinPoly) * y, r, r);
  float c = fma(horner(y, cosPoly), y * y, fma(y, -0.5f, 1.0f));
  float v = q & 1 ? c : s;
  v = fromBits(toBits(v) ^ (int32_t)((uint32_t)(q & 2) << 30));
  return __builtin_fabsf(x) == __builtin_inff() ? __builtin_nanf("") : v;
}
LLMC_UK_MATH_INLINE float sin(float x) { return sinQuarter(x, 0); }
LLMC_UK_MATH_INLINE float cos(float x) { return sinQuarter(x, 1); }

/// log2 of |x| in double: positive, finite, not zero.
LLMC_UK_MATH_INLINE double log2Wide(double x) {
  int64_t bits = __builtin_bit_cast(int64_t, x);
  int64_t e = (bits - 0x3fe6a09e667f3bcd) >> 52; // sqrt(1/2)
  double m = __builtin_bit_cast(double, bits - (int64_t)((uint64_t)e << 52));
  double s = (m - 1.0) / (m + 1.0);
  return __builtin_elementwise_fma(s, horner(s * s, powLog), (double)(int32_t)e);
}

LLMC_UK_MATH_INLINE float pow(float x, float y) {
  const double inf = __builtin_inf();
  double a = __builtin_fabs((double)x);
  double l = log2Wide(a);
  l = a == 0 ? -inf : l;
  l = a == inf ? inf : l;
  double t = l == 0 ? 0.0 : (double)y * l; // 1^inf = 1
  // NaN (0 * inf) is y == 0 only and becomes -160, replaced below
  t = t > -160.0 ? t : -160.0;
  t = t < 160.0 ? t : 160.0;
  double n = __builtin_roundeven(t);
  double p = horner(t - n, powExp);
  double scale = __builtin_bit_cast(double, ((int64_t)(int32_t)n + 1023) << 52);
  float r = (float)(p * scale);
  float half = y * 0.5f;
  bool isInteger = __builtin_floorf(y) == y;
  bool isOdd = isInteger && __builtin_fabsf(y) < 0x1p24f && __builtin_floorf(half) != half;
  bool isNegative = toBits(x) < 0;
  bool isFinite = a < inf && a > 0;
  r = isNegative && isOdd ? -r : r;
  bool isInfY = __builtin_fabsf(y) == __builtin_inff();
  r = isNegative && isFinite && !isInteger && !isInfY ? __builtin_nanf("") : r;
  r = x != x || y != y ? x + y : r;
  return y == 0 || x == 1.0f ? 1.0f : r;
}

} // namespace
} // namespace llmc_uk_math

#endif // LLMC_UK_MATH_FUNCTIONS_H
