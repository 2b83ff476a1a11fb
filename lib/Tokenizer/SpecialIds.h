//===- SpecialIds.h - Where a text begins and ends --------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The beginning and end tokens, which tokenizer.json does not name: they are
// spread over up to four configuration files.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_SPECIALIDS_H
#define LLMC_LIB_TOKENIZER_SPECIALIDS_H

#include "llmc/Tokenizer/Expected.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::tokenizer {

struct SpecialIds {
  std::optional<int32_t> bos;
  /// Ascending, without repetition.
  std::vector<int32_t> eos;
};

/// Reads the files that `directory` has. The first that names a beginning
/// token decides; the end tokens are all that any names. `idOf` looks up
/// tokens that are given by spelling.
Expected<SpecialIds>
readSpecialIds(const std::string &directory,
               const std::function<std::optional<int32_t>(std::string_view)> &idOf);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_SPECIALIDS_H
