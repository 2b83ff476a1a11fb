//===- linear_i4.h - contract of linear_{i8,f32}_i{4,8}_f32 ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Linear layers over 4-bit or 8-bit weights in groups of G inputs:
//
//   w(j, p) = (nibble(j, p) - zp(j, p / G)) * scale(j, p / G),    zp = 8 by default
//
//   linear_f32_i4_f32: c[i*ldc+j] = sum_g scale(j,g) * sum_{p in g} a(i,p) * (nibble - zp)
//   linear_i8_i4_f32:  c[i*ldc+j] = sum_u scale(j,g(u)) * ascale(i,u) *
//                                   (sum_{p in u} q(i,p) * (nibble - zp)), exact int32
//
//   linear_f32_i8_f32, linear_i8_i8_f32: the same over bytes, zp = 128 by default
//
// where u runs over units of min(G, 32) inputs and q, ascale, asum come from
// quantize_f32_i8 with groups of G. Scales stay f32 (KERNELS.md has f16) so that a model's f32 scales
// give what onnxruntime gives.
//
// Layout, the same at every ISA level. Row block = 16 outputs, blocks consecutive.
// A row block is ceil(k / G) groups, each:
//
//   nibbles   G * 8 bytes: G / 8 vectors of 64 bytes; byte 4 * r + j of vector q holds
//             output r, input 8q + j (low nibble) and input 8q + 4 + j (high nibble)
//   scales    16 x f32
//   zps       16 x u8, only with has_zero_points
//
// With 8-bit weights a group begins with G * 16 bytes instead of nibbles: G / 4 vectors of
// 64 bytes; byte 4 * r + j of vector q holds output r, input 4q + j.
//
// Outputs past n are zero nibbles with zero scale; inputs past k are zero nibbles.
// G is 16, 32, 64, 128 or 256.
//
// n >= 0 outputs from the start of `packed` (only the last block partial); m, k >= 0;
// k == 0 gives zeros. Writes exactly c's m x n elements. No over-read of a (f32 rows end
// at k; int8 rows have whole units) nor of packed. No alignment needed; a base
// on a cache line is faster. c aliases nothing. linear_f32_* uses up to 40 KiB of
// stack.
//
// Determinism: an output depends on its own row and weights only, bit for bit, for any m,
// n and split of either. linear_i8_*: one f32 fma per unit in order, on exact integers.
// linear_f32_*: fmas in order inside a group, then one fma per group. Both are
// bit-identical across levels too.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_LINEAR_I4_H
#define LLMC_UK_LINEAR_I4_H

#include <stdint.h>

/// Row i of the activations: q at aq + i * ldaq, scales and sums (one per unit)
/// at ascale + i * ldas and asum + i * ldas.
#define LLMC_UK_DECLARE_LINEAR_I8_I4_F32(isa)                                  \
  extern "C" void llmc_uk_linear_i8_i4_f32__##isa(                             \
      const int8_t *aq, int64_t ldaq, const float *ascale,                     \
      const int32_t *asum, int64_t ldas, const void *packed, float *c,         \
      int64_t ldc, int64_t m, int64_t k, int64_t n, int64_t group_size,        \
      int64_t has_zero_points)

#define LLMC_UK_DECLARE_LINEAR_I8_I8_F32(isa)                                  \
  extern "C" void llmc_uk_linear_i8_i8_f32__##isa(                             \
      const int8_t *aq, int64_t ldaq, const float *ascale,                     \
      const int32_t *asum, int64_t ldas, const void *packed, float *c,         \
      int64_t ldc, int64_t m, int64_t k, int64_t n, int64_t group_size,        \
      int64_t has_zero_points)

#define LLMC_UK_DECLARE_LINEAR_F32_I4_F32(isa)                                 \
  extern "C" void llmc_uk_linear_f32_i4_f32__##isa(                            \
      const float *a, int64_t lda, const void *packed, float *c, int64_t ldc,  \
      int64_t m, int64_t k, int64_t n, int64_t group_size,                     \
      int64_t has_zero_points)

#define LLMC_UK_DECLARE_LINEAR_F32_I8_F32(isa)                                 \
  extern "C" void llmc_uk_linear_f32_i8_f32__##isa(                            \
      const float *a, int64_t lda, const void *packed, float *c, int64_t ldc,  \
      int64_t m, int64_t k, int64_t n, int64_t group_size,                     \
      int64_t has_zero_points)

LLMC_UK_DECLARE_LINEAR_I8_I4_F32(reference);
LLMC_UK_DECLARE_LINEAR_I8_I8_F32(reference);
LLMC_UK_DECLARE_LINEAR_F32_I8_F32(reference);
LLMC_UK_DECLARE_LINEAR_F32_I4_F32(reference);

#endif // LLMC_UK_LINEAR_I4_H
