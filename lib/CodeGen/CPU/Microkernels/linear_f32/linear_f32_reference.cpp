//===- linear_f32_reference.cpp - oracle of linear_f32_{f32,f16,bf16}_f32 -===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../simd/elements_reference.h"
#include "linear_f32.h"

using namespace llmc_uk_reference;

static void linear(double (*decode)(const void *, int64_t), const float *a, int64_t lda,
                   const void *panels, float *c, int64_t ldc, int64_t m, int64_t k, int64_t n,
                   int64_t nr) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum = std::fma(a[i * lda + p], float(decode(panels, (j / nr * k + p) * nr + j % nr)),
                       sum);
      c[i * ldc + j] = sum;
    }
}

LLMC_UK_LINEAR_F32_REFERENCE(f32) {
  linear(decodeF32, a, lda, panels, c, ldc, m, k, n, nr);
}
LLMC_UK_LINEAR_F32_REFERENCE(f16) {
  linear(decodeF16, a, lda, panels, c, ldc, m, k, n, nr);
}
LLMC_UK_LINEAR_F32_REFERENCE(bf16) {
  linear(decodeBF16, a, lda, panels, c, ldc, m, k, n, nr);
}
