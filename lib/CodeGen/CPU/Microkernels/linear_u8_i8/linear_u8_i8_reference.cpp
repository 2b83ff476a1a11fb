//===- linear_u8_i8_reference.cpp - oracle of linear_u8_i8_i32 ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "linear_u8_i8.h"

LLMC_UK_DECLARE_LINEAR_U8_I8_I32(reference) {
  auto *w = static_cast<const int8_t *>(packed);
  const int64_t vectors = (k + 3) / 4;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      uint32_t sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += uint32_t(a[i * lda + p] *
                        w[(j / 16 * vectors + p / 4) * 64 + j % 16 * 4 + p % 4]);
      c[i * ldc + j] = int32_t(sum);
    }
}
