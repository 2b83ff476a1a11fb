//===- quantize_reference.cpp - oracle of quantize_f32_i8 -----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "quantize.h"

#include <algorithm>
#include <cmath>

LLMC_UK_DECLARE_QUANTIZE_F32_I8(reference) {
  const int64_t unit = std::min<int64_t>(group_size, 32), units = (k + unit - 1) / unit;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t u = 0; u < units; ++u) {
      const float *in = x + i * ldx;
      const int64_t group = u * unit / group_size * group_size;
      float largest = 0;
      for (int64_t p = group; p < std::min(group + group_size, k); ++p)
        largest = std::max(largest, std::fabs(in[p]));
      const bool isZero = !(largest > 127.0f / 3.0e38f);
      const float inverse = isZero ? 0.0f : 127.0f / largest;
      int32_t total = 0;
      for (int64_t p = u * unit; p < (u + 1) * unit; ++p) {
        float r = p < k ? std::nearbyint(in[p] * inverse) : 0.0f;
        int8_t value = int8_t(std::clamp(r, -127.0f, 127.0f));
        q[i * ldq + p] = value;
        total += value;
      }
      scale[i * lds + u] = isZero ? 0.0f : largest / 127.0f;
      sum[i * lds + u] = total;
    }
}
