//===- Calibration.cpp - what this machine can do at most -----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The inner loops carry target attributes, and are chosen at run time through
// __builtin_cpu_supports, which also asks whether the operating system saves
// the registers.
//
//===----------------------------------------------------------------------===//
#include "Calibration.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include <sys/mman.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace llmc::run {
namespace {

/// Keeps the compiler from dropping a result that nobody else reads.
std::atomic<uint64_t> sink;

/// Reads [data, data + sizeBytes); sizeBytes is a multiple of 512. A prefetch
/// distance of 0 leaves fetching ahead to the hardware.
using ReadFn = uint64_t (*)(const uint8_t *data, size_t sizeBytes, size_t prefetchBytes);

/// Does `rounds` times a fixed number of operations, which it returns.
using ArithmeticFn = uint64_t (*)(size_t rounds, float seed);

/// Accumulators: enough to cover latency 4 on two ports, and to leave room for
/// the two factors in 16 registers.
constexpr int NumAccumulators = 12;

uint64_t readBaseline(const uint8_t *data, size_t sizeBytes, size_t) {
  const auto *words = reinterpret_cast<const uint64_t *>(data);
  uint64_t sums[4] = {};
  for (size_t i = 0, e = sizeBytes / 8; i < e; i += 4)
    for (size_t j = 0; j < 4; ++j)
      sums[j] += words[i + j];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

uint64_t arithmeticBaseline(size_t rounds, float seed) {
  float sums[NumAccumulators];
  for (float &sum : sums)
    sum = seed;
  for (size_t i = 0; i < rounds; ++i)
    for (float &sum : sums)
      sum = sum * 0.999f + seed;
  float total = 0;
  for (float sum : sums)
    total += sum;
  sink.fetch_add(static_cast<uint64_t>(total), std::memory_order_relaxed);
  return rounds * NumAccumulators * 2;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) uint64_t readAVX2(const uint8_t *data, size_t sizeBytes,
                                                  size_t prefetchBytes) {
  __m256i sums[8] = {};
  for (size_t i = 0; i < sizeBytes; i += 256) {
    if (prefetchBytes)
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j)
        _mm_prefetch(data + i + prefetchBytes + j * 64, _MM_HINT_T0);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j)
      sums[j] = _mm256_add_epi64(
          sums[j], _mm256_load_si256(reinterpret_cast<const __m256i *>(data + i + j * 32)));
  }
  __m256i total = sums[0];
  for (int j = 1; j < 8; ++j)
    total = _mm256_add_epi64(total, sums[j]);
  return static_cast<uint64_t>(_mm256_extract_epi64(total, 0));
}

__attribute__((target("avx512f"))) uint64_t readAVX512(const uint8_t *data, size_t sizeBytes,
                                                       size_t prefetchBytes) {
  __m512i sums[8] = {};
  for (size_t i = 0; i < sizeBytes; i += 512) {
    if (prefetchBytes)
#pragma GCC unroll 8
      for (int j = 0; j < 8; ++j)
        _mm_prefetch(data + i + prefetchBytes + j * 64, _MM_HINT_T0);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j)
      sums[j] = _mm512_add_epi64(sums[j], _mm512_load_si512(data + i + j * 64));
  }
  __m512i total = sums[0];
  for (int j = 1; j < 8; ++j)
    total = _mm512_add_epi64(total, sums[j]);
  alignas(64) uint64_t lanes[8];
  _mm512_store_si512(lanes, total);
  return lanes[0];
}

__attribute__((target("avx2,fma"))) uint64_t arithmeticFMA(size_t rounds, float seed) {
  __m256 sums[NumAccumulators], factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(seed);
#pragma GCC unroll 12
  for (int j = 0; j < NumAccumulators; ++j)
    sums[j] = term;
  for (size_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (int j = 0; j < NumAccumulators; ++j)
      sums[j] = _mm256_fmadd_ps(sums[j], factor, term);
  __m256 total = sums[0];
#pragma GCC unroll 12
  for (int j = 1; j < NumAccumulators; ++j)
    total = _mm256_add_ps(total, sums[j]);
  sink.fetch_add(static_cast<uint64_t>(_mm256_cvtss_f32(total)), std::memory_order_relaxed);
  return rounds * NumAccumulators * 8 * 2;
}

__attribute__((target("avx512f"))) uint64_t arithmeticAVX512(size_t rounds, float seed) {
  __m512 sums[NumAccumulators], factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(seed);
#pragma GCC unroll 12
  for (int j = 0; j < NumAccumulators; ++j)
    sums[j] = term;
  for (size_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (int j = 0; j < NumAccumulators; ++j)
      sums[j] = _mm512_fmadd_ps(sums[j], factor, term);
  __m512 total = sums[0];
#pragma GCC unroll 12
  for (int j = 1; j < NumAccumulators; ++j)
    total = _mm512_add_ps(total, sums[j]);
  sink.fetch_add(static_cast<uint64_t>(_mm512_cvtss_f32(total)), std::memory_order_relaxed);
  return rounds * NumAccumulators * 16 * 2;
}
#endif

struct Probes {
  const char *isa;
  ReadFn read;
  ArithmeticFn arithmetic;
};

Probes selectProbes() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return {"avx512f", readAVX512, arithmeticAVX512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {"avx2+fma", readAVX2, arithmeticFMA};
#endif
  return {"baseline", readBaseline, arithmeticBaseline};
}

/// Seconds from the moment that all threads are ready until the last is done.
double timeThreads(unsigned numThreads, const std::function<void(unsigned)> &work) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin;
  std::barrier start(numThreads, [&]() noexcept { begin = Clock::now(); });
  std::vector<Clock::time_point> ends(numThreads);
  auto run = [&](unsigned index) {
    start.arrive_and_wait();
    work(index);
    ends[index] = Clock::now();
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < numThreads; ++i)
      threads.emplace_back(run, i);
    run(0);
  }
  Clock::time_point end = *std::max_element(ends.begin(), ends.end());
  return std::max(std::chrono::duration<double>(end - begin).count(), 1e-9);
}

/// A transparent huge page on x86-64.
constexpr size_t PageBytes = size_t{2} << 20;

} // namespace

BandwidthProbe::BandwidthProbe(size_t wantedBytes)
    : sizeBytes(std::max<size_t>((wantedBytes + PageBytes - 1) / PageBytes, 1) * PageBytes) {
  if (sizeBytes < wantedBytes)
    return;
  void *address =
      mmap(nullptr, sizeBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED)
    return;
  madvise(address, sizeBytes, MADV_HUGEPAGE);
  memory = static_cast<uint8_t *>(address);
  // Every page needs a frame of its own: unwritten ones share the zero page.
  std::fill_n(memory, sizeBytes, uint8_t{1});
}

BandwidthProbe::~BandwidthProbe() {
  if (memory)
    munmap(memory, sizeBytes);
}

double BandwidthProbe::measure(unsigned numThreads) const {
  Probes probes = selectProbes();
  size_t share = sizeBytes / numThreads / 512 * 512;
  double best = 0.0;
  // 0: the hardware's own prefetcher; 1 and 4 KiB: the distances at which
  // server cores, whose shared cache is far away, may draw more with some help.
  for (size_t prefetchBytes : {size_t{0}, size_t{1024}, size_t{4096}}) {
    double seconds = timeThreads(numThreads, [&](unsigned index) {
      sink.fetch_add(probes.read(memory + index * share, share, prefetchBytes),
                     std::memory_order_relaxed);
    });
    best = std::max(best, static_cast<double>(share) * numThreads / seconds);
  }
  return best;
}

double measurePeakArithmetic(unsigned numThreads) {
  Probes probes = selectProbes();
  // About 10 ms at 2 FMAs per cycle and 3 GHz: long enough for wide registers'
  // clock and power to settle, short enough to repeat between measurements.
  constexpr size_t Rounds = 5'000'000;
  std::vector<uint64_t> operations(numThreads);
  double seconds = timeThreads(numThreads, [&](unsigned index) {
    operations[index] = probes.arithmetic(Rounds, static_cast<float>(index + 1));
  });
  uint64_t total = 0;
  for (uint64_t count : operations)
    total += count;
  return static_cast<double>(total) / seconds;
}

const char *calibrationISA() { return selectProbes().isa; }

std::string cpuName() {
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line)) {
    size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos)
      return line.substr(colon + 2);
  }
  return "unknown CPU";
}

} // namespace llmc::run
