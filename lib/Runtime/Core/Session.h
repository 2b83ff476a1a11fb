//===- Session.h - memory, caches and threads of a session ------*- C++ -*-===//
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
  uint32_t maxSequences;
  uint64_t cacheTokens; ///< 0: enough for any use of the sequences
  uint64_t memoryLimit; ///< bytes
  llmc_allocator_t allocator;
};

/// Bytes that a session takes, all of them from its allocator.
struct SessionSizes {
  uint64_t arena = 0;
  uint64_t blocks = 0; ///< states that grow with their sequence
  uint64_t slots = 0;  ///< states of fixed size
  uint64_t logits = 0;
  uint64_t bookkeeping = 0;

  uint64_t states() const { return blocks + slots; }
  uint64_t total() const { return arena + blocks + slots + logits + bookkeeping; }
};

/// The sequences that one step works on, in the order of its rows.
struct StepRows {
  const uint32_t *sequences;
  size_t count;
};

} // namespace llmc::runtime

struct llmc_session {
  llmc_session(llmc_module &module, const llmc::runtime::SessionSettings &settings);
  ~llmc_session();

  /// Computes `sizes` without allocating anything.
  llmc_status_t plan(llmc_error_t *error);

  /// Refuses a plan beyond the memory limit.
  llmc_status_t checkLimit(llmc_error_t *error) const;

  /// Allocates everything that was planned; on failure the session must be destroyed.
  llmc_status_t allocate(llmc_error_t *error);

  /// Refuses a phase whose logits would not fit `logits`.
  llmc_status_t checkLogits(const llmc_phase_desc_t &phase, llmc_error_t *error);

  /// Runs a phase with `symbols`, `inputs` and `outputs` filled in.
  llmc_status_t runPhase(const llmc_phase_desc_t &phase, llmc_error_t *error);

  // FunctionalRun.cpp: llmc_session_run
  llmc_status_t run(const llmc_tensor_t *given, size_t numGiven, llmc_tensor_t *wanted,
                    size_t numWanted, llmc_error_t *error);

  // Generate.cpp
  llmc_status_t append(const llmc_phase_desc_t *phase, llmc::runtime::StepRows rows, size_t seq,
                       const int64_t *tokens, llmc_error_t *error);

  // Sequences.cpp
  llmc_status_t checkSequence(uint64_t sequence, llmc_error_t *error) const;
  llmc_status_t takeSequence(uint32_t &sequence, llmc_error_t *error);
  llmc_status_t forkSequence(uint32_t from, uint32_t &to, llmc_error_t *error);
  void freeSequence(uint32_t sequence);
  llmc_status_t truncate(size_t sequence, size_t length, llmc_error_t *error);
  void reset();
  void clearSlot(uint32_t sequence);
  uint8_t *slotAt(uint32_t state, uint64_t slot) const {
    return static_cast<uint8_t *>(stateBases[state]) + slot * desc.states[state].bytes;
  }

  /// Calls visit(array, count) for each array whose size the settings decide.
  template <typename Visit> void visitArrays(Visit visit);

  llmc_module &module;
  const llmc_module_desc_t &desc;
  llmc::runtime::SessionSettings settings;
  const llmc_phase_desc_t *prefillPhase;
  const llmc_phase_desc_t *decodePhase;
  bool hasFixedStates = false;
  uint64_t chunkTokens = 1; ///< at most so many per sequence in one step
  uint64_t window = 0;      ///< how far back block states are read; 0: all the way
  llmc::runtime::SessionSizes sizes;

  llmc::runtime::Memory arena;
  llmc::runtime::Memory stateMemory; ///< all states, one after the other
  llmc::runtime::Array<void *> stateBases;
  llmc::runtime::BlockTable blocks;

  // Of each sequence. Its slot in the fixed states has its number.
  llmc::runtime::Array<int64_t> lengths; ///< [maxSequences] tokens held
  llmc::runtime::Array<uint8_t> isUsed;  ///< [maxSequences]

  // Step arguments, sized for the phase that needs most.
  llmc::runtime::Array<int64_t> symbols;
  llmc::runtime::Array<int64_t> dims;
  llmc::runtime::Array<const void *> inputs;
  llmc::runtime::Array<void *> outputs;

  // Of each row of a step: its sequence's facts.
  llmc::runtime::Array<uint32_t> firstSequences; ///< [maxBatch] 0, 1, 2, ...
  llmc::runtime::Array<int64_t> stepPast;        ///< [maxBatch]
  llmc::runtime::Array<int32_t> stepBlocks;      ///< [maxBatch][blocks.stride()]
  llmc::runtime::Array<int32_t> stepSlots;       ///< [maxBatch]
  llmc::runtime::Array<int64_t> chunk;           ///< [maxBatch][chunkTokens]

  // FunctionalRun's: which given tensor serves which input or output; which
  // input bound a symbol; two sets of outputs, so that one run's outputs can be
  // the next one's inputs.
  llmc::runtime::Array<int32_t> givenInputs;
  llmc::runtime::Array<int32_t> givenOutputs;
  llmc::runtime::Array<int32_t> symbolBinders;
  llmc::runtime::Array<llmc::runtime::OwnedOutput> ownedOutputs; ///< [2][max]
  uint32_t ownedSet = 0;

  llmc::runtime::Array<float> logits;             ///< [maxBatch][vocab_size]
  llmc::runtime::Array<uint32_t> logitsSequences; ///< [maxBatch] whose they are
  size_t logitsRows = 0;

  llmc::runtime::ThreadTeam team;
};

#endif // LLMC_RUNTIME_CORE_SESSION_H
