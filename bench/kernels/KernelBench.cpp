//===- KernelBench.cpp - llmc-bench-kernels -------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every variant of the registry that this machine runs, as GB/s of weights beside a plain
// read of the same bytes and as GFLOP/s beside the fma peak, in turns: the hosts drift.
// Usage: llmc-bench-kernels [filter]; a filter is part of a case's name.
//
//===----------------------------------------------------------------------===//

#include "Bench.h"
#include "Variants.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>

using namespace llmc::bench;
using namespace llmc::cpu;

namespace {

/// One thread's share of a case, its bytes read and its operations, all threads together.
struct Case {
  std::string name;
  double bytes = 0, operations = 0;
  bool isInt8 = false;
  const float *weights = nullptr; // read by the bandwidth ceiling
  std::function<void(int thread, int threads)> body;
};

volatile float sink;

void report(const Case &c, int threads) {
  constexpr int rounds = 9;
  std::vector<double> kernel, read, peak;
  double peakOperations = 0;
  // At least 10 ms a round; single calls of small cases would time the thread start.
  double once = runParallel(threads, [&](int t) { c.body(t, threads); });
  once = std::min(once, runParallel(threads, [&](int t) { c.body(t, threads); }));
  const int repeat = std::max(1, int(0.01 / once));
  for (int r = 0; r < rounds; ++r) {
    kernel.push_back(runParallel(threads,
                                 [&](int t) {
                                   for (int i = 0; i < repeat; ++i)
                                     c.body(t, threads);
                                 }) /
                     repeat);
    if (c.weights)
      read.push_back(runParallel(threads,
                                 [&](int t) {
                                   int64_t share = int64_t(c.bytes) / threads / 256 * 256;
                                   for (int i = 0; i < repeat; ++i)
                                     sink = readAll(c.weights + t * share / 4, share);
                                 }) /
                     repeat);
    else
      peak.push_back(runParallel(threads, [&](int) {
        peakOperations = c.isInt8 ? multiplyAddInt8(200000) : multiplyAdd(200000);
      }));
  }
  double time = median(kernel);
  std::printf("%-58s %d thr %9.3f ms", c.name.c_str(), threads, time * 1e3);
  if (c.weights) {
    double ceiling = median(read);
    std::printf("  %6.1f GB/s, read %6.1f, ratio %.2f\n", c.bytes / time * 1e-9,
                c.bytes / ceiling * 1e-9, ceiling / time);
  } else {
    double ceiling = peakOperations * threads / median(peak);
    std::printf("  %7.1f GOP/s, peak %7.1f, ratio %.2f\n", c.operations / time * 1e-9,
                ceiling * 1e-9, c.operations / time / ceiling);
  }
}

std::string filter;

bool isSelected(const std::string &name) { return name.find(filter) != std::string::npos; }

void run(const Case &c) {
  for (int threads : {1, 2})
    report(c, threads);
}

void fill(float *p, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    p[i] = float(i * 2654435761u % 1000) * 1e-3f - 0.5f;
}

/// Begin of thread t's share of n outputs in multiples of `unit`.
int64_t shareOf(int64_t n, int64_t unit, int t, int threads) {
  return std::min(n, (n + unit - 1) / unit * t / threads * unit);
}

std::string sizes(int64_t m, int64_t k, int64_t n) {
  return " m" + std::to_string(m) + " k" + std::to_string(k) + " n" + std::to_string(n);
}

/// Weights of type T; as uint16_t the bits of f16 or bf16.
template <class T, class Fn> void linearF32(Fn *fn, const std::string &name, int64_t nr) {
  auto add = [&](int64_t m, int64_t k, int64_t n) {
    const std::string title = name + sizes(m, k, n);
    if (!isSelected(title))
      return;
    const int64_t bytes = packedSizePanels(k, n, nr) * int64_t(sizeof(T));
    T *w = allocate<T>(packedSizePanels(k, n, nr));
    float *a = allocate<float>(m * k), *c = allocate<float>(m * n);
    if constexpr (sizeof(T) == sizeof(float))
      fill(w, packedSizePanels(k, n, nr));
    else
      std::memset(w, 0x35, bytes); // 0.33 in f16, 7e-7 in bf16
    fill(a, m * k);
    run({title, double(k * n * sizeof(T)), 2.0 * m * k * n, false,
         m <= 4 ? reinterpret_cast<const float *>(w) : nullptr, [=](int t, int threads) {
           int64_t j0 = shareOf(n, nr, t, threads), j1 = shareOf(n, nr, t + 1, threads);
           fn(a, k, w + j0 * k, c + j0, n, m, k, j1 - j0);
         }});
    munmap(w, bytes);
  };
  for (int64_t m : {1, 2, 4})
    add(m, 2048, 65536);
  add(1, 288, 32000);
  for (int64_t k : {288, 768, 2048})
    add(128, k, k);
  for (int64_t m : {8, 37, 512})
    add(m, 768, 768);
}

template <class Fn> void linearNBits(Fn *fn, const std::string &name, int64_t bits) {
  auto add = [&](int64_t m, int64_t k, int64_t n, int64_t g, bool zp) {
    const std::string title = name + sizes(m, k, n) + " g" + std::to_string(g) + (zp ? " zp" : "");
    if (!isSelected(title))
      return;
    int64_t bytes = packedSizeNBits(bits, k, n, g, zp);
    auto *w = allocate<uint8_t>(bytes);
    for (int64_t i = 0; i < bytes; i += 4) { // any bits do, as f32 scales they are 0.5..2
      uint32_t word = 0x3f000000 + (uint32_t(i) * 2654435761u >> 8);
      std::memcpy(w + i, &word, 4);
    }
    auto *a = allocate<float>(m * k), *c = allocate<float>(m * n);
    auto *q = allocate<int8_t>(m * k);
    const int64_t units = k / std::min<int64_t>(g, 32);
    auto *scale = allocate<float>(m * units);
    auto *sum = allocate<int32_t>(m * units);
    fill(a, m * k);
    llmc_uk_quantize_f32_i8__reference(a, k, q, k, scale, sum, units, m, k, g);
    int64_t block = rowBlockBytesNBits(bits, k, g, zp);
    constexpr bool isInt8 = std::is_same_v<Fn, decltype(llmc_uk_linear_i8_i4_f32__x86_64_v3)>;
    run({title, double(bytes), 2.0 * m * k * n, isInt8,
         m <= 2 ? reinterpret_cast<float *>(w) : nullptr, [=](int t, int threads) {
           int64_t j0 = shareOf(n, 16, t, threads), j1 = shareOf(n, 16, t + 1, threads);
           const uint8_t *p = w + j0 / 16 * block;
           if constexpr (isInt8)
             fn(q, k, scale, sum, units, p, c + j0, n, m, k, j1 - j0, g, zp);
           else
             fn(a, k, p, c + j0, n, m, k, j1 - j0, g, zp);
         }});
    munmap(w, bytes);
  };
  add(1, 2048, 500000 * 4 / bits, 32, false); // 640 MB or more: beyond any cache
  for (int64_t m : {1, 2})
    for (bool zp : {false, true})
      add(m, 2048, 65536, 32, zp);
  add(1, 2048, 65536, 128, false);
  for (int64_t m : {4, 8, 128})
    add(m, 2048, 2048, 32, false);
  add(128, 2048, 2048, 128, true);
  add(128, 2048, 2048, 16, false);
}

template <class Fn> void matmul(Fn *fn, const std::string &name) {
  constexpr int64_t m = 128, k = 768, n = 768;
  auto *a = allocate<float>(m * k), *b = allocate<float>(k * n), *c = allocate<float>(m * n);
  for (bool transposed : {false, true}) {
    const std::string title = name + sizes(m, k, n) + (transposed ? " b[n][k]" : " b[k][n]");
    if (!isSelected(title))
      continue;
    run({title, double(k * n * 4), 2.0 * m * k * n, false, nullptr, [=](int t, int threads) {
           int64_t j0 = shareOf(n, 32, t, threads), j1 = shareOf(n, 32, t + 1, threads);
           fn(a, k, transposed ? b + j0 * k : b + j0, transposed ? 1 : n, transposed ? k : 1,
              c + j0, n, m, k, j1 - j0);
         }});
  }
}

template <class Fn>
void attention(Fn *fn, const std::string &name, int64_t elementBytes, bool hasScales) {
  auto add = [&](int64_t heads, int64_t positions, int64_t total, int64_t dim) {
    constexpr int64_t kvHeads = 64;
    const std::string title = name + " g" + std::to_string(heads) + " rows" +
                              std::to_string(positions) + " keys" + std::to_string(total) + " d" +
                              std::to_string(dim);
    if (!isSelected(title))
      return;
    // One array of bytes: keys, values, then scales. Zeros are numbers of every type.
    const int64_t headBytes = total * dim * elementBytes;
    auto *k =
        reinterpret_cast<char *>(allocate<float>((2 * kvHeads * (headBytes + 4 * total) + 3) / 4));
    auto *scales = reinterpret_cast<float *>(k + 2 * kvHeads * headBytes);
    auto *q = allocate<float>(heads * positions * dim),
         *out = allocate<float>(kvHeads * heads * positions * dim);
    fill(q, heads * positions * dim);
    if (elementBytes == 4)
      fill(reinterpret_cast<float *>(k), 2 * kvHeads * total * dim);
    double pairs = double(positions) * (total - positions) + positions * (positions + 1) / 2.0;
    Case c{title,
           double(2 * kvHeads * headBytes),
           4.0 * pairs * heads * dim * kvHeads,
           false,
           nullptr,
           [=](int t, int threads) {
             for (int64_t h = kvHeads * t / threads; h < kvHeads * (t + 1) / threads; ++h) {
               llmc_uk_attention_params p{};
               p.q = q, p.k = k + h * headBytes, p.v = k + (kvHeads + h) * headBytes;
               if (hasScales) {
                 p.k_scale = scales + h * total, p.v_scale = scales + (kvHeads + h) * total;
                 p.k_scale_block_stride = p.v_scale_block_stride = 16;
               }
               p.out = out + h * heads * positions * dim;
               p.num_heads = heads, p.num_positions = positions;
               p.first_position = total - positions, p.total = total;
               p.key_dim = p.value_dim = dim, p.causal = 1, p.block_shift = 4;
               p.q_head_stride = p.out_head_stride = dim;
               p.q_pos_stride = p.out_pos_stride = heads * dim;
               p.k_token_stride = p.v_token_stride = dim;
               p.k_block_stride = p.v_block_stride = 16 * dim;
               p.scale = 1 / std::sqrt(float(dim));
               fn(&p);
             }
           }};
    if (positions == 1) // decode is bound by reading keys and values
      c.weights = reinterpret_cast<float *>(k);
    run(c);
  };
  for (int64_t heads : {1, 4})
    for (int64_t dim : {48, 64, 128})
      add(heads, 1, 1024, dim);
  for (int64_t dim : {48, 64, 128})
    add(1, 128, 512, dim);
}

} // namespace

int main(int argc, char **argv) {
  if (argc > 1)
    filter = argv[1];
  forEachMicrokernelVariant([](Microkernel kernel, IsaLevel level, const char *isa, void (*f)()) {
    if (!hostSupports(level))
      return;
    std::string suffix = std::string(" ") + isa;
    switch (kernel) {
    case Microkernel::LinearF32F32F32:
      return linearF32<float>(
          reinterpret_cast<decltype(llmc_uk_linear_f32_f32_f32__x86_64_v3) *>(f),
          "linear_f32" + suffix, panelWidthF32(level));
    case Microkernel::LinearF32F16F32:
      return linearF32<uint16_t>(
          reinterpret_cast<decltype(llmc_uk_linear_f32_f16_f32__x86_64_v3) *>(f),
          "linear_f32_f16" + suffix, panelWidthF32(level));
    case Microkernel::LinearF32BF16F32:
      return linearF32<uint16_t>(
          reinterpret_cast<decltype(llmc_uk_linear_f32_bf16_f32__x86_64_v3) *>(f),
          "linear_f32_bf16" + suffix, panelWidthF32(level));
    case Microkernel::LinearI8I4F32:
      return linearNBits(reinterpret_cast<decltype(llmc_uk_linear_i8_i4_f32__x86_64_v3) *>(f),
                         "linear_i8_i4" + suffix, 4);
    case Microkernel::LinearI8I8F32:
      return linearNBits(reinterpret_cast<decltype(llmc_uk_linear_i8_i8_f32__x86_64_v3) *>(f),
                         "linear_i8_i8" + suffix, 8);
    case Microkernel::LinearF32I4F32:
      return linearNBits(reinterpret_cast<decltype(llmc_uk_linear_f32_i4_f32__x86_64_v3) *>(f),
                         "linear_f32_i4" + suffix, 4);
    case Microkernel::LinearF32I8F32:
      return linearNBits(reinterpret_cast<decltype(llmc_uk_linear_f32_i8_f32__x86_64_v3) *>(f),
                         "linear_f32_i8" + suffix, 8);
    case Microkernel::MatmulF32F32F32:
      return matmul(reinterpret_cast<decltype(llmc_uk_matmul_f32_f32_f32__x86_64_v3) *>(f),
                    "matmul" + suffix);
    case Microkernel::AttentionF32:
      return attention(reinterpret_cast<decltype(llmc_uk_attention_f32__x86_64_v3) *>(f),
                       "attention" + suffix, 4, false);
    case Microkernel::AttentionF32F16:
      return attention(reinterpret_cast<decltype(llmc_uk_attention_f32__x86_64_v3) *>(f),
                       "attention f16" + suffix, 2, false);
    case Microkernel::AttentionF32BF16:
      return attention(reinterpret_cast<decltype(llmc_uk_attention_f32__x86_64_v3) *>(f),
                       "attention bf16" + suffix, 2, false);
    case Microkernel::AttentionF32I8:
      return attention(reinterpret_cast<decltype(llmc_uk_attention_f32__x86_64_v3) *>(f),
                       "attention i8" + suffix, 1, true);
    case Microkernel::QuantizeF32I8:
      return; // a thousandth of the linear layer it feeds
    }
  });
}
