//===- linear_i4_reference.cpp - oracles of linear_{i8,f32}_i{4,8}_f32 ----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "linear_i4.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace {

/// Weights of one packed row block, by the layout of linear_i4.h.
struct PackedWeights {
  const uint8_t *packed;
  int64_t k, groupSize;
  bool hasZeroPoints;
  int64_t bits = 4;

  int64_t numberBytes() const { return groupSize * 2 * bits; }
  const uint8_t *group(int64_t j, int64_t p) const {
    int64_t bytes = numberBytes() + 64 + (hasZeroPoints ? 16 : 0);
    int64_t groups = (k + groupSize - 1) / groupSize;
    return packed + (j / 16 * groups + p / groupSize) * bytes;
  }
  float scale(int64_t j, int64_t p) const {
    float s;
    std::memcpy(&s, group(j, p) + numberBytes() + j % 16 * 4, 4);
    return s;
  }
  /// Number less zero point.
  int value(int64_t j, int64_t p) const {
    int64_t in = p % groupSize;
    const uint8_t *numbers = group(j, p);
    int zero = hasZeroPoints ? numbers[numberBytes() + 64 + j % 16] : bits == 8 ? 128 : 8;
    if (bits == 8)
      return numbers[in / 4 * 64 + j % 16 * 4 + in % 4] - zero;
    uint8_t byte = numbers[in / 8 * 64 + j % 16 * 4 + in % 4];
    return (in % 8 < 4 ? byte & 15 : byte >> 4) - zero;
  }
};

} // namespace

/// Without the sums of quantize_f32_i8: they only speed the zero points up.
static void linearI8(const PackedWeights &w, const int8_t *aq, int64_t ldaq, const float *ascale,
                     int64_t ldas, float *c, int64_t ldc, int64_t m, int64_t n) {
  const int64_t k = w.k, unit = std::min<int64_t>(w.groupSize, 32);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      float total = 0;
      for (int64_t u = 0; u < k; u += unit) {
        int32_t dot = 0;
        for (int64_t p = u; p < std::min(u + unit, k); ++p)
          dot += aq[i * ldaq + p] * w.value(j, p);
        total = std::fma(float(dot), w.scale(j, u) * ascale[i * ldas + u / unit], total);
      }
      c[i * ldc + j] = total;
    }
}

LLMC_UK_DECLARE_LINEAR_I8_I4_F32(reference) {
  (void)asum;
  linearI8({static_cast<const uint8_t *>(packed), k, group_size, has_zero_points != 0}, aq, ldaq,
           ascale, ldas, c, ldc, m, n);
}

LLMC_UK_DECLARE_LINEAR_I8_I8_F32(reference) {
  (void)asum;
  linearI8({static_cast<const uint8_t *>(packed), k, group_size, has_zero_points != 0, 8}, aq, ldaq,
           ascale, ldas, c, ldc, m, n);
}

static void linearF32(const PackedWeights &w, const float *a, int64_t lda, float *c, int64_t ldc,
                      int64_t m, int64_t n) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      float total = 0;
      for (int64_t g = 0; g < w.k; g += w.groupSize) {
        float sum = 0;
        for (int64_t p = g; p < std::min(g + w.groupSize, w.k); ++p)
          sum = std::fma(a[i * lda + p], float(w.value(j, p)), sum);
        total = std::fma(sum, w.scale(j, g), total);
      }
      c[i * ldc + j] = total;
    }
}

LLMC_UK_DECLARE_LINEAR_F32_I4_F32(reference) {
  linearF32({static_cast<const uint8_t *>(packed), k, group_size, has_zero_points != 0}, a, lda, c,
            ldc, m, n);
}

LLMC_UK_DECLARE_LINEAR_F32_I8_F32(reference) {
  linearF32({static_cast<const uint8_t *>(packed), k, group_size, has_zero_points != 0, 8}, a, lda,
            c, ldc, m, n);
}
