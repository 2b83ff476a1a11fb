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
  for (int64_t i = 0; i < m; ++i)
    for (int64_t b = 0; b * 32 < k; ++b) {
      const float *in = x + i * ldx + b * 32;
      const int64_t count = std::min<int64_t>(32, k - b * 32);
      float largest = 0;
      for (int64_t p = 0; p < count; ++p)
        largest = std::max(largest, std::fabs(in[p]));
      const bool isZero = !(largest > 127.0f / 3.0e38f);
      const float inverse = isZero ? 0.0f : 127.0f / largest;
      int32_t total = 0;
      for (int64_t p = 0; p < 32; ++p) {
        float r = p < count ? std::nearbyint(in[p] * inverse) : 0.0f;
        int8_t value = int8_t(std::clamp(r, -127.0f, 127.0f));
        q[i * ldq + b * 32 + p] = value;
        total += value;
      }
      scale[i * lds + b] = isZero ? 0.0f : largest / 127.0f;
      sum[i * lds + b] = total;
    }
}
