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

int64_t packedSizePanels(int64_t k, int64_t n, int64_t nr) {
  return ceilDiv(n, nr) * k * nr;
}

template <class T>
void packPanels(const T *w, int64_t k, int64_t n, int64_t strideK, int64_t strideN,
                int64_t nr, T *dst, int64_t panelBegin, int64_t panelEnd) {
  // Inputs in tiles, so that both sides stay in cache whichever stride is 1.
  constexpr int64_t tile = 64;
  for (int64_t panel = panelBegin; panel < panelEnd; ++panel) {
    const T *src = w + panel * nr * strideN;
    T *out = dst + panel * k * nr;
    int64_t valid = std::min(nr, n - panel * nr);
    for (int64_t p0 = 0; p0 < k; p0 += tile) {
      int64_t p1 = std::min(p0 + tile, k);
      for (int64_t j = 0; j < nr; ++j)
        for (int64_t p = p0; p < p1; ++p)
          out[p * nr + j] = j < valid ? src[j * strideN + p * strideK] : T(0);
    }
  }
}
template void packPanels(const float *, int64_t, int64_t, int64_t, int64_t, int64_t, float *,
                         int64_t, int64_t);
template void packPanels(const uint16_t *, int64_t, int64_t, int64_t, int64_t, int64_t,
                         uint16_t *, int64_t, int64_t);

/// Bits of a packed number: 2-bit numbers are packed as 4-bit ones.
static int64_t packedBits(int64_t bits) { return bits == 8 ? 8 : 4; }

static int64_t groupBytesNBits(int64_t bits, int64_t groupSize, bool hasZeroPoints) {
  return groupSize * 2 * packedBits(bits) + 64 + (hasZeroPoints ? 16 : 0);
}

int64_t rowBlockBytesNBits(int64_t bits, int64_t k, int64_t groupSize, bool hasZeroPoints) {
  return ceilDiv(k, groupSize) * groupBytesNBits(bits, groupSize, hasZeroPoints);
}

int64_t packedSizeNBits(int64_t bits, int64_t k, int64_t n, int64_t groupSize,
                        bool hasZeroPoints) {
  return ceilDiv(n, rowBlockNBits) * rowBlockBytesNBits(bits, k, groupSize, hasZeroPoints);
}

static uint8_t numberAt(const uint8_t *bytes, int64_t bits, int64_t index) {
  return uint8_t(bytes[index * bits / 8] >> (index * bits % 8) & ((1 << bits) - 1));
}

/// One output's group: `inputs` numbers into every fourth byte run of `dst`. Packed
/// without zero points, 2-bit numbers move up so that their middle is that of 4 bits.
static void packNumbers(const NBitsWeights &w, const uint8_t *numbers, int64_t inputs,
                        uint8_t *dst) {
  const uint8_t shift = w.bits == 2 && !w.zeroPoints ? 6 : 0;
  for (int64_t p = 0; p < inputs; ++p) {
    uint8_t value = uint8_t(numberAt(numbers, w.bits, p) + shift);
    if (w.bits == 8)
      dst[p / 4 * 64 + p % 4] = value;
    else
      dst[p / 8 * 64 + p % 4] |= uint8_t(p % 8 < 4 ? value : value << 4);
  }
}

void packNBits(const NBitsWeights &w, std::byte *dst, int64_t blockBegin,
               int64_t blockEnd) {
  assert((w.groupSize == 16 || w.groupSize % 32 == 0) && w.groupSize <= 256 &&
         "group sizes are 16, 32, 64, 128, 256");
  const bool hasZeroPoints = w.zeroPoints != nullptr;
  const int64_t groups = ceilDiv(w.k, w.groupSize);
  const int64_t zeroBytes = ceilDiv(groups * w.bits, 8);
  const int64_t bytes = groupBytesNBits(w.bits, w.groupSize, hasZeroPoints);
  for (int64_t block = blockBegin; block < blockEnd; ++block) {
    auto *out = reinterpret_cast<uint8_t *>(dst) + block * groups * bytes;
    std::memset(out, 0, size_t(groups * bytes));
    for (int64_t g = 0; g < groups; ++g, out += bytes)
      for (int64_t r = 0; r < rowBlockNBits; ++r) {
        int64_t n = block * rowBlockNBits + r;
        if (n >= w.n)
          break;
        packNumbers(w, w.numbers + (n * groups + g) * (w.groupSize * w.bits / 8),
                    std::min(w.groupSize, w.k - g * w.groupSize), out + r * 4);
        uint8_t *scales = out + w.groupSize * 2 * packedBits(w.bits);
        std::memcpy(scales + r * 4, w.scales + n * groups + g, 4);
        if (hasZeroPoints)
          scales[64 + r] = numberAt(w.zeroPoints + n * zeroBytes, w.bits, g);
      }
  }
}

int64_t rowBlockBytesI8(int64_t k) { return rowBlockI8 * ceilDiv(k, 4) * 4; }

void packI8(const int8_t *w, int64_t k, int64_t n, int64_t strideK, int64_t strideN,
            std::byte *dst, int64_t blockBegin, int64_t blockEnd) {
  for (int64_t block = blockBegin; block < blockEnd; ++block) {
    auto *out = reinterpret_cast<int8_t *>(dst) + block * rowBlockBytesI8(k);
    std::memset(out, 0, size_t(rowBlockBytesI8(k)));
    const int64_t first = block * rowBlockI8, valid = std::min(rowBlockI8, n - first);
    for (int64_t p = 0; p < k; ++p)
      for (int64_t r = 0; r < valid; ++r)
        out[p / 4 * 64 + r * 4 + p % 4] = w[(first + r) * strideN + p * strideK];
  }
}

} // namespace llmc::cpu
