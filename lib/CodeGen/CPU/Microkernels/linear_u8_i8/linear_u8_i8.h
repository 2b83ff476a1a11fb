//===- linear_u8_i8.h - contract of linear_u8_i8_i32 ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   c[i * ldc + j] = sum over p in [0, k) of a[i * lda + p] * w(j, p)
//
// for unsigned bytes a and signed bytes w, exact modulo 2^32.
//
// Layout of w, the same at every ISA level. Row block = 16 outputs, blocks consecutive.
// A row block is ceil(k / 4) vectors of 64 bytes; byte 4 * r + j of vector q holds output
// r, input 4q + j. Outputs past n and inputs past k are zero.
//
// n >= 0 outputs from the start of `packed` (only the last block partial); m, k >= 0;
// k == 0 gives zeros. Writes exactly c's m x n elements. No over-read of a nor of packed.
// No alignment needed; a base on a cache line is faster. c aliases nothing.
//
// Determinism: integer arithmetic, the same bits in every order and at every level.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_LINEAR_U8_I8_H
#define LLMC_UK_LINEAR_U8_I8_H

#include <stdint.h>

#define LLMC_UK_DECLARE_LINEAR_U8_I8_I32(isa)                                  \
  extern "C" void llmc_uk_linear_u8_i8_i32__##isa(                             \
      const uint8_t *a, int64_t lda, const void *packed, int32_t *c, int64_t ldc, \
      int64_t m, int64_t k, int64_t n)

LLMC_UK_DECLARE_LINEAR_U8_I8_I32(reference);

#endif // LLMC_UK_LINEAR_U8_I8_H
