//===- Error.cpp - building error messages without stdio ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Error.h"

#include <cstring>

using namespace llmc::runtime;

ErrorWriter::ErrorWriter(llmc_error_t *error, llmc_status_t code) : error(error), code(code) {
  if (!error)
    return;
  error->code = code;
  error->message[0] = '\0';
}

void ErrorWriter::append(const char *text, size_t size) {
  if (!error)
    return;
  size_t room = sizeof(error->message) - 1 - used;
  size = size < room ? size : room;
  // Paths and tensor names come from outside: keep the message one line.
  for (size_t i = 0; i < size; ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    error->message[used + i] = c < 0x20 || c == 0x7f ? '?' : text[i];
  }
  used += size;
  error->message[used] = '\0';
}

ErrorWriter &ErrorWriter::operator<<(const char *text) {
  if (text)
    append(text, std::strlen(text));
  return *this;
}

ErrorWriter &ErrorWriter::operator<<(uint64_t number) {
  char digits[20];
  size_t begin = sizeof(digits);
  do {
    digits[--begin] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number);
  append(digits + begin, sizeof(digits) - begin);
  return *this;
}

ErrorWriter &ErrorWriter::operator<<(int64_t number) {
  if (number >= 0)
    return *this << static_cast<uint64_t>(number);
  append("-", 1);
  return *this << (uint64_t{0} - static_cast<uint64_t>(number));
}

ErrorWriter &ErrorWriter::operator<<(Hex number) {
  char digits[18] = {'0', 'x'};
  for (int i = 0; i < 16; ++i)
    digits[2 + i] = "0123456789abcdef"[(number.value >> (60 - 4 * i)) & 15];
  append(digits, sizeof(digits));
  return *this;
}

ErrorWriter &ErrorWriter::systemError(int errnoValue) {
  // strerrordesc_np is thread-safe and constant, which strerror is not.
  const char *text = strerrordesc_np(errnoValue);
  return *this << (text ? text : "unknown system error");
}
