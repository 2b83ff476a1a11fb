//===- Unigram.cpp - The likeliest segmentation ---------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// SentencePiece's unigram model: each token has a log probability, and the best
// path over all segmentations is found left to right (Viterbi).
//
//===----------------------------------------------------------------------===//

#include "Model.h"
#include "PrefixTable.h"
#include "Unicode.h"

#include <algorithm>
#include <limits>

using namespace llmc::tokenizer;

namespace {

/// An unknown character scores this much below the worst token
/// (SentencePiece's constant).
constexpr double unknownPenalty = 10.0;

class UnigramModel : public Model {
public:
  /// `rows` has a row [token, score] per id.
  UnigramModel(const JsonTable &rows, const JsonNode &node)
      : Model(
            Vocabulary::fromList(rows.size(), [&](size_t row) { return rows.cell(row, 0).text; })) {
    scores.reserve(rows.size());
    std::vector<PrefixTable::Entry> entries;
    entries.reserve(rows.size());
    for (size_t row = 0; row < rows.size(); ++row) {
      scores.push_back(rows.cell(row, 1).real);
      entries.push_back({rows.cell(row, 0).text, static_cast<int32_t>(row)});
    }
    table = PrefixTable(std::move(entries));
    double worst = 0;
    if (!scores.empty())
      worst = *std::min_element(scores.begin(), scores.end());
    unknownScore = worst - unknownPenalty;
    if (node.boolOr("byte_fallback", false))
      byteTokens.emplace(words);
    JsonNode unknownNode = node.member("unk_id");
    if (unknownNode.present()) {
      unknown = unknownNode.asId();
      if (!words.contains(*unknown))
        unknownNode.fail("no token has the id " + std::to_string(*unknown));
    }
  }

  MaybeError tokenize(std::string_view piece, std::vector<int32_t> &ids) const override {
    std::vector<Node> bestEnding;
    if (MaybeError problem = search(piece, bestEnding))
      return problem;
    // Back along the best path; neighbouring unknown characters are one.
    std::vector<std::string_view> path;
    bool unknownBehind = false;
    for (size_t end = piece.size(); end > 0; end = bestEnding[end].begin) {
      const Node &node = bestEnding[end];
      std::string_view token = piece.substr(node.begin, end - node.begin);
      bool isUnknown = unknown && node.id == *unknown;
      if (isUnknown && unknownBehind)
        path.back() =
            piece.substr(node.begin, path.back().data() + path.back().size() - token.data());
      else
        path.push_back(token);
      unknownBehind = isUnknown;
    }
    for (auto token = path.rbegin(); token != path.rend(); ++token)
      if (MaybeError problem = appendToken(*token, ids))
        return problem;
    return std::nullopt;
  }

private:
  struct Node {
    static constexpr size_t unreached = std::numeric_limits<size_t>::max();
    double score = 0;
    size_t begin = unreached;
    int32_t id = 0;
  };

  MaybeError search(std::string_view piece, std::vector<Node> &bestEnding) const {
    bestEnding.resize(piece.size() + 1);
    for (size_t begin = 0, next; begin < piece.size(); begin = next) {
      size_t size = characterSize(static_cast<unsigned char>(piece[begin]));
      next = begin + size;
      bool hasCharacter = false;
      auto offer = [&](size_t end, double score, int32_t id) {
        double total = bestEnding[begin].score + score;
        Node &node = bestEnding[end];
        if (node.begin == Node::unreached || total > node.score)
          node = {total, begin, id};
      };
      table.forEachPrefix(piece.substr(begin), [&](size_t length, int32_t id) {
        offer(begin + length, scores[id], id);
        hasCharacter |= length == size;
      });
      if (hasCharacter)
        continue;
      if (!unknown)
        return Error{"the text has a character that the vocabulary lacks, and "
                     "the model has no unk_id"};
      offer(next, unknownScore, *unknown);
    }
    return std::nullopt;
  }

  MaybeError appendToken(std::string_view token, std::vector<int32_t> &ids) const {
    if (std::optional<int32_t> id = words.idOf(token))
      ids.push_back(*id);
    else if (byteTokens && byteTokens->append(token, ids))
      return std::nullopt;
    else if (unknown) // Without one, search() has failed already.
      ids.push_back(*unknown);
    return std::nullopt;
  }

  std::vector<double> scores;
  PrefixTable table;
  double unknownScore = 0;
  std::optional<int32_t> unknown;
  std::optional<ByteTokens> byteTokens;
};

} // namespace

std::unique_ptr<Model> llmc::tokenizer::parseUnigram(const JsonNode &node) {
  JsonNode vocab = node.member("vocab");
  const JsonTable *table = vocab.table();
  const JsonTable none(/*isObject=*/false);
  if (!table || table->isObject()) {
    vocab.fail("expected an array of [token, score]");
    table = &none;
  } else if (table->size() > static_cast<size_t>(idLimit)) {
    vocab.fail("too many tokens");
    table = &none;
  }
  for (size_t row = 0; row < table->size(); ++row)
    if (table->listSize(row) != 2 || !table->cell(row, 0).isText() ||
        !table->cell(row, 1).isNumber()) {
      vocab.fail("expected [token, score]", "[" + std::to_string(row) + "]");
      table = &none;
      break;
    }
  return std::make_unique<UnigramModel>(*table, node);
}
