//===- top_k.h - contract of the selection of the best elements -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Positions of the k best of n elements, best first:
//
//   llmc_uk_top_k_<type>(x, strideX, n, y, strideY, k, largest)
//
// Element i is x[i * strideX]; y[j * strideY] becomes the position of the j-th best. Best
// is largest, or smallest without `largest`; of equal elements (-0 equals 0) the one with
// the smaller position is better. NaN ranks above all numbers. 0 <= k <= n. y holds the
// heap while the kernel runs, so no other memory is needed: O(n log k + k log k).
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_TOP_K_H
#define LLMC_UK_TOP_K_H

#include <stdint.h>

/// LLMC_UK_TOP_K_TYPE(name, type): f16 and bf16 elements come as their bits.
#define LLMC_UK_TOP_K_TYPES(X)                                                 \
  X(f64, double) X(f32, float) X(f16, uint16_t) X(bf16, uint16_t)              \
  X(i8, int8_t) X(i16, int16_t) X(i32, int32_t) X(i64, int64_t)                \
  X(u8, uint8_t) X(u16, uint16_t) X(u32, uint32_t) X(u64, uint64_t)

#define LLMC_UK_DECLARE_TOP_K(name, type)                                      \
  extern "C" void llmc_uk_top_k_##name(const type *x, int64_t strideX, int64_t n, \
                                       int64_t *y, int64_t strideY, int64_t k, \
                                       int64_t largest);
LLMC_UK_TOP_K_TYPES(LLMC_UK_DECLARE_TOP_K)
#undef LLMC_UK_DECLARE_TOP_K

#endif // LLMC_UK_TOP_K_H
