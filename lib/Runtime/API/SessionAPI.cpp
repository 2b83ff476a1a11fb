//===- SessionAPI.cpp - the C functions on sessions -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Core/AvailableMemory.h"
#include "../Core/CPUTopology.h"
#include "../Core/Error.h"
#include "../Core/SessionFile.h"
#include "StructSize.h"

#include <new>

using namespace llmc::runtime;

static llmc_status_t invalid(llmc_error_t *error, const char *what) {
  return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT) << what;
}

/// Fills in defaults and checks bounds.
static llmc_status_t resolve(const llmc_session_options_t &options, const llmc_module_desc_t &desc,
                             SessionSettings &settings, llmc_error_t *error) {
  if (options.max_batch > desc.max_batch || options.max_seq > desc.max_seq)
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_RANGE)
           << "session of max_batch " << options.max_batch << ", max_seq " << options.max_seq
           << ": the module was compiled for " << desc.max_batch << " and " << desc.max_seq;
  if (!options.allocator.allocate != !options.allocator.deallocate)
    return invalid(error, "an allocator needs both of its functions");
  CPUCount cpus = countCPUs();
  uint32_t threads = options.threads ? options.threads : cpus.physicalCores;
  settings.threads = threads < cpus.logicalProcessors ? threads : cpus.logicalProcessors;
  settings.maxBatch = options.max_batch ? options.max_batch : desc.max_batch;
  settings.maxSeq = options.max_seq ? options.max_seq : desc.max_seq;
  settings.maxSequences = options.max_sequences ? options.max_sequences : settings.maxBatch;
  if (settings.maxSequences < settings.maxBatch || settings.maxSequences > INT32_MAX)
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_RANGE)
           << "max_sequences is " << settings.maxSequences << ", expected at least max_batch "
           << settings.maxBatch << " and at most " << INT32_MAX;
  settings.cacheTokens = options.cache_tokens;
  settings.memoryLimit = options.memory_limit;
  bool hasAllocator = options.allocator.allocate;
  if (!settings.memoryLimit)
    settings.memoryLimit = hasAllocator ? UINT64_MAX : availableMemory();
  settings.allocator = hasAllocator ? options.allocator : defaultAllocator();
  return LLMC_STATUS_OK;
}

/// The caller's options, whatever version of the struct they are, with defaults filled in.
static llmc_status_t readSettings(const llmc_session_options_t *options,
                                  const llmc_module_desc_t &desc, SessionSettings &settings,
                                  llmc_error_t *error) {
  llmc_session_options_t given = {};
  llmc_status_t status = readStruct(options, given, error);
  return status ? status : resolve(given, desc, settings, error);
}

extern "C" {

llmc_status_t llmc_session_measure(const llmc_module_t *module,
                                   const llmc_session_options_t *options,
                                   llmc_session_memory_t *memory, llmc_error_t *error) {
  if (!module || !memory)
    return invalid(error, "module and memory must not be null");
  SessionSettings settings;
  llmc_status_t status = readSettings(options, *module->desc, settings, error);
  if (status)
    return status;
  // Only its references change, which are no part of what a module is.
  auto *shared = const_cast<llmc_module_t *>(module);
  llmc_session_memory_t facts = {};
  {
    llmc_session session(*shared, settings);
    status = session.plan(error);
    facts.arena_bytes = session.sizes.arena;
    facts.block_bytes = session.sizes.blocks;
    facts.slot_bytes = session.sizes.slots;
    facts.logits_bytes = session.sizes.logits;
    facts.bookkeeping_bytes = session.sizes.bookkeeping;
    facts.total_bytes = session.sizes.total();
    facts.limit_bytes = settings.memoryLimit;
    facts.num_blocks = session.blocks.numBlocks();
  }
  shared->release();
  return status ? status : writeStruct(facts, *memory, error);
}

llmc_status_t llmc_session_create(llmc_module_t *module, const llmc_session_options_t *options,
                                  llmc_session_t **session, llmc_error_t *error) {
  if (!module || !session)
    return invalid(error, "module and session must not be null");
  SessionSettings settings;
  llmc_status_t status = readSettings(options, *module->desc, settings, error);
  if (status)
    return status;
  {
    // Before anything is allocated: the session itself tells how much it will be.
    llmc_session sketch(*module, settings);
    status = sketch.plan(error);
    if (!status)
      status = sketch.checkLimit(error);
  }
  module->release();
  if (status)
    return status;
  void *memory = settings.allocator.allocate(settings.allocator.user, sizeof(llmc_session),
                                             alignof(llmc_session));
  if (!memory)
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory for a session";
  auto *fresh = new (memory) llmc_session(*module, settings);
  status = fresh->plan(error);
  if (!status)
    status = fresh->allocate(error);
  if (status) {
    llmc_session_destroy(fresh);
    return status;
  }
  *session = fresh;
  return LLMC_STATUS_OK;
}

void llmc_session_destroy(llmc_session_t *session) {
  if (!session)
    return;
  llmc_module &module = session->module;
  llmc_allocator_t allocator = session->settings.allocator;
  session->~llmc_session();
  allocator.deallocate(allocator.user, session, sizeof(llmc_session), alignof(llmc_session));
  module.release();
}

llmc_status_t llmc_session_info(const llmc_session_t *session, llmc_session_info_t *info,
                                llmc_error_t *error) {
  if (!session || !info)
    return invalid(error, "session and info must not be null");
  llmc_session_info_t facts = {};
  facts.threads = session->settings.threads;
  facts.max_batch = session->settings.maxBatch;
  facts.max_seq = session->settings.maxSeq;
  facts.arena_bytes = session->arena.size();
  facts.state_bytes = session->sizes.states();
  facts.max_sequences = static_cast<uint32_t>(session->lengths.size());
  for (uint8_t isUsed : session->isUsed)
    facts.num_sequences += isUsed;
  facts.num_blocks = session->blocks.numBlocks();
  facts.num_free_blocks = session->blocks.numFree();
  return writeStruct(facts, *info, error);
}

llmc_status_t llmc_session_run(llmc_session_t *session, const llmc_tensor_t *inputs,
                               size_t num_inputs, llmc_tensor_t *outputs, size_t num_outputs,
                               llmc_error_t *error) {
  if (!session || (num_inputs && !inputs) || (num_outputs && !outputs))
    return invalid(error, "session and tensors must not be null");
  return session->run(inputs, num_inputs, outputs, num_outputs, error);
}

llmc_status_t llmc_session_prefill(llmc_session_t *session, size_t batch, size_t seq,
                                   const int64_t *tokens, llmc_error_t *error) {
  if (!session)
    return invalid(error, "session must not be null");
  return session->append(session->prefillPhase, {session->firstSequences.data(), batch}, seq,
                         tokens, error);
}

llmc_status_t llmc_session_decode(llmc_session_t *session, size_t batch, const int64_t *tokens,
                                  llmc_error_t *error) {
  if (!session)
    return invalid(error, "session must not be null");
  return session->append(session->decodePhase, {session->firstSequences.data(), batch}, 1, tokens,
                         error);
}

llmc_status_t llmc_sequences_prefill(llmc_session_t *session, const uint32_t *sequences,
                                     size_t batch, size_t seq, const int64_t *tokens,
                                     llmc_error_t *error) {
  if (!session)
    return invalid(error, "session must not be null");
  return session->append(session->prefillPhase, {sequences, batch}, seq, tokens, error);
}

llmc_status_t llmc_sequences_decode(llmc_session_t *session, const uint32_t *sequences,
                                    size_t batch, const int64_t *tokens, llmc_error_t *error) {
  if (!session)
    return invalid(error, "session must not be null");
  return session->append(session->decodePhase, {sequences, batch}, 1, tokens, error);
}

llmc_status_t llmc_sequence_create(llmc_session_t *session, uint32_t *sequence,
                                   llmc_error_t *error) {
  if (!session || !sequence)
    return invalid(error, "session and sequence must not be null");
  return session->takeSequence(*sequence, error);
}

llmc_status_t llmc_sequence_fork(llmc_session_t *session, uint32_t sequence, uint32_t *fork,
                                 llmc_error_t *error) {
  if (!session || !fork)
    return invalid(error, "session and fork must not be null");
  return session->forkSequence(sequence, *fork, error);
}

llmc_status_t llmc_sequence_free(llmc_session_t *session, uint32_t sequence, llmc_error_t *error) {
  if (!session)
    return invalid(error, "session must not be null");
  if (llmc_status_t status = session->checkSequence(sequence, error))
    return status;
  session->freeSequence(sequence);
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_session_logits(const llmc_session_t *session, const float **logits, size_t *rows,
                                  size_t *vocab, llmc_error_t *error) {
  if (!session || !logits || !rows || !vocab)
    return invalid(error, "session and outputs must not be null");
  if (session->logitsRows == 0)
    return invalid(error, "no logits: nothing was run since the session was "
                          "created, reset or truncated");
  *logits = session->logits.data();
  *rows = session->logitsRows;
  *vocab = session->desc.vocab_size;
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_session_length(const llmc_session_t *session, size_t sequence, size_t *length,
                                  llmc_error_t *error) {
  if (!session || !length)
    return invalid(error, "session and length must not be null");
  if (llmc_status_t status = session->checkSequence(sequence, error))
    return status;
  *length = static_cast<size_t>(session->lengths[sequence]);
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_session_truncate(llmc_session_t *session, size_t sequence, size_t length,
                                    llmc_error_t *error) {
  if (!session)
    return invalid(error, "session must not be null");
  return session->truncate(sequence, length, error);
}

llmc_status_t llmc_session_reset(llmc_session_t *session, llmc_error_t *error) {
  if (!session)
    return invalid(error, "session must not be null");
  session->reset();
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_session_save(const llmc_session_t *session, const uint32_t *sequences,
                                size_t count, const char *path, llmc_error_t *error) {
  if (!session || !path)
    return invalid(error, "session and path must not be null");
  Array<uint32_t> all;
  if (!sequences) {
    if (!all.allocate(session->settings.allocator, session->isUsed.size()))
      return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory to save a session";
    count = 0;
    for (uint32_t i = 0; i < session->isUsed.size(); ++i)
      if (session->isUsed[i])
        all[count++] = i;
    sequences = all.data();
  }
  for (size_t i = 0; i < count; ++i) {
    if (llmc_status_t status = session->checkSequence(sequences[i], error))
      return status;
    bool isRepeated = false;
    for (size_t other = 0; other < i; ++other)
      isRepeated |= sequences[other] == sequences[i];
    if (isRepeated || !session->isUsed[sequences[i]])
      return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
             << "sequence " << sequences[i]
             << (isRepeated ? " is to be saved twice" : " is not in use");
  }
  return saveSequences(*session, {sequences, count}, path, error);
}

llmc_status_t llmc_session_restore(llmc_session_t *session, const char *path, uint32_t *sequences,
                                   size_t capacity, size_t *count, llmc_error_t *error) {
  if (!session || !path)
    return invalid(error, "session and path must not be null");
  size_t numRestored = 0;
  llmc_status_t status = restoreSequences(*session, path, sequences, capacity, numRestored, error);
  if (!status && count)
    *count = numRestored;
  return status;
}

} // extern "C"
