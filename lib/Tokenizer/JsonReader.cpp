//===- JsonReader.cpp - Parsing JSON files --------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only file that lets the JSON parser throw; its exceptions end here.
//
//===----------------------------------------------------------------------===//

#include "JsonReader.h"

#include <array>
#include <limits>

using namespace llmc::tokenizer;
using Json = nlohmann::json;

namespace {

/// The stream's bytes through a buffer, as an input iterator.
class Bytes {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char *;
  using reference = const char &;

  struct Buffer {
    std::istream &stream;
    std::array<char, 1 << 16> bytes;
    size_t next = 0, end = 0;

    void fill() {
      stream.read(bytes.data(), bytes.size());
      next = 0;
      end = static_cast<size_t>(stream.gcount());
    }
  };

  explicit Bytes(Buffer *buffer) : buffer(buffer) {}

  reference operator*() const { return buffer->bytes[buffer->next]; }
  Bytes &operator++() {
    if (++buffer->next == buffer->end)
      buffer->fill();
    return *this;
  }
  Bytes operator++(int) = delete; // the buffer moves on with all copies
  bool operator==(const Bytes &other) const { return isAtEnd() == other.isAtEnd(); }
  bool operator!=(const Bytes &other) const { return !(*this == other); }

private:
  bool isAtEnd() const { return !buffer || buffer->end == 0; }
  Buffer *buffer; ///< null: the end
};

/// Builds the document from the parser's events.
class Handler {
public:
  explicit Handler(ParsedJson &result) : result(result) {}

  std::string problem;

  bool null() {
    if (table)
      return other("null");
    return add(Json());
  }
  bool boolean(bool value) {
    if (table)
      return other(value ? "true" : "false");
    return add(value);
  }
  bool number_integer(int64_t value) {
    if (!table)
      return add(value);
    if (beginCell())
      table->addInteger(value);
    return true;
  }
  bool number_unsigned(uint64_t value) {
    constexpr uint64_t most = std::numeric_limits<int64_t>::max();
    return table ? number_integer(static_cast<int64_t>(std::min(value, most))) : add(value);
  }
  bool number_float(double value, const std::string &) {
    if (!table)
      return add(value);
    if (beginCell())
      table->addReal(value);
    return true;
  }
  bool string(std::string &value) {
    if (!table)
      return add(std::move(value));
    if (beginCell())
      table->addText(value);
    return checkTable();
  }
  bool binary(Json::binary_t &) { return false; } // no text has one

  bool start_object(size_t) {
    if (table)
      return skipInTable("an object");
    return beginsTable() ? openTable(/*isObject=*/true) : open(Json::object());
  }
  bool start_array(size_t) {
    if (!table)
      return beginsTable() ? openTable(/*isObject=*/false) : open(Json::array());
    if (skipDepth > 0 || inList || table->isObject())
      return skipInTable("an array");
    table->addRow(/*isList=*/true);
    inList = true;
    return true;
  }
  bool key(std::string &name) {
    if (!table || skipDepth == 0)
      names.back() = std::move(name);
    return true;
  }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool parse_error(size_t, const std::string &, const Json::exception &error) {
    problem = error.what();
    return false;
  }

private:
  bool beginsTable() const {
    return names.size() == 2 && names[0] == "model" &&
           (names[1] == "vocab" || names[1] == "merges");
  }

  Json *place(Json value) {
    if (containers.empty()) {
      result.root = std::move(value);
      return &result.root;
    }
    Json &container = *containers.back();
    if (container.is_array()) {
      container.push_back(std::move(value));
      return &container.back();
    }
    return &(container[names.back()] = std::move(value));
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    containers.push_back(place(std::move(value)));
    names.emplace_back();
    return true;
  }
  bool openTable(bool isObject) {
    place(Json::binary(Json::binary_t::container_type(), result.tables.size()));
    table = &result.tables.emplace_back(isObject);
    names.emplace_back();
    return true;
  }
  bool close() {
    if (skipDepth > 0) {
      --skipDepth;
    } else if (inList) {
      inList = false;
    } else {
      names.pop_back();
      if (table)
        table = nullptr;
      else
        containers.pop_back();
    }
    return true;
  }

  /// Whether the value that comes is a cell of the table, whose row is there then.
  bool beginCell() {
    if (skipDepth > 0)
      return false;
    if (!inList)
      table->addRow(/*isList=*/false);
    if (table->isObject())
      table->addText(names.back());
    return true;
  }
  bool other(const char *what) {
    if (beginCell())
      table->addOther(what);
    return true;
  }
  bool skipInTable(const char *what) {
    other(what);
    ++skipDepth;
    return true;
  }
  bool checkTable() {
    if (!table->fits())
      problem = "a table exceeds 4 GiB";
    return problem.empty();
  }

  ParsedJson &result;
  std::vector<Json *> containers;
  std::vector<std::string> names; ///< of the member that is read, per open value
  JsonTable *table = nullptr;     ///< that the events belong to
  bool inList = false;            ///< in an array that is an element of the table
  size_t skipDepth = 0;           ///< values deeper than that
};

} // namespace

Expected<ParsedJson> llmc::tokenizer::parseJson(std::istream &stream) {
  ParsedJson result;
  Handler handler(result);
  auto buffer = std::make_unique<Bytes::Buffer>(stream);
  buffer->fill();
  try {
    if (Json::sax_parse(Bytes(buffer.get()), Bytes(nullptr), &handler))
      return result;
  } catch (const std::exception &error) {
    return Error{error.what()};
  }
  return Error{handler.problem};
}
