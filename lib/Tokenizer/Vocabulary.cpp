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
#include <nlohmann/json.hpp>

using namespace llmc::tokenizer;

Vocabulary Vocabulary::fromObject(const JsonNode &node) {
  Vocabulary result;
  if (!node.isObject()) {
    node.fail("expected an object of tokens and ids");
    return result;
  }
  std::vector<std::pair<int32_t, const std::string *>> entries;
  entries.reserve(node.raw()->size());
  for (auto it = node.raw()->begin(); it != node.raw()->end(); ++it) {
    bool valid = it->is_number_integer() && it->get<int64_t>() >= 0 && it->get<int64_t>() < idLimit;
    if (!valid) {
      node.fail("expected an id from 0 to " + std::to_string(idLimit - 1) + ", found " +
                    it->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                "['" + it.key() + "']");
      return result;
    }
    entries.emplace_back(it->get<int32_t>(), &it.key());
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto &a, const auto &b) { return a.first < b.first; });
  for (size_t i = 1; i < entries.size(); ++i)
    if (entries[i].first == entries[i - 1].first) {
      node.fail("'" + *entries[i - 1].second + "' and '" + *entries[i].second +
                "' have the same id " + std::to_string(entries[i].first));
      return result;
    }
  size_t size = entries.empty() ? 0 : entries.back().first + 1;
  result.tokens.resize(size);
  result.isHole.assign(size, true);
  for (auto [id, token] : entries) {
    result.tokens[id] = *token;
    result.isHole[id] = false;
  }
  result.indexTokens();
  return result;
}

Vocabulary Vocabulary::fromList(std::vector<std::string> tokens) {
  Vocabulary result;
  result.isHole.assign(tokens.size(), false);
  result.tokens = std::move(tokens);
  result.indexTokens();
  return result;
}

void Vocabulary::indexTokens() {
  ids.reserve(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id)
    if (!isHole[id])
      ids[tokens[id]] = static_cast<int32_t>(id);
}

std::optional<int32_t> Vocabulary::idOf(std::string_view token) const {
  auto found = ids.find(token);
  if (found == ids.end())
    return std::nullopt;
  return found->second;
}

bool Vocabulary::contains(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < tokens.size() && !isHole[id];
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
