//===- linear_u8_i8_x86_64_v4.cpp - linear_u8_i8_i32 at x86_64_v4 ----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../simd/x86_64_v4.h"
#include "linear_u8_i8_kernel.inc"

LLMC_UK_DECLARE_LINEAR_U8_I8_I32(x86_64_v4) {
  linearU8I8({a, lda, (const uint8_t *)packed, c, ldc, m, k, n});
}
