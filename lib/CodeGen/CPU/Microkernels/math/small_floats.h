//===- small_floats.h - floats of 8 and 4 bits to f32 and back ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A code is sign, exponent, fraction from the top. Formats differ in bias and in the
// codes that are not finite; integer arithmetic without branches.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_MATH_SMALL_FLOATS_H
#define LLMC_UK_MATH_SMALL_FLOATS_H

#include "math_functions.h"

namespace llmc_uk_math {
namespace {

/// `largest` is the largest finite magnitude code, `beyond` what rounds to more becomes
/// without saturation and `notANumber` what NaN becomes; -1 where there is none.
struct SmallFloat {
  int exponent, fraction, bias, largest, beyond, notANumber;
  bool hasNegativeZero;
};

constexpr SmallFloat f8e4m3fn = {4, 3, 7, 0x7e, 0x7f, 0x7f, true};
constexpr SmallFloat f8e4m3fnuz = {4, 3, 8, 0x7f, 0x80, 0x80, false};
constexpr SmallFloat f8e5m2 = {5, 2, 15, 0x7b, 0x7c, 0x7e, true};
constexpr SmallFloat f8e5m2fnuz = {5, 2, 16, 0x7f, 0x80, 0x80, false};
// No NaN: ONNX makes it a negative zero.
constexpr SmallFloat f4e2m1fn = {2, 1, 1, 0x7, 0x7, 0x8, true};

template <const SmallFloat &F> LLMC_UK_MATH_INLINE float decode(int32_t code) {
  constexpr int signBit = 1 << (F.exponent + F.fraction);
  int32_t magnitude = code & (signBit - 1);
  float tiny = (float)magnitude * fromBits((127 + 1 - F.bias - F.fraction) << 23);
  float normal = fromBits((magnitude << (23 - F.fraction)) + ((127 - F.bias) << 23));
  float r = magnitude < (1 << F.fraction) ? tiny : normal;
  if constexpr (F.beyond == 0x7c) { // the one format with infinities
    r = magnitude == 0x7c ? __builtin_inff() : r;
    r = magnitude > 0x7c ? __builtin_nanf("") : r;
  } else if constexpr (F.notANumber == 0x7f) {
    r = magnitude == 0x7f ? __builtin_nanf("") : r;
  }
  r = code & signBit ? -r : r;
  if constexpr (F.notANumber == signBit && !F.hasNegativeZero)
    r = code == signBit ? __builtin_nanf("") : r;
  return r;
}

/// Rounds to nearest even.
template <const SmallFloat &F> LLMC_UK_MATH_INLINE int32_t encode(float x, int32_t saturate) {
  constexpr int signBit = 1 << (F.exponent + F.fraction), drop = 23 - F.fraction;
  float a = __builtin_fabsf(x);
  int32_t bits = toBits(a);
  // Below the smallest normal number: a multiple of the smallest number.
  float unit = fromBits((127 - 1 + F.bias + F.fraction) << 23);
  float small = a < fromBits((128 - F.bias) << 23) ? a : 0.0f;
  int32_t tiny = (int32_t)__builtin_roundevenf(small * unit);
  int32_t rounded = (bits + ((1 << (drop - 1)) - 1) + ((bits >> drop) & 1)) >> drop;
  int32_t normal = rounded - ((127 - F.bias) << F.fraction);
  int32_t code = a < fromBits((128 - F.bias) << 23) ? tiny : normal;
  code = code > F.largest || a == __builtin_inff() ? (saturate ? F.largest : F.beyond) : code;
  code = x != x ? F.notANumber : code;
  bool isNegative = toBits(x) < 0 && code != signBit && (F.hasNegativeZero || code != 0);
  isNegative = isNegative && (x == x || F.hasNegativeZero);
  return isNegative ? code | signBit : code;
}

/// A power of two from 2^-127 on; 255 is NaN.
LLMC_UK_MATH_INLINE float decodeScale(int32_t code) {
  float r = code == 0 ? 0x1p-127f : fromBits(code << 23);
  return code == 255 ? __builtin_nanf("") : r;
}

/// Rounds to the nearest power of two, halfway to the even exponent; what is not
/// positive has none and becomes NaN, but zero, which becomes the smallest.
LLMC_UK_MATH_INLINE int32_t encodeScale(float x, int32_t saturate) {
  int32_t bits = toBits(x), exponent = bits >> 23;
  // Subnormal numbers: 2^-127 is 0x400000; 0.75 of the smallest normal is halfway.
  int32_t up = exponent == 0 ? bits > 0x600000
                             : (bits & 0x7fffff) > 0x400000 ||
                                   ((bits & 0x7fffff) == 0x400000 && (exponent & 1));
  int32_t code = exponent + up;
  code = code > 254 ? (saturate ? 254 : 255) : code;
  return bits < 0 || x != x ? (x == 0 ? 0 : 255) : code;
}

} // namespace
} // namespace llmc_uk_math

#endif // LLMC_UK_MATH_SMALL_FLOATS_H
