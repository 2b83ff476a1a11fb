//===- Pipeline.cpp - The parts of a tokenizer ----------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Puts the parts together and sends texts through them.
//
//===----------------------------------------------------------------------===//

#include "Pipeline.h"
#include "Unicode.h"

#include <algorithm>

using namespace llmc::tokenizer;

/// Fills the tables over the added tokens.
static void indexTokens(Pipeline &pipeline) {
  pipeline.numTokens = pipeline.model->vocabulary().size();
  for (const AddedToken &token : pipeline.addedTokens.all()) {
    pipeline.addedIds[token.content] = token.id;
    pipeline.addedContents[token.id] = token.content;
    pipeline.numTokens = std::max(pipeline.numTokens, static_cast<size_t>(token.id) + 1);
  }
}

std::unique_ptr<Pipeline> Pipeline::parse(const JsonNode &root) {
  auto pipeline = std::make_unique<Pipeline>();
  pipeline->normalizer = parseNormalizer(root.member("normalizer"));
  pipeline->model = parseModel(root.member("model"));
  if (root.failed())
    return pipeline;
  pipeline->addedTokens =
      AddedTokens::parse(root.member("added_tokens"), *pipeline->model, pipeline->normalizer);
  pipeline->preTokenizer = parsePreTokenizer(root.member("pre_tokenizer"));
  JsonNode post = root.member("post_processor");
  pipeline->postProcessor = parsePostProcessor(post);
  parseDecoder(root.member("decoder"), pipeline->decoder);
  if (root.failed())
    return pipeline;
  indexTokens(*pipeline);
  for (const auto *ids : {&pipeline->postProcessor.before, &pipeline->postProcessor.after})
    for (int32_t id : *ids)
      if (!pipeline->contains(id))
        post.fail("no token has the id " + std::to_string(id));
  return pipeline;
}

namespace {

/// Tokenizes pieces one after the other; a piece that was there before copies
/// its ids from the output instead of asking the model again.
class PieceEncoder {
public:
  PieceEncoder(const Model &model, std::vector<int32_t> &ids) : model(model), ids(ids) {}

  /// `piece` must stay in place as long as this object lives.
  MaybeError add(std::string_view piece) {
    size_t begin = ids.size();
    // Longer pieces hardly ever come twice.
    constexpr size_t longestRemembered = 64;
    bool remembers = piece.size() <= longestRemembered;
    if (auto found = remembers ? seen.find(piece) : seen.end(); found != seen.end()) {
      auto [from, count] = found->second;
      ids.resize(begin + count);
      std::copy_n(ids.begin() + from, count, ids.begin() + begin);
      return std::nullopt;
    }
    if (MaybeError problem = model.tokenize(piece, ids))
      return problem;
    if (remembers)
      seen.emplace(piece, std::pair(begin, ids.size() - begin));
    return std::nullopt;
  }

private:
  const Model &model;
  std::vector<int32_t> &ids;
  /// For each piece: where its ids begin in `ids`, and how many they are.
  std::unordered_map<std::string_view, std::pair<size_t, size_t>> seen;
};

} // namespace

Expected<std::vector<int32_t>> Pipeline::encode(std::string_view text,
                                                bool addSpecialTokens) const {
  std::vector<Segment> segments;
  if (MaybeError problem = addedTokens.split(toValidUtf8(text), normalizer, segments))
    return *problem;
  std::vector<int32_t> ids;
  if (addSpecialTokens)
    ids = postProcessor.before;
  // All pieces stay until the end: the encoder refers to their text.
  std::vector<std::vector<Piece>> pieces(segments.size());
  PieceEncoder encoder(*model, ids);
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].id >= 0) {
      ids.push_back(segments[i].id);
      continue;
    }
    pieces[i].push_back(std::move(segments[i].piece));
    if (MaybeError problem = preTokenizer(pieces[i]))
      return *problem;
    for (const Piece &piece : pieces[i])
      if (!piece.text.empty())
        if (MaybeError problem = encoder.add(piece.text))
          return *problem;
  }
  if (addSpecialTokens)
    ids.insert(ids.end(), postProcessor.after.begin(), postProcessor.after.end());
  return ids;
}

std::optional<int32_t> Pipeline::idOf(std::string_view token) const {
  if (auto found = addedIds.find(token); found != addedIds.end())
    return found->second;
  return model->vocabulary().idOf(token);
}
