//===- linear_f32_reference.cpp - oracle of linear_f32_f32_f32 ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "linear_f32.h"

#include <cmath>

void llmc_uk_linear_f32_f32_f32__reference(const float *a, int64_t lda,
                                           const float *panels, float *c,
                                           int64_t ldc, int64_t m, int64_t k,
                                           int64_t n, int64_t nr) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum = std::fma(a[i * lda + p], panels[(j / nr * k + p) * nr + j % nr], sum);
      c[i * ldc + j] = sum;
    }
}
