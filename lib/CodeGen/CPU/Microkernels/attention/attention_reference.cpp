//===- attention_reference.cpp - oracle of attention ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Softmax over all keys at once, in double. A token is decoded to double first.
//
//===----------------------------------------------------------------------===//

#include "../simd/elements_reference.h"
#include "attention.h"

#include <cmath>
#include <limits>
#include <vector>

using namespace llmc_uk_reference;

namespace {

/// Keys or values.
struct Cache {
  double (*decode)(const void *base, int64_t at);
  const void *base;
  int64_t blockStride, tokenStride;
  const float *scale;
  int64_t scaleBlockStride, dim;
};

std::vector<double> token(const Cache &cache, int64_t j, const llmc_uk_attention_params &a) {
  int64_t block = j >> a.block_shift;
  if (a.block_table)
    block = a.block_table[block];
  int64_t offset = j & ((int64_t(1) << a.block_shift) - 1);
  std::vector<double> elements(cache.dim);
  for (int64_t d = 0; d < cache.dim; ++d)
    elements[d] =
        cache.decode(cache.base, block * cache.blockStride + offset * cache.tokenStride + d);
  if (cache.scale)
    for (double &element : elements)
      element *= cache.scale[block * cache.scaleBlockStride + offset];
  return elements;
}

double rounded(double x, const float *rounding) {
  for (int i = 0; rounding && i < int(rounding[0]); ++i) {
    double step = rounding[1 + 3 * i], low = rounding[2 + 3 * i], high = rounding[3 + 3 * i];
    x = step * std::fmin(std::fmax(std::nearbyint(x / step), low), high);
  }
  return x;
}

bool isVisible(const llmc_uk_attention_params &a, int64_t position, int64_t j) {
  return (!a.causal || j <= position) && (a.window <= 0 || j > position - a.window);
}

void attentionRow(const llmc_uk_attention_params &a, const Cache &keys, const Cache &values,
                  int64_t g, int64_t i) {
  const double inf = std::numeric_limits<double>::infinity();
  const float *q = a.q + g * a.q_head_stride + i * a.q_pos_stride;
  std::vector<double> score(a.total, -inf);
  double max = -inf;
  for (int64_t j = 0; j < a.total; ++j) {
    if (!isVisible(a, a.first_position + i, j))
      continue;
    std::vector<double> k = token(keys, j, a);
    double s = 0;
    for (int64_t d = 0; d < a.key_dim; ++d)
      s += double(q[d]) * k[d];
    s = rounded(s * a.scale, a.score_rounding);
    if (a.softcap > 0)
      s = a.softcap * std::tanh(s / a.softcap);
    if (a.slope)
      s += double(a.slope[g]) * double(j - a.first_position - i);
    if (a.bias)
      s += a.bias[g * a.bias_head_stride + i * a.bias_pos_stride + j];
    s = rounded(s, a.biased_rounding);
    score[j] = s;
    max = std::fmax(max, s);
  }
  std::vector<double> out(a.value_dim, 0.0);
  double sum = 0;
  for (int64_t j = 0; max > -inf && j < a.total; ++j)
    sum += std::exp(score[j] - max);
  if (a.sink && max > -inf)
    sum += std::exp(a.sink[g] - max);
  for (int64_t j = 0; max > -inf && j < a.total; ++j) {
    double p = std::exp(score[j] - max);
    if (p == 0)
      continue;
    p = rounded(p / sum, a.weight_rounding);
    std::vector<double> v = token(values, j, a);
    for (int64_t d = 0; d < a.value_dim; ++d)
      out[d] += p * v[d];
  }
  for (int64_t d = 0; d < a.value_dim; ++d)
    a.out[g * a.out_head_stride + i * a.out_pos_stride + d] = float(out[d]);
}

void attention(const llmc_uk_attention_params &a, double (*decode)(const void *, int64_t)) {
  Cache keys{decode,    a.k, a.k_block_stride,       a.k_token_stride,
             a.k_scale,      a.k_scale_block_stride, a.key_dim};
  Cache values{decode,    a.v, a.v_block_stride,       a.v_token_stride,
               a.v_scale,      a.v_scale_block_stride, a.value_dim};
  for (int64_t g = 0; g < a.num_heads; ++g)
    for (int64_t i = 0; i < a.num_positions; ++i)
      attentionRow(a, keys, values, g, i);
}

} // namespace

LLMC_UK_DECLARE_ATTENTION_F32(reference) { attention(*params, decodeF32); }
LLMC_UK_DECLARE_ATTENTION_F32_F16(reference) { attention(*params, decodeF16); }
LLMC_UK_DECLARE_ATTENTION_F32_BF16(reference) { attention(*params, decodeBF16); }
LLMC_UK_DECLARE_ATTENTION_F32_I8(reference) { attention(*params, decodeI8); }
