//===- Sequences.cpp - what a session's sequences hold --------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sequence is a row of the block table, a slot of every fixed state and a length.
//
//===----------------------------------------------------------------------===//

#include "Error.h"
#include "Session.h"

#include <cstring>

using namespace llmc::runtime;

llmc_status_t llmc_session::checkSequence(uint64_t sequence, llmc_error_t *error) const {
  if (sequence < lengths.size())
    return LLMC_STATUS_OK;
  return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
         << "sequence " << sequence << " of " << uint64_t{lengths.size()};
}

llmc_status_t llmc_session::takeSequence(uint32_t &sequence, llmc_error_t *error) {
  for (uint32_t i = 0; i < lengths.size(); ++i) {
    if (isUsed[i])
      continue;
    isUsed[i] = 1;
    sequence = i;
    return LLMC_STATUS_OK;
  }
  return ErrorWriter(error, LLMC_STATUS_CAPACITY)
         << "all " << uint64_t{lengths.size()} << " sequences of the session are in use";
}

llmc_status_t llmc_session::forkSequence(uint32_t from, uint32_t &to, llmc_error_t *error) {
  if (llmc_status_t status = checkSequence(from, error))
    return status;
  if (!isUsed[from])
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "sequence " << from << " is not in use";
  uint32_t fresh;
  if (llmc_status_t status = takeSequence(fresh, error))
    return status;
  lengths[fresh] = lengths[from];
  blocks.share(from, fresh);
  for (uint32_t i = 0; i < desc.num_states; ++i)
    if (desc.states[i].kind == LLMC_STATE_FIXED)
      std::memcpy(slotAt(i, fresh), slotAt(i, from), desc.states[i].bytes);
  to = fresh;
  return LLMC_STATUS_OK;
}

void llmc_session::freeSequence(uint32_t sequence) {
  isUsed[sequence] = 0;
  lengths[sequence] = 0;
  blocks.shrink(sequence, 0);
}

void llmc_session::clearSlot(uint32_t sequence) {
  for (uint32_t i = 0; i < desc.num_states; ++i)
    if (desc.states[i].kind == LLMC_STATE_FIXED)
      std::memset(slotAt(i, sequence), 0, desc.states[i].bytes);
}

llmc_status_t llmc_session::truncate(size_t sequence, size_t length, llmc_error_t *error) {
  if (llmc_status_t status = checkSequence(sequence, error))
    return status;
  auto row = static_cast<uint32_t>(sequence);
  uint64_t held = static_cast<uint64_t>(lengths[row]);
  if (length > held)
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "sequence " << row << " holds " << held << " tokens, cannot be cut to "
           << uint64_t{length};
  if (hasFixedStates && length != held && length != 0)
    return ErrorWriter(error, LLMC_STATUS_UNSUPPORTED)
           << "module '" << desc.name
           << "' has recurrent states, which can only go back to 0 tokens";
  uint64_t evicted = uint64_t{blocks.firstBlock(row)} * desc.block_tokens;
  if (length && blocks.firstNeeded(length) < evicted)
    return ErrorWriter(error, LLMC_STATUS_UNSUPPORTED)
           << "sequence " << row << " has given its first " << evicted
           << " tokens back: with a window of " << window << ", it cannot be cut to "
           << uint64_t{length};
  logitsRows = 0;
  lengths[row] = static_cast<int64_t>(length);
  blocks.shrink(row, length);
  return LLMC_STATUS_OK;
}

void llmc_session::reset() {
  logitsRows = 0;
  for (uint32_t sequence = 0; sequence < lengths.size(); ++sequence)
    freeSequence(sequence);
}
