//===- Residency.cpp - how weights come into memory -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Residency.h"

#include "Error.h"
#include "LoadThreads.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace llmc::runtime;

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 // Linux 5.14; glibc 2.35
#endif

void Warnings::append(const char *piece) {
  size_t length = std::strlen(piece);
  if (length > sizeof(lines) - 1 - used)
    length = sizeof(lines) - 1 - used;
  std::memcpy(lines + used, piece, length);
  used += length;
}

void Warnings::add(const char *what, int reason) {
  llmc_error_t line = {};
  ErrorWriter writer(&line, LLMC_STATUS_OK);
  writer << what;
  if (reason)
    (writer << ": ").systemError(reason);
  append(line.message);
  append("\n");
}

void Warnings::addSizes(const char *before, uint64_t bytes, const char *middle, uint64_t other,
                        const char *after) {
  llmc_error_t line = {};
  ErrorWriter(&line, LLMC_STATUS_OK) << before << bytes << middle << other << after;
  append(line.message);
  append("\n");
}

namespace {

/// Ranges of pages that several threads read, one chunk after the other.
struct Prefault {
  static constexpr uintptr_t chunkBytes = uintptr_t{16} << 20;
  uintptr_t begin, end, pageBytes;
  std::atomic<uintptr_t> next;

  static void *work(void *argument) {
    auto &self = *static_cast<Prefault *>(argument);
    for (;;) {
      uintptr_t first = self.next.fetch_add(chunkBytes, std::memory_order_relaxed);
      if (first >= self.end)
        return nullptr;
      uintptr_t last = self.end - first < chunkBytes ? self.end : first + chunkBytes;
      if (madvise(reinterpret_cast<void *>(first), last - first, MADV_POPULATE_READ) == 0)
        continue;
      for (uintptr_t page = first; page < last; page += self.pageBytes)
        static_cast<void>(*reinterpret_cast<const volatile uint8_t *>(page));
    }
  }
};

void prefault(uintptr_t begin, uintptr_t end, uintptr_t pageBytes, uint32_t threads,
              Warnings &warnings) {
  Prefault task = {begin, end, pageBytes, {begin}};
  uint64_t chunks = (end - begin + Prefault::chunkBytes - 1) / Prefault::chunkBytes;
  if (int reason = runOnThreads(threads, chunks, Prefault::work, &task))
    warnings.add("weights are read with fewer threads: cannot start one", reason);
}

} // namespace

void llmc::runtime::makeResident(const uint8_t *data, size_t sizeBytes,
                                 const llmc_module_options_t &options, uint64_t available,
                                 Warnings &warnings) {
  if (sizeBytes == 0)
    return;
  uintptr_t pageBytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  uintptr_t begin = reinterpret_cast<uintptr_t>(data) & ~(pageBytes - 1);
  uintptr_t end = reinterpret_cast<uintptr_t>(data) + sizeBytes;
  void *first = reinterpret_cast<void *>(begin);
  size_t length = end - begin;
  // Before the pages come in: they come in as large ones or not at all.
  if (options.huge_pages && madvise(first, length, MADV_HUGEPAGE) != 0)
    warnings.add("weights have no huge pages", errno);
  if (sizeBytes > available) {
    warnings.addSizes("weights of ", sizeBytes, " bytes exceed the ", available,
                      " bytes of available memory: steps read them from the file again and again");
    if (options.prefault || options.lock)
      warnings.add("weights are neither read ahead nor locked: they do not fit");
    return;
  }
  if (options.prefault)
    prefault(begin, end, pageBytes, options.load_threads, warnings);
  else
    madvise(first, length, MADV_WILLNEED); // a hint: read ahead in the background
  if (options.lock)
    lockPages(data, sizeBytes, warnings);
}

void llmc::runtime::lockPages(const uint8_t *data, size_t sizeBytes, Warnings &warnings) {
  // Whole pages, as the system takes them.
  if (sizeBytes && mlock(data, sizeBytes) != 0)
    warnings.add("weights are not locked in memory", errno);
}
