//===- Regex.h - The regular expressions of tokenizer files -----*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tokenizer files are written for Oniguruma's Ruby syntax. This class gives
// the same matches with PCRE2: it translates what the two libraries spell or
// mean differently and refuses what it cannot translate.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_REGEX_H
#define LLMC_LIB_TOKENIZER_REGEX_H

#include "llmc/Tokenizer/Expected.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::tokenizer {

/// Rewrites an Oniguruma pattern for PCRE2 with UTF and UCP.
Expected<std::string> translateRegex(std::string_view pattern);

/// A compiled pattern. Searching is thread-safe.
class Regex {
public:
  /// Half-open byte range.
  struct Range {
    size_t begin, end;
  };

  static Expected<Regex> compile(std::string_view pattern);
  ~Regex();
  Regex(Regex &&) noexcept;
  Regex &operator=(Regex &&) noexcept;

  /// All matches in valid UTF-8 `text`, left to right, not overlapping; an
  /// empty match right after another match is left out.
  MaybeError findAll(std::string_view text, std::vector<Range> &matches) const;

private:
  struct Compiled;
  explicit Regex(std::unique_ptr<Compiled> compiled);

  std::unique_ptr<Compiled> compiled;
};

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_REGEX_H
