//===- stateful_check.cpp - prefill and decode against the functional run -===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// llmc-stateful-check MODEL [TOLERANCE]
// Prefills prompts, decodes, and runs two sequences of different lengths side by side.
// After each step the logits must be those that the functional phase gives for the whole
// sequence without a past: every cache, window and matrix then held what it should.
// TOLERANCE is the largest allowed difference as a part of the largest logit: caches that
// are narrower than f32 round what the functional phase does not.
//
//===----------------------------------------------------------------------===//
#include "CheckedSession.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

bool isNamed(const char *name, const char *part) { return std::strstr(name, part) != nullptr; }

/// The run phase without a past. Guarded phases are not for this tool.
class FunctionalRun {
public:
  FunctionalRun(llmc_module_t *module, llmc_session_t *session) : module(module), session(session) {
    do {
      info = {};
      info.struct_size = sizeof(info);
      require(llmc_module_phase(module, ++phase, &info, &error));
    } while (info.kind != LLMC_PHASE_RUN);
    inputs.resize(info.num_inputs);
    for (uint32_t i = 0; i < info.num_inputs; ++i) {
      inputs[i].struct_size = sizeof(inputs[i]);
      require(llmc_module_input(module, phase, i, &inputs[i], &error));
    }
  }

  /// The logits of the last token.
  std::vector<float> logits(const Tokens &tokens) {
    std::vector<int64_t> dims = resolve(int64_t(tokens.size()));
    std::vector<std::vector<int64_t>> memory; // 8 bytes are enough for any element
    std::vector<llmc_tensor_t> given;
    const int64_t *next = dims.data();
    for (const llmc_tensor_info_t &input : inputs) {
      llmc_tensor_t tensor = {};
      tensor.name = input.name;
      tensor.dtype = input.dtype;
      tensor.rank = input.rank;
      size_t count = 1;
      for (uint32_t d = 0; d < input.rank; ++d)
        count *= size_t(tensor.dims[d] = *next++);
      std::vector<int64_t> &values = memory.emplace_back(count + 1);
      for (size_t i = 0; i < count && input.dtype == LLMC_DTYPE_I64; ++i)
        values[i] = isNamed(input.name, "input_ids")  ? tokens[i]
                    : isNamed(input.name, "position") ? int64_t(i)
                                                      : 1; // a mask
      tensor.data = values.data();
      tensor.size_bytes = count * llmc_dtype_size(input.dtype);
      given.push_back(tensor);
    }
    llmc_tensor_t output = {};
    output.name = "logits";
    require(llmc_session_run(session, given.data(), given.size(), &output, 1, &error));
    auto *end = static_cast<const float *>(output.data) + output.size_bytes / sizeof(float);
    return {end - output.dims[2], end};
  }

private:
  /// All dimensions for one sequence of `count` tokens; a symbol that neither tokens nor
  /// masks have is a past and empty.
  std::vector<int64_t> resolve(int64_t count) {
    std::map<std::string, int64_t> sizes;
    for (const char *kind : {"input_ids", "mask"})
      for (const llmc_tensor_info_t &input : inputs)
        for (uint32_t d = 0; isNamed(input.name, kind) && d < input.rank; ++d)
          if (input.dim_names[d])
            sizes.insert({input.dim_names[d], d ? count : 1});
    std::vector<int64_t> symbols;
    for (uint32_t i = 0; i < info.num_symbols; ++i) {
      llmc_symbol_desc_t symbol;
      require(llmc_module_symbol(module, phase, i, &symbol, &error));
      bool isDefined = i >= info.num_symbols - info.num_defined_symbols;
      auto found = sizes.find(symbol.name);
      symbols.push_back(isDefined              ? symbol.max_value
                        : found == sizes.end() ? symbol.min_value
                                               : found->second);
    }
    std::vector<int64_t> dims(LLMC_MAX_RANK * (info.num_inputs + info.num_outputs));
    require(llmc_module_resolve_dims(module, phase, symbols.data(), info.num_symbols, dims.data(),
                                     uint32_t(dims.size()), &error));
    return dims;
  }

  llmc_module_t *module;
  llmc_session_t *session;
  uint32_t phase = UINT32_MAX;
  llmc_phase_info_t info;
  std::vector<llmc_tensor_info_t> inputs;
};

class Check {
public:
  Check(llmc_session_t *session, FunctionalRun &functional)
      : session(session), functional(functional) {}

  void prefill(const std::vector<Tokens> &prompts) {
    held = prompts;
    Tokens all;
    for (const Tokens &prompt : prompts)
      all.insert(all.end(), prompt.begin(), prompt.end());
    require(llmc_session_prefill(session, prompts.size(), prompts[0].size(), all.data(), &error));
    compare();
  }
  void decode(const Tokens &next) {
    for (size_t row = 0; row < next.size(); ++row)
      held[row].push_back(next[row]);
    require(llmc_session_decode(session, next.size(), next.data(), &error));
    compare();
  }
  void restart(size_t sequence) {
    held[sequence].clear();
    require(llmc_session_truncate(session, sequence, 0, &error));
  }

  double worst = 0; ///< difference as a part of the largest logit
  int numSteps = 0;

private:
  void compare() {
    ++numSteps;
    for (size_t row = 0; row < held.size(); ++row)
      worst = std::fmax(worst,
                        relativeDifference(functional.logits(held[row]), logitsOf(session, row)));
  }

  llmc_session_t *session;
  FunctionalRun &functional;
  std::vector<Tokens> held;
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "usage: llmc-stateful-check MODEL [TOLERANCE]\n");
    return 2;
  }
  // In f32 the steps differ in how sums are cut into tiles only.
  double tolerance = argc == 3 ? std::strtod(argv[2], nullptr) : 1e-4;
  llmc_module_t *module = nullptr;
  require(llmc_module_load(argv[1], nullptr, &module, &error));
  llmc_session_t *stateful = nullptr, *stateless = nullptr;
  require(llmc_session_create(module, nullptr, &stateful, &error));
  require(llmc_session_create(module, nullptr, &stateless, &error));
  FunctionalRun functional(module, stateless);
  Check check(stateful, functional);
  for (int64_t prompt : {1, 5, 17}) {
    require(llmc_session_reset(stateful, &error));
    check.prefill({makeTokens(prompt, prompt)});
    for (int64_t token = 2; token < 6; ++token)
      check.decode({token * 53 % 300});
  }
  // A sequence that begins anew beside one that goes on.
  require(llmc_session_reset(stateful, &error));
  check.prefill({makeTokens(6, 1), makeTokens(6, 2)});
  check.restart(0);
  for (int64_t token = 2; token < 5; ++token)
    check.decode({token, 9 + token});
  llmc_session_destroy(stateful);
  llmc_session_destroy(stateless);
  llmc_module_destroy(module);
  bool isEqual = check.worst < tolerance;
  std::printf("%s: %d steps, largest difference %.1e of the largest logit\n",
              isEqual ? "ok" : "FAILED", check.numSteps, check.worst);
  return isEqual ? 0 : 1;
}
