//===- SessionAPI.cpp - the C functions on sessions -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Core/CPUTopology.h"
#include "../Core/Error.h"
#include "../Core/Session.h"
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
  settings.allocator = options.allocator.allocate ? options.allocator : defaultAllocator();
  return LLMC_STATUS_OK;
}

extern "C" {

llmc_status_t llmc_session_create(llmc_module_t *module, const llmc_session_options_t *options,
                                  llmc_session_t **session, llmc_error_t *error) {
  if (!module || !session)
    return invalid(error, "module and session must not be null");
  llmc_session_options_t given = {};
  SessionSettings settings;
  llmc_status_t status = readStruct(options, given, error);
  if (!status)
    status = resolve(given, *module->desc, settings, error);
  if (status)
    return status;
  void *memory = settings.allocator.allocate(settings.allocator.user, sizeof(llmc_session),
                                             alignof(llmc_session));
  if (!memory)
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory for a session";
  auto *fresh = new (memory) llmc_session(*module, settings);
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
  facts.state_bytes = session->stateBytes;
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
  return session->append(session->prefillPhase, batch, seq, tokens, error);
}

llmc_status_t llmc_session_decode(llmc_session_t *session, size_t batch, const int64_t *tokens,
                                  llmc_error_t *error) {
  if (!session)
    return invalid(error, "session must not be null");
  return session->append(session->decodePhase, batch, 1, tokens, error);
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
  if (sequence >= session->lengths.size())
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "sequence " << uint64_t{sequence} << " of " << uint64_t{session->lengths.size()};
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

} // extern "C"
