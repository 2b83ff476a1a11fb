//===- LinearF32Test.cpp - linear_f32_*_f32 and matmul_f32_f32_f32 --------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exact comparison: the contract fixes one fma per input in order, as the oracle has it.
//
//===----------------------------------------------------------------------===//

#include "VariantTable.h"

using namespace llmc::cpu;
using namespace llmc::cpu::testing;

namespace {

using LinearFn = decltype(llmc_uk_linear_f32_f32_f32__x86_64_v3);

/// A variant, the type of its weights and their oracle.
struct LinearVariant : KernelVariant<LinearFn> {
  const char *weightType;
  int64_t weightBytes;
  decltype(llmc_uk_linear_f32_f32_f32__reference) *reference;
};

class LinearF32Test : public ::testing::TestWithParam<LinearVariant> {
protected:
  void SetUp() override {
    if (!hostSupports(GetParam().level))
      GTEST_SKIP() << "this machine does not run " << GetParam().isa;
  }
};

/// Elements [n][k] in panels. As f16 or bf16 the bits are any below 2 in f16 (bf16: 1e-5),
/// subnormal ones and both zeros among them.
template <class T>
void fillPanels(GuardedBuffer<std::byte> &panels, int64_t k, int64_t n, int64_t nr) {
  std::vector<T> w(n * k);
  if constexpr (sizeof(T) == sizeof(float)) {
    fillUniform(w, 2);
  } else {
    std::mt19937 engine(2);
    for (T &bits : w)
      bits = T(engine() & 0xbfff);
    for (size_t i = 0; i < w.size(); i += 5)
      w[i] &= 0x83ff; // an exponent of zero in f16
  }
  std::vector<T> packed(packedSizePanels(k, n, nr));
  packPanels(w.data(), k, n, 1, k, nr, packed.data(), 0, (n + nr - 1) / nr);
  std::memcpy(panels.data(), packed.data(), packed.size() * sizeof(T));
}

void checkLinear(const LinearVariant &variant, int64_t m, int64_t k, int64_t n, int64_t extra) {
  SCOPED_TRACE(::testing::Message() << "m " << m << " k " << k << " n " << n);
  const int64_t nr = panelWidthF32(variant.level), lda = k + extra, ldc = n + extra;
  GuardedBuffer<float> a(m ? (m - 1) * lda + k : 0), c(m && n ? (m - 1) * ldc + n : 0);
  GuardedBuffer<std::byte> panels(packedSizePanels(k, n, nr) * variant.weightBytes);
  fillUniform(a.span(), 1);
  if (variant.weightBytes == 4)
    fillPanels<float>(panels, k, n, nr);
  else
    fillPanels<uint16_t>(panels, k, n, nr);
  std::vector<float> expected(c.data(), c.data() + c.size());
  variant.reference(a.data(), lda, panels.data(), expected.data(), ldc, m, k, n, nr);
  variant.fn(a.data(), lda, panels.data(), c.data(), ldc, m, k, n);
  EXPECT_EQ(std::memcmp(expected.data(), c.data(), c.size() * 4), 0);
  EXPECT_TRUE(c.isIntact());
}

TEST_P(LinearF32Test, RowsAndOutputs) {
  for (int64_t m : {0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 25, 37})
    for (int64_t n : {0, 1, 7, 15, 16, 17, 31, 32, 33, 64, 127, 128, 129, 161})
      checkLinear(GetParam(), m, 19, n, m % 3);
}

TEST_P(LinearF32Test, Inputs) {
  for (int64_t k : {0, 1, 2, 15, 16, 31, 32, 33, 65, 200, 511, 512, 513, 1100})
    for (int64_t m : {1, 4, 14})
      checkLinear(GetParam(), m, k, 131, 5);
}

template <class T> void checkPackedRanges(int64_t nr) {
  constexpr int64_t k = 70, n = 150;
  const int64_t panels = (n + nr - 1) / nr;
  std::vector<T> w(k * n), whole(packedSizePanels(k, n, nr)), parts(whole.size());
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = T(i + 1);
  packPanels(w.data(), k, n, n, 1, nr, whole.data(), 0, panels);
  for (int64_t p = 0; p < panels; ++p)
    packPanels(w.data(), k, n, n, 1, nr, parts.data(), p, p + 1);
  EXPECT_EQ(whole, parts);
  EXPECT_EQ(whole[(1 * k + 5) * nr + 3], w[5 * n + nr + 3]);
  EXPECT_EQ(whole[(panels - 1) * k * nr + n % nr], 0);
}

TEST(PackPanels, RangesEqualWhole) {
  for (int64_t nr : {16, 32}) {
    checkPackedRanges<float>(nr);
    checkPackedRanges<uint16_t>(nr);
  }
}

std::vector<LinearVariant> allLinearVariants() {
  std::vector<LinearVariant> variants;
  auto add = [&](Microkernel kernel, const char *type, int64_t bytes, auto *reference) {
    for (const KernelVariant<LinearFn> &variant : variantsOf<LinearFn>(kernel))
      variants.push_back({variant, type, bytes, reference});
  };
  add(Microkernel::LinearF32F32F32, "f32", 4, llmc_uk_linear_f32_f32_f32__reference);
  add(Microkernel::LinearF32F16F32, "f16", 2, llmc_uk_linear_f32_f16_f32__reference);
  add(Microkernel::LinearF32BF16F32, "bf16", 2, llmc_uk_linear_f32_bf16_f32__reference);
  return variants;
}

std::string nameOf(const ::testing::TestParamInfo<LinearVariant> &info) {
  return std::string(info.param.weightType) + "_" + info.param.isa;
}

INSTANTIATE_TEST_SUITE_P(Isa, LinearF32Test, ::testing::ValuesIn(allLinearVariants()), nameOf);

using MatmulFn = decltype(llmc_uk_matmul_f32_f32_f32__x86_64_v3);
using MatmulF32Test = VariantTest<MatmulFn>;

enum class Layout { RowMajor, Transposed, Strided };

void checkMatmul(const KernelVariant<MatmulFn> &variant, Layout layout, int64_t m, int64_t k,
                 int64_t n) {
  SCOPED_TRACE(::testing::Message()
               << "layout " << int(layout) << " m " << m << " k " << k << " n " << n);
  const int64_t lda = k + 3, ldc = n + 1;
  const int64_t bks = layout == Layout::RowMajor ? n + 2 : layout == Layout::Transposed ? 1 : 2;
  const int64_t bns = layout == Layout::RowMajor ? 1 : layout == Layout::Transposed ? k + 2 : 2 * k + 1;
  GuardedBuffer<float> a(m ? (m - 1) * lda + k : 0),
      b(k && n ? (k - 1) * bks + (n - 1) * bns + 1 : 0), c(m && n ? (m - 1) * ldc + n : 0);
  fillUniform(a.span(), 4);
  fillUniform(b.span(), 5);
  std::vector<float> expected(c.data(), c.data() + c.size());
  llmc_uk_matmul_f32_f32_f32__reference(a.data(), lda, b.data(), bks, bns, expected.data(),
                                        ldc, m, k, n);
  variant.fn(a.data(), lda, b.data(), bks, bns, c.data(), ldc, m, k, n);
  EXPECT_EQ(std::memcmp(expected.data(), c.data(), c.size() * 4), 0);
  EXPECT_TRUE(c.isIntact());
}

TEST_P(MatmulF32Test, EqualsReference) {
  for (Layout layout : {Layout::RowMajor, Layout::Transposed, Layout::Strided}) {
    for (int64_t m : {0, 1, 2, 3, 5, 6, 7, 12, 13, 30})
      for (int64_t n : {0, 1, 15, 16, 17, 31, 32, 33, 70})
        checkMatmul(GetParam(), layout, m, 21, n);
    for (int64_t k : {0, 1, 8, 16, 17, 255, 256, 257, 530})
      checkMatmul(GetParam(), layout, 14, k, 45);
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, MatmulF32Test,
                         ::testing::ValuesIn(variantsOf<MatmulFn>(Microkernel::MatmulF32F32F32)),
                         variantName<MatmulFn>);

} // namespace
