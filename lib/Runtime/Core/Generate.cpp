//===- Generate.cpp - prefill, decode and what sequences hold -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Error.h"
#include "Session.h"

#include <cstring>

using namespace llmc::runtime;

namespace {

/// Everything that can be refused is refused before the first chunk runs.
llmc_status_t checkTokens(const llmc_session &session, size_t batch, size_t seq,
                          const int64_t *tokens, llmc_error_t *error) {
  if (!tokens || batch == 0 || seq == 0)
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "tokens, batch and seq must not be null or 0";
  if (batch > session.settings.maxBatch)
    return ErrorWriter(error, LLMC_STATUS_CAPACITY)
           << "batch is " << uint64_t{batch} << ", the session takes " << session.settings.maxBatch;
  uint64_t maxSeq = session.settings.maxSeq;
  for (size_t row = 0; row < batch; ++row) {
    uint64_t held = static_cast<uint64_t>(session.lengths[row]);
    if (seq > maxSeq - held)
      return ErrorWriter(error, LLMC_STATUS_CAPACITY)
             << "sequence " << uint64_t{row} << " holds " << held << " tokens; " << uint64_t{seq}
             << " more exceed max_seq " << maxSeq;
  }
  // Neither product overflows: seq <= maxSeq and batch <= maxBatch, 32 bit
  // each.
  for (size_t i = 0; i < batch * seq; ++i)
    if (tokens[i] < 0 || static_cast<uint64_t>(tokens[i]) >= session.desc.vocab_size)
      return ErrorWriter(error, LLMC_STATUS_OUT_OF_RANGE)
             << "token " << tokens[i] << " at row " << uint64_t{i / seq} << ", position "
             << uint64_t{i % seq} << " is outside of 0 to " << (session.desc.vocab_size - 1);
  return LLMC_STATUS_OK;
}

/// The symbols of one step; `past` is the longest of the rows.
void setSymbols(llmc_session &session, const llmc_phase_desc_t &phase, size_t batch, size_t seq,
                uint64_t consumed) {
  int64_t past = 0;
  for (size_t row = 0; row < batch; ++row)
    past = past < session.lengths[row] ? session.lengths[row] : past;
  session.symbols[LLMC_STATEFUL_SYMBOL_BATCH] = static_cast<int64_t>(batch);
  session.symbols[LLMC_STATEFUL_SYMBOL_SEQ] = static_cast<int64_t>(seq);
  session.symbols[LLMC_STATEFUL_SYMBOL_PAST] = past + static_cast<int64_t>(consumed);
  presetDefinedSymbols(phase, session.symbols.data());
}

/// One chunk: rows are `stride` tokens apart.
llmc_status_t step(llmc_session &session, const llmc_phase_desc_t &phase, size_t batch, size_t seq,
                   const int64_t *tokens, size_t stride, llmc_error_t *error) {
  if (batch > 1 && seq != stride) {
    for (size_t row = 0; row < batch; ++row)
      std::memcpy(session.chunk.data() + row * seq, tokens + row * stride, seq * sizeof(int64_t));
    tokens = session.chunk.data();
  }
  for (size_t row = 0; row < batch; ++row)
    if (!session.blocks.grow(static_cast<uint32_t>(row),
                             static_cast<uint64_t>(session.lengths[row]) + seq))
      return ErrorWriter(error, LLMC_STATUS_CAPACITY)
             << "no free cache block for sequence " << uint64_t{row};
  setSymbols(session, phase, batch, seq, 0);
  session.inputs[LLMC_STATEFUL_TOKENS] = tokens;
  session.inputs[LLMC_STATEFUL_PAST_LENS] = session.lengths.data();
  session.outputs[0] = session.logits.data();
  if (llmc_status_t status = session.runPhase(phase, error))
    return status;
  for (size_t row = 0; row < batch; ++row)
    session.lengths[row] += static_cast<int64_t>(seq);
  return LLMC_STATUS_OK;
}

} // namespace

/// Recurrent states begin at zero.
static void clearFixedStates(llmc_session &session, size_t sequence) {
  for (uint32_t i = 0; i < session.desc.num_states; ++i) {
    const llmc_state_desc_t &state = session.desc.states[i];
    if (state.kind == LLMC_STATE_FIXED)
      std::memset(static_cast<uint8_t *>(session.stateBases[i]) +
                      static_cast<size_t>(session.slots[sequence]) * state.bytes,
                  0, state.bytes);
  }
}

llmc_status_t llmc_session::append(const llmc_phase_desc_t *phase, size_t batch, size_t seq,
                                   const int64_t *tokens, llmc_error_t *error) {
  if (!phase)
    return ErrorWriter(error, LLMC_STATUS_UNSUPPORTED)
           << "module '" << desc.name << "' has no such phase";
  if (llmc_status_t status = checkTokens(*this, batch, seq, tokens, error))
    return status;
  size_t chunkTokens = 1;
  if (phase->kind == LLMC_PHASE_PREFILL) {
    int64_t bound = phase->symbols[LLMC_STATEFUL_SYMBOL_SEQ].max_value;
    chunkTokens = desc.prefill_chunk;
    if (bound >= 1 && static_cast<uint64_t>(bound) < chunkTokens)
      chunkTokens = static_cast<size_t>(bound);
  }
  // Bounds of every chunk's symbols, before any of them runs.
  for (size_t begin = 0; begin < seq; begin += chunkTokens) {
    size_t count = seq - begin < chunkTokens ? seq - begin : chunkTokens;
    setSymbols(*this, *phase, batch, count, begin);
    if (llmc_status_t status = checkSymbols(*phase, symbols.data(), error))
      return status;
  }
  logitsRows = 0;
  for (size_t begin = 0; begin < seq; begin += chunkTokens) {
    size_t count = seq - begin < chunkTokens ? seq - begin : chunkTokens;
    if (llmc_status_t status = step(*this, *phase, batch, count, tokens + begin, seq, error)) {
      for (size_t row = 0; row < batch; ++row) {
        // Fixed states cannot go back to what they were: such a sequence is lost.
        if (hasFixedStates)
          clearFixedStates(*this, row);
        lengths[row] = hasFixedStates ? 0 : lengths[row] - static_cast<int64_t>(begin);
        blocks.shrink(static_cast<uint32_t>(row), static_cast<uint64_t>(lengths[row]));
      }
      return status;
    }
  }
  logitsRows = batch;
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_session::truncate(size_t sequence, size_t length, llmc_error_t *error) {
  if (sequence >= lengths.size())
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "sequence " << uint64_t{sequence} << " of " << uint64_t{lengths.size()};
  uint64_t held = static_cast<uint64_t>(lengths[sequence]);
  if (length > held)
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "sequence " << uint64_t{sequence} << " holds " << held << " tokens, cannot be cut to "
           << uint64_t{length};
  if (hasFixedStates && length != held && length != 0)
    return ErrorWriter(error, LLMC_STATUS_UNSUPPORTED)
           << "module '" << desc.name
           << "' has recurrent states, which can only go back to 0 tokens";
  logitsRows = 0;
  lengths[sequence] = static_cast<int64_t>(length);
  blocks.shrink(static_cast<uint32_t>(sequence), length);
  if (length == 0)
    clearFixedStates(*this, sequence);
  return LLMC_STATUS_OK;
}

void llmc_session::reset() {
  logitsRows = 0;
  for (size_t sequence = 0; sequence < lengths.size(); ++sequence) {
    lengths[sequence] = 0;
    blocks.shrink(static_cast<uint32_t>(sequence), 0);
    clearFixedStates(*this, sequence);
  }
}
