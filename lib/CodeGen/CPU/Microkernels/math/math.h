//===- math.h - contract of the scalar elementary functions ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// float llmc_uk_math_<fn>_f32(float ...): branch free, no calls, no tables in memory, so
// that LLVM vectorises a loop around the inlined body. NaN propagates everywhere.
//
//   fn       max error (tested against double libm)   special values
//   exp      2 ulp (subnormal results: 1 ulp of them) exp(-inf) 0, exp(inf) inf
//   expm1    3 ulp                                    -inf: -1, inf: inf
//   log      2 ulp, subnormal x too                   log(0) -inf, log(<0) NaN, inf: inf
//   log1p    3 ulp                                    -1: -inf, < -1: NaN
//   tanh     4 ulp                                    +-inf: +-1, keeps the sign of 0
//   sigmoid  4 ulp; absolute 2e-38 below x = -87      -inf: 0, inf: 1
//   erf      absolute 5e-7; 4 ulp for |x| < 1         +-inf: +-1
//   sin, cos absolute 2e-7 for |x| <= 1e5             +-inf: NaN; |x| > 1e6: unspecified
//   pow      1 ulp                                    as C's pow, signs and zeros too
//   tan asin acos atan sinh cosh asinh acosh atanh    1 ulp, special values as C's
//   fmod     exact                                    as C's fmod
//
// double llmc_uk_math_<fn>_f64(double ...): the same functions, 4 ulp each (tested against
// long double libm), sin, cos and tan for |x| <= 1e9; fmod exact; special values as C's.
// fmod has a loop and is not vectorised.
//
// float llmc_uk_math_decode_<type>_f32(int32_t code) and int32_t
// llmc_uk_math_encode_<type>_f32(float x, int32_t saturate): elements of 8 and 4 bits,
// rounded to nearest even. Beyond the largest finite value, and at infinity, encode gives
// that value with `saturate`, else an infinity or NaN, whichever the type has. f4e2m1fn
// has neither and always saturates; f8e8m0fnu has neither zero nor sign.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_MATH_H
#define LLMC_UK_MATH_H

#include <stdint.h>

/// LLMC_UK_MATH_UNARY(fn): every function of one argument.
#define LLMC_UK_MATH_UNARY_FUNCTIONS(X)                                        \
  X(exp) X(expm1) X(log) X(log1p) X(tanh) X(sigmoid) X(erf) X(sin) X(cos)

/// Those whose f32 version is the f64 version, rounded.
#define LLMC_UK_MATH_ROUNDED_FUNCTIONS(X)                                      \
  X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(asinh) X(acosh) X(atanh)

/// LLMC_UK_MATH_SMALL_TYPE(type): element types of at most 8 bits that are floats.
#define LLMC_UK_MATH_SMALL_TYPES(X)                                            \
  X(f8e4m3fn) X(f8e4m3fnuz) X(f8e5m2) X(f8e5m2fnuz) X(f8e8m0fnu) X(f4e2m1fn)

#define LLMC_UK_DECLARE_MATH(fn)                                               \
  extern "C" float llmc_uk_math_##fn##_f32(float x);                           \
  extern "C" double llmc_uk_math_##fn##_f64(double x);
LLMC_UK_MATH_UNARY_FUNCTIONS(LLMC_UK_DECLARE_MATH)
LLMC_UK_MATH_ROUNDED_FUNCTIONS(LLMC_UK_DECLARE_MATH)
#undef LLMC_UK_DECLARE_MATH
extern "C" float llmc_uk_math_pow_f32(float x, float y);
extern "C" double llmc_uk_math_pow_f64(double x, double y);
extern "C" float llmc_uk_math_fmod_f32(float x, float y);
extern "C" double llmc_uk_math_fmod_f64(double x, double y);
/// Wraps around; a negative exponent truncates 1 / x^-y towards zero.
extern "C" int64_t llmc_uk_math_pow_i64(int64_t x, int64_t y);

#define LLMC_UK_DECLARE_SMALL_TYPE(type)                                       \
  extern "C" float llmc_uk_math_decode_##type##_f32(int32_t code);             \
  extern "C" int32_t llmc_uk_math_encode_##type##_f32(float x, int32_t saturate);
LLMC_UK_MATH_SMALL_TYPES(LLMC_UK_DECLARE_SMALL_TYPE)
#undef LLMC_UK_DECLARE_SMALL_TYPE

#endif // LLMC_UK_MATH_H
