//===- LinearU8I8Test.cpp - linear layers of 8-bit integers ----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exact comparison: sums of integers.
//
//===----------------------------------------------------------------------===//

#include "VariantTable.h"

using namespace llmc::cpu;
using namespace llmc::cpu::testing;

namespace {

using Fn = decltype(llmc_uk_linear_u8_i8_i32__x86_64_v3);
using LinearU8I8Test = VariantTest<Fn>;

/// Random bytes, or the ones whose products are largest.
void check(const KernelVariant<Fn> &variant, int64_t m, int64_t k, int64_t n,
           bool isExtreme = false) {
  SCOPED_TRACE(::testing::Message() << "m " << m << " k " << k << " n " << n);
  const int64_t lda = k + 1, ldc = n + 3;
  GuardedBuffer<uint8_t> a(m ? (m - 1) * lda + k : 0);
  GuardedBuffer<int32_t> c(m && n ? (m - 1) * ldc + n : 0);
  std::vector<int8_t> w(k * n);
  std::mt19937 engine(7);
  for (uint8_t &x : a.span())
    x = isExtreme ? 255 : uint8_t(engine());
  for (int8_t &x : w)
    x = isExtreme ? int8_t(engine() % 2 ? 127 : -128) : int8_t(engine());
  GuardedBuffer<std::byte> packed((n + rowBlockI8 - 1) / rowBlockI8 * rowBlockBytesI8(k));
  packI8(w.data(), k, n, /*strideK=*/n, /*strideN=*/1, packed.data(), 0,
         (n + rowBlockI8 - 1) / rowBlockI8);
  std::vector<int32_t> expected(c.data(), c.data() + c.size());
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      expected[i * ldc + j] = 0;
      for (int64_t p = 0; p < k; ++p)
        expected[i * ldc + j] += a[i * lda + p] * w[p * n + j];
    }
  std::vector<int32_t> reference(c.data(), c.data() + c.size());
  llmc_uk_linear_u8_i8_i32__reference(a.data(), lda, packed.data(), reference.data(), ldc, m, k,
                                      n);
  variant.fn(a.data(), lda, packed.data(), c.data(), ldc, m, k, n);
  EXPECT_EQ(reference, expected);
  ASSERT_TRUE(std::equal(expected.begin(), expected.end(), c.data()));
  EXPECT_TRUE(c.isIntact());
}

TEST_P(LinearU8I8Test, EqualsReference) {
  for (int64_t k : {0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 300})
    for (int64_t m : {1, 2, 5})
      check(GetParam(), m, k, 70);
  for (int64_t m : {0, 1, 2, 3, 4, 5, 7, 8, 12, 13, 24, 25, 26})
    for (int64_t n : {0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 130})
      check(GetParam(), m, 50, n);
}

TEST_P(LinearU8I8Test, LargestProductsDoNotSaturate) {
  for (int64_t m : {1, 2, 3})
    check(GetParam(), m, 256, 48, /*isExtreme=*/true);
}

INSTANTIATE_TEST_SUITE_P(Isa, LinearU8I8Test,
                         ::testing::ValuesIn(variantsOf<Fn>(Microkernel::LinearU8I8I32)),
                         variantName<Fn>);

} // namespace
