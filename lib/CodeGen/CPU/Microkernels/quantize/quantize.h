//===- quantize.h - contract of quantize_f32_i8 ---------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Quantises m rows of k floats to int8 in blocks of 32 inputs. For block b of a row:
//
//   scale[b] = max |x| / 127                        (0 if all are zero)
//   q[p]     = round_to_nearest_even(x[p] * (127 / max |x|)), clamped to +-127
//   sum[b]   = sum of q over the block
//
// Row i: x + i * ldx, q + i * ldq, scale + i * lds, sum + i * lds. kb = ceil(k / 32)
// blocks are written in full: q has 32 * kb bytes a row, zeros past k. x is read up to
// k only. The reciprocal is one f32 division per block; a block whose largest value is
// subnormal so that 127 / max overflows quantises as all zero (scale 0). NaN inputs
// are not supported (the q of its block is unspecified). No alignment needed; q, scale
// and sum alias nothing. Rows are independent.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_QUANTIZE_H
#define LLMC_UK_QUANTIZE_H

#include <stdint.h>

#define LLMC_UK_DECLARE_QUANTIZE_F32_I8(isa)                                   \
  extern "C" void llmc_uk_quantize_f32_i8__##isa(                              \
      const float *x, int64_t ldx, int8_t *q, int64_t ldq, float *scale,       \
      int32_t *sum, int64_t lds, int64_t m, int64_t k)

LLMC_UK_DECLARE_QUANTIZE_F32_I8(reference);

#endif // LLMC_UK_QUANTIZE_H
