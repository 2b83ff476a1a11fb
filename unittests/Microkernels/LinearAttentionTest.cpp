//===- LinearAttentionTest.cpp - linear_attention_f32 ---------------------===//
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

using LinearAttentionFn = decltype(llmc_uk_linear_attention_f32__x86_64_v3);
using LinearAttentionTest = VariantTest<LinearAttentionFn>;

enum class Decay { none, perToken, perChannel, rates, ratesPerToken };

struct Shape {
  int64_t heads = 1, tokens = 1, keyDim = 16, columns = 32;
  Decay decay = Decay::perToken;
  bool delta = true, beta = true, past = true;

  bool hasRates() const { return decay == Decay::rates || decay == Decay::ratesPerToken; }
  int64_t decayWidth() const {
    return decay == Decay::perChannel ? keyDim : decay == Decay::rates ? columns : 1;
  }
};

/// A problem in guarded memory. Rows of the state are `columns` + 3 apart.
struct Problem {
  Shape shape;
  int64_t rowStride;
  GuardedBuffer<float> q, k, v, decay, rates, beta, past, out, state;
  llmc_uk_linear_attention_params params{};

  explicit Problem(const Shape &s)
      : shape(s), rowStride(s.columns + 3), q(s.heads * s.tokens * s.keyDim),
        k(s.tokens * s.keyDim), v(s.tokens * s.columns), decay(s.tokens * s.decayWidth()),
        rates(stateSize(s)), beta(s.tokens), past(stateSize(s)),
        out(s.heads * s.tokens * s.columns), state(stateSize(s)) {
    fillUniform(q.span(), 1);
    // As models normalise keys: the delta rule does not grow with |k| <= 1.
    float width = 1 / std::sqrt(float(s.keyDim));
    fillUniform(k.span(), 2, -width, width);
    fillUniform(v.span(), 3);
    fillUniform(decay.span(), 4, s.hasRates() ? 0.1f : -2, s.hasRates() ? 1 : 0);
    fillUniform(rates.span(), 7, -3, 0);
    fillUniform(beta.span(), 5, 0, 1);
    fillUniform(past.span(), 6);
    params.q = q.data();
    params.k = k.data();
    params.v = v.data();
    params.decay = s.decay == Decay::none ? nullptr : decay.data();
    params.rates = s.hasRates() ? rates.data() : nullptr;
    params.beta = s.beta ? beta.data() : nullptr;
    params.past = s.past ? past.data() : nullptr;
    params.out = out.data();
    params.state = state.data();
    params.num_heads = s.heads;
    params.num_tokens = s.tokens;
    params.key_dim = s.keyDim;
    params.num_columns = s.columns;
    params.channel_decay = s.decay == Decay::perChannel || s.decay == Decay::rates;
    params.delta = s.delta;
    params.q_head_stride = s.keyDim; // q and out: [tokens][heads][dim]
    params.q_token_stride = s.heads * s.keyDim;
    params.k_token_stride = s.keyDim;
    params.v_token_stride = s.columns;
    params.decay_token_stride = s.decayWidth();
    params.beta_token_stride = 1;
    params.out_head_stride = s.columns;
    params.out_token_stride = s.heads * s.columns;
    params.rates_row_stride = params.past_row_stride = params.state_row_stride = rowStride;
    params.scale = 0.5f;
  }
  static size_t stateSize(const Shape &s) {
    return s.keyDim ? (s.keyDim - 1) * (s.columns + 3) + s.columns : 0;
  }
  /// The state's elements without what lies between its rows.
  std::vector<float> matrix(const float *rows) const {
    std::vector<float> elements;
    for (int64_t i = 0; i < shape.keyDim; ++i)
      elements.insert(elements.end(), rows + i * rowStride, rows + i * rowStride + shape.columns);
    return elements;
  }
};

void check(const KernelVariant<LinearAttentionFn> &variant, const Shape &s) {
  SCOPED_TRACE(::testing::Message()
               << "heads " << s.heads << " tokens " << s.tokens << " matrix " << s.keyDim << " x "
               << s.columns << " decay " << int(s.decay) << " delta " << s.delta << " beta "
               << s.beta << " past " << s.past);
  Problem problem(s);
  variant.fn(&problem.params);
  std::vector<float> out(problem.out.size()), state(problem.state.size());
  llmc_uk_linear_attention_params params = problem.params;
  params.out = out.data();
  params.state = state.data();
  llmc_uk_linear_attention_f32__reference(&params);
  // Elements of S stay below 1 + tokens; each of a token's three roundings and sums of
  // key_dim products add a relative 2^-24, and errors are carried on.
  double size = 1 + double(s.tokens);
  double tolerance = std::ldexp(1.0, -24) * size * (8 + double(s.keyDim)) * 2;
  for (size_t i = 0; i < out.size(); ++i)
    ASSERT_NEAR(out[i], problem.out[i], tolerance) << "output " << i;
  std::vector<float> expected = problem.matrix(state.data());
  std::vector<float> found = problem.matrix(problem.state.data());
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(expected[i], found[i], tolerance) << "state " << i;
  EXPECT_TRUE(problem.out.isIntact() && problem.state.isIntact());
}

TEST_P(LinearAttentionTest, Sizes) {
  for (int64_t columns : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 80})
    for (int64_t keyDim : {1, 2, 3, 4, 5, 16, 63, 64, 65, 130})
      check(GetParam(), {.heads = 2, .tokens = 3, .keyDim = keyDim, .columns = columns});
}

TEST_P(LinearAttentionTest, Rules) {
  for (Decay decay :
       {Decay::none, Decay::perToken, Decay::perChannel, Decay::rates, Decay::ratesPerToken})
    for (bool delta : {false, true})
      for (bool beta : {false, true})
        for (bool past : {false, true})
          for (int64_t tokens : {0, 1, 2, 5})
            check(GetParam(), {.heads = 3,
                               .tokens = tokens,
                               .keyDim = 70,
                               .columns = 40,
                               .decay = decay,
                               .delta = delta,
                               .beta = beta && delta,
                               .past = past});
}

TEST_P(LinearAttentionTest, ManyTokensAndRowsWithoutBuffer) {
  check(GetParam(), {.tokens = 100, .keyDim = 128, .columns = 64});
  check(GetParam(), {.tokens = 7, .keyDim = 300, .columns = 33, .decay = Decay::perChannel});
  check(GetParam(), {.tokens = 50,
                     .keyDim = 16,
                     .columns = 64,
                     .decay = Decay::rates,
                     .delta = false,
                     .beta = false});
}

TEST_P(LinearAttentionTest, StepsInPlaceGiveTheSameBits) {
  const Shape shape{.heads = 2, .tokens = 9, .keyDim = 96, .columns = 48};
  Problem whole(shape);
  GetParam().fn(&whole.params);
  Problem steps(shape);
  steps.params.num_tokens = 1;
  steps.params.state = steps.past.data();
  for (int64_t t = 0; t < shape.tokens; ++t) {
    GetParam().fn(&steps.params);
    steps.params.q += steps.params.q_token_stride;
    steps.params.k += steps.params.k_token_stride;
    steps.params.v += steps.params.v_token_stride;
    steps.params.decay += 1;
    steps.params.beta += 1;
    steps.params.out += steps.params.out_token_stride;
  }
  EXPECT_EQ(std::memcmp(whole.out.data(), steps.out.data(), whole.out.size() * 4), 0);
  EXPECT_EQ(whole.matrix(whole.state.data()), steps.matrix(steps.past.data()));
}

TEST_P(LinearAttentionTest, ColumnsDoNotDependOnTheirNeighbours) {
  Problem whole({.heads = 2, .tokens = 5, .keyDim = 40, .columns = 70});
  GetParam().fn(&whole.params);
  for (int64_t j = 0; j < 70; ++j) {
    Problem one({.heads = 2, .tokens = 5, .keyDim = 40, .columns = 70});
    one.params.num_columns = 1;
    one.params.v += j;
    one.params.past += j;
    one.params.out += j;
    one.params.state += j;
    GetParam().fn(&one.params);
    for (int64_t row = 0; row < 10; ++row)
      ASSERT_EQ(one.out[row * 70 + j], whole.out[row * 70 + j]);
    for (int64_t i = 0; i < 40; ++i)
      ASSERT_EQ(one.state[i * 73 + j], whole.state[i * 73 + j]);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Isa, LinearAttentionTest,
    ::testing::ValuesIn(variantsOf<LinearAttentionFn>(Microkernel::LinearAttentionF32)),
    variantName<LinearAttentionFn>);

} // namespace
