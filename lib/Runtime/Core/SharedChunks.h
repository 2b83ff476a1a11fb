//===- SharedChunks.h - weights that are in memory already ------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A table of the chunks that loaded modules have, by their content, so that a module
// loaded later maps the same pages. It is the runtime's only global variable: what it
// tells of is global, too, the memory of the process.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_SHAREDCHUNKS_H
#define LLMC_RUNTIME_CORE_SHAREDCHUNKS_H

#include "llmc-c/ModuleABI.h"

namespace llmc::runtime {

/// A file whose pages are mapped, or memory behind a descriptor. Closed with its last chunk.
struct ChunkSource {
  int fd;
  bool isMemory; ///< of ours: what no chunk uses is given back
  uint64_t numChunks;
};

/// Equal bytes of one or more modules; gone with the last of them.
struct SharedChunk {
  uint8_t content[16];
  uint64_t size;
  ChunkSource *source;
  uint64_t offset; ///< in the source, page aligned
  uint64_t numUsers;
  SharedChunk *next;
};

/// The table, locked as long as this object lives.
class SharedChunks {
public:
  SharedChunks();
  ~SharedChunks();
  SharedChunks(const SharedChunks &) = delete;
  SharedChunks &operator=(const SharedChunks &) = delete;

  /// A chunk with these bytes, with one user more; null if there is none.
  SharedChunk *find(const llmc_weights_chunk_t &chunk);

  /// Takes a descriptor over, whatever happens. A source without chunks goes with
  /// closeIfUnused. Null if there is no memory.
  ChunkSource *newSource(int fd, bool isMemory);
  void closeIfUnused(ChunkSource *source);

  /// Adds a chunk that has one user; null if there is no memory.
  SharedChunk *add(const llmc_weights_chunk_t &chunk, ChunkSource *source, uint64_t offset);

  /// One user less, who reads the bytes no more.
  void release(SharedChunk *chunk);
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_SHAREDCHUNKS_H
