//===- TextScore.h - how well a model predicts a text ------------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Windows over a text's tokens, and the negative log-likelihood of one token.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_TEXTSCORE_H
#define LLMC_TOOLS_RUN_TEXTSCORE_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace llmc::run {

/// Cuts `tokens` into pieces of windowTokens - 1, each after `bos`. At most
/// `maxWindows` (0: all); a last piece that is not full is dropped, unless it
/// is the only one. windowTokens >= 2.
std::vector<std::vector<int64_t>> cutWindows(std::span<const int32_t> tokens, int32_t bos,
                                             size_t windowTokens, size_t maxWindows);

/// -log softmax(logits)[target] in double.
double negativeLogLikelihood(std::span<const float> logits, size_t target);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_TEXTSCORE_H
