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

  /// The open file, which is the caller's to close from now on; -1 if it was taken or
  /// closed before.
  int takeDescriptor();
  /// The view needs the file open no longer.
  void closeDescriptor();

  const uint8_t *data() const { return base; }
  size_t size() const { return fileBytes; }

private:
  const uint8_t *base = nullptr;
  size_t fileBytes = 0;
  int fd = -1;
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_MAPPEDFILE_H
