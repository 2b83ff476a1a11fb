//===- JsonFile.h - Reading recorded facts ----------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The two things that the tests do with recorded JSON: read a file, and decode
// a sequence both whole and as a stream.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UNITTESTS_TOKENIZER_JSONFILE_H
#define LLMC_UNITTESTS_TOKENIZER_JSONFILE_H

#include "llmc/Tokenizer/Tokenizer.h"

#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace llmc::tokenizer::test {

/// Null where the file cannot be read.
inline nlohmann::json readJson(const std::string &path) {
  std::ifstream stream(path);
  return nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
}

/// The text of `ids`; a stream must give the same, in whole characters.
inline std::string decodeBothWays(const Tokenizer &tokenizer, const std::vector<int32_t> &ids,
                                  bool skipSpecial) {
  std::string whole = tokenizer.decode(ids, skipSpecial);
  StreamDecoder stream(tokenizer, skipSpecial);
  std::string joined;
  auto take = [&](std::string_view piece) {
    // dump() is strict about UTF-8.
    EXPECT_NO_THROW((void)nlohmann::json(piece).dump()) << "broken character";
    joined += piece;
  };
  for (int32_t id : ids)
    take(stream.push(id));
  take(stream.finish());
  EXPECT_EQ(joined, whole) << "the stream differs";
  return whole;
}

} // namespace llmc::tokenizer::test

#endif // LLMC_UNITTESTS_TOKENIZER_JSONFILE_H
