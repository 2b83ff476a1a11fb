//===- stateful_check.cpp - prefill and decode against the functional run -===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// llmc-stateful-check MODEL [TOLERANCE [WINDOWED]]
// Prefills prompts, decodes, and runs two sequences of different lengths side by side.
// After each step the logits must be those that the functional phase gives for the whole
// sequence without a past: every cache, window and matrix then held what it should. A
// functional phase for one token, with states or caches of fixed sizes, runs token by token,
// and the prompts are as short as it needs.
// TOLERANCE is the largest allowed difference as a part of the largest logit: caches that
// are narrower than f32 round what the functional phase does not.
// WINDOWED is a number of tokens for which the caches of one sequence must be too small,
// because its attention looks back less far: it is filled to that length, by decoding and
// by prompts in between, beside one that stays short.
//
//===----------------------------------------------------------------------===//
#include "CheckedSession.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

bool isNamed(const char *name, const char *part) { return std::strstr(name, part) != nullptr; }

/// An f32, bf16 or f16 (IEEE 754 binary16) number.
float toFloat(const void *data, uint32_t dtype) {
  float value;
  if (dtype == LLMC_DTYPE_F32) {
    std::memcpy(&value, data, sizeof(value));
    return value;
  }
  uint16_t half;
  std::memcpy(&half, data, sizeof(half));
  if (dtype == LLMC_DTYPE_BF16) {
    uint32_t bits = uint32_t(half) << 16;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  int exponent = half >> 10 & 31;
  float fraction = float(half & 1023) / 1024;
  value = exponent == 31 ? (half & 1023 ? NAN : INFINITY)
          : exponent     ? std::ldexp(1 + fraction, exponent - 15)
                         : std::ldexp(fraction, -14);
  return half & 0x8000 ? -value : value;
}

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
    return takesOneToken() ? logitsInSteps(tokens) : logitsAtOnce(tokens);
  }

  /// How many tokens it takes: in fixed sizes those that a mask has.
  int64_t capacity() {
    std::vector<int64_t> dims = resolve(1);
    const int64_t *end = dims.data(); // behind those of the input
    for (const llmc_tensor_info_t &input : inputs) {
      end += input.rank;
      if (info.num_symbols == 0 && isNamed(input.name, "mask"))
        return end[-1];
    }
    return INT64_MAX;
  }

private:
  bool takesOneToken() const {
    for (const llmc_tensor_info_t &input : inputs)
      if (isNamed(input.name, "input_ids"))
        return !input.dim_names[input.rank - 1];
    return true;
  }

  std::vector<float> logitsAtOnce(const Tokens &tokens) {
    std::vector<int64_t> dims = resolve(int64_t(tokens.size()));
    std::vector<std::vector<int64_t>> memory; // 8 bytes are enough for any element
    std::vector<llmc_tensor_t> given;
    const int64_t *next = dims.data();
    for (const llmc_tensor_info_t &input : inputs) {
      llmc_tensor_t tensor = describe(input, next);
      size_t count = tensor.size_bytes / llmc_dtype_size(input.dtype);
      tensor.data = memory.emplace_back(count + 1).data();
      for (size_t i = 0; i < count && isCallInput(input.name); ++i)
        setInteger(tensor, i,
                   isNamed(input.name, "input_ids")  ? tokens[i]
                   : isNamed(input.name, "position") ? int64_t(i)
                                                     : 1); // a mask
      given.push_back(tensor);
    }
    llmc_tensor_t output = {};
    output.name = "logits";
    require(llmc_session_run(session, given.data(), given.size(), &output, 1, &error));
    size_t rows = output.size_bytes / llmc_dtype_size(output.dtype) / size_t(output.dims[2]);
    return rowOf(output, rows - 1);
  }

  /// `input` without data, its sizes taken from `next` on.
  static llmc_tensor_t describe(const llmc_tensor_info_t &input, const int64_t *&next) {
    llmc_tensor_t tensor = {};
    tensor.name = input.name;
    tensor.dtype = input.dtype;
    tensor.rank = input.rank;
    tensor.size_bytes = llmc_dtype_size(input.dtype);
    for (uint32_t d = 0; d < input.rank; ++d)
      tensor.size_bytes *= size_t(tensor.dims[d] = *next++);
    return tensor;
  }

  /// The logits in row `row` of [batch, tokens, vocabulary].
  static std::vector<float> rowOf(const llmc_tensor_t &logits, size_t row) {
    std::vector<float> values;
    size_t width = size_t(logits.dims[2]), size = llmc_dtype_size(logits.dtype);
    for (size_t i = row * width; i < (row + 1) * width; ++i)
      values.push_back(toFloat(static_cast<const char *>(logits.data) + i * size, logits.dtype));
    return values;
  }

  /// Every row of the batch takes the same token; states are what the step before gave, in
  /// the order of the inputs.
  std::vector<float> logitsInSteps(const Tokens &tokens) {
    std::vector<llmc_tensor_t> outputs(1);
    outputs[0].name = "logits";
    for (uint32_t i = 0; i < info.num_outputs; ++i) {
      llmc_tensor_info_t output = {};
      output.struct_size = sizeof(output);
      require(llmc_module_output(module, phase, i, &output, &error));
      if (!isNamed(output.name, "logits")) {
        outputs.push_back({});
        outputs.back().name = output.name;
      }
    }
    std::vector<float> last;
    for (size_t position = 0; position < tokens.size(); ++position) {
      std::vector<int64_t> dims = resolve(1, int64_t(position));
      std::vector<std::vector<char>> memory;
      std::vector<llmc_tensor_t> given;
      const int64_t *next = dims.data();
      const llmc_tensor_t *present = &outputs[1];
      for (const llmc_tensor_info_t &input : inputs) {
        given.push_back(describe(input, next));
        llmc_tensor_t &tensor = given.back();
        tensor.data = memory.emplace_back(tensor.size_bytes + 1).data();
        if (isCallInput(input.name))
          fillCallInput(tensor, tokens[position], int64_t(position));
        else if (position > 0)
          std::memcpy(tensor.data, (present++)->data, tensor.size_bytes);
      }
      for (llmc_tensor_t &output : outputs)
        output.data = nullptr;
      require(llmc_session_run(session, given.data(), given.size(), outputs.data(), outputs.size(),
                               &error));
      last = rowOf(outputs[0], 0);
    }
    return last;
  }

  static bool isCallInput(const char *name) {
    return isNamed(name, "input_ids") || isNamed(name, "mask") || isNamed(name, "position");
  }

  /// Integers and booleans of any width: machines that run artifacts are little-endian.
  static void setInteger(llmc_tensor_t &tensor, size_t index, int64_t value) {
    size_t width = llmc_dtype_size(tensor.dtype);
    std::memcpy(static_cast<char *>(tensor.data) + index * width, &value, width);
  }

  static void fillCallInput(llmc_tensor_t &tensor, int64_t token, int64_t position) {
    size_t count = tensor.size_bytes / llmc_dtype_size(tensor.dtype);
    for (size_t i = 0; i < count; ++i)
      setInteger(tensor, i,
                 isNamed(tensor.name, "position") ? position
                 : isNamed(tensor.name, "mask")
                     ? int64_t(i) % tensor.dims[tensor.rank - 1] <= position
                     : token);
  }

  /// All dimensions for one sequence of `count` tokens; a symbol that neither tokens,
  /// masks nor positions have is a past.
  std::vector<int64_t> resolve(int64_t count, int64_t past = 0) {
    std::map<std::string, int64_t> sizes;
    for (const char *kind : {"input_ids", "mask", "position"})
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
                        : found == sizes.end() ? std::max(symbol.min_value, past)
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
  /// Appends to the first sequence only.
  void append(const Tokens &tokens) {
    held.resize(1);
    held[0].insert(held[0].end(), tokens.begin(), tokens.end());
    require(llmc_session_prefill(session, 1, tokens.size(), tokens.data(), &error));
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

/// False where the session's caches could hold so many tokens of each sequence.
bool fillWindowed(llmc_module_t *module, llmc_session_t *session, Check &check, int64_t tokens) {
  llmc_module_info_t model = {};
  model.struct_size = sizeof(model);
  require(llmc_module_info(module, &model, &error));
  llmc_session_info_t info = {};
  info.struct_size = sizeof(info);
  require(llmc_session_info(session, &info, &error));
  int64_t capacity = int64_t(info.num_blocks * model.block_tokens / info.max_sequences);
  std::printf("blocks for %lld of %lld tokens\n", static_cast<long long>(capacity),
              static_cast<long long>(tokens));
  require(llmc_session_reset(session, &error));
  check.prefill({makeTokens(7, 1), makeTokens(7, 2)});
  int64_t length = 7;
  for (; length < 40; ++length)
    check.decode({length * 53 % 300, length * 31 % 300});
  for (int64_t count = 1; length + count <= tokens; length += count, count = (count + 4) % 50 + 1)
    check.append(makeTokens(count, length));
  return capacity < tokens;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: llmc-stateful-check MODEL [TOLERANCE [WINDOWED]]\n");
    return 2;
  }
  // In f32 the steps differ in how sums are cut into tiles only.
  double tolerance = argc > 2 ? std::strtod(argv[2], nullptr) : 1e-4;
  llmc_module_t *module = nullptr;
  require(llmc_module_load(argv[1], nullptr, &module, &error));
  llmc_session_t *stateful = nullptr, *stateless = nullptr;
  require(llmc_session_create(module, nullptr, &stateful, &error));
  require(llmc_session_create(module, nullptr, &stateless, &error));
  FunctionalRun functional(module, stateless);
  Check check(stateful, functional);
  const int64_t longest = functional.capacity() - 4; // four more are decoded
  for (int64_t count : {1, 5, 17}) {
    int64_t prompt = std::min(count, longest);
    require(llmc_session_reset(stateful, &error));
    check.prefill({makeTokens(prompt, prompt)});
    for (int64_t token = 2; token < 6; ++token)
      check.decode({token * 53 % 300});
  }
  llmc_session_info_t facts = {};
  facts.struct_size = sizeof(facts);
  require(llmc_session_info(stateful, &facts, &error));
  if (facts.max_batch > 1) { // one that begins anew beside one that goes on
    require(llmc_session_reset(stateful, &error));
    int64_t both = std::min<int64_t>(6, longest);
    check.prefill({makeTokens(both, 1), makeTokens(both, 2)});
    check.restart(0);
    for (int64_t token = 2; token < 5; ++token)
      check.decode({token, 9 + token});
  }
  bool isSmall = argc < 4 || fillWindowed(module, stateful, check, std::atoll(argv[3]));
  llmc_session_destroy(stateful);
  llmc_session_destroy(stateless);
  llmc_module_destroy(module);
  bool isEqual = check.worst < tolerance && isSmall;
  std::printf("%s: %d steps, largest difference %.1e of the largest logit\n",
              isEqual ? "ok" : "FAILED", check.numSteps, check.worst);
  return isEqual ? 0 : 1;
}
