//===- linear_attention_reference.cpp - oracle of linear_attention_f32 ----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As the contract writes it, in double.
//
//===----------------------------------------------------------------------===//

#include "linear_attention.h"

#include <cmath>
#include <vector>

namespace {

/// Column j; its matrix column is carried in double.
void column(const llmc_uk_linear_attention_params &a, int64_t j) {
  std::vector<double> s(a.key_dim, 0.0);
  for (int64_t i = 0; a.past && i < a.key_dim; ++i)
    s[i] = a.past[i * a.past_row_stride + j];
  for (int64_t t = 0; t < a.num_tokens; ++t) {
    const float *k = a.k + t * a.k_token_stride;
    const float *decay = a.decay ? a.decay + t * a.decay_token_stride : nullptr;
    for (int64_t i = 0; decay && i < a.key_dim; ++i) {
      int64_t channel = a.rates ? j : i;
      double exponent = decay[a.channel_decay ? channel : 0];
      s[i] *= std::exp(a.rates ? exponent * a.rates[i * a.rates_row_stride + j] : exponent);
    }
    double u = a.v[t * a.v_token_stride + j];
    if (a.delta) {
      for (int64_t i = 0; i < a.key_dim; ++i)
        u -= s[i] * k[i];
      u *= a.beta ? a.beta[t * a.beta_token_stride] : 1.0;
    }
    for (int64_t i = 0; i < a.key_dim; ++i)
      s[i] += k[i] * u;
    for (int64_t g = 0; g < a.num_heads; ++g) {
      const float *q = a.q + g * a.q_head_stride + t * a.q_token_stride;
      double sum = 0;
      for (int64_t i = 0; i < a.key_dim; ++i)
        sum += s[i] * q[i];
      a.out[g * a.out_head_stride + t * a.out_token_stride + j] = float(a.scale * sum);
    }
  }
  for (int64_t i = 0; i < a.key_dim; ++i)
    a.state[i * a.state_row_stride + j] = float(s[i]);
}

} // namespace

LLMC_UK_DECLARE_LINEAR_ATTENTION_F32(reference) {
  for (int64_t j = 0; j < params->num_columns; ++j)
    column(*params, j);
}
