//===- Testing.h - buffers and variants of the microkernel tests ----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UNITTESTS_MICROKERNELS_TESTING_H
#define LLMC_UNITTESTS_MICROKERNELS_TESTING_H

#include "llmc/CodeGen/CPU/Microkernels.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <span>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace llmc::cpu::testing {

/// `count` elements that end at an inaccessible page and begin after one with at most a
/// page of canary bytes between: any read or write past the end faults.
template <class T> class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t count) : count(count) {
    size_t page = size_t(sysconf(_SC_PAGESIZE));
    size_t bytes = (count * sizeof(T) + page - 1) / page * page + page;
    mapped = bytes + 2 * page;
    base = static_cast<std::byte *>(
        mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base, page, PROT_NONE);
    mprotect(base + page + bytes, page, PROT_NONE);
    usable = base + page;
    std::memset(usable, 0x5a, bytes);
    begin = reinterpret_cast<T *>(usable + bytes - count * sizeof(T));
    canaryBytes = bytes - count * sizeof(T);
  }
  GuardedBuffer(const GuardedBuffer &) = delete;
  GuardedBuffer &operator=(const GuardedBuffer &) = delete;
  ~GuardedBuffer() { munmap(base, mapped); }

  T *data() { return begin; }
  size_t size() const { return count; }
  T &operator[](size_t i) { return begin[i]; }
  std::span<T> span() { return {begin, count}; }
  /// True while nothing wrote before the first element.
  bool isIntact() const {
    for (size_t i = 0; i < canaryBytes; ++i)
      if (usable[i] != std::byte{0x5a})
        return false;
    return true;
  }

private:
  size_t count, mapped, canaryBytes;
  std::byte *base, *usable;
  T *begin;
};

inline void fillUniform(std::span<float> values, unsigned seed, float low = -1, float high = 1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  for (float &v : values)
    v = uniform(engine);
}

/// One line of Microkernels_variants.inc with the function itself.
template <class Fn> struct KernelVariant {
  Fn *fn;
  IsaLevel level;
  const char *isa;
};

template <class Fn>
std::string variantName(const ::testing::TestParamInfo<KernelVariant<Fn>> &info) {
  return info.param.isa;
}

/// A fixture that skips, visibly, what this machine does not run.
template <class Fn>
class VariantTest : public ::testing::TestWithParam<KernelVariant<Fn>> {
protected:
  void SetUp() override {
    if (!hostSupports(this->GetParam().level))
      GTEST_SKIP() << "this machine does not run " << this->GetParam().isa;
  }
};

} // namespace llmc::cpu::testing

#endif // LLMC_UNITTESTS_MICROKERNELS_TESTING_H
