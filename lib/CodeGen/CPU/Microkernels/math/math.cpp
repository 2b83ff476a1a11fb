//===- math.cpp - exported elementary functions ---------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "math.h"
#include "math_functions.h"
#include "math_functions_f64.h"
#include "small_floats.h"

#define LLMC_UK_DEFINE_MATH(fn)                                                \
  extern "C" float llmc_uk_math_##fn##_f32(float x) { return llmc_uk_math::fn(x); }
LLMC_UK_MATH_UNARY_FUNCTIONS(LLMC_UK_DEFINE_MATH)

#define LLMC_UK_DEFINE_ROUNDED(fn)                                             \
  extern "C" float llmc_uk_math_##fn##_f32(float x) { return (float)llmc_uk_math::f64::fn(x); }
LLMC_UK_MATH_ROUNDED_FUNCTIONS(LLMC_UK_DEFINE_ROUNDED)

#define LLMC_UK_DEFINE_WIDE(fn)                                                \
  extern "C" double llmc_uk_math_##fn##_f64(double x) { return llmc_uk_math::f64::fn(x); }
LLMC_UK_MATH_UNARY_FUNCTIONS(LLMC_UK_DEFINE_WIDE)
LLMC_UK_MATH_ROUNDED_FUNCTIONS(LLMC_UK_DEFINE_WIDE)

extern "C" float llmc_uk_math_pow_f32(float x, float y) {
  return llmc_uk_math::pow(x, y);
}
extern "C" double llmc_uk_math_pow_f64(double x, double y) {
  return llmc_uk_math::f64::pow(x, y);
}
extern "C" float llmc_uk_math_fmod_f32(float x, float y) {
  return llmc_uk_math::remainder<float, uint32_t, 23>(x, y);
}
extern "C" double llmc_uk_math_fmod_f64(double x, double y) {
  return llmc_uk_math::remainder<double, uint64_t, 52>(x, y);
}

#define LLMC_UK_DEFINE_SMALL(type)                                             \
  extern "C" float llmc_uk_math_decode_##type##_f32(int32_t code) {            \
    return llmc_uk_math::decode<llmc_uk_math::type>(code);                     \
  }                                                                            \
  extern "C" int32_t llmc_uk_math_encode_##type##_f32(float x, int32_t saturate) { \
    return llmc_uk_math::encode<llmc_uk_math::type>(x, saturate);              \
  }
LLMC_UK_DEFINE_SMALL(f8e4m3fn)
LLMC_UK_DEFINE_SMALL(f8e4m3fnuz)
LLMC_UK_DEFINE_SMALL(f8e5m2)
LLMC_UK_DEFINE_SMALL(f8e5m2fnuz)
LLMC_UK_DEFINE_SMALL(f4e2m1fn)
extern "C" float llmc_uk_math_decode_f8e8m0fnu_f32(int32_t code) {
  return llmc_uk_math::decodeScale(code);
}
extern "C" int32_t llmc_uk_math_encode_f8e8m0fnu_f32(float x, int32_t saturate) {
  return llmc_uk_math::encodeScale(x, saturate);
}

extern "C" int64_t llmc_uk_math_pow_i64(int64_t x, int64_t y) {
  if (y < 0)
    return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
  uint64_t result = 1, factor = (uint64_t)x;
  for (; y; y >>= 1, factor *= factor)
    result *= y & 1 ? factor : 1;
  return (int64_t)result;
}

/// LLVM may join the roundings from double to f32 and from f32 to f16 into one, for which
/// processors of these levels have no instruction and it calls this function.
extern "C" __attribute__((weak, visibility("hidden"))) _Float16 __truncdfhf2(double x) {
  typedef float Vector __attribute__((vector_size(16)));
  Vector v = {(float)x, 0, 0, 0};
  auto half = __builtin_ia32_vcvtps2ph(v, /*to nearest even=*/0);
  return __builtin_bit_cast(_Float16, (short)half[0]);
}
