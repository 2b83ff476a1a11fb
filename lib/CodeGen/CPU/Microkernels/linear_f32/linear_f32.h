//===- linear_f32.h - contract of linear_f32_f32_f32 ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   c[i * ldc + j] = sum over p in [0, k) of a[i * lda + p] * w(j, p)
//
// for i in [0, m), j in [0, n). `panels` holds w in panels of NR outputs, each
// [k][NR] f32, contiguous and consecutive, the last one zero padded to NR. NR is
// 16 at x86_64_v3 and 32 at x86_64_v4 (llmc::cpu::panelWidthF32).
//
// m, n, k >= 0; k == 0 gives zeros. No pointer needs alignment, panels on a cache
// line are faster. Reads a and panels, never past the k-th input of a row nor past
// the last panel (prefetches may name addresses beyond). Writes exactly c's m x n
// elements; c aliases nothing.
//
// Determinism: every output is k fused multiply-adds in the order p = 0 .. k-1
// starting at +0, for every m, n, tile and ISA level: results are bit-identical
// between gemv and gemm, for any split of n, and across levels.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_LINEAR_F32_H
#define LLMC_UK_LINEAR_F32_H

#include <stdint.h>

#define LLMC_UK_DECLARE_LINEAR_F32_F32_F32(isa)                                \
  extern "C" void llmc_uk_linear_f32_f32_f32__##isa(                           \
      const float *a, int64_t lda, const float *panels, float *c, int64_t ldc, \
      int64_t m, int64_t k, int64_t n)

/// The oracle: `nr` names the panel width of the weights.
extern "C" void llmc_uk_linear_f32_f32_f32__reference(
    const float *a, int64_t lda, const float *panels, float *c, int64_t ldc,
    int64_t m, int64_t k, int64_t n, int64_t nr);

#endif // LLMC_UK_LINEAR_F32_H
