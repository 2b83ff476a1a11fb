//===- Packing.cpp - weights into the microkernels' layouts ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "llmc/CodeGen/CPU/Microkernels.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace llmc::cpu {

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t packedSizeF32(int64_t k, int64_t n, int64_t nr) {
  return ceilDiv(n, nr) * k * nr;
}

void packF32(const float *w, int64_t k, int64_t n, int64_t strideK,
             int64_t strideN, int64_t nr, float *dst, int64_t panelBegin,
             int64_t panelEnd) {
  // Inputs in tiles, so that both sides stay in cache whichever stride is 1.
  constexpr int64_t tile = 64;
  for (int64_t panel = panelBegin; panel < panelEnd; ++panel) {
    const float *src = w + panel * nr * strideN;
    float *out = dst + panel * k * nr;
    int64_t valid = std::min(nr, n - panel * nr);
    for (int64_t p0 = 0; p0 < k; p0 += tile) {
      int64_t p1 = std::min(p0 + tile, k);
      for (int64_t j = 0; j < nr; ++j)
        for (int64_t p = p0; p < p1; ++p)
          out[p * nr + j] = j < valid ? src[j * strideN + p * strideK] : 0.0f;
    }
  }
}

static int64_t groupBytesI4(int64_t groupSize, bool hasZeroPoints) {
  return groupSize * 8 + 64 + (hasZeroPoints ? 16 : 0);
}

int64_t rowBlockBytesI4(int64_t k, int64_t groupSize, bool hasZeroPoints) {
  return ceilDiv(k, groupSize) * groupBytesI4(groupSize, hasZeroPoints);
}

int64_t packedSizeI4(int64_t k, int64_t n, int64_t groupSize, bool hasZeroPoints) {
  return ceilDiv(n, rowBlockI4) * rowBlockBytesI4(k, groupSize, hasZeroPoints);
}

/// One output's group: `inputs` nibbles into every fourth byte run of `dst`.
static void packNibbles(const uint8_t *nibbles, int64_t inputs, uint8_t *dst) {
  for (int64_t p = 0; p < inputs; ++p) {
    uint8_t value = p % 2 ? nibbles[p / 2] >> 4 : nibbles[p / 2] & 15;
    dst[p / 8 * 64 + p % 4] |= uint8_t(p % 8 < 4 ? value : value << 4);
  }
}

void packI4(const NBitsWeights &w, std::byte *dst, int64_t blockBegin,
            int64_t blockEnd) {
  assert((w.groupSize == 16 || w.groupSize % 32 == 0) && w.groupSize <= 256 &&
         "group sizes are 16, 32, 64, 128, 256");
  const bool hasZeroPoints = w.zeroPoints != nullptr;
  const int64_t groups = ceilDiv(w.k, w.groupSize);
  const int64_t bytes = groupBytesI4(w.groupSize, hasZeroPoints);
  for (int64_t block = blockBegin; block < blockEnd; ++block) {
    auto *out = reinterpret_cast<uint8_t *>(dst) + block * groups * bytes;
    std::memset(out, 0, size_t(groups * bytes));
    for (int64_t g = 0; g < groups; ++g, out += bytes)
      for (int64_t r = 0; r < rowBlockI4; ++r) {
        int64_t n = block * rowBlockI4 + r;
        if (n >= w.n)
          break;
        packNibbles(w.nibbles + (n * groups + g) * (w.groupSize / 2),
                    std::min(w.groupSize, w.k - g * w.groupSize), out + r * 4);
        uint8_t *scales = out + w.groupSize * 8;
        std::memcpy(scales + r * 4, w.scales + n * groups + g, 4);
        if (!hasZeroPoints)
          continue;
        uint8_t zp = w.zeroPoints[n * ceilDiv(groups, 2) + g / 2];
        scales[64 + r] = g % 2 ? zp >> 4 : zp & 15;
      }
  }
}

} // namespace llmc::cpu
