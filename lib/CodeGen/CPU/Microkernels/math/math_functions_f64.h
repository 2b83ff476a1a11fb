//===- math_functions_f64.h - elementary functions in double --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bounds in math.h. Functions of f32 that no language model needs fast are these,
// rounded. Reductions and splits rely on exact differences: no contraction but by fma.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_MATH_FUNCTIONS_F64_H
#define LLMC_UK_MATH_FUNCTIONS_F64_H

#include "math_functions.h"

namespace llmc_uk_math {
namespace f64 {
namespace {

constexpr double inf = __builtin_inf();
constexpr double nan = __builtin_nan("");
// pi/2 in three parts of 53 bits, and ln 2 whose high part has 33 bits: n * high is exact.
constexpr double halfPi1 = 0x1.921fb54442d18p+0;
constexpr double halfPi2 = 0x1.1a62633145c07p-54;
constexpr double halfPi3 = -0x1.f1976b7ed8fbcp-110;
constexpr double ln2High = 0x1.62e42fee00000p-1;
constexpr double ln2Low = 0x1.a39ef35793c76p-33;
constexpr double ln2Lowest = 0x1.cc01f97b57a08p-87;

// e^r = 1 + r + r^2 P(r), |r| <= ln(2)/2: the Taylor series, remainder 2e-18.
constexpr double expPoly[] = {1.0 / 2,         1.0 / 6,          1.0 / 24,
                              1.0 / 120,       1.0 / 720,        1.0 / 5040,
                              1.0 / 40320,     1.0 / 362880,     1.0 / 3628800,
                              1.0 / 39916800,  1.0 / 479001600,  1.0 / 6227020800};
// log((1+s)/(1-s)) = 2s + s^3 P(s^2), |s| <= 0.1716: the Taylor series, remainder 1e-18.
constexpr double logPoly[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                              2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
// sin(r) = r + r^3 P(r^2), cos(r) = 1 - r^2/2 + r^4 P(r^2), |r| <= pi/4: Taylor, 1e-18.
constexpr double sinPoly[] = {-1.0 / 6,          1.0 / 120,          -1.0 / 5040,
                              1.0 / 362880,      -1.0 / 39916800,    1.0 / 6227020800,
                              -1.0 / 1307674368000, 1.0 / 355687428096000};
constexpr double cosPoly[] = {1.0 / 24,         -1.0 / 720,       1.0 / 40320,
                              -1.0 / 3628800,   1.0 / 479001600,  -1.0 / 87178291200,
                              1.0 / 20922789888000};
// atan(x) = x + x^3 P(x^2), |x| <= tan(pi/8). This and the next two interpolate at
// Chebyshev nodes in 50 digits; relative error 3e-18.
constexpr double atanPoly[] = {-0.3333333333333333,   0.19999999999999804,
                               -0.14285714285659828,  0.11111111105155447,
                               -0.09090908753500877,  0.07692296375032143,
                               -0.06666424885738255,  0.05878928997834775,
                               -0.05230454270650244,  0.04551593220626549,
                               -0.034570561981427744, 0.016285756855221028};
// erf(x) = x P(x^2), |x| <= 1; relative error 1.6e-17
constexpr double erfSmall[] = {1.1283791670955126,      -0.3761263890318375,
                               0.11283791670954879,     -0.026866170645076792,
                               0.0052239776248180145,   -0.000854832698083379,
                               0.0001205533111164271,   -1.4925595266831182e-05,
                               1.6461000484121368e-06,  -1.6350312701054695e-07,
                               1.4659775274047436e-08,  -1.1372848856791674e-09,
                               5.957176147748911e-11};
// erfc(x) = exp(-x^2) P((x - 2) / (x + 2)), 1 <= x <= 6; relative error 5e-17
constexpr double erfLarge[] = {0.25539567631050575,    -0.4271858474139585,
                               0.24165819424246585,    -0.07897858101570611,
                               0.0037328924043978336,  0.006997461736971578,
                               -0.00084714325299195,   -0.0009819769411038642,
                               4.355558686575482e-05,  0.00017435947400205157,
                               2.7527175557227246e-05, -2.7562209161129353e-05,
                               -1.3998283772784976e-05, 1.3058577122278017e-06,
                               4.011749647325067e-06,  1.272567661840228e-06,
                               -1.1352571477273627e-06};

#pragma clang fp contract(off)

LLMC_UK_MATH_INLINE double fma(double a, double b, double c) {
  return __builtin_elementwise_fma(a, b, c);
}
LLMC_UK_MATH_INLINE double fromBits(int64_t i) { return __builtin_bit_cast(double, i); }
LLMC_UK_MATH_INLINE int64_t toBits(double x) { return __builtin_bit_cast(int64_t, x); }
LLMC_UK_MATH_INLINE double power2(int32_t n) { return fromBits((int64_t)(n + 1023) << 52); }
LLMC_UK_MATH_INLINE double abs(double x) { return __builtin_fabs(x); }
LLMC_UK_MATH_INLINE double sqrt(double x) { return __builtin_elementwise_sqrt(x); }

/// NaN becomes `lo`.
LLMC_UK_MATH_INLINE double clamp(double x, double lo, double hi) {
  x = x > lo ? x : lo;
  return x < hi ? x : hi;
}

/// x + low = n ln2 + r: returns e^r - 1 and n, for |x| < 1100.
LLMC_UK_MATH_INLINE double expReduced(double x, double low, int32_t &n) {
  double k = __builtin_roundeven(x * 1.4426950408889634);
  double r = fma(k, -ln2High, x);
  double c = fma(k, -ln2Low, low);
  n = (int32_t)k;
  double s = r + c;
  double rest = c - (s - r);
  return s + (fma(horner(s, expPoly), s * s, rest));
}

/// exp(x + low)
LLMC_UK_MATH_INLINE double expWide(double x, double low) {
  int32_t n;
  // Beyond this range the result is 0 or infinite.
  double p = expReduced(clamp(x, -760.0, 720.0), low, n) + 1.0;
  int32_t half = n >> 1;
  return p * power2(half) * power2(n - half);
}

LLMC_UK_MATH_INLINE double exp(double x) {
  double r = expWide(x, 0.0);
  return x != x ? x : r;
}

LLMC_UK_MATH_INLINE double expm1(double x) {
  int32_t n;
  double p = expReduced(clamp(x, -50.0, 710.0), 0.0, n);
  double s = power2(n - 1); // so that n = 1024 stays finite before the last doubling
  double r = fma(p, s, s - 0.5) * 2.0;
  r = n == 0 ? p : r;
  return x != x || x == 0 ? x : r;
}

/// A number as a sum of two, the second much smaller.
struct Pair {
  double high, low;
};

LLMC_UK_MATH_INLINE Pair sum(double large, double small) {
  double high = large + small;
  return {high, small - (high - large)};
}

/// log(m 2^e + low 2^e) for m in [sqrt(1/2), sqrt(2)), to about 2^-70 of it.
LLMC_UK_MATH_INLINE Pair logWide(double m, double low, double e) {
  double f = m - 1.0;                  // exact
  Pair u = sum(2.0, f);                // 2 + f
  u.low += low;
  Pair g = sum(f, low);
  double s = g.high / u.high;
  double sLow = (fma(-s, u.high, g.high) - s * u.low + g.low) / u.high;
  // 2s + (2/3) s^3 + s^5 P(s^2), the first two as pairs
  double y = s * s, yLow = fma(s, s, -y) + 2.0 * s * sLow;
  double cube = y * s, cubeLow = fma(y, s, -cube) + yLow * s + y * sLow;
  constexpr double third = 0x1.5555555555555p-1, thirdLow = 0x1.5555555555555p-55;
  double c = cube * third, cLow = fma(cube, third, -c) + cube * thirdLow + cubeLow * third;
  double tail = 0.0;
#pragma unroll
  for (int i = 9; i >= 1; --i)
    tail = fma(tail, y, logPoly[i]);
  tail *= cube * y;
  Pair a = sum(2.0 * s, c);
  a.low += 2.0 * sLow + cLow + tail;
  double scaled = e * ln2High;         // exact
  double scaledLow = e * ln2Low, scaledLowest = fma(e, ln2Low, -scaledLow) + e * ln2Lowest;
  Pair b = e == 0 ? Pair{a.high, 0.0} : sum(scaled, a.high);
  Pair d = sum(b.high, scaledLow);
  return sum(d.high, d.low + b.low + scaledLowest + a.low);
}

/// Splits positive, finite, normal x = m 2^e.
LLMC_UK_MATH_INLINE double splitExponent(double x, double &e) {
  int64_t bits = toBits(x);
  int64_t n = (bits - 0x3fe6a09e667f3bcd) >> 52; // sqrt(1/2)
  e = (double)(int32_t)n;
  return fromBits(bits - (int64_t)((uint64_t)n << 52));
}

LLMC_UK_MATH_INLINE Pair logPair(double x) {
  bool tiny = x < 0x1p-1022;
  double e, m = splitExponent(tiny ? x * 0x1p54 : x, e);
  return logWide(m, 0.0, tiny ? e - 54 : e);
}

LLMC_UK_MATH_INLINE double log(double x) {
  double r = logPair(x).high;
  r = x == 0 ? -inf : r;
  r = x < 0 ? nan : r;
  return x == inf || x != x ? x : r;
}

LLMC_UK_MATH_INLINE double log1p(double x) {
  double u = 1.0 + x;
  double c = x < 1.0 ? x - (u - 1.0) : 1.0 - (u - x); // 1 + x = u + c
  double e, m = splitExponent(u, e);
  // From 2^60 on c is nothing beside u, and a scale of 2^-e leaves the normal range.
  double scale = power2(-(int32_t)clamp(e, -60.0, 60.0));
  double r = logWide(m, e > 60 ? 0.0 : c * scale, e).high;
  r = x == -1.0 ? -inf : r;
  r = x < -1.0 ? nan : r;
  return x == inf || x != x || abs(x) < 0x1p-54 ? x : r;
}

LLMC_UK_MATH_INLINE double pow(double x, double y) {
  double a = abs(x);
  Pair l = logPair(a);
  double t = y * l.high, tLow = fma(y, l.high, -t) + y * l.low;
  // Where the logarithm or the product is not finite the low part has no meaning.
  bool isFinite = a > 0 && a < inf && abs(t) < 1000.0;
  t = a == 0 ? -inf * y : a == inf ? inf * y : t;
  t = l.high == 0 && isFinite ? 0.0 : t;
  double r = expWide(t, isFinite ? tLow : 0.0);
  bool isInteger = __builtin_floor(y) == y;
  bool isOdd = isInteger && abs(y) < 0x1p53 && __builtin_floor(y * 0.5) != y * 0.5;
  bool isNegative = toBits(x) < 0;
  r = isNegative && isOdd ? -r : r;
  r = isNegative && a > 0 && a < inf && !isInteger && abs(y) < inf ? nan : r;
  r = a == 1.0 && abs(y) == inf ? 1.0 : r;
  r = x != x || y != y ? x + y : r;
  return y == 0 || x == 1.0 ? 1.0 : r;
}

struct SinCos {
  double sin, cos;
  int32_t quarter;
};
/// Sine and cosine of x - n pi/2 with |n| < 2^52, and n modulo 4.
LLMC_UK_MATH_INLINE SinCos sinCosReduced(double x) {
  double n = __builtin_roundeven(clamp(x, -0x1p51, 0x1p51) * 0.6366197723675814);
  double r = fma(n, -halfPi1, x);
  double second = n * halfPi2, secondLow = fma(n, halfPi2, -second);
  double high = r - second;
  double low = ((r - high) - second) - secondLow - n * halfPi3;
  Pair reduced = sum(high, low);
  r = reduced.high;
  double y = r * r;
  double s = fma(horner(y, sinPoly) * y, r, reduced.low) + r;
  double half = 0.5 * y, one = 1.0 - half;
  double c = one + (((1.0 - one) - half) + fma(horner(y, cosPoly) * y, y, -r * reduced.low));
  return {s, c, (int32_t)(n - 4.0 * __builtin_floor(n * 0.25))};
}

LLMC_UK_MATH_INLINE double sinQuarter(double x, int32_t quarter) {
  SinCos v = sinCosReduced(x);
  int32_t q = v.quarter + quarter;
  double r = q & 1 ? v.cos : v.sin;
  r = q & 2 ? -r : r;
  r = x == 0 && quarter == 0 ? x : r;
  return abs(x) == inf ? nan : r;
}
LLMC_UK_MATH_INLINE double sin(double x) { return sinQuarter(x, 0); }
LLMC_UK_MATH_INLINE double cos(double x) { return sinQuarter(x, 1); }
LLMC_UK_MATH_INLINE double tan(double x) {
  SinCos v = sinCosReduced(x);
  double r = v.quarter & 1 ? -v.cos / v.sin : v.sin / v.cos;
  r = x == 0 ? x : r;
  return abs(x) == inf ? nan : r;
}

LLMC_UK_MATH_INLINE double atan(double x) {
  double a = abs(x);
  // atan(a) = pi/2 - atan(1/a), and pi/4 + atan((a - 1) / (a + 1)) around 1
  bool isLarge = a > 2.414213562373095, isMiddle = a > 0.41421356237309503;
  double n = isLarge ? -1.0 : isMiddle ? a - 1.0 : a;
  double d = isLarge ? a : isMiddle ? a + 1.0 : 1.0;
  double t = n / d, y = t * t;
  double offset = isLarge ? halfPi1 : isMiddle ? 0.5 * halfPi1 : 0.0;
  double offsetLow = isLarge ? halfPi2 : isMiddle ? 0.5 * halfPi2 : 0.0;
  double r = offset + (fma(horner(y, atanPoly) * y, t, offsetLow) + t);
  r = __builtin_copysign(r, x);
  return x != x ? x : r;
}
LLMC_UK_MATH_INLINE double asin(double x) { return atan(x / sqrt((1.0 - x) * (1.0 + x))); }
LLMC_UK_MATH_INLINE double acos(double x) {
  return 2.0 * atan(sqrt((1.0 - x) / (1.0 + x)));
}

LLMC_UK_MATH_INLINE double sinh(double x) {
  double a = abs(x), e = expm1(a < 30.0 ? a : 30.0), h = exp(0.5 * a);
  double r = a < 22.0 ? 0.5 * (e + e / (e + 1.0)) : 0.5 * h * h;
  r = __builtin_copysign(r, x);
  return x != x ? x : r;
}
LLMC_UK_MATH_INLINE double cosh(double x) {
  double a = abs(x), e = exp(a < 30.0 ? a : 30.0), h = exp(0.5 * a);
  double r = a < 22.0 ? 0.5 * (e + 1.0 / e) : 0.5 * h * h;
  return x != x ? x : r;
}
LLMC_UK_MATH_INLINE double tanh(double x) {
  double a = abs(x), e = expm1(2.0 * (a < 30.0 ? a : 30.0));
  double r = __builtin_copysign(e / (e + 2.0), x);
  return x != x ? x : r;
}
LLMC_UK_MATH_INLINE double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

LLMC_UK_MATH_INLINE double asinh(double x) {
  double a = abs(x), small = a < 0x1p28 ? a : 0x1p28, y = small * small;
  double r = log1p(small + y / (1.0 + sqrt(y + 1.0)));
  r = a < 0x1p28 ? r : log(a) + (ln2High + ln2Low);
  r = __builtin_copysign(r, x);
  return x != x ? x : r;
}
LLMC_UK_MATH_INLINE double acosh(double x) {
  double t = (x < 0x1p28 ? x : 0x1p28) - 1.0;
  double r = log1p(t + sqrt(t * (t + 2.0)));
  r = x < 0x1p28 ? r : log(x) + (ln2High + ln2Low);
  r = x < 1.0 ? nan : r;
  return x != x ? x : r;
}
LLMC_UK_MATH_INLINE double atanh(double x) {
  double a = abs(x);
  double r = __builtin_copysign(0.5 * log1p(2.0 * a / (1.0 - a)), x);
  return x != x ? x : r;
}

LLMC_UK_MATH_INLINE double erf(double x) {
  double a = abs(x);
  double small = a * horner(x * x, erfSmall);
  double b = clamp(a, 1.0, 6.0);
  double large = 1.0 - exp(-b * b) * horner((b - 2.0) / (b + 2.0), erfLarge);
  double r = __builtin_copysign(a < 1.0 ? small : large, x);
  return x != x ? x : r;
}

} // namespace
} // namespace f64

namespace {

/// Remainder of the dividend's sign: exact, by long division of the fractions.
template <class T, class Bits, int fraction>
LLMC_UK_MATH_INLINE T remainder(T x, T y) {
  constexpr int width = sizeof(T) * 8, exponents = width - 1 - fraction;
  constexpr Bits sign = Bits(1) << (width - 1), unit = Bits(1) << fraction;
  constexpr Bits infinite = ((Bits(1) << exponents) - 1) << fraction;
  Bits a = __builtin_bit_cast(Bits, x), b = __builtin_bit_cast(Bits, y);
  const Bits s = a & sign;
  a &= ~sign;
  b &= ~sign;
  if (a >= infinite || b > infinite || b == 0)
    return __builtin_bit_cast(T, Bits(infinite | (unit >> 1))); // NaN
  if (a < b)
    return x;
  int ea = int(a >> fraction), eb = int(b >> fraction);
  // Fractions as integers in units of the exponent; subnormals have exponent 1's.
  uint64_t ma = (a & (unit - 1)) | (ea ? unit : 0), mb = (b & (unit - 1)) | (eb ? unit : 0);
  ea += ea == 0;
  eb += eb == 0;
  ma %= mb;
  for (int left = ea - eb; left > 0 && ma;) {
    int step = left < 63 - fraction ? left : 63 - fraction;
    ma = (ma << step) % mb;
    left -= step;
  }
  if (ma == 0)
    return __builtin_bit_cast(T, s);
  int shift = __builtin_clzll(ma) - (63 - fraction);
  shift = shift < eb - 1 ? shift : eb - 1;
  ma <<= shift;
  Bits exponent = ma >= unit ? Bits(eb - shift) : 0;
  return __builtin_bit_cast(T, Bits(s | (exponent << fraction) | (Bits(ma) & (unit - 1))));
}

} // namespace
} // namespace llmc_uk_math

#endif // LLMC_UK_MATH_FUNCTIONS_F64_H
