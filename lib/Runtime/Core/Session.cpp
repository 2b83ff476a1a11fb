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

/// What the phases need most of.
struct PhaseMaxima {
  uint64_t arenaBytes = 0;
  size_t symbols = 0, rank = 0;
  uint32_t dispatches = 0, inputs = 0, outputs = 0;
};

static PhaseMaxima maximaOf(const llmc_module_desc_t &desc) {
  PhaseMaxima most;
  auto raise = [](auto &most, auto value) {
    if (most < value)
      most = value;
  };
  for (uint32_t i = 0; i < desc.num_phases; ++i) {
    const llmc_phase_desc_t &phase = desc.phases[i];
    raise(most.arenaBytes, phase.arena_bytes);
    raise(most.symbols, size_t{phase.num_symbols});
    raise(most.rank, totalRank(phase));
    raise(most.dispatches, phase.num_dispatches);
    raise(most.inputs, phase.num_inputs);
    raise(most.outputs, phase.num_outputs);
  }
  return most;
}

template <typename Visit> void llmc_session::visitArrays(Visit visit) {
  PhaseMaxima most = maximaOf(desc);
  visit(symbols, most.symbols);
  visit(dims, most.rank);
  visit(inputs, most.inputs);
  visit(outputs, most.outputs);
  visit(givenInputs, most.inputs);
  visit(givenOutputs, most.outputs);
  visit(symbolBinders, most.symbols);
  visit(ownedOutputs, uint64_t{2} * most.outputs);
  if (!prefillPhase && !decodePhase)
    return;
  uint64_t batch = settings.maxBatch;
  blocks.visitArrays(visit);
  visit(stateBases, desc.num_states);
  visit(lengths, settings.maxSequences);
  visit(isUsed, settings.maxSequences);
  visit(firstSequences, batch);
  visit(stepPast, batch);
  visit(stepBlocks, batch * blocks.stride());
  visit(stepSlots, batch);
  visit(chunk, batch * chunkTokens);
  visit(logitsSequences, batch);
  visit(logits, batch * desc.vocab_size);
}

/// Bytes of a state for all blocks or sequences, in whole pages. False if it overflows.
static bool stateBytes(const llmc_state_desc_t &state, uint64_t numBlocks, uint64_t numSlots,
                       uint64_t &bytes) {
  bool isBlocks = state.kind == LLMC_STATE_BLOCKS;
  if (__builtin_mul_overflow(state.bytes, isBlocks ? numBlocks : numSlots, &bytes) ||
      __builtin_add_overflow(bytes, stateAlignment - 1, &bytes))
    return false;
  bytes &= ~(stateAlignment - 1);
  return true;
}

/// How far back block states are read: all of them, since they share their blocks'
/// numbers. 0 where one is read from its beginning.
static uint64_t commonWindow(const llmc_module_desc_t &desc) {
  uint64_t widest = 0;
  for (uint32_t i = 0; i < desc.num_states; ++i) {
    const llmc_state_desc_t &state = desc.states[i];
    if (state.kind != LLMC_STATE_BLOCKS)
      continue;
    if (!state.window)
      return 0;
    widest = widest < state.window ? state.window : widest;
  }
  return widest;
}

llmc_status_t llmc_session::plan(llmc_error_t *error) {
  sizes = {};
  sizes.arena = maximaOf(desc).arenaBytes;
  if (prefillPhase) {
    int64_t bound = prefillPhase->symbols[LLMC_STATEFUL_SYMBOL_SEQ].max_value;
    chunkTokens = desc.prefill_chunk;
    if (bound >= 1 && static_cast<uint64_t>(bound) < chunkTokens)
      chunkTokens = static_cast<uint64_t>(bound);
  }
  bool isSane = true;
  if (prefillPhase || decodePhase) {
    window = commonWindow(desc);
    isSane = blocks.plan({settings.maxSequences, settings.maxSeq, desc.block_tokens, window,
                          chunkTokens, settings.cacheTokens});
    for (uint32_t i = 0; isSane && i < desc.num_states; ++i) {
      uint64_t bytes = 0;
      bool isFixed = desc.states[i].kind == LLMC_STATE_FIXED;
      hasFixedStates |= isFixed;
      uint64_t &sum = isFixed ? sizes.slots : sizes.blocks;
      isSane = stateBytes(desc.states[i], blocks.numBlocks(), settings.maxSequences, bytes) &&
               !__builtin_add_overflow(sum, bytes, &sum);
    }
  }
  uint64_t arrays = 0;
  visitArrays([&]<typename T>(Array<T> &, uint64_t count) {
    uint64_t bytes;
    isSane &= !__builtin_mul_overflow(count, sizeof(T), &bytes) &&
              !__builtin_add_overflow(arrays, bytes, &arrays);
  });
  sizes.logits = desc.vocab_size * settings.maxBatch * sizeof(float);
  if (!prefillPhase && !decodePhase)
    sizes.logits = 0;
  uint64_t sum = 0;
  for (uint64_t part : {sizes.arena, sizes.blocks, sizes.slots, arrays, sizeof(llmc_session)})
    isSane &= !__builtin_add_overflow(sum, part, &sum);
  if (!isSane)
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY)
           << "the caches of " << settings.maxSequences << " sequences of " << settings.maxSeq
           << " tokens are beyond any memory";
  sizes.bookkeeping = arrays - sizes.logits + sizeof(llmc_session);
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_session::checkLimit(llmc_error_t *error) const {
  if (sizes.total() <= settings.memoryLimit)
    return LLMC_STATUS_OK;
  return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY)
         << "the session needs " << sizes.total() << " bytes (arena " << sizes.arena << ", caches "
         << sizes.states() << " for " << settings.maxSequences << " sequences of up to "
         << settings.maxSeq << " tokens), the limit is " << settings.memoryLimit;
}

llmc_status_t llmc_session::allocate(llmc_error_t *error) {
  const llmc_allocator_t &from = settings.allocator;
  if (!arena.allocate(from, sizes.arena))
    return noMemory(sizes.arena, "arena", error);
  bool hasArrays = true;
  visitArrays([&]<typename T>(Array<T> &array, uint64_t count) {
    hasArrays = hasArrays && array.allocate(from, count);
  });
  if (!hasArrays)
    return noMemory(sizes.logits + sizes.bookkeeping, "logits and bookkeeping", error);
  uint32_t maxDispatches = maximaOf(desc).dispatches;
  if (!team.create(settings.threads, maxDispatches))
    return noMemory(maxDispatches, "thread counters", error);
  if (!prefillPhase && !decodePhase)
    return LLMC_STATUS_OK;

  blocks.start();
  if (!stateMemory.allocate(from, sizes.states(), stateAlignment))
    return noMemory(sizes.states(), "caches", error);
  auto *base = static_cast<uint8_t *>(stateMemory.data());
  for (uint32_t i = 0; i < desc.num_states; ++i) {
    uint64_t bytes = 0;
    stateBases[i] = base;
    static_cast<void>( // plan() has seen that it does not overflow
        stateBytes(desc.states[i], blocks.numBlocks(), settings.maxSequences, bytes));
    base += bytes;
  }
  for (uint32_t i = 0; i < settings.maxBatch; ++i)
    firstSequences[i] = i;
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
  step.block_table = stepBlocks.data();
  step.block_table_stride = blocks.stride();
  step.slots = stepSlots.data();
  if (!team.run(phase.entry, step))
    return ErrorWriter(error, LLMC_STATUS_INTERNAL)
           << "phase '" << phase.name << "' issued more than its " << phase.num_dispatches
           << " dispatches";
  return LLMC_STATUS_OK;
}
