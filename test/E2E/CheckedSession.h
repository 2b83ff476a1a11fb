//===- CheckedSession.h - what the tools that check sessions share
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TEST_E2E_CHECKEDSESSION_H
#define LLMC_TEST_E2E_CHECKEDSESSION_H

#include "llmc-c/Runtime.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

using Tokens = std::vector<int64_t>;

inline llmc_error_t error;

/// Ends the program where a call of the runtime fails.
inline void require(llmc_status_t status) {
  if (status == LLMC_STATUS_OK)
    return;
  std::fprintf(stderr, "error %d: %s\n", int(status), error.message);
  std::exit(1);
}

inline std::vector<float> logitsOf(llmc_session_t *session, size_t row) {
  const float *logits = nullptr;
  size_t rows = 0, vocabulary = 0;
  require(llmc_session_logits(session, &logits, &rows, &vocabulary, &error));
  return {logits + row * vocabulary, logits + (row + 1) * vocabulary};
}

/// The largest difference as a part of the largest expected logit; infinite where a logit
/// is not a number.
inline double relativeDifference(const std::vector<float> &expected,
                                 const std::vector<float> &found) {
  double largest = 0, difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(expected[i]) || std::isnan(found[i]))
      return INFINITY;
    largest = std::fmax(largest, std::fabs(expected[i]));
    difference = std::fmax(difference, std::fabs(expected[i] - found[i]));
  }
  return largest > 0 ? difference / largest : INFINITY;
}

/// Tokens below 300, which every model of the tests has.
inline Tokens makeTokens(int64_t count, int64_t seed) {
  Tokens tokens;
  for (int64_t i = 0; i < count; ++i)
    tokens.push_back((i * 37 + seed * 11 + i * i) % 300);
  return tokens;
}

#endif // LLMC_TEST_E2E_CHECKEDSESSION_H
