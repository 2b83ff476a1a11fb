//===- ToyModule.cpp - modules made of plain functions --------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyModule.h"

#include <algorithm>
#include <atomic>

using namespace llmc::test;

namespace {

//===----------------------------------------------------------------------===//
// Functional
//===----------------------------------------------------------------------===//

enum { symBatch, symSeq, symPast, symUnusedConstant, numFunctionalSymbols };

void functionalShapes(const int64_t *symbols, int64_t *dims) {
  int64_t all[] = {/*x*/ symbols[symBatch], symbols[symSeq],
                   /*p*/ symbols[symBatch], symbols[symPast],
                   /*negate: rank 0*/
                   /*total*/ symbols[symSeq] + symbols[symPast],
                   /*y*/ symbols[symBatch], symbols[symSeq] + symbols[symPast]
                   /*count: rank 0*/};
  std::copy(std::begin(all), std::end(all), dims);
}

template <bool negate> void functionalEntry(const llmc_step_t *step, llmc_worker_t *worker) {
  auto *x = static_cast<const float *>(step->inputs[0]);
  auto *p = static_cast<const float *>(step->inputs[1]);
  auto *y = static_cast<float *>(step->outputs[0]);
  auto *scratch = reinterpret_cast<float *>(step->arena);
  int64_t batch = step->symbols[symBatch], seq = step->symbols[symSeq],
          past = step->symbols[symPast], width = seq + past;
  for (int64_t row; (row = step->team->next(worker, batch)) >= 0;)
    for (int64_t i = 0; i < width; ++i)
      scratch[row * width + i] = i < seq ? x[row * seq + i] : p[row * past + i - seq];
  step->team->sync(worker);
  for (int64_t i; (i = step->team->next(worker, batch * width)) >= 0;)
    y[i] = negate ? -scratch[i] : scratch[i];
  for (int64_t i; (i = step->team->next(worker, 1)) >= 0;)
    *static_cast<int64_t *>(step->outputs[1]) = batch * width;
  step->team->sync(worker);
}

const llmc_symbol_desc_t functionalSymbols[] = {
    {"batch", 0, 8}, {"seq", 1, 16}, {"past", 0, 16}, {"four", 4, 4}};
const int32_t xDims[] = {symBatch, symSeq}, pDims[] = {symBatch, symPast}, expressionDim[] = {-1},
              yDims[] = {symBatch, -1};
const llmc_tensor_desc_t functionalInputs[] = {{"x", LLMC_DTYPE_F32, 2, xDims},
                                               {"p", LLMC_DTYPE_F32, 2, pDims},
                                               {"negate", LLMC_DTYPE_BOOL, 0, nullptr},
                                               {"total", LLMC_DTYPE_U8, 1, expressionDim}};
const llmc_tensor_desc_t functionalOutputs[] = {{"y", LLMC_DTYPE_F32, 2, yDims},
                                                {"count", LLMC_DTYPE_I64, 0, nullptr}};

template <bool negate> constexpr llmc_phase_desc_t functionalPhase() {
  llmc_phase_desc_t phase = {};
  phase.name = negate ? "negated" : "plain";
  phase.kind = LLMC_PHASE_RUN;
  phase.guard_input = 2;
  phase.guard_value = negate;
  phase.arena_bytes = 8 * 32 * sizeof(float);
  phase.num_dispatches = 3;
  phase.num_symbols = numFunctionalSymbols;
  phase.symbols = functionalSymbols;
  phase.num_inputs = 4;
  phase.num_outputs = 2;
  phase.inputs = functionalInputs;
  phase.outputs = functionalOutputs;
  phase.shapes = functionalShapes;
  phase.entry = functionalEntry<negate>;
  return phase;
}

const llmc_phase_desc_t functionalPhases[] = {functionalPhase<false>(), functionalPhase<true>()};

//===----------------------------------------------------------------------===//
// A size that data decides
//===----------------------------------------------------------------------===//

enum { symLength, symCount };

void dataSizedShapes(const int64_t *symbols, int64_t *dims) {
  dims[0] = symbols[symLength];
  dims[1] = std::min(symbols[symCount], symbols[symLength]);
}

/// As generated code does it: one dispatch counts, then every worker reads the count and
/// tells it, then tiles of the size that it says.
void dataSizedEntry(const llmc_step_t *step, llmc_worker_t *worker) {
  auto *x = static_cast<const float *>(step->inputs[0]);
  auto *y = static_cast<float *>(step->outputs[0]);
  auto *places = reinterpret_cast<int64_t *>(step->arena);
  int64_t length = step->symbols[symLength];
  while (step->team->next(worker, 1) >= 0) {
    int64_t count = 0;
    for (int64_t i = 0; i < length; ++i)
      if (x[i] > 0)
        places[++count] = i;
    places[0] = count;
  }
  step->team->sync(worker);
  int64_t count = places[0];
  std::atomic_ref(step->symbols[symCount]).store(count, std::memory_order_relaxed);
  for (int64_t i; (i = step->team->next(worker, count)) >= 0;)
    y[i] = x[places[1 + i]];
  step->team->sync(worker);
}

const llmc_symbol_desc_t dataSizedSymbols[] = {{"n", 0, 4096}, {"k", 0, 4096}};
const int32_t lengthDim[] = {symLength}, countDim[] = {symCount};
const llmc_tensor_desc_t dataSizedInput = {"x", LLMC_DTYPE_F32, 1, lengthDim};
const llmc_tensor_desc_t dataSizedOutput = {"positive", LLMC_DTYPE_F32, 1, countDim};

constexpr llmc_phase_desc_t makeDataSizedPhase() {
  llmc_phase_desc_t phase = {};
  phase.name = "run";
  phase.kind = LLMC_PHASE_RUN;
  phase.guard_input = -1;
  phase.arena_bytes = 4097 * sizeof(int64_t);
  phase.num_dispatches = 2;
  phase.num_symbols = 2;
  phase.symbols = dataSizedSymbols;
  phase.num_inputs = 1;
  phase.num_outputs = 1;
  phase.inputs = &dataSizedInput;
  phase.outputs = &dataSizedOutput;
  phase.num_defined_symbols = 1;
  phase.shapes = dataSizedShapes;
  phase.entry = dataSizedEntry;
  return phase;
}

const llmc_phase_desc_t dataSizedPhase = makeDataSizedPhase();

//===----------------------------------------------------------------------===//
// Stateful
//===----------------------------------------------------------------------===//

constexpr int64_t blockTokens = 4;

/// What a sequence's history comes to; order matters.
int64_t mix(int64_t sum, int64_t token, int64_t position) {
  return (sum * 31 + token * 7 + position) % 10007;
}

void fillLogits(float *logits, int64_t sum) {
  for (int64_t v = 0; v < toyVocab; ++v)
    logits[v] = static_cast<float>((sum + v * v) % 1009);
}

template <bool isPrefill> void statefulShapes(const int64_t *symbols, int64_t *dims) {
  dims[0] = symbols[LLMC_STATEFUL_SYMBOL_BATCH];
  dims[1] = isPrefill ? symbols[LLMC_STATEFUL_SYMBOL_SEQ] : 1;
  dims[2] = dims[3] = dims[0];
  dims[4] = toyVocab;
}

/// First stores the tokens in the cache, then reads all of it back. With
/// `isRecurrent` the sum is carried in state 1 instead: [slot] int64. With `isWindowed`
/// only the last tokens are read.
template <bool isRecurrent, bool isWindowed>
void statefulEntry(const llmc_step_t *step, llmc_worker_t *worker) {
  auto *tokens = static_cast<const int64_t *>(step->inputs[0]);
  auto *pastLens = static_cast<const int64_t *>(step->inputs[1]);
  auto *pool = static_cast<int32_t *>(step->states[0]);
  int64_t batch = step->symbols[LLMC_STATEFUL_SYMBOL_BATCH];
  int64_t seq = step->symbols[LLMC_STATEFUL_SYMBOL_SEQ];
  auto cell = [=](int64_t row, int64_t position) -> int32_t & {
    int64_t block = step->block_table[row * step->block_table_stride + position / blockTokens];
    return pool[block * blockTokens + position % blockTokens];
  };
  for (int64_t t; (t = step->team->next(worker, batch * seq)) >= 0;)
    cell(t / seq, pastLens[t / seq] + t % seq) = static_cast<int32_t>(tokens[t]);
  step->team->sync(worker);
  for (int64_t row; (row = step->team->next(worker, batch)) >= 0;) {
    int64_t end = pastLens[row] + seq, sum = 0, begin = 0;
    if (isRecurrent) {
      sum = static_cast<int64_t *>(step->states[1])[step->slots[row]];
      begin = pastLens[row];
    }
    if (isWindowed)
      begin = std::max<int64_t>(0, end - toyWindow);
    for (int64_t position = begin; position < end; ++position)
      sum = mix(sum, cell(row, position), position);
    if (isRecurrent)
      static_cast<int64_t *>(step->states[1])[step->slots[row]] = sum;
    fillLogits(static_cast<float *>(step->outputs[0]) + row * toyVocab, sum);
  }
  step->team->sync(worker);
}

const llmc_symbol_desc_t prefillSymbols[] = {{"batch", 1, 3}, {"seq", 1, 5}, {"past", 0, 40}};
const llmc_symbol_desc_t decodeSymbols[] = {{"batch", 1, 3}, {"seq", 1, 1}, {"past", 0, 40}};
const int32_t tokenDims[] = {0, 1}, pastDims[] = {0}, logitDims[] = {0, -1};
const llmc_tensor_desc_t statefulInputs[] = {{"tokens", LLMC_DTYPE_I64, 2, tokenDims},
                                             {"past_lens", LLMC_DTYPE_I64, 1, pastDims}};
const llmc_tensor_desc_t statefulOutput = {"logits", LLMC_DTYPE_F32, 2, logitDims};

template <bool isPrefill, bool isRecurrent, bool isWindowed = false>
constexpr llmc_phase_desc_t statefulPhase() {
  llmc_phase_desc_t phase = {};
  phase.name = isPrefill ? "prefill" : "decode";
  phase.kind = isPrefill ? LLMC_PHASE_PREFILL : LLMC_PHASE_DECODE;
  phase.guard_input = -1;
  phase.num_dispatches = 2;
  phase.num_symbols = 3;
  phase.symbols = isPrefill ? prefillSymbols : decodeSymbols;
  phase.num_inputs = 2;
  phase.num_outputs = 1;
  phase.inputs = statefulInputs;
  phase.outputs = &statefulOutput;
  phase.shapes = statefulShapes<isPrefill>;
  phase.entry = statefulEntry<isRecurrent, isWindowed>;
  return phase;
}

const llmc_phase_desc_t statefulPhases[] = {statefulPhase<true, false>(),
                                            statefulPhase<false, false>()};
const llmc_phase_desc_t recurrentPhases[] = {statefulPhase<true, true>(),
                                             statefulPhase<false, true>()};
const llmc_phase_desc_t windowedPhases[] = {statefulPhase<true, false, true>(),
                                            statefulPhase<false, false, true>()};
const llmc_state_desc_t states[] = {
    {"tokens", LLMC_STATE_BLOCKS, LLMC_DTYPE_I32, blockTokens * 4, 0},
    {"sum", LLMC_STATE_FIXED, LLMC_DTYPE_I64, 8, 0}};
const llmc_state_desc_t windowedState = {"tokens", LLMC_STATE_BLOCKS, LLMC_DTYPE_I32,
                                         blockTokens * 4, toyWindow};

llmc_module_desc_t describe(const char *name, const llmc_phase_desc_t *phases, uint32_t numStates) {
  llmc_module_desc_t desc = {};
  desc.abi_version = LLMC_MODULE_ABI_VERSION;
  desc.struct_size = sizeof(desc);
  desc.name = name;
  desc.producer = "toy";
  desc.num_phases = 2;
  desc.phases = phases;
  if (!numStates)
    return desc;
  desc.num_states = numStates;
  desc.states = states;
  desc.block_tokens = blockTokens;
  desc.max_batch = 3;
  desc.max_seq = 40;
  desc.prefill_chunk = 5;
  desc.vocab_size = toyVocab;
  return desc;
}

const llmc_module_desc_t functionalModule = describe("functional", functionalPhases, 0);
const llmc_module_desc_t statefulModule = describe("stateful", statefulPhases, 1);
const llmc_module_desc_t recurrentModule = describe("recurrent", recurrentPhases, 2);

llmc_module_desc_t describeWindowed() {
  llmc_module_desc_t desc = describe("windowed", windowedPhases, 1);
  desc.states = &windowedState;
  return desc;
}
const llmc_module_desc_t windowedModule = describeWindowed();

llmc_module_desc_t describeDataSized() {
  llmc_module_desc_t desc = describe("data sized", &dataSizedPhase, 0);
  desc.num_phases = 1;
  return desc;
}
const llmc_module_desc_t dataSizedModule = describeDataSized();

} // namespace

const llmc_module_desc_t *llmc::test::functionalQuery(uint32_t) { return &functionalModule; }
const llmc_module_desc_t *llmc::test::dataSizedQuery(uint32_t) { return &dataSizedModule; }
const llmc_module_desc_t *llmc::test::statefulQuery(uint32_t) { return &statefulModule; }
const llmc_module_desc_t *llmc::test::recurrentQuery(uint32_t) { return &recurrentModule; }
const llmc_module_desc_t *llmc::test::windowedQuery(uint32_t) { return &windowedModule; }

static std::vector<float> logitsSince(const std::vector<int64_t> &tokens, size_t first) {
  int64_t sum = 0;
  for (size_t i = first; i < tokens.size(); ++i)
    sum = mix(sum, tokens[i], static_cast<int64_t>(i));
  std::vector<float> logits(toyVocab);
  fillLogits(logits.data(), sum);
  return logits;
}

std::vector<float> llmc::test::toyLogits(const std::vector<int64_t> &tokens) {
  return logitsSince(tokens, 0);
}

std::vector<float> llmc::test::toyWindowLogits(const std::vector<int64_t> &tokens) {
  return logitsSince(tokens, tokens.size() < toyWindow ? 0 : tokens.size() - toyWindow);
}
