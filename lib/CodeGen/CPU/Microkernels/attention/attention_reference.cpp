//===- attention_reference.cpp - oracle of attention_f32 ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Softmax over all keys at once, in double.
//
//===----------------------------------------------------------------------===//

#include "attention.h"

#include <cmath>
#include <limits>
#include <vector>

namespace {

const float *token(const float *base, int64_t j, const llmc_uk_attention_params &a,
                   int64_t blockStride, int64_t tokenStride) {
  int64_t block = j >> a.block_shift;
  if (a.block_table)
    block = a.block_table[block];
  int64_t offset = j & ((int64_t(1) << a.block_shift) - 1);
  return base + block * blockStride + offset * tokenStride;
}

bool isVisible(const llmc_uk_attention_params &a, int64_t position, int64_t j) {
  return (!a.causal || j <= position) && (a.window <= 0 || j > position - a.window);
}

void attentionRow(const llmc_uk_attention_params &a, int64_t g, int64_t i) {
  const double inf = std::numeric_limits<double>::infinity();
  const float *q = a.q + g * a.q_head_stride + i * a.q_pos_stride;
  std::vector<double> score(a.total, -inf);
  double max = -inf;
  for (int64_t j = 0; j < a.total; ++j) {
    if (!isVisible(a, a.first_position + i, j))
      continue;
    const float *k = token(a.k, j, a, a.k_block_stride, a.k_token_stride);
    double s = 0;
    for (int64_t d = 0; d < a.key_dim; ++d)
      s += double(q[d]) * k[d];
    s *= a.scale;
    if (a.softcap > 0)
      s = a.softcap * std::tanh(s / a.softcap);
    if (a.bias)
      s += a.bias[g * a.bias_head_stride + i * a.bias_pos_stride + j];
    score[j] = s;
    max = std::fmax(max, s);
  }
  std::vector<double> out(a.value_dim, 0.0);
  double sum = 0;
  for (int64_t j = 0; max > -inf && j < a.total; ++j) {
    double p = std::exp(score[j] - max);
    if (p == 0)
      continue;
    sum += p;
    const float *v = token(a.v, j, a, a.v_block_stride, a.v_token_stride);
    for (int64_t d = 0; d < a.value_dim; ++d)
      out[d] += p * v[d];
  }
  if (a.sink && max > -inf)
    sum += std::exp(a.sink[g] - max);
  for (int64_t d = 0; d < a.value_dim; ++d)
    a.out[g * a.out_head_stride + i * a.out_pos_stride + d] =
        sum > 0 ? float(out[d] / sum) : 0.0f;
}

} // namespace

LLMC_UK_DECLARE_ATTENTION_F32(reference) {
  for (int64_t g = 0; g < params->num_heads; ++g)
    for (int64_t i = 0; i < params->num_positions; ++i)
      attentionRow(*params, g, i);
}
