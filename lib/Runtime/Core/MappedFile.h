//===- MappedFile.h - a read-only view of a whole file ----------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_MAPPEDFILE_H
#define LLMC_RUNTIME_CORE_MAPPEDFILE_H

#include "llmc-c/Status.h"

#include <cstddef>
#include <cstdint>

namespace llmc::runtime {

class MappedFile {
public:
  MappedFile() = default;
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  /// Maps a regular file privately and read-only. An empty file is a success
  /// with size 0.
  llmc_status_t map(const char *path, llmc_error_t *error);

  const uint8_t *data() const { return base; }
  size_t size() const { return fileBytes; }

private:
  const uint8_t *base = nullptr;
  size_t fileBytes = 0;
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_MAPPEDFILE_H
