//===- Sampler.h - from logits to the next token -----------------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Greedy choice, and sampling with temperature, top-k and top-p. The same seed
// and logits give the same tokens on every platform: the random numbers come
// from std::mt19937_64, whose sequence the standard fixes, and are converted to
// [0, 1) here; ties are broken by the lower token id.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_SAMPLER_H
#define LLMC_TOOLS_RUN_SAMPLER_H

#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace llmc::run {

struct SamplerOptions {
  double temperature = 0.0; // 0: greedy
  int64_t topK = 0;         // 0: all tokens
  double topP = 1.0;        // 1: all tokens
  uint64_t seed = 0;
};

/// Index of the largest logit, the first of equals; NaN never wins. 0 where
/// `logits` holds nothing but NaN.
int32_t argmax(std::span<const float> logits);

/// One sequence of choices. Top-k is applied first, then temperature, then the
/// smallest set of the most probable tokens whose probability reaches top-p.
class Sampler {
public:
  explicit Sampler(const SamplerOptions &options) : options(options), engine(options.seed) {}

  /// `logits` is not empty.
  int32_t sample(std::span<const float> logits);

private:
  /// Uniform in [0, 1) with 53 bits.
  double nextUniform() { return static_cast<double>(engine() >> 11) * 0x1p-53; }

  SamplerOptions options;
  std::mt19937_64 engine;
  std::vector<std::pair<double, int32_t>> candidates; // (weight, token)
};

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_SAMPLER_H
