//===- Expected.h - A value or an error message -----------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tokenizer's way of reporting failure: every fallible function returns
// a value or one readable message. Nothing throws across the library's border.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_TOKENIZER_EXPECTED_H
#define LLMC_TOKENIZER_EXPECTED_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace llmc::tokenizer {

/// Why something failed: names the file, the place in it and what was
/// expected, lower case and without a full stop.
struct Error {
  std::string message;
};

/// The result of an action without a value: empty means success.
using MaybeError = std::optional<Error>;

/// Holds a T, or the Error that prevented it. Test it before dereferencing.
template <typename T> class [[nodiscard]] Expected {
public:
  Expected(T value) : content(std::in_place_index<0>, std::move(value)) {}
  Expected(Error error) : content(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return content.index() == 0; }

  T &operator*() { return *get(); }
  const T &operator*() const { return *get(); }
  T *operator->() { return get(); }
  const T *operator->() const { return get(); }

  /// The error; only valid when this holds no value.
  const Error &error() const {
    assert(!*this && "no error to read: the value is there");
    return *std::get_if<1>(&content);
  }

private:
  T *get() {
    assert(*this && "the error was not checked");
    return std::get_if<0>(&content);
  }
  const T *get() const {
    assert(*this && "the error was not checked");
    return std::get_if<0>(&content);
  }

  std::variant<T, Error> content;
};

} // namespace llmc::tokenizer

#endif // LLMC_TOKENIZER_EXPECTED_H
