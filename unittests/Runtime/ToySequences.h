//===- ToySequences.h - toy sequences beside what they should hold -*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_UNITTESTS_RUNTIME_TOYSEQUENCES_H
#define LLMC_UNITTESTS_RUNTIME_TOYSEQUENCES_H

#include "ToyModule.h"

#include "llmc/Runtime.hpp"

#include <gtest/gtest.h>
#include <map>

namespace llmc::test {

using Tokens = std::vector<int64_t>;

inline Tokens someTokens(size_t count, int64_t seed) {
  Tokens tokens;
  for (size_t i = 0; i < count; ++i)
    tokens.push_back((seed * 13 + static_cast<int64_t>(i) * 7) % toyVocab);
  return tokens;
}

inline std::vector<float> logitsOf(const Session &session, size_t row = 0) {
  std::span<const float> logits = session.logits(row);
  return {logits.begin(), logits.end()};
}

/// A session whose every step is compared with what each sequence alone would give.
class ToySequences {
public:
  void create(llmc_module_query_fn query, const llmc_session_options_t &options) {
    isWindowed = query == windowedQuery;
    ASSERT_EQ(module.loadStatic(query), LLMC_STATUS_OK);
    ASSERT_EQ(session.create(module, options, &error), LLMC_STATUS_OK) << error.message;
  }

  std::vector<float> expected(uint32_t sequence) const {
    const Tokens &tokens = held.at(sequence);
    return isWindowed ? toyWindowLogits(tokens) : toyLogits(tokens);
  }
  void prefill(uint32_t sequence, const Tokens &tokens) {
    ASSERT_EQ(session.prefill(std::span(&sequence, 1), tokens, &error), LLMC_STATUS_OK)
        << error.message;
    held[sequence].insert(held[sequence].end(), tokens.begin(), tokens.end());
    compare({sequence});
  }
  void decode(const std::vector<uint32_t> &sequences, const Tokens &tokens) {
    ASSERT_EQ(session.decode(sequences, tokens, &error), LLMC_STATUS_OK) << error.message;
    for (size_t row = 0; row < sequences.size(); ++row)
      held[sequences[row]].push_back(tokens[row]);
    compare(sequences);
  }
  uint32_t fork(uint32_t sequence) {
    uint32_t fork = UINT32_MAX;
    EXPECT_EQ(session.fork(sequence, fork, &error), LLMC_STATUS_OK) << error.message;
    held[fork] = held[sequence];
    return fork;
  }
  void free(uint32_t sequence) {
    EXPECT_EQ(session.freeSequence(sequence, &error), LLMC_STATUS_OK) << error.message;
    held.erase(sequence);
  }
  void compare(const std::vector<uint32_t> &sequences) {
    for (size_t row = 0; row < sequences.size(); ++row) {
      EXPECT_EQ(logitsOf(session, row), expected(sequences[row])) << "sequence " << sequences[row];
      EXPECT_EQ(session.length(sequences[row]), held[sequences[row]].size());
    }
  }
  uint64_t usedBlocks() const { return session.info().num_blocks - session.info().num_free_blocks; }

  Module module;
  Session session;
  Error error;
  bool isWindowed = false;
  std::map<uint32_t, Tokens> held;
};

} // namespace llmc::test

#endif // LLMC_UNITTESTS_RUNTIME_TOYSEQUENCES_H
