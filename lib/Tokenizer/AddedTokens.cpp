//===- AddedTokens.cpp - Tokens that are found before the model -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Matching is leftmost, then longest, as in Hugging Face's automaton.
//
//===----------------------------------------------------------------------===//

#include "AddedTokens.h"
#include "Unicode.h"

#include <deque>
#include <unordered_map>

using namespace llmc::tokenizer;

AddedTokens AddedTokens::parse(const JsonNode &node, const Model &model,
                               const Normalizer &normalizer) {
  AddedTokens result;
  if (!node.present())
    return result;
  std::unordered_map<int32_t, std::string> contentOfId;
  std::unordered_map<std::string, int32_t> idOfContent;
  std::vector<PrefixTable::Entry> raw, normalized;
  std::deque<std::string> patterns; // what the entries look at
  for (const JsonNode &entry : node.elements()) {
    AddedToken token;
    token.content = entry.requiredString("content");
    token.id = entry.member("id").asId();
    token.takesLeft = entry.boolOr("lstrip", false);
    token.takesRight = entry.boolOr("rstrip", false);
    token.singleWord = entry.boolOr("single_word", false);
    token.special = entry.boolOr("special", false);
    token.normalized = entry.boolOr("normalized", !token.special);
    if (token.id >= idLimit)
      entry.fail("the id exceeds " + std::to_string(idLimit - 1));
    if (contentOfId.emplace(token.id, token.content).first->second != token.content ||
        idOfContent.emplace(token.content, token.id).first->second != token.id)
      entry.fail("'" + token.content + "' or its id " + std::to_string(token.id) +
                 " is given twice");
    const Vocabulary &words = model.vocabulary();
    if (words.contains(token.id) && words.tokenOf(token.id) != token.content)
      entry.fail("'" + token.content + "' has the id " + std::to_string(token.id) +
                 " of the model's token '" + std::string(words.tokenOf(token.id)) + "'");
    std::optional<int32_t> modelId = words.idOf(token.content);
    if (modelId && *modelId != token.id && !words.contains(token.id))
      entry.fail("'" + token.content + "' has the id " + std::to_string(token.id) +
                 ", but the model gives it " + std::to_string(*modelId));
    if (entry.failed())
      return result;

    std::string &pattern = patterns.emplace_back(token.content);
    if (token.normalized)
      if (MaybeError problem = normalizer(pattern))
        entry.fail(problem->message);
    (token.normalized ? normalized : raw)
        .push_back({pattern, static_cast<int32_t>(result.tokens.size())});
    if (token.special)
      result.specialIds.insert(token.id);
    result.tokens.push_back(std::move(token));
  }
  result.inText = PrefixTable(std::move(raw));
  result.inNormalized = PrefixTable(std::move(normalized));
  return result;
}

MaybeError AddedTokens::split(std::string_view text, const Normalizer &normalizer,
                              std::vector<Segment> &segments) const {
  std::vector<Segment> rough;
  cut({std::string(text), /*atStart=*/true}, inText, rough);
  for (Segment &segment : rough) {
    if (segment.id >= 0) {
      segments.push_back(std::move(segment));
      continue;
    }
    if (MaybeError problem = normalizer(segment.piece.text))
      return problem;
    cut(segment.piece, inNormalized, segments);
  }
  return std::nullopt;
}

/// Whether a character of a word stands right before or right after a match.
static bool touchesWord(std::string_view text, size_t begin, size_t end) {
  if (end < text.size())
    if (size_t position = end; isWordCharacter(nextCharacter(text, position)))
      return true;
  if (begin == 0)
    return false;
  do
    --begin;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80);
  return isWordCharacter(nextCharacter(text, begin));
}

static size_t withSpaceBefore(std::string_view text, size_t begin, size_t limit) {
  while (begin > limit) {
    size_t previous = begin - 1;
    while (previous > limit && (static_cast<unsigned char>(text[previous]) & 0xC0) == 0x80)
      --previous;
    if (size_t position = previous; !isWhitespace(nextCharacter(text, position)))
      break;
    begin = previous;
  }
  return begin;
}

static size_t withSpaceAfter(std::string_view text, size_t end) {
  for (size_t position = end; position < text.size(); end = position)
    if (!isWhitespace(nextCharacter(text, position)))
      break;
  return end;
}

void AddedTokens::cut(const Piece &piece, const PrefixTable &table,
                      std::vector<Segment> &segments) const {
  std::string_view text = piece.text;
  size_t done = 0; // everything before it is in `segments`
  auto addText = [&](size_t end) {
    if (end > done)
      segments.push_back(
          {-1, {std::string(text.substr(done, end - done)), piece.atStart && done == 0}});
  };
  for (size_t at = 0; at < text.size() && !table.empty();) {
    size_t length = 0;
    int32_t index = -1;
    table.forEachPrefix(text.substr(at), [&](size_t size, int32_t value) {
      length = size;
      index = value;
    });
    if (index < 0) {
      ++at;
      continue;
    }
    const AddedToken &token = tokens[index];
    size_t begin = at, end = at + length;
    at = end;
    if (token.singleWord && touchesWord(text, begin, end))
      continue;
    if (token.takesLeft)
      begin = withSpaceBefore(text, begin, done);
    if (token.takesRight)
      at = end = withSpaceAfter(text, end);
    addText(begin);
    segments.push_back({token.id, {}});
    done = end;
  }
  addText(text.size());
}
