//===- linear_f32.h - contract of linear_f32_{f32,f16,bf16}_f32 -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   c[i * ldc + j] = sum over p in [0, k) of a[i * lda + p] * w(j, p)
//
// for i in [0, m), j in [0, n). `panels` holds w in panels of NR outputs, each
// [k][NR] of f32, f16 or bf16, contiguous and consecutive, the last one zero padded to
// NR. NR is 16 at x86_64_v3 and 32 at x86_64_v4 (llmc::cpu::panelWidthF32).
//
// m, n, k >= 0; k == 0 gives zeros. No pointer needs alignment, panels on a cache
// line are faster. Reads a and panels, never past the k-th input of a row nor past
// the last panel (prefetches may name addresses beyond). Writes exactly c's m x n
// elements; c aliases nothing.
//
// Determinism: every output is k fused multiply-adds in the order p = 0 .. k-1
// starting at +0, for every m, n, tile and ISA level: results are bit-identical
// between gemv and gemm, for any split of n, and across levels. Weights of 16 bits give
// what their values in f32 give. Up to 64 KiB of stack.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_LINEAR_F32_H
#define LLMC_UK_LINEAR_F32_H

#include <stdint.h>

#define LLMC_UK_DECLARE_LINEAR_F32(weight, isa)                                \
  extern "C" void llmc_uk_linear_f32_##weight##_f32__##isa(                    \
      const float *a, int64_t lda, const void *panels, float *c, int64_t ldc,  \
      int64_t m, int64_t k, int64_t n)
#define LLMC_UK_DECLARE_LINEAR_F32_F32_F32(isa) LLMC_UK_DECLARE_LINEAR_F32(f32, isa)
#define LLMC_UK_DECLARE_LINEAR_F32_F16_F32(isa) LLMC_UK_DECLARE_LINEAR_F32(f16, isa)
#define LLMC_UK_DECLARE_LINEAR_F32_BF16_F32(isa) LLMC_UK_DECLARE_LINEAR_F32(bf16, isa)

/// The oracles: `nr` names the panel width of the weights.
#define LLMC_UK_LINEAR_F32_REFERENCE(weight)                                   \
  extern "C" void llmc_uk_linear_f32_##weight##_f32__reference(                \
      const float *a, int64_t lda, const void *panels, float *c, int64_t ldc,  \
      int64_t m, int64_t k, int64_t n, int64_t nr)
LLMC_UK_LINEAR_F32_REFERENCE(f32);
LLMC_UK_LINEAR_F32_REFERENCE(f16);
LLMC_UK_LINEAR_F32_REFERENCE(bf16);

#endif // LLMC_UK_LINEAR_F32_H
