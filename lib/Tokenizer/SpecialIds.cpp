//===- SpecialIds.cpp - Where a text begins and ends ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two of the files spell tokens, two give ids.
//
//===----------------------------------------------------------------------===//

#include "SpecialIds.h"
#include "JsonNode.h"

#include <algorithm>

using namespace llmc::tokenizer;

using TokenLookup = std::function<std::optional<int32_t>(std::string_view)>;

/// "bos_token": "<s>" or {"content": "<s>", ..}.
static std::optional<int32_t> namedToken(const JsonNode &node, const TokenLookup &idOf) {
  if (!node.present())
    return std::nullopt;
  std::string token = node.isString() ? node.asString() : node.requiredString("content");
  std::optional<int32_t> id = idOf(token);
  if (!id)
    node.fail("'" + token + "' is not in the vocabulary");
  return id;
}

static void readNames(const JsonNode &root, const TokenLookup &idOf, SpecialIds &ids) {
  std::optional<int32_t> bos = namedToken(root.member("bos_token"), idOf);
  if (!ids.bos)
    ids.bos = bos;
  if (auto eos = namedToken(root.member("eos_token"), idOf))
    ids.eos.push_back(*eos);
}

static void readNumbers(const JsonNode &root, SpecialIds &ids) {
  JsonNode bos = root.member("bos_token_id");
  if (bos.present() && !ids.bos)
    ids.bos = bos.asId();
  JsonNode eos = root.member("eos_token_id");
  if (eos.isArray())
    for (const JsonNode &id : eos.elements())
      ids.eos.push_back(id.asId());
  else if (eos.present())
    ids.eos.push_back(eos.asId());
}

Expected<SpecialIds> llmc::tokenizer::readSpecialIds(const std::string &directory,
                                                     const TokenLookup &idOf) {
  SpecialIds ids;
  for (std::string_view name : {"tokenizer_config.json", "special_tokens_map.json",
                                "generation_config.json", "genai_config.json"}) {
    auto file = JsonDocument::readIfPresent(directory + "/" + std::string(name));
    if (!file)
      return file.error();
    if (!*file)
      continue;
    JsonNode root = (*file)->root();
    if (name == "generation_config.json")
      readNumbers(root, ids);
    else if (name == "genai_config.json")
      readNumbers(root.member("model"), ids);
    else
      readNames(root, idOf, ids);
    if (const MaybeError &mistake = (*file)->firstMistake())
      return *mistake;
  }
  std::sort(ids.eos.begin(), ids.eos.end());
  ids.eos.erase(std::unique(ids.eos.begin(), ids.eos.end()), ids.eos.end());
  return ids;
}
