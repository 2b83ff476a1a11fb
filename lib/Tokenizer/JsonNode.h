//===- JsonNode.h - Checked reading of JSON files ---------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A view of one JSON value that knows its file and path. A wrong type does not
// stop the reader: the first mistake is recorded and a harmless default is
// returned, so loaders read straight through and check once at their end.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_JSONNODE_H
#define LLMC_LIB_TOKENIZER_JSONNODE_H

#include "JsonTable.h"
#include "llmc/Tokenizer/Expected.h"

#include <cstdint>
#include <istream>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::tokenizer {

/// One value of a document, or the place where it would be. The document must
/// outlive it.
class JsonNode {
public:
  /// False for a missing value and for null.
  bool present() const { return value != nullptr; }
  bool isString() const;
  bool isArray() const;
  bool isObject() const;

  /// A member of this object; not present where it is missing or null.
  JsonNode member(std::string_view key) const;

  /// The elements of this array, which is no table; an error and empty where it is none.
  std::vector<JsonNode> elements() const;

  /// The value itself, required to have that type.
  std::string asString() const;
  int32_t asId() const;

  /// Members, required ...
  std::string requiredString(std::string_view key) const;
  /// ... or with a default for a missing one; never for a wrong type.
  std::string stringOr(std::string_view key, std::string_view fallback) const;
  bool boolOr(std::string_view key, bool fallback) const;
  double numberOr(std::string_view key, double fallback) const;
  /// A whole number from 0 to `limit`.
  int64_t countOr(std::string_view key, int64_t fallback, int64_t limit) const;

  /// The rows of a large array or object; null where this is none (see JsonReader.h).
  const JsonTable *table() const;
  /// Gives back the rows' memory when the reader needs them no more.
  void clearTable() const;

  /// Records a mistake at this place, or at `below` under it ("[3]").
  void fail(std::string_view message, std::string_view below = {}) const;

  /// True after any mistake in the document.
  bool failed() const;

private:
  friend class JsonDocument;
  /// What all nodes of a document share.
  struct Shared {
    std::string file;
    MaybeError firstMistake;
    std::vector<JsonTable> tables;
  };
  JsonNode(const nlohmann::json *value, Shared *shared, std::string path);
  /// "object", "array", ..; "nothing" where there is no value.
  const char *typeName() const;

  const nlohmann::json *value;
  Shared *shared;
  std::string path;
};

/// A parsed file and the first mistake that its readers found.
class JsonDocument {
public:
  /// `file` only names the document in messages.
  static Expected<std::unique_ptr<JsonDocument>> parse(std::istream &text, std::string file);
  /// Null where the file does not exist.
  static Expected<std::unique_ptr<JsonDocument>> readIfPresent(const std::string &path);

  ~JsonDocument();

  JsonNode root() const;
  const MaybeError &firstMistake() const { return shared->firstMistake; }

private:
  JsonDocument();

  std::unique_ptr<nlohmann::json> value;
  std::unique_ptr<JsonNode::Shared> shared;
};

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_JSONNODE_H
