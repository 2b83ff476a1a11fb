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
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_MATH_H
#define LLMC_UK_MATH_H

/// LLMC_UK_MATH_UNARY(fn): every function of one argument.
#define LLMC_UK_MATH_UNARY_FUNCTIONS(X)                                        \
  X(exp) X(expm1) X(log) X(log1p) X(tanh) X(sigmoid) X(erf) X(sin) X(cos)

#define LLMC_UK_DECLARE_MATH(fn) extern "C" float llmc_uk_math_##fn##_f32(float x);
LLMC_UK_MATH_UNARY_FUNCTIONS(LLMC_UK_DECLARE_MATH)
#undef LLMC_UK_DECLARE_MATH
extern "C" float llmc_uk_math_pow_f32(float x, float y);

#endif // LLMC_UK_MATH_H
