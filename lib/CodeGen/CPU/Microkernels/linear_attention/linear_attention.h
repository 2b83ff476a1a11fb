//===- linear_attention.h - contract of linear_attention_f32 --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The recurrence of linear attention for one key head of one sequence, restricted to
// some columns of its matrix S[key_dim][num_columns]. S starts as `past` (zeros where it
// is null); then for t = 0 .. num_tokens - 1
//
//   S(i, j) = exp(decay(t, i)) * S(i, j)                    where there is a decay
//   u(j)    = delta ? beta(t) * (v(t, j) - sum_i S(i, j) * k(t, i)) : v(t, j)
//   S(i, j) = S(i, j) + k(t, i) * u(j)
//   out(g, t, j) = scale * sum_i S(i, j) * q(g, t, i)       for g in [0, num_heads)
//
// and S goes to `state`. decay(t, i) is decay[t * stride + i], or decay[t * stride] for
// all i without channel_decay. With rates, decay(t, i) is instead rates[i * rates_row_stride + j]
// times decay[t * stride + j], or decay[t * stride] without channel_decay. beta(t) is 1 where beta is null. Channels of q and k and
// columns of v, out, rates, past and state are contiguous; strides are in elements. Nothing is
// read or written beyond the columns.
//
// state may be past: the recurrence then works in place. Otherwise out and state alias
// nothing. num_tokens may be 0. exp has at most 2 ulp. Up to 33 KiB of stack: the matrix
// of 2 W columns while several tokens go through it.
//
// Determinism: a column's result depends neither on the other columns nor on the other
// heads, nor on whether tokens come in one call or in several; it does depend on the ISA
// level (sums over i have four partial sums of fused multiply-adds at every level, so
// today the levels differ in nothing but exp).
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_LINEAR_ATTENTION_H
#define LLMC_UK_LINEAR_ATTENTION_H

#include <stdint.h>

/// Field order is the LLVM struct { ptr x9, i64 x17, float } that the code generator
/// builds: pointers, then sizes and strides, then the scale.
struct llmc_uk_linear_attention_params {
  const float *q;
  const float *k;
  const float *v;
  const float *decay; ///< null: none
  const float *rates; ///< null: decay is an exponent as it is
  const float *beta;  ///< null: 1
  const float *past;  ///< null: zeros
  float *out;
  float *state;

  int64_t num_heads; ///< query heads that share this key head
  int64_t num_tokens;
  int64_t key_dim;
  int64_t num_columns;
  int64_t channel_decay; ///< 0: one decay for all channels (with rates: columns) of a token
  int64_t delta;         ///< 0 or 1
  int64_t q_head_stride;
  int64_t q_token_stride;
  int64_t k_token_stride;
  int64_t v_token_stride;
  int64_t decay_token_stride;
  int64_t beta_token_stride;
  int64_t out_head_stride;
  int64_t out_token_stride;
  int64_t rates_row_stride;
  int64_t past_row_stride;
  int64_t state_row_stride;

  float scale;
};

#define LLMC_UK_DECLARE_LINEAR_ATTENTION_F32(isa)                              \
  extern "C" void llmc_uk_linear_attention_f32__##isa(                         \
      const struct llmc_uk_linear_attention_params *params)

LLMC_UK_DECLARE_LINEAR_ATTENTION_F32(reference);

#endif // LLMC_UK_LINEAR_ATTENTION_H
