//===- Session.cpp - working memory, caches and threads of one session ----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session.h"

#include "Error.h"

#include <initializer_list>

using namespace llmc::runtime;

/// State bases are separated and aligned by whole pages.
static constexpr uint64_t stateAlignment = 4096;

llmc_session::llmc_session(llmc_module &module, const SessionSettings &settings)
    : module(module), desc(*module.desc), settings(settings),
      prefillPhase(findPhase(desc, LLMC_PHASE_PREFILL)),
      decodePhase(findPhase(desc, LLMC_PHASE_DECODE)) {
  module.retain();
}

llmc_session::~llmc_session() {
  const llmc_allocator_t &allocator = settings.allocator;
  for (OwnedOutput &output : ownedOutputs)
    if (output.data)
      allocator.deallocate(allocator.user, output.data, output.sizeBytes, 64);
}

static llmc_status_t noMemory(uint64_t sizeBytes, const char *what, llmc_error_t *error) {
  return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY)
         << "no memory for " << sizeBytes << " bytes of " << what;
}

/// Lays out all states in one block. False if a size overflows.
static bool sizeStates(const llmc_module_desc_t &desc, uint64_t numBlocks, uint32_t maxBatch,
                       uint64_t *offsets, uint64_t &totalBytes) {
  totalBytes = 0;
  for (uint32_t i = 0; i < desc.num_states; ++i) {
    const llmc_state_desc_t &state = desc.states[i];
    bool isBlocks = state.kind == LLMC_STATE_BLOCKS;
    uint64_t bytes;
    offsets[i] = totalBytes;
    if (__builtin_mul_overflow(state.bytes, isBlocks ? numBlocks : maxBatch, &bytes) ||
        __builtin_add_overflow(bytes, stateAlignment - 1, &bytes) ||
        __builtin_add_overflow(totalBytes, bytes & ~(stateAlignment - 1), &totalBytes))
      return false;
  }
  return true;
}

llmc_status_t llmc_session::allocate(llmc_error_t *error) {
  const llmc_allocator_t &from = settings.allocator;
  uint64_t arenaBytes = 0;
  size_t maxSymbols = 0, maxRank = 0;
  uint32_t maxDispatches = 0, maxInputs = 0, maxOutputs = 0;
  auto raise = [](auto &most, auto value) {
    if (most < value)
      most = value;
  };
  for (uint32_t i = 0; i < desc.num_phases; ++i) {
    const llmc_phase_desc_t &phase = desc.phases[i];
    raise(arenaBytes, phase.arena_bytes);
    raise(maxSymbols, size_t{phase.num_symbols});
    raise(maxRank, totalRank(phase));
    raise(maxDispatches, phase.num_dispatches);
    raise(maxInputs, phase.num_inputs);
    raise(maxOutputs, phase.num_outputs);
  }
  if (!arena.allocate(from, arenaBytes))
    return noMemory(arenaBytes, "arena", error);
  if (!symbols.allocate(from, maxSymbols) || !dims.allocate(from, maxRank) ||
      !inputs.allocate(from, maxInputs) || !outputs.allocate(from, maxOutputs) ||
      !givenInputs.allocate(from, maxInputs) || !givenOutputs.allocate(from, maxOutputs) ||
      !symbolBinders.allocate(from, maxSymbols) ||
      !ownedOutputs.allocate(from, size_t{2} * maxOutputs))
    return noMemory(0, "step arguments", error);
  if (!team.create(settings.threads, maxDispatches))
    return noMemory(maxDispatches, "thread counters", error);
  if (!prefillPhase && !decodePhase)
    return LLMC_STATUS_OK;

  if (!blocks.create(from, settings.maxBatch, settings.maxSeq, desc.block_tokens))
    return noMemory(0, "the block table", error);
  Array<uint64_t> offsets;
  if (!offsets.allocate(from, desc.num_states) || !stateBases.allocate(from, desc.num_states))
    return noMemory(0, "states", error);
  if (!sizeStates(desc, blocks.numBlocks(), settings.maxBatch, offsets.data(), stateBytes) ||
      !stateMemory.allocate(from, stateBytes, stateAlignment))
    return noMemory(stateBytes, "caches", error);
  for (uint32_t i = 0; i < desc.num_states; ++i) {
    stateBases[i] = static_cast<uint8_t *>(stateMemory.data()) + offsets[i];
    hasFixedStates |= desc.states[i].kind == LLMC_STATE_FIXED;
  }
  uint64_t logitsCount = desc.vocab_size * settings.maxBatch;
  if (!slots.allocate(from, settings.maxBatch))
    return noMemory(0, "slots", error);
  for (size_t sequence = 0; sequence < slots.size(); ++sequence)
    slots[sequence] = static_cast<int32_t>(sequence);
  if (!lengths.allocate(from, settings.maxBatch) || !logits.allocate(from, logitsCount) ||
      !chunk.allocate(from, size_t{settings.maxBatch} * desc.prefill_chunk))
    return noMemory(logitsCount * sizeof(float), "logits and tokens", error);
  reset();
  for (const llmc_phase_desc_t *phase : {prefillPhase, decodePhase})
    if (phase)
      if (llmc_status_t status = checkLogits(*phase, error))
        return status;
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_session::checkLogits(const llmc_phase_desc_t &phase, llmc_error_t *error) {
  for (uint32_t i = 0; i < phase.num_symbols; ++i)
    symbols[i] = phase.symbols[i].min_value;
  int64_t batch = phase.symbols[LLMC_STATEFUL_SYMBOL_BATCH].max_value;
  batch = batch < settings.maxBatch ? batch : settings.maxBatch;
  symbols[LLMC_STATEFUL_SYMBOL_BATCH] = batch;
  phase.shapes(symbols.data(), dims.data());
  const int64_t *shape = dims.data();
  for (uint32_t i = 0; i < phase.num_inputs; ++i)
    shape += phase.inputs[i].rank;
  int64_t count = 1;
  bool isSane = true;
  for (uint32_t d = 0; d < phase.outputs[0].rank; ++d)
    isSane &= shape[d] >= 0 && !__builtin_mul_overflow(count, shape[d], &count);
  if (isSane && static_cast<uint64_t>(count) == static_cast<uint64_t>(batch) * desc.vocab_size)
    return LLMC_STATUS_OK;
  return ErrorWriter(error, LLMC_STATUS_BAD_MODULE)
         << "phase '" << phase.name << "' gives " << count << " logits for batch " << batch
         << " and vocab_size " << desc.vocab_size;
}

llmc_status_t llmc_session::runPhase(const llmc_phase_desc_t &phase, llmc_error_t *error) {
  llmc_step_t step = {};
  step.inputs = inputs.data();
  step.outputs = outputs.data();
  step.states = stateBases.data();
  step.weights = module.weights.data;
  step.arena = static_cast<uint8_t *>(arena.data());
  step.symbols = symbols.data();
  step.block_table = blocks.table();
  step.block_table_stride = blocks.stride();
  step.slots = slots.data();
  if (!team.run(phase.entry, step))
    return ErrorWriter(error, LLMC_STATUS_INTERNAL)
           << "phase '" << phase.name << "' issued more than its " << phase.num_dispatches
           << " dispatches";
  return LLMC_STATUS_OK;
}
