//===- matmul.h - contract of matmul_f32_f32_f32 --------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   c[i * ldc + j] = sum over p in [0, k) of a[i * lda + p] * b[p * bks + j * bns]
//
// for i in [0, m), j in [0, n). Neither operand is packed. Fast where bns == 1 (b is
// [k][n]) or bks == 1 (b is [n][k]); other strides are correct and slower. Strides
// may be any sign. m, n, k >= 0; k == 0 gives zeros. Reads and writes exactly the
// elements named; c aliases nothing. Uses up to 32 KiB of stack.
//
// Determinism: as linear_f32_f32_f32 (k fused multiply-adds in order, from +0).
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_MATMUL_H
#define LLMC_UK_MATMUL_H

#include <stdint.h>

#define LLMC_UK_DECLARE_MATMUL_F32_F32_F32(isa)                                \
  extern "C" void llmc_uk_matmul_f32_f32_f32__##isa(                           \
      const float *a, int64_t lda, const float *b, int64_t bks, int64_t bns,   \
      float *c, int64_t ldc, int64_t m, int64_t k, int64_t n)

LLMC_UK_DECLARE_MATMUL_F32_F32_F32(reference);

#endif // LLMC_UK_MATMUL_H
