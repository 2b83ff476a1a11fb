//===- Generate.cpp - prefill and decode ----------------------------------===//
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
llmc_status_t checkTokens(llmc_session &session, StepRows rows, size_t seq, const int64_t *tokens,
                          llmc_error_t *error) {
  if (!tokens || !rows.sequences || rows.count == 0 || seq == 0)
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "tokens, sequences, batch and seq must not be null or 0";
  if (rows.count > session.settings.maxBatch)
    return ErrorWriter(error, LLMC_STATUS_CAPACITY)
           << "batch is " << uint64_t{rows.count} << ", the session takes "
           << session.settings.maxBatch;
  uint64_t maxSeq = session.settings.maxSeq;
  for (size_t row = 0; row < rows.count; ++row) {
    uint32_t sequence = rows.sequences[row];
    if (llmc_status_t status = session.checkSequence(sequence, error))
      return status;
    for (size_t other = 0; other < row; ++other)
      if (rows.sequences[other] == sequence)
        return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
               << "sequence " << sequence << " is in rows " << uint64_t{other} << " and "
               << uint64_t{row} << " of one step";
    uint64_t held = static_cast<uint64_t>(session.lengths[sequence]);
    if (seq > maxSeq - held)
      return ErrorWriter(error, LLMC_STATUS_CAPACITY)
             << "sequence " << sequence << " holds " << held << " tokens; " << uint64_t{seq}
             << " more exceed max_seq " << maxSeq;
  }
  // Neither product overflows: seq <= maxSeq and batch <= maxBatch, 32 bit
  // each.
  for (size_t i = 0; i < rows.count * seq; ++i)
    if (tokens[i] < 0 || static_cast<uint64_t>(tokens[i]) >= session.desc.vocab_size)
      return ErrorWriter(error, LLMC_STATUS_OUT_OF_RANGE)
             << "token " << tokens[i] << " at row " << uint64_t{i / seq} << ", position "
             << uint64_t{i % seq} << " is outside of 0 to " << (session.desc.vocab_size - 1);
  if (session.blocks.isAmple())
    return LLMC_STATUS_OK;
  uint64_t needed =
      session.blocks.blocksNeeded(rows.sequences, rows.count, session.lengths.data(), seq);
  if (needed > session.blocks.numFree())
    return ErrorWriter(error, LLMC_STATUS_CAPACITY)
           << "the step needs " << needed << " cache blocks of " << session.desc.block_tokens
           << " tokens, " << session.blocks.numFree() << " of " << session.blocks.numBlocks()
           << " are free";
  return LLMC_STATUS_OK;
}

/// The symbols of one step; `past` is the longest of the rows.
void setSymbols(llmc_session &session, const llmc_phase_desc_t &phase, StepRows rows, size_t seq,
                uint64_t consumed) {
  int64_t past = 0;
  for (size_t row = 0; row < rows.count; ++row) {
    int64_t length = session.lengths[rows.sequences[row]];
    past = past < length ? length : past;
  }
  session.symbols[LLMC_STATEFUL_SYMBOL_BATCH] = static_cast<int64_t>(rows.count);
  session.symbols[LLMC_STATEFUL_SYMBOL_SEQ] = static_cast<int64_t>(seq);
  session.symbols[LLMC_STATEFUL_SYMBOL_PAST] = past + static_cast<int64_t>(consumed);
  presetDefinedSymbols(phase, session.symbols.data());
}

/// Room for `seq` more tokens of a row's sequence, in blocks that are its own.
bool growCache(llmc_session &session, uint32_t sequence, uint64_t seq) {
  uint64_t held = static_cast<uint64_t>(session.lengths[sequence]);
  BlockTable::Copy copy;
  if (!session.blocks.grow(sequence, held, held + seq, copy))
    return false;
  for (uint32_t i = 0; copy.from != copy.to && i < session.desc.num_states; ++i)
    if (session.desc.states[i].kind == LLMC_STATE_BLOCKS)
      std::memcpy(session.slotAt(i, static_cast<uint64_t>(copy.to)),
                  session.slotAt(i, static_cast<uint64_t>(copy.from)),
                  session.desc.states[i].bytes);
  return true;
}

/// One chunk: rows are `stride` tokens apart.
llmc_status_t step(llmc_session &session, const llmc_phase_desc_t &phase, StepRows rows, size_t seq,
                   const int64_t *tokens, size_t stride, llmc_error_t *error) {
  if (rows.count > 1 && seq != stride) {
    for (size_t row = 0; row < rows.count; ++row)
      std::memcpy(session.chunk.data() + row * seq, tokens + row * stride, seq * sizeof(int64_t));
    tokens = session.chunk.data();
  }
  size_t tableStride = session.blocks.stride();
  for (size_t row = 0; row < rows.count; ++row) {
    uint32_t sequence = rows.sequences[row];
    if (!growCache(session, sequence, seq))
      return ErrorWriter(error, LLMC_STATUS_INTERNAL)
             << "no free cache block for sequence " << sequence;
    session.stepPast[row] = session.lengths[sequence];
    session.stepSlots[row] = static_cast<int32_t>(sequence);
    if (tableStride)
      std::memcpy(session.stepBlocks.data() + row * tableStride, session.blocks.row(sequence),
                  tableStride * sizeof(int32_t));
  }
  setSymbols(session, phase, rows, seq, 0);
  session.inputs[LLMC_STATEFUL_TOKENS] = tokens;
  session.inputs[LLMC_STATEFUL_PAST_LENS] = session.stepPast.data();
  session.outputs[0] = session.logits.data();
  if (llmc_status_t status = session.runPhase(phase, error))
    return status;
  for (size_t row = 0; row < rows.count; ++row) {
    uint32_t sequence = rows.sequences[row];
    session.lengths[sequence] += static_cast<int64_t>(seq);
    session.blocks.evict(sequence, static_cast<uint64_t>(session.lengths[sequence]));
  }
  return LLMC_STATUS_OK;
}

/// After a failure in the middle: as before the call, where nothing was overwritten or
/// given back; such a sequence is lost.
void rollBack(llmc_session &session, StepRows rows, size_t consumed) {
  for (size_t row = 0; row < rows.count; ++row) {
    uint32_t sequence = rows.sequences[row];
    bool isLost = session.hasFixedStates || session.window;
    int64_t &length = session.lengths[sequence];
    length = isLost ? 0 : length - static_cast<int64_t>(consumed);
    session.blocks.shrink(sequence, static_cast<uint64_t>(length));
  }
}

} // namespace

llmc_status_t llmc_session::append(const llmc_phase_desc_t *phase, StepRows rows, size_t seq,
                                   const int64_t *tokens, llmc_error_t *error) {
  if (!phase)
    return ErrorWriter(error, LLMC_STATUS_UNSUPPORTED)
           << "module '" << desc.name << "' has no such phase";
  if (llmc_status_t status = checkTokens(*this, rows, seq, tokens, error))
    return status;
  size_t most = phase->kind == LLMC_PHASE_PREFILL ? chunkTokens : 1;
  // Bounds of every chunk's symbols, before any of them runs.
  for (size_t begin = 0; begin < seq; begin += most) {
    size_t count = seq - begin < most ? seq - begin : most;
    setSymbols(*this, *phase, rows, count, begin);
    if (llmc_status_t status = checkSymbols(*phase, symbols.data(), error))
      return status;
  }
  logitsRows = 0;
  for (size_t row = 0; row < rows.count; ++row) {
    isUsed[rows.sequences[row]] = 1;
    if (lengths[rows.sequences[row]] == 0)
      clearSlot(rows.sequences[row]); // recurrent states begin at zero
  }
  for (size_t begin = 0; begin < seq; begin += most) {
    size_t count = seq - begin < most ? seq - begin : most;
    if (llmc_status_t status = step(*this, *phase, rows, count, tokens + begin, seq, error)) {
      rollBack(*this, rows, begin);
      return status;
    }
  }
  logitsRows = rows.count;
  std::memcpy(logitsSequences.data(), rows.sequences, rows.count * sizeof(uint32_t));
  return LLMC_STATUS_OK;
}
