//===- elements_reference.h - element types, for the oracles --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Element `at` of an array of each type of elements.inc.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_ELEMENTS_REFERENCE_H
#define LLMC_UK_ELEMENTS_REFERENCE_H

#include <cmath>
#include <cstdint>
#include <cstring>

namespace llmc_uk_reference {

inline double decodeF32(const void *base, int64_t at) {
  return static_cast<const float *>(base)[at];
}

inline double decodeF16(const void *base, int64_t at) {
  uint16_t bits = static_cast<const uint16_t *>(base)[at];
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                : exponent == 0 ? std::ldexp(fraction, -24)
                                : std::ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

inline double decodeBF16(const void *base, int64_t at) {
  uint32_t bits = uint32_t(static_cast<const uint16_t *>(base)[at]) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline double decodeI8(const void *base, int64_t at) {
  return static_cast<const int8_t *>(base)[at];
}

} // namespace llmc_uk_reference

#endif // LLMC_UK_ELEMENTS_REFERENCE_H
