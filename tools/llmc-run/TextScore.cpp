//===- TextScore.cpp - how well a model predicts a text -------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The definition behind the `eval` objects of recorded models.
//
//===----------------------------------------------------------------------===//
#include "TextScore.h"

#include <algorithm>
#include <cmath>

namespace llmc::run {

std::vector<std::vector<int64_t>> cutWindows(std::span<const int32_t> tokens, int32_t bos,
                                             size_t windowTokens, size_t maxWindows) {
  std::vector<std::vector<int64_t>> windows;
  size_t pieceTokens = windowTokens - 1;
  for (size_t begin = 0; begin < tokens.size(); begin += pieceTokens) {
    size_t count = std::min(pieceTokens, tokens.size() - begin);
    if ((count < pieceTokens && !windows.empty()) || (maxWindows && windows.size() == maxWindows))
      break;
    std::vector<int64_t> window{bos};
    window.insert(window.end(), tokens.begin() + begin, tokens.begin() + begin + count);
    windows.push_back(std::move(window));
  }
  return windows;
}

double negativeLogLikelihood(std::span<const float> logits, size_t target) {
  double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits)
    sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[target];
}

} // namespace llmc::run
