//===- math.cpp - exported elementary functions ---------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "math.h"
#include "math_functions.h"

#define LLMC_UK_DEFINE_MATH(fn)                                                \
  extern "C" float llmc_uk_math_##fn##_f32(float x) { return llmc_uk_math::fn(x); }
LLMC_UK_MATH_UNARY_FUNCTIONS(LLMC_UK_DEFINE_MATH)

extern "C" float llmc_uk_math_pow_f32(float x, float y) {
  return llmc_uk_math::pow(x, y);
}
