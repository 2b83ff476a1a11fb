//===- JsonReader.h - Parsing JSON files ------------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Between the JSON library's parser and JsonNode: reads a file piece by piece and takes
// the tables out of it as they come by.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_JSONREADER_H
#define LLMC_LIB_TOKENIZER_JSONREADER_H

#include "JsonTable.h"
#include "llmc/Tokenizer/Expected.h"

#include <istream>
#include <nlohmann/json.hpp>

namespace llmc::tokenizer {

/// A document whose `model.vocab` and `model.merges`, where they are arrays or objects, are
/// tables: in `root` stands a binary value, which no text can have, with the table's number
/// as its subtype.
struct ParsedJson {
  nlohmann::json root;
  std::vector<JsonTable> tables;
};

/// Parses what is left of a stream; the error is the parser's text.
Expected<ParsedJson> parseJson(std::istream &stream);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_JSONREADER_H
