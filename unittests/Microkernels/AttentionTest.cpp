//===- AttentionTest.cpp - attention_f32 ----------------------------------===//
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
using AttentionTest = VariantTest<AttentionFn>;

struct Shape {
  int64_t heads = 1, positions = 1, first = 0, total = 1, keyDim = 64, valueDim = 64;
  int64_t causal = 1, window = 0, blockShift = 4;
  bool paged = false, bias = false, sink = false;
  float softcap = 0;
};

/// A problem in guarded memory; keys and values in [blocks][block size][dim + 2].
struct Problem {
  Shape shape;
  int64_t blocks;
  GuardedBuffer<float> q, k, v, out, bias, sink;
  std::vector<int32_t> table;
  llmc_uk_attention_params params{};

  explicit Problem(const Shape &s)
      : shape(s), blocks((s.total + (1 << s.blockShift) - 1) >> s.blockShift),
        q(s.heads * s.positions * s.keyDim),
        k(size((s.paged ? blocks << s.blockShift : s.total), s.keyDim)),
        v(size((s.paged ? blocks << s.blockShift : s.total), s.valueDim)),
        out(s.heads * s.positions * s.valueDim), bias(s.heads * s.positions * s.total),
        sink(s.heads) {
    fillUniform(q.span(), 1, -2, 2);
    fillUniform(k.span(), 2, -2, 2);
    fillUniform(v.span(), 3, -2, 2);
    fillUniform(bias.span(), 4, -3, 3);
    fillUniform(sink.span(), 5, -2, 4);
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
  }
  static size_t size(int64_t tokens, int64_t dim) {
    return tokens > 0 ? (tokens - 1) * (dim + 2) + dim : 0;
  }
};

void check(const KernelVariant<AttentionFn> &variant, const Shape &s) {
  SCOPED_TRACE(::testing::Message()
               << "heads " << s.heads << " positions " << s.positions << " first " << s.first
               << " total " << s.total << " dims " << s.keyDim << " " << s.valueDim
               << " causal " << s.causal << " window " << s.window << " paged " << s.paged
               << " bias " << s.bias << " sink " << s.sink << " softcap " << s.softcap);
  Problem problem(s);
  variant.fn(&problem.params);
  std::vector<float> expected(problem.out.size());
  llmc_uk_attention_params params = problem.params;
  params.out = expected.data();
  llmc_uk_attention_f32__reference(&params);
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

TEST_P(AttentionTest, InvisibleRowsAreZero) {
  check(GetParam(), {.heads = 2, .positions = 8, .first = -4, .total = 9, .sink = true});
  check(GetParam(), {.heads = 2, .positions = 4, .first = 30, .total = 9, .window = 5});
  Problem problem({.positions = 2, .total = 20, .causal = 0, .bias = true, .sink = true});
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
    Problem whole({.heads = heads, .positions = positions, .first = 100, .total = 121,
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

INSTANTIATE_TEST_SUITE_P(Isa, AttentionTest,
                         ::testing::ValuesIn(variantsOf<AttentionFn>(Microkernel::AttentionF32)),
                         variantName<AttentionFn>);

} // namespace
