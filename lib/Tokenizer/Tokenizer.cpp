//===- Tokenizer.cpp - The public face of the library ---------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loading, and the functions of Tokenizer and StreamDecoder over Pipeline.
//
//===----------------------------------------------------------------------===//

#include "llmc/Tokenizer/Tokenizer.h"
#include "Pipeline.h"

#include <algorithm>
#include <sstream>

using namespace llmc::tokenizer;

Tokenizer::Tokenizer(std::unique_ptr<Pipeline> pipeline) : pipeline(std::move(pipeline)) {}
Tokenizer::~Tokenizer() = default;

static Expected<std::unique_ptr<Pipeline>> readPipeline(const JsonDocument &document) {
  std::unique_ptr<Pipeline> pipeline = Pipeline::parse(document.root());
  if (const MaybeError &mistake = document.firstMistake())
    return *mistake;
  return pipeline;
}

Expected<std::unique_ptr<Tokenizer>> Tokenizer::loadFromJson(std::string_view text) {
  std::istringstream stream{std::string(text)};
  auto document = JsonDocument::parse(stream, "tokenizer.json");
  if (!document)
    return document.error();
  auto pipeline = readPipeline(**document);
  if (!pipeline)
    return pipeline.error();
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(*pipeline)));
}

Expected<std::unique_ptr<Tokenizer>> Tokenizer::loadFromDirectory(const std::string &directory) {
  std::string path = directory + "/tokenizer.json";
  auto document = JsonDocument::readIfPresent(path);
  if (!document)
    return document.error();
  if (!*document)
    return Error{path + ": no such file"};
  auto pipeline = readPipeline(**document);
  if (!pipeline)
    return pipeline.error();
  const Pipeline &parts = **pipeline;
  auto special =
      readSpecialIds(directory, [&](std::string_view token) { return parts.idOf(token); });
  if (!special)
    return special.error();
  (*pipeline)->specialIds = std::move(*special);
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(*pipeline)));
}

Expected<std::vector<int32_t>> Tokenizer::encode(std::string_view text,
                                                 bool addSpecialTokens) const {
  return pipeline->encode(text, addSpecialTokens);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skipSpecial) const {
  StreamDecoder decoder(*this, skipSpecial);
  std::string text;
  for (int32_t id : ids)
    text += decoder.push(id);
  text += decoder.finish();
  return text;
}

std::optional<int32_t> Tokenizer::bosId() const { return pipeline->specialIds.bos; }

const std::vector<int32_t> &Tokenizer::eosIds() const { return pipeline->specialIds.eos; }

bool Tokenizer::isEos(int32_t id) const {
  return std::binary_search(eosIds().begin(), eosIds().end(), id);
}

size_t Tokenizer::vocabSize() const { return pipeline->numTokens; }

std::optional<int32_t> Tokenizer::tokenToId(std::string_view token) const {
  return pipeline->idOf(token);
}

std::string_view Tokenizer::idToToken(int32_t id) const { return pipeline->tokenOf(id); }

StreamDecoder::StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial)
    : tokenizer(&tokenizer), skipSpecial(skipSpecial),
      chain(std::make_unique<DecodeChain>(tokenizer.pipeline->decoder)) {}
StreamDecoder::~StreamDecoder() = default;
StreamDecoder::StreamDecoder(StreamDecoder &&) noexcept = default;
StreamDecoder &StreamDecoder::operator=(StreamDecoder &&) noexcept = default;

std::string_view StreamDecoder::push(int32_t id) {
  const Pipeline &pipeline = *tokenizer->pipeline;
  bool skipped = skipSpecial && pipeline.addedTokens.isSpecial(id);
  if (skipped || !pipeline.contains(id))
    return {};
  chain->push(pipeline.tokenOf(id));
  return chain->settled();
}

std::string_view StreamDecoder::finish() {
  chain->finish();
  return chain->settled();
}
