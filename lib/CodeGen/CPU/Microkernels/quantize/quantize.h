//===- quantize.h - contract of quantize_f32_i8 ---------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Quantises m rows of k floats to int8 in groups of G inputs, written in units of
// U = min(G, 32). For input p and unit u of a group of a row:
//
//   scale[u] = max |x| / 127 over the group         (0 if all are zero)
//   q[p]     = round_to_nearest_even(x[p] * (127 / max |x|)), clamped to +-127
//   sum[u]   = sum of q over the unit
//
// Row i: x + i * ldx, q + i * ldq, scale + i * lds, sum + i * lds. ku = ceil(k / U)
// units are written in full: q has U * ku bytes a row, zeros past k. x is read up to
// k only. G is 16 or a multiple of 32. The reciprocal is one f32 division per group; a group
// whose largest value is subnormal so that 127 / max overflows quantises as all zero
// (scale 0). NaN inputs are not supported (the q of its group is unspecified). No alignment
// needed; q, scale and sum alias nothing. Rows are independent.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_QUANTIZE_H
#define LLMC_UK_QUANTIZE_H

#include <stdint.h>

#define LLMC_UK_DECLARE_QUANTIZE_F32_I8(isa)                                   \
  extern "C" void llmc_uk_quantize_f32_i8__##isa(                              \
      const float *x, int64_t ldx, int8_t *q, int64_t ldq, float *scale,       \
      int32_t *sum, int64_t lds, int64_t m, int64_t k, int64_t group_size)

LLMC_UK_DECLARE_QUANTIZE_F32_I8(reference);

#endif // LLMC_UK_QUANTIZE_H
