//===- weights_check.cpp - artifacts that are loaded together -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// llmc-weights-check A B
// Loads both artifacts, the second while the first one's weights are in memory. Prints how
// many bytes of B's weights were there already, and by how much B's made the process
// larger, with pages that are mapped twice counted once. Then A goes, and B must still
// give what it gives alone.
//
//===----------------------------------------------------------------------===//
#include "CheckedSession.h"

#include <fstream>
#include <string>

namespace {

double proportionalBytes() {
  std::ifstream facts("/proc/self/smaps_rollup");
  for (std::string line; std::getline(facts, line);)
    if (line.rfind("Pss:", 0) == 0)
      return std::strtod(line.c_str() + 4, nullptr) * 1024;
  return 0;
}

/// With all weights in memory.
llmc_module_t *load(const char *path) {
  llmc_module_options_t options = {};
  options.struct_size = sizeof(options);
  options.prefault = true;
  llmc_module_t *module = nullptr;
  require(llmc_module_load(path, &options, &module, &error));
  return module;
}

std::vector<float> firstLogits(llmc_module_t *module) {
  Tokens tokens = makeTokens(7, 1);
  llmc_session_t *session = nullptr;
  require(llmc_session_create(module, nullptr, &session, &error));
  require(llmc_session_prefill(session, 1, tokens.size(), tokens.data(), &error));
  std::vector<float> logits = logitsOf(session, 0);
  llmc_session_destroy(session);
  return logits;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: llmc-weights-check A B\n");
    return 1;
  }
  llmc_module_t *alone = load(argv[2]);
  std::vector<float> expected = firstLogits(alone);
  llmc_module_destroy(alone);

  llmc_module_t *first = load(argv[1]);
  double before = proportionalBytes();
  llmc_module_t *second = load(argv[2]);
  double grown = proportionalBytes() - before;
  llmc_module_info_t info = {};
  info.struct_size = sizeof(info);
  require(llmc_module_info(second, &info, &error));
  double total = double(info.weights_bytes), shared = double(info.weights_shared_bytes);
  std::printf("shared %.1f %% of %.0f bytes; the process grew by %.1f %% of them\n",
              100 * shared / total, total, 100 * grown / total);
  llmc_module_destroy(first);
  bool isEqual = firstLogits(second) == expected;
  llmc_module_destroy(second);
  if (!isEqual) {
    std::fprintf(stderr, "the second module's logits are not those that it gives alone\n");
    return 1;
  }
  // Small code and what the system maps along with the pages that are asked for.
  if (grown > total - shared + 1.5e6) {
    std::fprintf(stderr, "weights that are shared are in memory twice\n");
    return 1;
  }
  std::printf("ok\n");
  return 0;
}
