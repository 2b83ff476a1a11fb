//===- attention.h - contract of attention_f32 and its typed caches -------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention of a block of query rows over one sequence's cached keys of one kv head.
// Row (g, i), g in [0, num_heads), i in [0, num_positions), has position p0 + i:
//
//   s(j)  = score_rounding(scale * dot(q(g,i), k(j)))
//   s(j)  = softcap * tanh(s(j) / softcap)              where softcap > 0
//   s(j) += slope(g) * (j - p0 - i)                             where there are slopes
//   s(j) += bias(g, i, j)                                       where there is a bias
//   s(j)  = biased_rounding(s(j))
//   w(j)  = weight_rounding(exp(s(j)) / (sum_j exp(s(j)) + exp(sink(g))))
//   out(g,i) = sum_j w(j) * v(j)
//
// A rounding is a list {count, then step, low, high of each}: in turn x becomes
// step * clamp(round(x / step), low, high), ties to even. Null: none. One of weights has to
// keep 0; with one the scores are computed twice, the second time with known sums.
//
// over visible j in [0, total): (causal == 0 or j <= p0 + i) and
// (window <= 0 or j > p0 + i - window). A row without a visible key, or with all of them
// at -inf, is zero. Softmax is online over chunks of 64 keys at multiples of 64.
//
// Token j of k lies at k + block(j) * k_block_stride + (j mod bs) * k_token_stride with
// bs = 1 << block_shift, block(j) = block_table ? block_table[j / bs] : j / bs; v alike.
// A contiguous cache: block_table null, block_stride = bs * token_stride.
// head dims are contiguous. Strides are in elements.
//
// Elements of k and v are f32 in attention_f32, f16 in attention_f32_f16, bf16 in
// attention_f32_bf16, and int8 in attention_f32_i8, where token j counts as its elements
// times k_scale[block(j) * k_scale_block_stride + (j mod bs)], v alike. Everything is
// computed in f32 whatever the cache's type; a scale multiplies sums, not elements.
//
// All of k and v that is visible to some row must be finite (NaN there may spread between
// rows of a call). Invisible tokens beyond every row's range, and tokens >= total, are not
// read. bias is read at visible j only. out may alias nothing; it is also the accumulator.
// exp has at most 2 ulp. About 8 KiB of stack.
//
// Determinism: a row's result does not depend on num_heads, num_positions or the other
// rows; it does depend on the ISA level (dot products have 8 or 16 partial sums).
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_ATTENTION_H
#define LLMC_UK_ATTENTION_H

#include <stdint.h>

/// Field order is the LLVM struct { ptr x13, i64 x21, float x2 } that the code generator
/// builds: pointers, then sizes and strides, then floats.
struct llmc_uk_attention_params {
  const float *q;
  const void *k; ///< elements of the cache's type
  const void *v;
  float *out;
  const int32_t *block_table; ///< null: block(j) = j >> block_shift
  const float *bias;          ///< null: none
  const float *sink;          ///< [num_heads], null: none
  const float *slope;         ///< [num_heads], null: none
  const float *k_scale;       ///< of attention_f32_i8, else null
  const float *v_scale;       ///< the same
  const float *score_rounding;  ///< null: none
  const float *biased_rounding; ///< null: none
  const float *weight_rounding; ///< null: none

  int64_t num_heads;      ///< G: query heads that share this kv head
  int64_t num_positions;  ///< I
  int64_t first_position; ///< p0
  int64_t total;          ///< keys in the cache
  int64_t key_dim;        ///< 1..576
  int64_t value_dim;      ///< 1..576
  int64_t causal;         ///< 0 or 1
  int64_t window;         ///< <= 0: none
  int64_t block_shift;    ///< 0..30
  int64_t q_head_stride;
  int64_t q_pos_stride;
  int64_t out_head_stride;
  int64_t out_pos_stride;
  int64_t k_block_stride;
  int64_t k_token_stride;
  int64_t v_block_stride;
  int64_t v_token_stride;
  int64_t bias_head_stride; ///< may be 0
  int64_t bias_pos_stride;  ///< may be 0
  int64_t k_scale_block_stride;
  int64_t v_scale_block_stride;

  float scale;
  float softcap; ///< 0: none
};

#define LLMC_UK_DECLARE_ATTENTION_F32(isa)                                     \
  extern "C" void llmc_uk_attention_f32__##isa(                                \
      const struct llmc_uk_attention_params *params)
#define LLMC_UK_DECLARE_ATTENTION_F32_F16(isa)                                 \
  extern "C" void llmc_uk_attention_f32_f16__##isa(                            \
      const struct llmc_uk_attention_params *params)
#define LLMC_UK_DECLARE_ATTENTION_F32_BF16(isa)                                \
  extern "C" void llmc_uk_attention_f32_bf16__##isa(                           \
      const struct llmc_uk_attention_params *params)
#define LLMC_UK_DECLARE_ATTENTION_F32_I8(isa)                                  \
  extern "C" void llmc_uk_attention_f32_i8__##isa(                             \
      const struct llmc_uk_attention_params *params)

LLMC_UK_DECLARE_ATTENTION_F32(reference);
LLMC_UK_DECLARE_ATTENTION_F32_F16(reference);
LLMC_UK_DECLARE_ATTENTION_F32_BF16(reference);
LLMC_UK_DECLARE_ATTENTION_F32_I8(reference);

#endif // LLMC_UK_ATTENTION_H
