//===- Ceilings.cpp - what the machine gives: read bandwidth and peaks ----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bench.h"

#include <immintrin.h>

namespace llmc::bench {

__attribute__((target("avx2"))) static float readAvx2(const float *data, int64_t bytes) {
  __m256 sum[8] = {};
  const int64_t quarter = bytes / 16 / 64 * 64 / 4 * 4; // floats in each of four streams
  for (int64_t i = 0; i + 16 <= quarter; i += 16)
    for (int s = 0; s < 4; ++s) {
      const float *p = data + s * quarter + i;
      _mm_prefetch(reinterpret_cast<const char *>(p + 768), _MM_HINT_T0);
      sum[2 * s] = _mm256_add_ps(sum[2 * s], _mm256_loadu_ps(p));
      sum[2 * s + 1] = _mm256_add_ps(sum[2 * s + 1], _mm256_loadu_ps(p + 8));
    }
  for (int s = 1; s < 8; ++s)
    sum[0] = _mm256_add_ps(sum[0], sum[s]);
  return _mm256_cvtss_f32(sum[0]);
}

float readAll(const float *data, int64_t bytes) { return readAvx2(data, bytes); }

// In assembly: 20 accumulators in registers (latency 4 at two a cycle needs 8) whatever the
// host compiler does with arrays of vectors.
#define LLMC_BENCH_CHAINS(op, r)                                                        \
  op(r, 0) op(r, 1) op(r, 2) op(r, 3) op(r, 4) op(r, 5) op(r, 6) op(r, 7) op(r, 8)      \
  op(r, 9) op(r, 10) op(r, 11)
#define LLMC_BENCH_MORE_CHAINS(op, r)                                                   \
  op(r, 12) op(r, 13) op(r, 16) op(r, 17) op(r, 18) op(r, 19) op(r, 20) op(r, 21)
#define LLMC_BENCH_FMA(r, i) "vfmadd231ps %%" #r "14, %%" #r "15, %%" #r #i "\n"
#define LLMC_BENCH_DOT(r, i) "vpdpbusd %%" #r "14, %%" #r "15, %%" #r #i "\n"

#define LLMC_BENCH_CLOBBERS                                                             \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",       \
      "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

__attribute__((target("avx512f"))) static double fmaAvx512(int64_t steps) {
  for (int64_t i = 0; i < steps; ++i)
    asm volatile(LLMC_BENCH_CHAINS(LLMC_BENCH_FMA, zmm) LLMC_BENCH_MORE_CHAINS(
        LLMC_BENCH_FMA, zmm)::: LLMC_BENCH_CLOBBERS, "xmm16", "xmm17", "xmm18", "xmm19",
        "xmm20", "xmm21");
  return double(steps) * 20 * 32;
}

__attribute__((target("avx2,fma"))) static double fmaAvx2(int64_t steps) {
  for (int64_t i = 0; i < steps; ++i)
    asm volatile(LLMC_BENCH_CHAINS(LLMC_BENCH_FMA, ymm)::: LLMC_BENCH_CLOBBERS);
  return double(steps) * 12 * 16;
}

double multiplyAdd(int64_t steps) {
  return __builtin_cpu_supports("avx512f") ? fmaAvx512(steps) : fmaAvx2(steps);
}

__attribute__((target("avx512f,avx512vnni"))) static double dotAvx512(int64_t steps) {
  for (int64_t i = 0; i < steps; ++i)
    asm volatile(LLMC_BENCH_CHAINS(LLMC_BENCH_DOT, zmm) LLMC_BENCH_MORE_CHAINS(
        LLMC_BENCH_DOT, zmm)::: LLMC_BENCH_CLOBBERS, "xmm16", "xmm17", "xmm18", "xmm19",
        "xmm20", "xmm21");
  return double(steps) * 20 * 128;
}

double multiplyAddInt8(int64_t steps) {
  return __builtin_cpu_supports("avx512vnni") ? dotAvx512(steps) : 0;
}

} // namespace llmc::bench
