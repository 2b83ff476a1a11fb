//===- JsonNode.cpp - Checked reading of JSON files -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Members and checks; JsonReader.cpp parses.
//
//===----------------------------------------------------------------------===//

#include "JsonNode.h"
#include "JsonReader.h"

#include <cassert>
#include <cmath>
#include <filesystem>
#include <fstream>

using namespace llmc::tokenizer;
using Json = nlohmann::json;

JsonNode::JsonNode(const Json *value, Shared *shared, std::string path)
    : value(value && !value->is_null() ? value : nullptr), shared(shared), path(std::move(path)) {}

bool JsonNode::isString() const { return value && value->is_string(); }
bool JsonNode::isArray() const {
  return table() ? !table()->isObject() : value && value->is_array();
}
bool JsonNode::isObject() const {
  return table() ? table()->isObject() : value && value->is_object();
}
const JsonTable *JsonNode::table() const {
  return value && value->is_binary() ? &shared->tables[value->get_binary().subtype()] : nullptr;
}

void JsonNode::clearTable() const {
  if (table())
    shared->tables[value->get_binary().subtype()] = JsonTable(table()->isObject());
}

const char *JsonNode::typeName() const {
  if (table())
    return table()->isObject() ? "object" : "array";
  return value ? value->type_name() : "nothing";
}

bool JsonNode::failed() const { return shared->firstMistake.has_value(); }

void JsonNode::fail(std::string_view message, std::string_view below) const {
  if (shared->firstMistake)
    return;
  std::string text = shared->file + ": ";
  if (std::string place = path + std::string(below); !place.empty())
    text += place + ": ";
  shared->firstMistake = Error{text + std::string(message)};
}

JsonNode JsonNode::member(std::string_view key) const {
  std::string below = path.empty() ? std::string(key) : path + "." + std::string(key);
  if (!value)
    return JsonNode(nullptr, shared, std::move(below));
  if (!value->is_object()) {
    fail(std::string("expected an object, found ") + typeName());
    return JsonNode(nullptr, shared, std::move(below));
  }
  auto found = value->find(std::string(key));
  return JsonNode(found == value->end() ? nullptr : &*found, shared, std::move(below));
}

std::vector<JsonNode> JsonNode::elements() const {
  assert(!table() && "a table has rows");
  std::vector<JsonNode> result;
  if (!isArray()) {
    fail(std::string("expected an array, found ") + typeName());
    return result;
  }
  result.reserve(value->size());
  for (size_t i = 0; i < value->size(); ++i)
    result.push_back(JsonNode(&(*value)[i], shared, path + "[" + std::to_string(i) + "]"));
  return result;
}

std::string JsonNode::asString() const {
  if (isString())
    return value->get_ref<const std::string &>();
  fail(std::string("expected a string, found ") + typeName());
  return {};
}

int32_t JsonNode::asId() const {
  if (value && value->is_number_integer()) {
    // Negative numbers are stored signed, others may be unsigned 64 bit.
    if (!value->is_number_unsigned() && value->get<int64_t>() < 0) {
      fail("expected a token id, found a negative number");
      return 0;
    }
    if (value->get<uint64_t>() <= INT32_MAX)
      return value->get<int32_t>();
    fail("expected a token id, found a number that exceeds 31 bits");
    return 0;
  }
  fail(std::string("expected a token id, found ") + typeName());
  return 0;
}

std::string JsonNode::requiredString(std::string_view key) const { return member(key).asString(); }

std::string JsonNode::stringOr(std::string_view key, std::string_view fallback) const {
  JsonNode found = member(key);
  return found.present() ? found.asString() : std::string(fallback);
}

bool JsonNode::boolOr(std::string_view key, bool fallback) const {
  JsonNode found = member(key);
  if (!found.present())
    return fallback;
  if (found.value->is_boolean())
    return found.value->get<bool>();
  found.fail(std::string("expected true or false, found ") + found.typeName());
  return fallback;
}

double JsonNode::numberOr(std::string_view key, double fallback) const {
  JsonNode found = member(key);
  if (!found.present())
    return fallback;
  if (found.value->is_number())
    return found.value->get<double>();
  found.fail(std::string("expected a number, found ") + found.typeName());
  return fallback;
}

int64_t JsonNode::countOr(std::string_view key, int64_t fallback, int64_t limit) const {
  double number = numberOr(key, static_cast<double>(fallback));
  if (number >= 0 && number <= static_cast<double>(limit) && std::floor(number) == number)
    return static_cast<int64_t>(number);
  member(key).fail("expected a whole number from 0 to " + std::to_string(limit));
  return fallback;
}

JsonDocument::JsonDocument() = default;
JsonDocument::~JsonDocument() = default;

JsonNode JsonDocument::root() const { return JsonNode(value.get(), shared.get(), ""); }

Expected<std::unique_ptr<JsonDocument>> JsonDocument::parse(std::istream &text, std::string file) {
  auto parsed = parseJson(text);
  if (!parsed)
    return Error{file + ": not valid JSON: " + parsed.error().message};
  if (!parsed->root.is_object())
    return Error{file + ": expected an object, found " + parsed->root.type_name()};
  std::unique_ptr<JsonDocument> document(new JsonDocument());
  document->value = std::make_unique<Json>(std::move(parsed->root));
  document->shared = std::make_unique<JsonNode::Shared>();
  document->shared->file = std::move(file);
  document->shared->tables = std::move(parsed->tables);
  return document;
}

Expected<std::unique_ptr<JsonDocument>> JsonDocument::readIfPresent(const std::string &path) {
  std::error_code code;
  auto status = std::filesystem::status(path, code);
  if (status.type() == std::filesystem::file_type::not_found)
    return std::unique_ptr<JsonDocument>();
  std::ifstream stream(path, std::ios::binary);
  if (!stream || std::filesystem::is_directory(status))
    return Error{path + ": cannot read the file"};
  auto document = parse(stream, path);
  if (stream.bad())
    return Error{path + ": cannot read the file"};
  return document;
}
