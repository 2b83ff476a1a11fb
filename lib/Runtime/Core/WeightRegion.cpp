//===- WeightRegion.cpp - where a module's weights are in memory ----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightRegion.h"

#include "Error.h"
#include "LoadThreads.h"
#include "ZstdFrame.h"

#include <atomic>
#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>

using namespace llmc::runtime;

static uint64_t wholePages(uint64_t bytes) {
  return (bytes + filePageBytes - 1) / filePageBytes * filePageBytes;
}

/// Chunks are mapped one by one only where the system's pages are the file format's.
static bool canShare() { return sysconf(_SC_PAGESIZE) == long{filePageBytes}; }

WeightRegion::~WeightRegion() {
  if (ownedBytes)
    munmap(base, ownedBytes);
  if (entries.size()) {
    SharedChunks table;
    releaseEntries(table);
  }
}

void WeightRegion::releaseEntries(SharedChunks &table) {
  for (SharedChunk *&entry : entries) {
    if (entry)
      table.release(entry);
    entry = nullptr;
  }
}

llmc_status_t WeightRegion::open(const Weights &weights, uint64_t bytes, MappedFile *file,
                                 const char *path, const LoadSettings &settings, Warnings &warnings,
                                 llmc_error_t *error) {
  if (llmc_status_t status = parseWeightsIndex(weights, bytes, path, index, error))
    return status;
  regionBytes = bytes;
  if (canShare() && (!entries.allocate(defaultAllocator(), index.numChunks) ||
                     !isShared.allocate(defaultAllocator(), index.numChunks)))
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory to load '" << path << "'";
  return index.encoding == LLMC_WEIGHTS_ZSTD
             ? openCompressed(weights, file, path, settings, warnings, error)
             : openPlain(weights, file, path, settings, warnings, error);
}

/// Maps the pages of equal chunks [first, ..) that lie side by side in their source, too.
llmc_status_t WeightRegion::mapShared(uint64_t first, uint64_t &end, llmc_error_t *error) {
  const SharedChunk &begin = *entries[first];
  uint64_t offset = index.chunk(first).offset, bytes = 0;
  for (end = first; end < index.numChunks && isShared[end]; ++end) {
    const SharedChunk &entry = *entries[end];
    if (entry.source != begin.source || entry.offset != begin.offset + bytes)
      break;
    bytes += entry.size;
  }
  void *mapped = mmap(base + offset, bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, begin.source->fd,
                      static_cast<off_t>(begin.offset));
  if (mapped == MAP_FAILED)
    return (ErrorWriter(error, LLMC_STATUS_IO) << "cannot map shared weights: ").systemError(errno);
  numSharedBytes += bytes;
  return LLMC_STATUS_OK;
}

llmc_status_t WeightRegion::share(SharedChunks &table, int fd, bool isMemory, uint64_t fdOffset,
                                  llmc_error_t *error) {
  ChunkSource *source = fd < 0 ? nullptr : table.newSource(fd, isMemory);
  for (uint64_t i = 0; i < entries.size(); ++i) {
    llmc_weights_chunk_t chunk = index.chunk(i);
    entries[i] = table.find(chunk);
    isShared[i] = entries[i];
    if (!entries[i] && source)
      entries[i] = table.add(chunk, source, fdOffset + chunk.offset);
  }
  table.closeIfUnused(source);
  for (uint64_t i = 0; i < entries.size();) {
    if (!isShared[i]) {
      ++i;
      continue;
    }
    if (llmc_status_t status = mapShared(i, i, error))
      return status;
  }
  return LLMC_STATUS_OK;
}

llmc_status_t WeightRegion::openPlain(const Weights &weights, MappedFile *file, const char *,
                                      const LoadSettings &settings, Warnings &warnings,
                                      llmc_error_t *error) {
  base = const_cast<uint8_t *>(weights.data); // never written
  if (file && entries.size()) {
    SharedChunks table;
    uint64_t fdOffset = static_cast<uint64_t>(weights.data - file->data());
    if (llmc_status_t status = share(table, file->takeDescriptor(), false, fdOffset, error))
      return status;
  }
  makeResident(base, regionBytes, settings.options, settings.availableBytes, warnings);
  return LLMC_STATUS_OK;
}

/// Chunks that several threads decompress, one after the other.
struct WeightRegion::Decompression {
  const WeightRegion &region;
  const Weights &weights;
  bool isMapped; ///< the frames are pages of a file
  std::atomic<uint64_t> next{0};
  /// The first chunk that failed, and why.
  std::atomic<uint64_t> failed{UINT64_MAX};
  std::atomic<const char *> problem{nullptr};

  static void *work(void *argument) {
    auto &self = *static_cast<Decompression *>(argument);
    ZstdDecoder decoder;
    for (;;) {
      uint64_t i = self.next.fetch_add(1, std::memory_order_relaxed);
      if (i >= self.region.index.numChunks || self.problem.load(std::memory_order_relaxed))
        return nullptr;
      if (self.region.entries.size() && self.region.isShared[i])
        continue;
      llmc_weights_chunk_t chunk = self.region.index.chunk(i);
      const uint8_t *frame = self.weights.data + chunk.stored_offset;
      const char *expected = nullptr;
      if (const char *problem =
              decoder.decode(frame, chunk.stored_size, self.region.base + chunk.offset, chunk.size))
        if (self.problem.compare_exchange_strong(expected, problem))
          self.failed = i;
      if (self.isMapped)
        forget(frame, chunk.stored_size);
    }
  }

  /// Gives back the pages that lie within a frame: they are not needed again.
  static void forget(const uint8_t *frame, uint64_t bytes) {
    auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    uintptr_t begin = (reinterpret_cast<uintptr_t>(frame) + page - 1) & ~(page - 1);
    uintptr_t end = reinterpret_cast<uintptr_t>(frame + bytes) & ~(page - 1);
    if (begin < end)
      madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
  }
};

/// Fills the chunks that are not shared.
llmc_status_t WeightRegion::decompress(const Weights &weights, bool isMapped, const char *path,
                                       const LoadSettings &settings, Warnings &warnings,
                                       llmc_error_t *error) {
  uint64_t needed = regionBytes - numSharedBytes;
  if (needed > settings.availableBytes)
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY)
           << "the compressed weights of '" << path << "' need " << needed << " bytes of memory, "
           << settings.availableBytes
           << " are available: weights that are not compressed would be read from the file";
  Decompression task = {*this, weights, isMapped};
  if (int reason =
          runOnThreads(settings.options.load_threads, index.numChunks, Decompression::work, &task))
    warnings.add("weights are decompressed with fewer threads: cannot start one", reason);
  if (isMapped) // also what the system has mapped around the frames
    Decompression::forget(weights.data, weights.dataBytes);
  if (const char *problem = task.problem)
    return ErrorWriter(error, LLMC_STATUS_BAD_ARTIFACT)
           << "'" << path << "': chunk " << task.failed
           << " of the weights is corrupted: " << problem;
  return LLMC_STATUS_OK;
}

/// Memory for the region, zeroed and not resident yet: behind the descriptor `fd` so that
/// other modules can map it, or with huge pages, which such memory mostly cannot have.
llmc_status_t WeightRegion::reserve(bool hugePages, int &fd, const char *path, Warnings &warnings,
                                    llmc_error_t *error) {
  size_t bytes = wholePages(regionBytes);
  fd = hugePages || !entries.size() ? -1 : memfd_create("llmc-weights", MFD_CLOEXEC);
  if (fd >= 0 && ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    close(fd);
    fd = -1;
  }
  void *mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, fd, 0);
  if (mapped == MAP_FAILED) {
    int reason = errno;
    if (fd >= 0)
      close(fd);
    return (ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY)
            << "no memory for the " << bytes << " bytes of weights of '" << path << "': ")
        .systemError(reason);
  }
  base = static_cast<uint8_t *>(mapped);
  ownedBytes = bytes;
  if (hugePages && madvise(mapped, bytes, MADV_HUGEPAGE) != 0)
    warnings.add("weights have no huge pages", errno);
  return LLMC_STATUS_OK;
}

llmc_status_t WeightRegion::openCompressed(const Weights &weights, MappedFile *file,
                                           const char *path, const LoadSettings &settings,
                                           Warnings &warnings, llmc_error_t *error) {
  if (!hasZstd())
    return ErrorWriter(error, LLMC_STATUS_UNSUPPORTED)
           << "'" << path << "' has weights compressed by zstd, and this runtime was built without "
           << "it (LLMC_RUNTIME_ZSTD=OFF)";
  const llmc_module_options_t &options = settings.options;
  int fd;
  if (llmc_status_t status = reserve(options.huge_pages, fd, path, warnings, error))
    return status;
  // The table is locked until the chunks that it names have their bytes: whoever loads
  // equal weights meanwhile waits for them instead of decompressing them, too.
  SharedChunks table;
  if (fd >= 0)
    if (llmc_status_t status = share(table, fd, /*isMemory=*/true, 0, error)) {
      releaseEntries(table);
      return status;
    }
  if (llmc_status_t status =
          decompress(weights, file != nullptr, path, settings, warnings, error)) {
    releaseEntries(table); // before anyone finds them
    return status;
  }
  mprotect(base, ownedBytes, PROT_READ); // as those of files are
  if (options.lock)
    lockPages(base, regionBytes, warnings);
  return LLMC_STATUS_OK;
}
