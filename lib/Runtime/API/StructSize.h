//===- StructSize.h - structs that grow at their end ------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A caller built against an older or newer header has a shorter or longer
// struct. What it lacks reads as zero; what this library lacks must be zero.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_API_STRUCTSIZE_H
#define LLMC_RUNTIME_API_STRUCTSIZE_H

#include "../Core/Error.h"

#include <cstring>

namespace llmc::runtime {

inline llmc_status_t badStructSize(size_t size, llmc_error_t *error) {
  return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
         << "struct_size is " << size << "; set it to sizeof the struct";
}

/// Copies the caller's options (may be null) over the zeroed `options`.
template <typename T> llmc_status_t readStruct(const T *from, T &options, llmc_error_t *error) {
  if (!from)
    return LLMC_STATUS_OK;
  size_t size = from->struct_size;
  if (size < sizeof(size_t) || size > 4096)
    return badStructSize(size, error);
  auto *bytes = reinterpret_cast<const unsigned char *>(from);
  for (size_t i = sizeof(T); i < size; ++i)
    if (bytes[i])
      return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
             << "an option is set that this runtime does not know";
  std::memcpy(&options, from, size < sizeof(T) ? size : sizeof(T));
  return LLMC_STATUS_OK;
}

/// Copies `facts` into as much room as the caller's struct has, and zeroes the
/// room that this library does not know.
template <typename T> llmc_status_t writeStruct(T &facts, T &to, llmc_error_t *error) {
  size_t size = to.struct_size;
  if (size < sizeof(size_t) || size > 4096)
    return badStructSize(size, error);
  facts.struct_size = size;
  size_t known = size < sizeof(T) ? size : sizeof(T);
  std::memcpy(static_cast<void *>(&to), &facts, known);
  if (size > known)
    std::memset(reinterpret_cast<unsigned char *>(&to) + known, 0, size - known);
  return LLMC_STATUS_OK;
}

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_API_STRUCTSIZE_H
