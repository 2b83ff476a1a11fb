//===- JsonNode.cpp - Checked reading of JSON files -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only file that lets the JSON parser throw; its exceptions end here.
//
//===----------------------------------------------------------------------===//

#include "JsonNode.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

using namespace llmc::tokenizer;
using Json = nlohmann::json;

JsonNode::JsonNode(const Json *value, Mistakes *mistakes, std::string path)
    : value(value && !value->is_null() ? value : nullptr), mistakes(mistakes),
      path(std::move(path)) {}

bool JsonNode::isString() const { return value && value->is_string(); }
bool JsonNode::isArray() const { return value && value->is_array(); }
bool JsonNode::isObject() const { return value && value->is_object(); }
bool JsonNode::failed() const { return mistakes->first.has_value(); }

void JsonNode::fail(std::string_view message, std::string_view below) const {
  if (mistakes->first)
    return;
  std::string text = mistakes->file + ": ";
  if (std::string place = path + std::string(below); !place.empty())
    text += place + ": ";
  mistakes->first = Error{text + std::string(message)};
}

JsonNode JsonNode::member(std::string_view key) const {
  std::string below = path.empty() ? std::string(key) : path + "." + std::string(key);
  if (!value)
    return JsonNode(nullptr, mistakes, std::move(below));
  if (!value->is_object()) {
    fail(std::string("expected an object, found ") + value->type_name());
    return JsonNode(nullptr, mistakes, std::move(below));
  }
  auto found = value->find(std::string(key));
  return JsonNode(found == value->end() ? nullptr : &*found, mistakes, std::move(below));
}

std::vector<JsonNode> JsonNode::elements() const {
  std::vector<JsonNode> result;
  if (!isArray()) {
    fail(std::string("expected an array, found ") + (value ? value->type_name() : "nothing"));
    return result;
  }
  result.reserve(value->size());
  for (size_t i = 0; i < value->size(); ++i)
    result.push_back(JsonNode(&(*value)[i], mistakes, path + "[" + std::to_string(i) + "]"));
  return result;
}

std::string JsonNode::asString() const {
  if (isString())
    return value->get_ref<const std::string &>();
  fail(std::string("expected a string, found ") + (value ? value->type_name() : "nothing"));
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
  fail(std::string("expected a token id, found ") + (value ? value->type_name() : "nothing"));
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
  found.fail(std::string("expected true or false, found ") + found.value->type_name());
  return fallback;
}

double JsonNode::numberOr(std::string_view key, double fallback) const {
  JsonNode found = member(key);
  if (!found.present())
    return fallback;
  if (found.value->is_number())
    return found.value->get<double>();
  found.fail(std::string("expected a number, found ") + found.value->type_name());
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

JsonNode JsonDocument::root() const { return JsonNode(value.get(), mistakes.get(), ""); }

Expected<std::unique_ptr<JsonDocument>> JsonDocument::parse(std::string_view text,
                                                            std::string file) {
  std::unique_ptr<JsonDocument> document(new JsonDocument());
  document->mistakes = std::make_unique<JsonNode::Mistakes>();
  document->mistakes->file = file;
  try {
    document->value = std::make_unique<Json>(Json::parse(text.begin(), text.end()));
  } catch (const std::exception &problem) {
    return Error{file + ": not valid JSON: " + problem.what()};
  }
  if (!document->value->is_object())
    return Error{file + ": expected an object, found " + document->value->type_name()};
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
  std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (stream.bad())
    return Error{path + ": cannot read the file"};
  return parse(text, path);
}
