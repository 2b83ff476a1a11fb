//===- WeightRegion.h - where a module's weights are in memory --*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file's pages as they are, or memory that chunks are decompressed into; and in both
// cases pages of modules that are loaded already where the bytes are equal.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_WEIGHTREGION_H
#define LLMC_RUNTIME_CORE_WEIGHTREGION_H

#include "Artifact.h"
#include "MappedFile.h"
#include "Memory.h"
#include "Residency.h"
#include "SharedChunks.h"

namespace llmc::runtime {

/// What a load is asked for, and what the system has.
struct LoadSettings {
  llmc_module_options_t options;
  uint64_t availableBytes; ///< of memory, as availableMemory() says
};

class WeightRegion {
public:
  WeightRegion() = default;
  WeightRegion(const WeightRegion &) = delete;
  WeightRegion &operator=(const WeightRegion &) = delete;
  ~WeightRegion();

  /// Makes the region of `regionBytes` out of the weights' data. `file` is what maps them
  /// and outlives the region; null where their memory is the caller's. On failure the
  /// region is good for nothing.
  llmc_status_t open(const Weights &weights, uint64_t regionBytes, MappedFile *file,
                     const char *path, const LoadSettings &settings, Warnings &warnings,
                     llmc_error_t *error);

  const uint8_t *data() const { return base; }
  size_t size() const { return regionBytes; }
  /// Bytes for which pages of other chunks serve, mostly of other modules.
  uint64_t sharedBytes() const { return numSharedBytes; }

private:
  struct Decompression;

  llmc_status_t openPlain(const Weights &weights, MappedFile *file, const char *path,
                          const LoadSettings &settings, Warnings &warnings, llmc_error_t *error);
  llmc_status_t openCompressed(const Weights &weights, MappedFile *file, const char *path,
                               const LoadSettings &settings, Warnings &warnings,
                               llmc_error_t *error);
  llmc_status_t reserve(bool hugePages, int &fd, const char *path, Warnings &warnings,
                        llmc_error_t *error);
  /// Maps what other modules have, and enters the rest with `fd`, which is given up, and
  /// their place there behind `fdOffset`.
  llmc_status_t share(SharedChunks &table, int fd, bool isMemory, uint64_t fdOffset,
                      llmc_error_t *error);
  llmc_status_t mapShared(uint64_t first, uint64_t &end, llmc_error_t *error);
  llmc_status_t decompress(const Weights &weights, bool isMapped, const char *path,
                           const LoadSettings &settings, Warnings &warnings, llmc_error_t *error);
  void releaseEntries(SharedChunks &table);

  uint8_t *base = nullptr;
  size_t regionBytes = 0;
  size_t ownedBytes = 0; ///< mapped by this object at `base`; 0: the file's mapping
  uint64_t numSharedBytes = 0;
  WeightsIndex index;
  /// Per chunk of the index: its entry in the table, or null where it is in none.
  Array<SharedChunk *> entries;
  /// Per chunk: its pages are those of another one.
  Array<bool> isShared;
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_WEIGHTREGION_H
