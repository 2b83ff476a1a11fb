//===- SessionFile.h - sequences in a file ----------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A session file, little-endian and without gaps:
//
//   SessionFileHeader
//   SavedSequence     [numSequences]
//   int32 block       [numEntries]    each sequence's blocks, as numbers in this file;
//                                     a block shared by sequences is in the file once
//   uint32 sequence   [numLogits]     whose logits: an index of the saved sequences
//   for each state of the module: its blocks [numBlocks], or its slots [numSequences]
//   float logits      [numLogits][vocabSize]
//   uint64 checksum   of everything behind the header
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_SESSIONFILE_H
#define LLMC_RUNTIME_CORE_SESSIONFILE_H

#include "Session.h"

namespace llmc::runtime {

struct SessionFileHeader {
  uint8_t magic[8];
  uint32_t version;
  uint32_t headerBytes;
  uint64_t fileBytes;
  // Which module the states are of.
  uint64_t codeChecksum;
  uint64_t weightsChecksum; ///< of the weights' header
  uint64_t weightsSample;   ///< of bytes all over the weights
  uint64_t stateLayout;     ///< of the states' descriptors
  uint64_t vocabSize;
  uint32_t numSequences;
  uint32_t numBlocks;
  uint64_t numEntries;
  uint32_t numLogits;
  uint32_t reserved;
  uint64_t tableChecksum;  ///< of what lies between the header and the states
  uint64_t headerChecksum; ///< of all fields before
};
static_assert(sizeof(SessionFileHeader) == 104);

struct SavedSequence {
  uint32_t number;     ///< in the session that was saved
  uint32_t firstBlock; ///< blocks before were evicted
  uint64_t length;
};

/// FNV-1a over 64-bit words, in pieces of any size.
class Checksum {
public:
  void update(const void *data, size_t sizeBytes);
  uint64_t value() const;

private:
  uint64_t hash = 0xcbf29ce484222325u;
  uint64_t partial = 0; ///< the first bytes of the next word
  unsigned numPartial = 0;
};

/// Writes the given sequences, all in use and each once, behind a temporary name.
llmc_status_t saveSequences(const llmc_session &session, StepRows saved, const char *path,
                            llmc_error_t *error);

/// Adds a file's sequences to the session, and writes their numbers to `numbers` (may be
/// null), which has room for `capacity`. On failure the session is as before.
llmc_status_t restoreSequences(llmc_session &session, const char *path, uint32_t *numbers,
                               size_t capacity, size_t &count, llmc_error_t *error);

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_SESSIONFILE_H
