//===- matmul_reference.cpp - oracle of matmul_f32_f32_f32 ----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "matmul.h"

#include <cmath>

LLMC_UK_DECLARE_MATMUL_F32_F32_F32(reference) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum = std::fma(a[i * lda + p], b[p * bks + j * bns], sum);
      c[i * ldc + j] = sum;
    }
}
