//===- Vocabulary.cpp - Tokens and their ids ------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads tables of several hundred thousand entries: element paths are only
// spelled out when something is wrong.
//
//===----------------------------------------------------------------------===//

#include "Vocabulary.h"

#include <algorithm>
#include <bit>

using namespace llmc::tokenizer;

namespace {

struct Entry {
  int32_t id;
  std::string_view token;
  size_t row;
};

} // namespace

/// What is wrong with the value of a token; empty where it is an id.
static std::string checkId(const JsonTable::Cell &value) {
  if (value.kind == JsonTable::Kind::Integer && value.integer >= 0 && value.integer < idLimit)
    return {};
  std::string found(value.text);
  if (value.isText())
    found = "\"" + found + "\"";
  else if (value.kind == JsonTable::Kind::Integer)
    found = std::to_string(value.integer);
  else if (value.kind == JsonTable::Kind::Real)
    found = "the number " + std::to_string(value.real);
  return "expected an id from 0 to " + std::to_string(idLimit - 1) + ", found " + found;
}

/// The table's entries by id. Of those with one token the last one counts, as JSON parsers
/// have it.
static std::vector<Entry> readEntries(const JsonTable &table, const JsonNode &node) {
  std::vector<Entry> entries;
  entries.reserve(table.size());
  for (size_t row = 0; row < table.size(); ++row) {
    std::string_view token = table.cell(row, 0).text;
    JsonTable::Cell value = table.cell(row, 1);
    if (std::string problem = checkId(value); !problem.empty()) {
      node.fail(problem, "['" + std::string(token) + "']");
      return {};
    }
    entries.push_back({static_cast<int32_t>(value.integer), token, row});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) {
    return a.token != b.token ? a.token < b.token : a.row > b.row;
  });
  entries.erase(std::unique(entries.begin(), entries.end(),
                            [](const Entry &a, const Entry &b) { return a.token == b.token; }),
                entries.end());
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry &a, const Entry &b) { return a.id < b.id; });
  return entries;
}

Vocabulary Vocabulary::fromObject(const JsonNode &node) {
  Vocabulary result;
  const JsonTable *table = node.table();
  if (!table || !table->isObject()) {
    node.fail("expected an object of tokens and ids");
    return result;
  }
  std::vector<Entry> entries = readEntries(*table, node);
  for (size_t i = 1; i < entries.size(); ++i)
    if (entries[i].id == entries[i - 1].id) {
      node.fail("'" + std::string(entries[i - 1].token) + "' and '" +
                std::string(entries[i].token) + "' have the same id " +
                std::to_string(entries[i].id));
      return result;
    }
  for (const Entry &entry : entries) {
    while (result.size() < static_cast<size_t>(entry.id))
      result.append({}, /*hole=*/true);
    result.append(entry.token, /*hole=*/false);
  }
  entries = {};
  node.clearTable();
  result.indexTokens();
  return result;
}

Vocabulary Vocabulary::fromList(size_t size, const std::function<std::string_view(size_t)> &token) {
  Vocabulary result;
  for (size_t id = 0; id < size; ++id)
    result.append(token(id), /*hole=*/false);
  result.indexTokens();
  return result;
}

void Vocabulary::append(std::string_view token, bool hole) {
  text += token;
  begins.push_back(static_cast<uint32_t>(text.size()));
  isHole.push_back(hole);
}

size_t Vocabulary::slotOf(std::string_view token) const {
  size_t mask = slots.size() - 1, slot = std::hash<std::string_view>()(token) & mask;
  while (slots[slot] >= 0 && spelling(slots[slot]) != token)
    slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::indexTokens() {
  text.shrink_to_fit();
  begins.shrink_to_fit();
  // A power of two, and half of it empty, so that searches are short.
  slots.assign(std::bit_ceil(2 * size() + 1), -1);
  for (size_t id = 0; id < size(); ++id)
    if (!isHole[id])
      slots[slotOf(spelling(static_cast<int32_t>(id)))] = static_cast<int32_t>(id);
}

std::optional<int32_t> Vocabulary::idOf(std::string_view token) const {
  int32_t id = slots.empty() ? -1 : slots[slotOf(token)];
  return id < 0 ? std::nullopt : std::optional(id);
}

bool Vocabulary::contains(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < size() && !isHole[id];
}

ByteTokens::ByteTokens(const Vocabulary &vocabulary) {
  static constexpr char digits[] = "0123456789ABCDEF";
  for (int byte = 0; byte < 256; ++byte) {
    std::string token = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
    ids[byte] = vocabulary.idOf(token).value_or(-1);
  }
}

bool ByteTokens::append(std::string_view bytes, std::vector<int32_t> &to) const {
  size_t before = to.size();
  for (char byte : bytes) {
    int32_t id = ids[static_cast<unsigned char>(byte)];
    if (id < 0) {
      to.resize(before);
      return false;
    }
    to.push_back(id);
  }
  return true;
}
