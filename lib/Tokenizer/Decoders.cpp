//===- Decoders.cpp - The decoder of a tokenizer.json ---------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table of decoder types and the rewrites of single tokens.
//
//===----------------------------------------------------------------------===//

#include "Decoders.h"
#include "Normalizers.h"
#include "Pattern.h"

using namespace llmc::tokenizer;

/// In place; an empty string is nowhere.
static void replaceLiteral(std::string &text, std::string_view from, std::string_view to) {
  if (from.empty())
    return;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

static StageFactory parseReplace(const JsonNode &node) {
  std::string content = node.requiredString("content");
  if (std::optional<std::string> literal = parseLiteral(node))
    return rewriteStage([literal = *literal, content](std::string &token, size_t) {
      replaceLiteral(token, literal, content);
    });
  return rewriteStage([pattern = parsePattern(node), content](std::string &token, size_t) {
    // An expression past its match limit leaves the token as it is.
    (void)replaceAll(token, pattern, content);
  });
}

static StageFactory parseMetaspace(const JsonNode &node) {
  std::string mark = node.stringOr("replacement", "\xE2\x96\x81");
  bool prepends =
      node.boolOr("add_prefix_space", true) && node.stringOr("prepend_scheme", "always") != "never";
  if (mark.empty())
    node.member("replacement").fail("expected one character");
  return rewriteStage([mark, prepends](std::string &token, size_t index) {
    replaceLiteral(token, mark, index == 0 && prepends ? "" : " ");
  });
}

static StageFactory parseStrip(const JsonNode &node) {
  std::string character = node.requiredString("content");
  int64_t start = node.countOr("start", 0, INT32_MAX);
  int64_t stop = node.countOr("stop", 0, INT32_MAX);
  if (character.empty())
    node.fail("expected one character to strip");
  return stripStage(std::move(character), static_cast<size_t>(start), static_cast<size_t>(stop));
}

/// Takes back the spaces that WordPiece sets around English punctuation.
static void cleanUp(std::string &token) {
  static constexpr std::pair<std::string_view, std::string_view> fixes[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (auto [from, to] : fixes)
    replaceLiteral(token, from, to);
}

static StageFactory parseWordPiece(const JsonNode &node) {
  std::string prefix = node.stringOr("prefix", "##");
  bool cleansUp = node.boolOr("cleanup", true);
  return rewriteStage([prefix, cleansUp](std::string &token, size_t index) {
    if (index > 0) {
      if (token.starts_with(prefix))
        token.erase(0, prefix.size());
      else
        token.insert(0, " ");
    }
    if (cleansUp)
      cleanUp(token);
  });
}

void llmc::tokenizer::parseDecoder(const JsonNode &node, std::vector<StageFactory> &stages,
                                   int depth) {
  if (!node.present()) {
    stages.push_back(rewriteStage([](std::string &token, size_t index) {
      if (index > 0)
        token.insert(0, " ");
    }));
    return;
  }
  std::string type = node.requiredString("type");
  if (type == "Sequence") {
    if (depth >= maxSequenceDepth)
      return node.fail("sequences are nested too deeply");
    for (const JsonNode &step : node.member("decoders").elements())
      if (step.present())
        parseDecoder(step, stages, depth + 1);
      else
        step.fail("expected a decoder");
  } else if (type == "ByteLevel")
    stages.push_back(byteLevelStage());
  else if (type == "ByteFallback")
    stages.push_back(byteFallbackStage());
  else if (type == "Fuse")
    stages.push_back(fuseStage());
  else if (type == "Strip")
    stages.push_back(parseStrip(node));
  else if (type == "Replace")
    stages.push_back(parseReplace(node));
  else if (type == "Metaspace")
    stages.push_back(parseMetaspace(node));
  else if (type == "BPEDecoder")
    stages.push_back(suffixStage(node.stringOr("suffix", "</w>")));
  else if (type == "WordPiece")
    stages.push_back(parseWordPiece(node));
  else
    node.fail("unknown decoder '" + type + "'");
}

struct DecodeChain::Output : DecodeStage {
  Output() { collected.reserve(kReservedBytes); }
  void text(std::string_view fragment) override { collected += fragment; }
  void endToken() override {}
  void finish() override {}
  std::string collected;
};

DecodeChain::DecodeChain(const std::vector<StageFactory> &factories) {
  auto sink = std::make_unique<Output>();
  output = sink.get();
  stages.push_back(std::move(sink));
  for (auto factory = factories.rbegin(); factory != factories.rend(); ++factory)
    stages.push_back((*factory)(*stages.back()));
}

void DecodeChain::push(std::string_view token) {
  output->collected.clear();
  stages.back()->text(token);
  stages.back()->endToken();
}

void DecodeChain::finish() {
  output->collected.clear();
  stages.back()->finish();
}

std::string_view DecodeChain::settled() const { return output->collected; }
