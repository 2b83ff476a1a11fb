//===- matmul_x86_64_v3.cpp - matmul_f32_f32_f32 at x86_64_v3 --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../simd/x86_64_v3.h"
#include "matmul_kernel.inc"

LLMC_UK_DECLARE_MATMUL_F32_F32_F32(x86_64_v3) {
  matmulF32(a, lda, b, bks, bns, c, ldc, m, k, n);
}
