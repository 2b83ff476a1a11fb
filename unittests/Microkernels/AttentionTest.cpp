//===- AttentionTest.cpp - attention over caches of every type ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VariantTable.h"

#include <cmath>

using namespace llmc::cpu;
using namespace llmc::cpu::testing;

namespace {

using AttentionFn = decltype(llmc_uk_attention_f32__x86_64_v3);

/// A variant and the type of the cache that it reads.
struct CacheVariant : KernelVariant<AttentionFn> {
  Microkernel kernel;
};

class AttentionTest : public ::testing::TestWithParam<CacheVariant> {
protected:
  void SetUp() override {
    if (!hostSupports(GetParam().level))
      GTEST_SKIP() << "this machine does not run " << GetParam().isa;
  }
};

int64_t elementBytes(Microkernel kernel) {
  return kernel == Microkernel::AttentionF32 ? 4 : kernel == Microkernel::AttentionF32I8 ? 1 : 2;
}

AttentionFn *referenceOf(Microkernel kernel) {
  switch (kernel) {
  case Microkernel::AttentionF32F16:
    return llmc_uk_attention_f32_f16__reference;
  case Microkernel::AttentionF32BF16:
    return llmc_uk_attention_f32_bf16__reference;
  case Microkernel::AttentionF32I8:
    return llmc_uk_attention_f32_i8__reference;
  default:
    return llmc_uk_attention_f32__reference;
  }
}

/// Numbers below 2, of int8 before a scale of at most 2 / 127.
void fillCache(GuardedBuffer<std::byte> &cache, Microkernel kernel, unsigned seed) {
  std::vector<float> values(cache.size() / elementBytes(kernel));
  fillUniform(values, seed, -2, 2);
  std::byte *at = cache.data();
  for (float value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    if (kernel == Microkernel::AttentionF32F16) // by truncation; 0 where f16 is subnormal
      bits = (bits >> 16 & 0x8000) |
             (std::fabs(value) < 0x1p-14f ? 0 : ((bits & 0x7fffffff) - (112u << 23)) >> 13);
    else if (kernel == Microkernel::AttentionF32BF16)
      bits >>= 16;
    else if (kernel == Microkernel::AttentionF32I8)
      bits = uint32_t(int32_t(std::lround(value * 63.5f)));
    std::memcpy(at, &bits, elementBytes(kernel)); // little-endian
    at += elementBytes(kernel);
  }
}

struct Shape {
  int64_t heads = 1, positions = 1, first = 0, total = 1, keyDim = 64, valueDim = 64;
  int64_t causal = 1, window = 0, blockShift = 4;
  bool paged = false, bias = false, sink = false, slope = false;
  float softcap = 0;
  bool roundsScores = false, roundsBiased = false, roundsWeights = false;
};

// Counts, then steps and bounds. The second one of scores saturates some.
constexpr float kScoreRounding[] = {2, 0.0371f, -127, 128, 0.05f, -20, 30};
constexpr float kBiasedRounding[] = {1, 0.043f, -90, 100};
constexpr float kWeightRounding[] = {1, 1 / 255.0f, 0, 255};

/// A problem in guarded memory; keys and values in [blocks][block size][dim + 2], scales
/// in [blocks][block size + 1].
struct Problem {
  Shape shape;
  int64_t blocks;
  GuardedBuffer<float> q, out, bias, sink, slope, kScale, vScale;
  GuardedBuffer<std::byte> k, v;
  std::vector<int32_t> table;
  llmc_uk_attention_params params{};

  Problem(Microkernel kernel, const Shape &s)
      : shape(s), blocks((s.total + (1 << s.blockShift) - 1) >> s.blockShift),
        q(s.heads * s.positions * s.keyDim), out(s.heads * s.positions * s.valueDim),
        bias(s.heads * s.positions * s.total), sink(s.heads), slope(s.heads),
        kScale(numScales(s, blocks)), vScale(numScales(s, blocks)),
        k(size(s.paged ? blocks << s.blockShift : s.total, s.keyDim) * elementBytes(kernel)),
        v(size(s.paged ? blocks << s.blockShift : s.total, s.valueDim) * elementBytes(kernel)) {
    fillUniform(q.span(), 1, -2, 2);
    fillCache(k, kernel, 2);
    fillCache(v, kernel, 3);
    fillUniform(kScale.span(), 6, 0, 2.0f / 127);
    fillUniform(vScale.span(), 7, 0, 2.0f / 127);
    fillUniform(bias.span(), 4, -3, 3);
    fillUniform(sink.span(), 5, -2, 4);
    fillUniform(slope.span(), 8, 0, 0.1f);
    for (size_t i = 0; i < bias.size(); i += 5)
      bias[i] = -INFINITY;
    for (int64_t b = 0; b < blocks; ++b)
      table.push_back(int32_t(blocks - 1 - b));
    params.q = q.data();
    params.k = k.data();
    params.v = v.data();
    params.out = out.data();
    params.block_table = s.paged ? table.data() : nullptr;
    params.bias = s.bias ? bias.data() : nullptr;
    params.sink = s.sink ? sink.data() : nullptr;
    params.slope = s.slope ? slope.data() : nullptr;
    if (kernel == Microkernel::AttentionF32I8) {
      params.k_scale = kScale.data();
      params.v_scale = vScale.data();
      params.k_scale_block_stride = params.v_scale_block_stride = (1 << s.blockShift) + 1;
    }
    params.num_heads = s.heads;
    params.num_positions = s.positions;
    params.first_position = s.first;
    params.total = s.total;
    params.key_dim = s.keyDim;
    params.value_dim = s.valueDim;
    params.causal = s.causal;
    params.window = s.window;
    params.block_shift = s.blockShift;
    params.q_head_stride = s.keyDim; // q and out: [positions][heads][dim]
    params.q_pos_stride = s.heads * s.keyDim;
    params.out_head_stride = s.valueDim;
    params.out_pos_stride = s.heads * s.valueDim;
    params.k_token_stride = s.keyDim + 2;
    params.k_block_stride = params.k_token_stride << s.blockShift;
    params.v_token_stride = s.valueDim + 2;
    params.v_block_stride = params.v_token_stride << s.blockShift;
    params.bias_head_stride = s.positions * s.total;
    params.bias_pos_stride = s.total;
    params.scale = 1.0f / std::sqrt(float(s.keyDim));
    params.softcap = s.softcap;
    params.score_rounding = s.roundsScores ? kScoreRounding : nullptr;
    params.biased_rounding = s.roundsBiased ? kBiasedRounding : nullptr;
    params.weight_rounding = s.roundsWeights ? kWeightRounding : nullptr;
  }
  static size_t size(int64_t tokens, int64_t dim) {
    return tokens > 0 ? (tokens - 1) * (dim + 2) + dim : 0;
  }
  static size_t numScales(const Shape &s, int64_t blocks) {
    int64_t last = s.total - 1, mask = (int64_t(1) << s.blockShift) - 1;
    if (s.total == 0)
      return 0;
    return (blocks - 1) * (mask + 2) + (s.paged ? mask : last & mask) + 1;
  }
};

void check(const CacheVariant &variant, const Shape &s) {
  SCOPED_TRACE(::testing::Message()
               << "heads " << s.heads << " positions " << s.positions << " first " << s.first
               << " total " << s.total << " dims " << s.keyDim << " " << s.valueDim
               << " causal " << s.causal << " window " << s.window << " paged " << s.paged
               << " bias " << s.bias << " sink " << s.sink << " slope " << s.slope
               << " softcap " << s.softcap << " rounds " << s.roundsScores << s.roundsBiased
               << s.roundsWeights);
  Problem problem(variant.kernel, s);
  variant.fn(&problem.params);
  std::vector<float> expected(problem.out.size());
  llmc_uk_attention_params params = problem.params;
  params.out = expected.data();
  referenceOf(variant.kernel)(&params);
  // Scores: |s| <= 4 sqrt(d) with an error of about d/16 eps |q||k| <= d * 4/16 eps * scale,
  // so relative 2^-24 * (sqrt(d) / 4 + |s|) per weight; sums of `total` values of at most 2.
  double eps = std::ldexp(1.0, -24);
  double tolerance =
      2 * eps * (8 * std::sqrt(double(s.keyDim)) + 16 + double(s.total) / 8);
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(expected[i], problem.out[i], tolerance) << "element " << i;
  EXPECT_TRUE(problem.out.isIntact());
}

TEST_P(AttentionTest, HeadDims) {
  for (int64_t dim : {1, 3, 7, 8, 15, 16, 17, 31, 33, 48, 64, 80, 96, 100, 128, 256, 576})
    for (int64_t heads : {1, 2, 3, 7}) {
      check(GetParam(), {.heads = heads, .first = 69, .total = 70, .keyDim = dim, .valueDim = dim});
      check(GetParam(), {.heads = heads, .positions = 5, .first = 20, .total = 25, .keyDim = 40,
                         .valueDim = dim});
    }
}

TEST_P(AttentionTest, KeyCounts) {
  for (int64_t total : {0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129, 300})
    for (int64_t causal : {0, 1})
      check(GetParam(), {.heads = 2, .positions = 3, .first = total - 3, .total = total,
                         .keyDim = 24, .valueDim = 20, .causal = causal});
}

TEST_P(AttentionTest, Prefill) {
  for (int64_t window : {0, 1, 5, 64, 100})
    for (bool paged : {false, true})
      for (int64_t shift : {0, 4, 7})
        check(GetParam(), {.heads = 3, .positions = 37, .first = 60, .total = 97, .keyDim = 48,
                           .valueDim = 64, .window = window, .blockShift = shift, .paged = paged});
}

TEST_P(AttentionTest, BiasSinkSoftcap) {
  for (bool bias : {false, true})
    for (bool sink : {false, true})
      for (float softcap : {0.0f, 2.5f})
        for (int64_t window : {0, 20})
          check(GetParam(), {.heads = 2, .positions = 9, .first = 71, .total = 80, .window = window,
                             .bias = bias, .sink = sink, .softcap = softcap});
}

// Slopes of at most 0.1 over 300 keys: the range of the biases of other tests, times ten.
TEST_P(AttentionTest, Slopes) {
  for (int64_t total : {1, 17, 64, 65, 300})
    for (int64_t causal : {0, 1})
      check(GetParam(), {.heads = 3, .positions = 5, .first = total - 5, .total = total,
                         .causal = causal, .paged = true, .slope = true});
  check(GetParam(), {.heads = 2, .positions = 9, .first = 71, .total = 80, .window = 20,
                     .bias = true, .sink = true, .slope = true, .softcap = 2.5f});
}

// No input lies so near the middle between two steps that f32 rounds it to the other side than
// the reference's double: then a weight would be off by a step.
TEST_P(AttentionTest, Roundings) {
  for (bool scores : {false, true})
    for (bool biased : {false, true})
      for (bool weights : {false, true})
        for (bool sink : {false, true})
          check(GetParam(), {.heads = 2, .positions = 9, .first = 71, .total = 80, .keyDim = 48,
                             .paged = true, .bias = biased, .sink = sink, .roundsScores = scores,
                             .roundsBiased = biased, .roundsWeights = weights});
  check(GetParam(), {.positions = 2, .first = -1, .total = 1, .roundsWeights = true});
  check(GetParam(), {.heads = 2, .positions = 4, .first = 30, .total = 9, .window = 5, .sink = true,
                     .roundsWeights = true});
}

TEST_P(AttentionTest, InvisibleRowsAreZero) {
  check(GetParam(), {.heads = 2, .positions = 8, .first = -4, .total = 9, .sink = true});
  check(GetParam(), {.heads = 2, .positions = 4, .first = 30, .total = 9, .window = 5});
  Problem problem(GetParam().kernel, {.positions = 2, .total = 20, .causal = 0, .bias = true, .sink = true});
  for (size_t i = 0; i < 20; ++i)
    problem.bias[i] = -INFINITY;
  GetParam().fn(&problem.params);
  for (size_t d = 0; d < 64; ++d)
    EXPECT_EQ(problem.out[d], 0.0f);
  EXPECT_NE(problem.out[64], 0.0f);
}

TEST_P(AttentionTest, RowsDoNotDependOnTheirNeighbours) {
  const int64_t heads = 3, positions = 21, dim = 80;
  for (int64_t window : {0, 30}) {
    Problem whole(GetParam().kernel,
                  {.heads = heads, .positions = positions, .first = 100, .total = 121,
                   .keyDim = dim, .valueDim = dim, .window = window, .paged = true});
    GetParam().fn(&whole.params);
    std::vector<float> row(dim);
    for (int64_t i = 0; i < positions; ++i)
      for (int64_t g = 0; g < heads; ++g) {
        llmc_uk_attention_params one = whole.params;
        one.num_heads = one.num_positions = 1;
        one.first_position += i;
        one.q += (i * heads + g) * dim;
        one.out = row.data();
        GetParam().fn(&one);
        EXPECT_EQ(std::memcmp(row.data(), &whole.out[(i * heads + g) * dim], dim * 4), 0);
      }
  }
}

std::vector<CacheVariant> allVariants() {
  std::vector<CacheVariant> variants;
  for (Microkernel kernel : {Microkernel::AttentionF32, Microkernel::AttentionF32F16,
                             Microkernel::AttentionF32BF16, Microkernel::AttentionF32I8})
    for (const KernelVariant<AttentionFn> &variant : variantsOf<AttentionFn>(kernel))
      variants.push_back({variant, kernel});
  return variants;
}

std::string nameOf(const ::testing::TestParamInfo<CacheVariant> &info) {
  const char *types[] = {"f32", "f16", "bf16", "i8"};
  return std::string(types[int(info.param.kernel) - int(Microkernel::AttentionF32)]) + "_" +
         info.param.isa;
}

INSTANTIATE_TEST_SUITE_P(Isa, AttentionTest, ::testing::ValuesIn(allVariants()), nameOf);

} // namespace
