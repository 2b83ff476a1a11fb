//===- Session.h - memory, caches and threads of a session ------*- C++ -*-===//
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_SESSION_H
#define LLMC_RUNTIME_CORE_SESSION_H

#include "../Cache/BlockTable.h"
#include "Memory.h"
#include "Module.h"
#include "ThreadTeam.h"

#include "llmc-c/Runtime.h"

namespace llmc::runtime {

/// Memory of an output of llmc_session_run for which the caller brought none.
struct OwnedOutput {
  void *data;
  size_t sizeBytes;
};

/// The resolved form of llmc_session_options_t.
struct SessionSettings {
  uint32_t threads;
  uint32_t maxBatch;
  uint32_t maxSeq;
  llmc_allocator_t allocator;
};

} // namespace llmc::runtime

struct llmc_session {
  llmc_session(llmc_module &module, const llmc::runtime::SessionSettings &settings);
  ~llmc_session();

  /// Allocates everything; on failure the session must be destroyed.
  llmc_status_t allocate(llmc_error_t *error);

  /// Refuses a phase whose logits would not fit `logits`.
  llmc_status_t checkLogits(const llmc_phase_desc_t &phase, llmc_error_t *error);

  /// Runs a phase with `symbols`, `inputs` and `outputs` filled in.
  llmc_status_t runPhase(const llmc_phase_desc_t &phase, llmc_error_t *error);

  // FunctionalRun.cpp: llmc_session_run
  llmc_status_t run(const llmc_tensor_t *given, size_t numGiven, llmc_tensor_t *wanted,
                    size_t numWanted, llmc_error_t *error);

  // Generate.cpp
  llmc_status_t append(const llmc_phase_desc_t *phase, size_t batch, size_t seq,
                       const int64_t *tokens, llmc_error_t *error);
  llmc_status_t truncate(size_t sequence, size_t length, llmc_error_t *error);
  void reset();

  llmc_module &module;
  const llmc_module_desc_t &desc;
  llmc::runtime::SessionSettings settings;
  const llmc_phase_desc_t *prefillPhase;
  const llmc_phase_desc_t *decodePhase;
  bool hasFixedStates = false;
  uint64_t stateBytes = 0;

  llmc::runtime::Memory arena;
  llmc::runtime::Memory stateMemory; ///< all states, one after the other
  llmc::runtime::Array<void *> stateBases;
  llmc::runtime::BlockTable blocks;
  llmc::runtime::Array<int32_t> slots; ///< [maxBatch] each sequence's place in fixed states

  // Step arguments, sized for the phase that needs most.
  llmc::runtime::Array<int64_t> symbols;
  llmc::runtime::Array<int64_t> dims;
  llmc::runtime::Array<const void *> inputs;
  llmc::runtime::Array<void *> outputs;

  // FunctionalRun's: which given tensor serves which input or output; which
  // input bound a symbol; two sets of outputs, so that one run's outputs can be
  // the next one's inputs.
  llmc::runtime::Array<int32_t> givenInputs;
  llmc::runtime::Array<int32_t> givenOutputs;
  llmc::runtime::Array<int32_t> symbolBinders;
  llmc::runtime::Array<llmc::runtime::OwnedOutput> ownedOutputs; ///< [2][max]
  uint32_t ownedSet = 0;

  llmc::runtime::Array<int64_t> lengths; ///< [maxBatch] tokens held
  llmc::runtime::Array<int64_t> chunk;   ///< [maxBatch][prefill_chunk]
  llmc::runtime::Array<float> logits;    ///< [maxBatch][vocab_size]
  size_t logitsRows = 0;

  llmc::runtime::ThreadTeam team;
};

#endif // LLMC_RUNTIME_CORE_SESSION_H
