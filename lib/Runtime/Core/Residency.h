//===- Residency.h - how weights come into memory ----------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_RESIDENCY_H
#define LLMC_RUNTIME_CORE_RESIDENCY_H

#include "llmc-c/Runtime.h"

namespace llmc::runtime {

/// Lines of text about what a load could not do; what has no room is left out.
class Warnings {
public:
  const char *text() const { return lines; }
  /// Appends one line; `reason` is an errno value, or 0 for none.
  void add(const char *what, int reason = 0);
  /// The same with a number of bytes before and after the middle part.
  void addSizes(const char *before, uint64_t bytes, const char *middle, uint64_t other,
                const char *after);

private:
  void append(const char *piece);
  char lines[1024] = {};
  size_t used = 0;
};

/// Does with the pages of [data, data + sizeBytes), which are a file's, what the options ask
/// for. What the system refuses is a warning: the pages come in on first use all the same.
/// `available` is what memory may hold.
void makeResident(const uint8_t *data, size_t sizeBytes, const llmc_module_options_t &options,
                  uint64_t available, Warnings &warnings);

/// Keeps pages that are in memory there, or warns.
void lockPages(const uint8_t *data, size_t sizeBytes, Warnings &warnings);

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_RESIDENCY_H
