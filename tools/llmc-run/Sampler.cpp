//===- Sampler.cpp - from logits to the next token ------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Probabilities are computed in double and left unnormalised: the draw is
// scaled by their sum instead.
//
//===----------------------------------------------------------------------===//
#include "Sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace llmc::run {

int32_t argmax(std::span<const float> logits) {
  int32_t best = 0;
  float bestLogit = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > bestLogit) {
      bestLogit = logits[i];
      best = static_cast<int32_t>(i);
    }
  return best;
}

int32_t Sampler::sample(std::span<const float> logits) {
  if (options.temperature <= 0.0)
    return argmax(logits);

  candidates.clear();
  for (size_t i = 0; i < logits.size(); ++i)
    if (!std::isnan(logits[i]))
      candidates.emplace_back(logits[i], static_cast<int32_t>(i));
  auto isMoreLikely = [](const auto &a, const auto &b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  size_t keep = candidates.size();
  if (options.topK > 0)
    keep = std::min<size_t>(keep, static_cast<size_t>(options.topK));
  std::partial_sort(candidates.begin(), candidates.begin() + keep, candidates.end(), isMoreLikely);
  candidates.resize(keep);
  // An infinite largest logit leaves no distribution to draw from.
  if (keep == 0 || std::isinf(candidates.front().first))
    return argmax(logits);

  double largest = candidates.front().first, sum = 0.0;
  for (auto &[weight, token] : candidates) {
    weight = std::exp((weight - largest) / options.temperature);
    sum += weight;
  }
  if (options.topP < 1.0) {
    double wanted = options.topP * sum, reached = 0.0;
    size_t count = 0;
    while (count < candidates.size() && (count == 0 || reached < wanted))
      reached += candidates[count++].first;
    candidates.resize(count);
    sum = reached;
  }

  double draw = nextUniform() * sum;
  for (const auto &[weight, token] : candidates) {
    if (draw < weight)
      return token;
    draw -= weight;
  }
  // Rounding can leave a remainder behind the last candidate.
  return candidates.front().second;
}

} // namespace llmc::run
