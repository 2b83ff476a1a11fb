//===- LinearI4Test.cpp - n-bit linear layers and quantize_f32_i8 ---------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exact comparison: the contracts fix the order of every f32 operation and the rest is
// integer. Values are compared with ==, since an added zero may lose the sign of a zero.
//
//===----------------------------------------------------------------------===//

#include "VariantTable.h"

#include <cmath>

using namespace llmc::cpu;
using namespace llmc::cpu::testing;

namespace {

/// Random MatMulNBits weights, packed, with the packed bytes at a guard page.
struct Weights {
  std::vector<uint8_t> numbers, zeroPoints;
  std::vector<float> scales;
  GuardedBuffer<std::byte> packed;

  Weights(int64_t k, int64_t n, int64_t g, bool hasZeroPoints, int64_t bits = 4)
      : numbers(n * ((k + g - 1) / g) * (g * bits / 8)), scales(n * ((k + g - 1) / g)),
        packed(packedSizeNBits(bits, k, n, g, hasZeroPoints)) {
    const int64_t groups = (k + g - 1) / g;
    std::mt19937 engine(7);
    for (uint8_t &b : numbers)
      b = uint8_t(engine());
    fillUniform(scales, 8, 0.5f, 1.5f);
    if (hasZeroPoints) {
      zeroPoints.resize(n * ((groups * bits + 7) / 8));
      for (uint8_t &b : zeroPoints)
        b = uint8_t(engine());
    }
    pack(k, n, g, bits);
  }

  void pack(int64_t k, int64_t n, int64_t g, int64_t bits) {
    NBitsWeights w{numbers.data(),
                   scales.data(),
                   zeroPoints.empty() ? nullptr : zeroPoints.data(),
                   k,
                   n,
                   g,
                   bits};
    for (int64_t b = 0; b * rowBlockNBits < n; ++b) // block by block, as the compiler streams
      packNBits(w, packed.data(), b, b + 1);
  }
};

void expectEqual(std::span<const float> expected, std::span<const float> actual) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_EQ(expected[i], actual[i]) << "element " << i;
}

using FloatFn = decltype(llmc_uk_linear_f32_i4_f32__x86_64_v3);
using LinearF32I4Test = VariantTest<FloatFn>;
using LinearF32I8Test = VariantTest<FloatFn>;

void checkFloat(const KernelVariant<FloatFn> &variant, int64_t bits, int64_t m, int64_t k,
                int64_t n, int64_t g, bool zp) {
  SCOPED_TRACE(::testing::Message() << "bits " << bits << " m " << m << " k " << k << " n " << n
                                    << " g " << g << (zp ? " zero points" : ""));
  const int64_t lda = k + 1, ldc = n + 3;
  Weights w(k, n, g, zp, bits);
  GuardedBuffer<float> a(m ? (m - 1) * lda + k : 0), c(m && n ? (m - 1) * ldc + n : 0);
  fillUniform(a.span(), 9);
  std::vector<float> expected(c.data(), c.data() + c.size());
  auto *reference =
      bits == 8 ? &llmc_uk_linear_f32_i8_f32__reference : &llmc_uk_linear_f32_i4_f32__reference;
  reference(a.data(), lda, w.packed.data(), expected.data(), ldc, m, k, n, g, zp);
  variant.fn(a.data(), lda, w.packed.data(), c.data(), ldc, m, k, n, g, zp);
  expectEqual(expected, c.span());
  EXPECT_TRUE(c.isIntact());
}

void checkFloatSizes(const KernelVariant<FloatFn> &variant, int64_t bits) {
  for (bool zp : {false, true}) {
    for (int64_t g : {16, 32, 64, 128, 256})
      for (int64_t k : {0, 1, 3, 4, 5, 7, 8, 16, 31, 32, 33, 100, 256, 300})
        for (int64_t m : {1, 2, 5})
          checkFloat(variant, bits, m, k, 70, g, zp);
    for (int64_t m : {0, 1, 2, 3, 4, 6, 7, 12, 13, 26})
      for (int64_t n : {0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130})
        checkFloat(variant, bits, m, 50, n, 32, zp);
  }
}

TEST_P(LinearF32I4Test, EqualsReference) { checkFloatSizes(GetParam(), 4); }
TEST_P(LinearF32I8Test, EqualsReference) { checkFloatSizes(GetParam(), 8); }

INSTANTIATE_TEST_SUITE_P(Isa, LinearF32I4Test,
                         ::testing::ValuesIn(variantsOf<FloatFn>(Microkernel::LinearF32I4F32)),
                         variantName<FloatFn>);
INSTANTIATE_TEST_SUITE_P(Isa, LinearF32I8Test,
                         ::testing::ValuesIn(variantsOf<FloatFn>(Microkernel::LinearF32I8F32)),
                         variantName<FloatFn>);

/// What the packed bytes stand for, by the definition of MatMulNBits.
TEST(PackNBits, KeepsEveryWeight) {
  for (int64_t bits : {2, 4, 8})
    for (bool zp : {false, true}) {
      const int64_t k = 50, n = 19, g = 32, groups = 2;
      Weights w(k, n, g, zp, bits);
      auto number = [&](const std::vector<uint8_t> &bytes, int64_t rowBytes, int64_t row,
                        int64_t i) {
        return bytes[row * rowBytes + i * bits / 8] >> (i * bits % 8) & ((1 << bits) - 1);
      };
      auto *reference =
          bits == 8 ? &llmc_uk_linear_f32_i8_f32__reference : &llmc_uk_linear_f32_i4_f32__reference;
      for (int64_t p : {0, 1, 31, 32, 49}) {
        std::vector<float> a(k), c(n);
        a[p] = 1;
        reference(a.data(), k, w.packed.data(), c.data(), n, 1, k, n, g, zp);
        for (int64_t j = 0; j < n; ++j) {
          int zero = zp ? number(w.zeroPoints, (groups * bits + 7) / 8, j, p / g) : 1 << (bits - 1);
          int q = number(w.numbers, groups * g * bits / 8, j, p);
          ASSERT_EQ(c[j], float(q - zero) * w.scales[j * groups + p / g])
              << "bits " << bits << " output " << j << " input " << p;
        }
      }
    }
}

using IntFn = decltype(llmc_uk_linear_i8_i4_f32__x86_64_v3);
using LinearI8I4Test = VariantTest<IntFn>;
using LinearI8I8Test = VariantTest<IntFn>;

void checkInt(const KernelVariant<IntFn> &variant, int64_t bits, int64_t m, int64_t k, int64_t n,
              int64_t g, bool zp, Weights &w, float low = -1, float high = 1) {
  SCOPED_TRACE(::testing::Message() << "bits " << bits << " m " << m << " k " << k << " n " << n
                                    << " g " << g << (zp ? " zero points" : ""));
  const int64_t unit = std::min<int64_t>(g, 32), blocks = (k + unit - 1) / unit;
  const int64_t ldaq = blocks * unit + 7, ldas = blocks + 2, ldc = n + 3;
  std::vector<float> x(m * k);
  fillUniform(x, 10, low, high);
  GuardedBuffer<int8_t> q(m ? (m - 1) * ldaq + blocks * unit : 0);
  GuardedBuffer<float> scale(m ? (m - 1) * ldas + blocks : 0), c(m && n ? (m - 1) * ldc + n : 0);
  GuardedBuffer<int32_t> sum(scale.size());
  llmc_uk_quantize_f32_i8__reference(x.data(), k, q.data(), ldaq, scale.data(), sum.data(), ldas, m,
                                     k, g);
  std::vector<float> expected(c.data(), c.data() + c.size());
  auto *reference =
      bits == 8 ? &llmc_uk_linear_i8_i8_f32__reference : &llmc_uk_linear_i8_i4_f32__reference;
  reference(q.data(), ldaq, scale.data(), sum.data(), ldas, w.packed.data(), expected.data(), ldc,
            m, k, n, g, zp);
  variant.fn(q.data(), ldaq, scale.data(), sum.data(), ldas, w.packed.data(), c.data(), ldc, m, k,
             n, g, zp);
  expectEqual(expected, c.span());
  EXPECT_TRUE(c.isIntact());
}

void checkIntSizes(const KernelVariant<IntFn> &variant, int64_t bits) {
  auto check = [&](int64_t m, int64_t k, int64_t n, int64_t g, bool zp) {
    Weights w(k, n, g, zp, bits);
    checkInt(variant, bits, m, k, n, g, zp, w);
  };
  for (bool zp : {false, true}) {
    for (int64_t g : {16, 32, 64, 128, 256})
      for (int64_t k : {0, 1, 15, 16, 17, 31, 32, 33, 100, 256, 300})
        for (int64_t m : {1, 2, 5})
          check(m, k, 70, g, zp);
    for (int64_t m : {0, 1, 2, 3, 4, 5, 7, 8, 12, 13, 26})
      for (int64_t n : {0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130})
        check(m, 50, n, 32, zp);
  }
}

TEST_P(LinearI8I4Test, EqualsReference) { checkIntSizes(GetParam(), 4); }
TEST_P(LinearI8I8Test, EqualsReference) { checkIntSizes(GetParam(), 8); }

/// All numbers are the largest, all zero points the smallest, all inputs +-127.
void checkLargest(const KernelVariant<IntFn> &variant, int64_t bits) {
  for (int64_t g : {16, 32})
    for (int64_t m : {1, 2, 3})
      for (float sign : {-1.0f, 1.0f}) {
        const int64_t k = 64, n = 64;
        Weights w(k, n, g, true, bits);
        std::fill(w.numbers.begin(), w.numbers.end(), uint8_t(0xff));
        std::fill(w.zeroPoints.begin(), w.zeroPoints.end(), uint8_t(0));
        w.pack(k, n, g, bits);
        const float low = sign < 0 ? -1.0f : 0.9999f;
        checkInt(variant, bits, m, k, n, g, true, w, low, low + 1e-4f);
      }
}

TEST_P(LinearI8I4Test, LargestProductsDoNotSaturate) { checkLargest(GetParam(), 4); }
TEST_P(LinearI8I8Test, LargestProductsDoNotSaturate) { checkLargest(GetParam(), 8); }

INSTANTIATE_TEST_SUITE_P(Isa, LinearI8I4Test,
                         ::testing::ValuesIn(variantsOf<IntFn>(Microkernel::LinearI8I4F32)),
                         variantName<IntFn>);
INSTANTIATE_TEST_SUITE_P(Isa, LinearI8I8Test,
                         ::testing::ValuesIn(variantsOf<IntFn>(Microkernel::LinearI8I8F32)),
                         variantName<IntFn>);

using QuantizeFn = decltype(llmc_uk_quantize_f32_i8__x86_64_v3);
using QuantizeTest = VariantTest<QuantizeFn>;

void checkQuantize(const KernelVariant<QuantizeFn> &variant, int64_t g) {
  const int64_t unit = std::min<int64_t>(g, 32);
  for (int64_t k : {0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 300})
    for (int64_t m : {0, 1, 3}) {
      SCOPED_TRACE(::testing::Message() << "m " << m << " k " << k << " g " << g);
      const int64_t blocks = (k + unit - 1) / unit, ldx = k + 3, ldq = blocks * unit + 5;
      const int64_t lds = blocks + 1;
      GuardedBuffer<float> x(m ? (m - 1) * ldx + k : 0), scale(m ? (m - 1) * lds + blocks : 0);
      GuardedBuffer<int8_t> q(m ? (m - 1) * ldq + blocks * unit : 0);
      GuardedBuffer<int32_t> sum(scale.size());
      fillUniform(x.span(), 11);
      for (size_t i = 0; i < x.size() && i < 32; ++i)
        x[i] *= i % 2 ? 0.0f : -0.0f; // the first block: all zero
      std::vector<int8_t> eq(q.data(), q.data() + q.size());
      std::vector<float> escale(scale.data(), scale.data() + scale.size());
      std::vector<int32_t> esum(sum.data(), sum.data() + sum.size());
      llmc_uk_quantize_f32_i8__reference(x.data(), ldx, eq.data(), ldq, escale.data(), esum.data(),
                                         lds, m, k, g);
      variant.fn(x.data(), ldx, q.data(), ldq, scale.data(), sum.data(), lds, m, k, g);
      EXPECT_EQ(std::memcmp(eq.data(), q.data(), q.size()), 0);
      EXPECT_EQ(std::memcmp(escale.data(), scale.data(), scale.size() * 4), 0);
      EXPECT_EQ(std::memcmp(esum.data(), sum.data(), sum.size() * 4), 0);
      EXPECT_TRUE(q.isIntact() && scale.isIntact() && sum.isIntact());
    }
}

TEST_P(QuantizeTest, EqualsReference) {
  for (int64_t g : {16, 32, 64, 128, 256})
    checkQuantize(GetParam(), g);
}

TEST_P(QuantizeTest, ExtremesAndTies) {
  // The largest value maps to 127, halves go to even, and tiny blocks to zero.
  float x[64] = {127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -127.0f};
  x[32] = 1e-40f;
  int8_t q[64];
  float scale[2];
  int32_t sum[2];
  GetParam().fn(x, 64, q, 64, scale, sum, 2, 1, 64, 32);
  const int8_t expected[] = {127, 0, 2, 2, 0, -2, -127};
  EXPECT_EQ(std::memcmp(q, expected, sizeof(expected)), 0);
  EXPECT_EQ(scale[0], 1.0f);
  EXPECT_EQ(sum[0], 2);
  EXPECT_EQ(scale[1], 0.0f);
  EXPECT_EQ(q[32], 0);
}

INSTANTIATE_TEST_SUITE_P(Isa, QuantizeTest,
                         ::testing::ValuesIn(variantsOf<QuantizeFn>(Microkernel::QuantizeF32I8)),
                         variantName<QuantizeFn>);

} // namespace
