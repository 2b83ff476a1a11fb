//===- Bench.h - threads, clock and ceilings of the kernel bench ----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_BENCH_KERNELS_BENCH_H
#define LLMC_BENCH_KERNELS_BENCH_H

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <sys/mman.h>
#include <thread>
#include <time.h>
#include <vector>

namespace llmc::bench {

/// CPU time of the calling thread in seconds: wall time on an idle machine, and unlike it
/// not shared with other processes on a busy one.
inline double threadSeconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

/// CPU seconds of the slowest of `threads` threads in body(thread), started together.
inline double runParallel(int threads, const std::function<void(int)> &body) {
  std::atomic<int> ready{0};
  std::vector<double> seconds(threads);
  auto run = [&](int t) {
    ready.fetch_add(1);
    while (ready.load() < threads)
      ;
    double begin = threadSeconds();
    body(t);
    seconds[t] = threadSeconds() - begin;
  };
  std::vector<std::thread> team;
  for (int t = 1; t < threads; ++t)
    team.emplace_back(run, t);
  run(0);
  for (std::thread &t : team)
    t.join();
  return *std::max_element(seconds.begin(), seconds.end());
}

inline double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

/// Zeroed memory on huge pages where the system gives them; lives as long as the bench.
template <class T> T *allocate(int64_t count) {
  size_t bytes = (size_t(count) * sizeof(T) + (2 << 20)) & ~size_t((2 << 20) - 1);
  void *p = mmap(nullptr, bytes + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto base = (reinterpret_cast<uintptr_t>(p) + (2 << 20) - 1) & ~uintptr_t((2 << 20) - 1);
  madvise(reinterpret_cast<void *>(base), bytes, MADV_HUGEPAGE);
  return reinterpret_cast<T *>(base);
}

/// Reads `bytes` with four streams and prefetch; returns a value that keeps the loads.
float readAll(const float *data, int64_t bytes);

/// Chains of f32 fma; returns the number of floating point operations done.
double multiplyAdd(int64_t steps);

/// vpdpbusd likewise, or 0 where the machine has none.
double multiplyAddInt8(int64_t steps);

} // namespace llmc::bench

#endif // LLMC_BENCH_KERNELS_BENCH_H
