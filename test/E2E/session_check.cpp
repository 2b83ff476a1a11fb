//===- session_check.cpp - sequences of a session against each one alone --===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// llmc-session-check MODEL save FILE     forks, batches of mixed lengths, saves, and kills
//                                        itself; prints the ids that must follow before that
// llmc-session-check MODEL restore FILE  restores in this process, and prints what follows
// llmc-session-check MODEL measure BATCH,SEQUENCES,SEQ
//                                        prints what a session of these sizes would allocate
// Every greedy id of a batch must be that of the sequence alone; the largest difference of
// logits is printed on standard error.
//
//===----------------------------------------------------------------------===//
#include "CheckedSession.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

int64_t mostLikely(const std::vector<float> &logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

double worst = 0; // difference of a logit as a part of the largest one

/// Compares a row of a batch with what the same sequence gives in a step of its own. False
/// where the most likely token differs.
bool isAsAlone(const std::vector<float> &expected, const std::vector<float> &found) {
  worst = std::fmax(worst, relativeDifference(expected, found));
  return mostLikely(expected) == mostLikely(found);
}

/// Decodes greedily, all given sequences together and, in the other session, each alone.
bool decode(llmc_session_t *session, llmc_session_t *alone, const std::vector<uint32_t> &batch,
            std::vector<Tokens> &held, int numSteps) {
  bool isEqual = true;
  for (int step = 0; step < numSteps; ++step) {
    Tokens next;
    for (uint32_t sequence : batch)
      next.push_back(held[sequence].back());
    require(llmc_sequences_decode(session, batch.data(), batch.size(), next.data(), &error));
    for (size_t row = 0; row < batch.size(); ++row) {
      std::vector<float> logits = logitsOf(session, row);
      if (alone) {
        require(llmc_sequences_decode(alone, &batch[row], 1, &next[row], &error));
        isEqual &= isAsAlone(logitsOf(alone, 0), logits);
      }
      held[batch[row]].push_back(mostLikely(logits));
    }
  }
  return isEqual;
}

void print(const Tokens &tokens, size_t count) {
  for (size_t i = tokens.size() - count; i < tokens.size(); ++i)
    std::printf("%lld ", static_cast<long long>(tokens[i]));
  std::printf("\n");
  std::fflush(stdout);
}

/// Prompts, then steps that sequences join and leave, then a fork that goes another way.
int save(llmc_session_t *session, llmc_session_t *alone, const char *path) {
  std::vector<Tokens> held(4);
  for (uint32_t sequence : {0u, 1u, 2u}) {
    held[sequence] = makeTokens(3 + 17 * sequence, sequence);
    require(llmc_sequences_prefill(session, &sequence, 1, held[sequence].size(),
                                   held[sequence].data(), &error));
    require(llmc_sequences_prefill(alone, &sequence, 1, held[sequence].size(),
                                   held[sequence].data(), &error));
    held[sequence].push_back(mostLikely(logitsOf(session, 0)));
  }
  bool isEqual = decode(session, alone, {0, 1, 2}, held, 3);
  isEqual &= decode(session, alone, {2, 0}, held, 3);
  uint32_t fork = 0;
  require(llmc_sequence_fork(session, 2, &fork, &error));
  // The other session computes the fork from its beginning.
  require(llmc_sequences_prefill(alone, &fork, 1, held[2].size() - 1, held[2].data(), &error));
  held[fork] = held[2];
  held[fork].back() = 7; // another next token
  isEqual &= decode(session, alone, {fork, 1, 2}, held, 4);
  require(llmc_session_save(session, nullptr, 0, path, &error));
  decode(session, nullptr, {1, fork, 2}, held, 8);
  for (uint32_t sequence : {1u, fork, 2u})
    print(held[sequence], 8);
  std::fprintf(stderr, "%s: largest difference %.1e of the largest logit\n",
               isEqual ? "ok" : "FAILED", worst);
  std::fflush(stderr);
  if (!isEqual)
    return 1;
  std::raise(SIGKILL);
  return 1;
}

int restore(llmc_session_t *session, const char *path) {
  require(llmc_session_restore(session, path, nullptr, 0, nullptr, &error));
  // The last step's rows were those of the sequences 3, 1 and 2.
  std::vector<Tokens> held(4);
  const uint32_t rows[] = {3, 1, 2};
  for (size_t row = 0; row < 3; ++row)
    held[rows[row]].push_back(mostLikely(logitsOf(session, row)));
  decode(session, nullptr, {1, 3, 2}, held, 8);
  for (uint32_t sequence : {1u, 3u, 2u})
    print(held[sequence], 8);
  return 0;
}

/// In the words of llmc inspect --memory.
int measure(llmc_module_t *module, const char *sizes) {
  llmc_session_options_t options = {};
  options.struct_size = sizeof(options);
  options.memory_limit = UINT64_MAX;
  if (std::sscanf(sizes, "%u,%u,%u", &options.max_batch, &options.max_sequences,
                  &options.max_seq) != 3)
    return 2;
  llmc_session_memory_t memory = {};
  memory.struct_size = sizeof(memory);
  require(llmc_session_measure(module, &options, &memory, &error));
  auto print = [](const char *name, uint64_t bytes) {
    std::printf("%s %llu bytes\n", name, static_cast<unsigned long long>(bytes));
  };
  print("arena", memory.arena_bytes);
  print("caches", memory.block_bytes + memory.slot_bytes);
  print("logits", memory.logits_bytes);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4) {
    std::fprintf(stderr,
                 "usage: llmc-session-check MODEL save|restore FILE, or MODEL measure SIZES\n");
    return 2;
  }
  llmc_module_t *module = nullptr;
  require(llmc_module_load(argv[1], nullptr, &module, &error));
  if (std::strcmp(argv[2], "measure") == 0)
    return measure(module, argv[3]);
  llmc_session_options_t options = {};
  options.struct_size = sizeof(options);
  options.max_batch = options.max_sequences = 4;
  llmc_session_t *session = nullptr, *alone = nullptr;
  require(llmc_session_create(module, &options, &session, &error));
  require(llmc_session_create(module, &options, &alone, &error));
  if (std::strcmp(argv[2], "save") == 0)
    return save(session, alone, argv[3]);
  return restore(session, argv[3]);
}
