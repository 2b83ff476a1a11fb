//===- linear_i8_i4_x86_64_v3.cpp - linear_i8_i4_f32 at x86_64_v3 ----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../simd/x86_64_v3.h"
#include "linear_i8_nbits_kernel.inc"

LLMC_UK_DECLARE_LINEAR_I8_I4_F32(x86_64_v3) {
  linearI8NBits<4>({aq, ldaq, ascale, asum, ldas, (const uint8_t *)packed, c, ldc, m, k,
                    n, group_size, has_zero_points});
}
