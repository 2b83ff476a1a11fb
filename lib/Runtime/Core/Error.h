//===- Error.h - building error messages without stdio ----------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime may not use the printf family, and an error must not allocate. An
// ErrorWriter appends text and numbers straight into the caller's llmc_error_t,
// cuts what does not fit, and converts to the status to return:
//
//   return ErrorWriter(error, LLMC_STATUS_IO) << "cannot map '" << path << "'";
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_ERROR_H
#define LLMC_RUNTIME_CORE_ERROR_H

#include "llmc-c/Status.h"

#include <cstddef>
#include <cstdint>

namespace llmc::runtime {

struct Hex {
  uint64_t value;
};

class ErrorWriter {
public:
  /// `error` may be null: the text is then dropped.
  ErrorWriter(llmc_error_t *error, llmc_status_t code);

  ErrorWriter &operator<<(const char *text);
  ErrorWriter &operator<<(Hex number);
  ErrorWriter &operator<<(int64_t number);
  ErrorWriter &operator<<(uint64_t number);
  ErrorWriter &operator<<(int number) { return *this << int64_t{number}; }
  ErrorWriter &operator<<(uint32_t number) { return *this << uint64_t{number}; }
  /// The system's text for an errno value.
  ErrorWriter &systemError(int errnoValue);

  operator llmc_status_t() const { return code; }

private:
  void append(const char *text, size_t size);

  llmc_error_t *error;
  llmc_status_t code;
  size_t used = 0;
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_ERROR_H
