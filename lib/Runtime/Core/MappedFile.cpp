//===- MappedFile.cpp - a read-only view of a whole file ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MappedFile.h"

#include "Error.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llmc::runtime;

MappedFile::~MappedFile() {
  if (base)
    munmap(const_cast<uint8_t *>(base), fileBytes);
  closeDescriptor();
}

int MappedFile::takeDescriptor() {
  int taken = fd;
  fd = -1;
  return taken;
}

void MappedFile::closeDescriptor() {
  if (fd >= 0)
    close(takeDescriptor());
}

llmc_status_t MappedFile::map(const char *path, llmc_error_t *error) {
  // NONBLOCK: opening a pipe must not wait for its writer.
  fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    int reason = errno;
    bool missing = reason == ENOENT || reason == ENOTDIR;
    return (ErrorWriter(error, missing ? LLMC_STATUS_NOT_FOUND : LLMC_STATUS_IO)
            << "cannot open '" << path << "': ")
        .systemError(reason);
  }
  struct stat facts;
  if (fstat(fd, &facts) != 0) {
    int reason = errno;
    return (ErrorWriter(error, LLMC_STATUS_IO) << "cannot examine '" << path << "': ")
        .systemError(reason);
  }
  if (!S_ISREG(facts.st_mode))
    return ErrorWriter(error, LLMC_STATUS_BAD_ARTIFACT)
           << "'" << path << "' is "
           << (S_ISDIR(facts.st_mode) ? "a directory" : "not a regular file");
  size_t size = static_cast<size_t>(facts.st_size);
  void *mapped = MAP_FAILED;
  int reason = 0;
  if (size) {
    mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    reason = errno;
  }
  if (size && mapped == MAP_FAILED)
    return (ErrorWriter(error, LLMC_STATUS_IO) << "cannot map '" << path << "': ")
        .systemError(reason);
  base = size ? static_cast<const uint8_t *>(mapped) : nullptr;
  fileBytes = size;
  return LLMC_STATUS_OK;
}
