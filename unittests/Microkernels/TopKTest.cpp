//===- TopKTest.cpp - selection of the best elements ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Against a stable sort of all positions.
//
//===----------------------------------------------------------------------===//

#include "top_k/top_k.h"

#include "Testing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace llmc::cpu;

namespace {

class TopKTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (!hostSupports(IsaLevel::X86_64_V3))
      GTEST_SKIP() << "the functions are built for x86_64_v3";
  }
};

template <class T> using Kernel = void(const T *, int64_t, int64_t, int64_t *, int64_t, int64_t, int64_t);

/// `less` orders values; positions come from a stable sort.
template <class T, class Less>
void expectSorted(Kernel<T> *kernel, const std::vector<T> &values, int64_t k, bool largest,
                  Less less) {
  const int64_t n = int64_t(values.size()), strideX = 3, strideY = 2;
  std::vector<T> x(size_t(n * strideX + 1));
  for (int64_t i = 0; i < n; ++i)
    x[size_t(i * strideX)] = values[size_t(i)];
  std::vector<int64_t> order(values.size()), y(size_t(k * strideY + 1), -7);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return largest ? less(values[size_t(b)], values[size_t(a)])
                   : less(values[size_t(a)], values[size_t(b)]);
  });
  kernel(x.data(), strideX, n, y.data(), strideY, k, largest);
  for (int64_t j = 0; j < k; ++j) {
    EXPECT_EQ(y[size_t(j * strideY)], order[size_t(j)]) << "n " << n << " k " << k << " j " << j;
    EXPECT_EQ(y[size_t(j * strideY + 1)], -7) << "wrote between";
  }
}

template <class T> void checkIntegers(Kernel<T> *kernel) {
  std::mt19937_64 engine(5);
  for (int64_t n : {0, 1, 2, 3, 17, 100})
    for (int64_t k : {int64_t(0), int64_t(1), int64_t(2), n / 2, n})
      for (bool largest : {false, true}) {
        if (k > n)
          continue;
        std::vector<T> values(static_cast<size_t>(n));
        for (T &value : values) // few different ones, and the extremes
          value = engine() % 4 ? T(engine() % 5) : std::numeric_limits<T>::min();
        if (n)
          values.back() = std::numeric_limits<T>::max();
        expectSorted(kernel, values, k, largest, std::less<T>());
      }
}

template <class T> void checkFloats(Kernel<T> *kernel) {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> values = {0, T(-0.0), 3, nan, -1, inf, -inf, 3, nan, T(1e-30), T(-1e-30)};
  auto less = [](T a, T b) { return std::isnan(b) ? !std::isnan(a) : a < b; };
  for (int64_t k = 0; k <= int64_t(values.size()); ++k)
    for (bool largest : {false, true})
      expectSorted(kernel, values, k, largest, less);
}

TEST_F(TopKTest, Integers) {
  checkIntegers(llmc_uk_top_k_i8);
  checkIntegers(llmc_uk_top_k_i16);
  checkIntegers(llmc_uk_top_k_i32);
  checkIntegers(llmc_uk_top_k_i64);
  checkIntegers(llmc_uk_top_k_u8);
  checkIntegers(llmc_uk_top_k_u16);
  checkIntegers(llmc_uk_top_k_u32);
  checkIntegers(llmc_uk_top_k_u64);
}

TEST_F(TopKTest, Floats) {
  checkFloats(llmc_uk_top_k_f32);
  checkFloats(llmc_uk_top_k_f64);
}

TEST_F(TopKTest, HalfPrecision) {
  // 1, -2, NaN, 0.5, 1 as f16 and as bf16
  const uint16_t half[] = {0x3c00, 0xc000, 0x7e00, 0x3800, 0x3c00};
  const uint16_t brain[] = {0x3f80, 0xc000, 0x7fc0, 0x3f00, 0x3f80};
  const int64_t expected[] = {2, 0, 4, 3, 1};
  int64_t y[5];
  llmc_uk_top_k_f16(half, 1, 5, y, 1, 5, 1);
  EXPECT_TRUE(std::equal(y, y + 5, expected));
  llmc_uk_top_k_bf16(brain, 1, 5, y, 1, 5, 1);
  EXPECT_TRUE(std::equal(y, y + 5, expected));
}

} // namespace
