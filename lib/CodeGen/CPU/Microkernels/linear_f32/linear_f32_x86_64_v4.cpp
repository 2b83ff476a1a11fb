//===- linear_f32_x86_64_v4.cpp - linear_f32_*_f32 at x86_64_v4 -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../simd/x86_64_v4.h"
#include "linear_f32_kernel.inc"

LLMC_UK_DECLARE_LINEAR_F32_F32_F32(x86_64_v4) {
  linearF32<ElementF32>(a, lda, panels, c, ldc, m, k, n);
}
LLMC_UK_DECLARE_LINEAR_F32_F16_F32(x86_64_v4) {
  linearF32<ElementF16>(a, lda, panels, c, ldc, m, k, n);
}
LLMC_UK_DECLARE_LINEAR_F32_BF16_F32(x86_64_v4) {
  linearF32<ElementBF16>(a, lda, panels, c, ldc, m, k, n);
}
