//===- BPE.cpp - Byte pair encoding ---------------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A word starts as one symbol per character; the pair with the best rank merges
// first. Symbols form a linked list and candidate pairs a heap, so that a word
// of n characters takes O(n log n).
//
//===----------------------------------------------------------------------===//

#include "Model.h"
#include "Unicode.h"

#include <queue>

using namespace llmc::tokenizer;

namespace {

struct Merge {
  int32_t rank, result;
};

/// Merges by their two ids, in one array: there are as many as tokens.
class MergeTable {
public:
  explicit MergeTable(size_t size = 0) : slots(size + size / 2 + 1) {}

  /// A pair's last merge counts. There must be room for it.
  void set(int32_t left, int32_t right, Merge merge) {
    slots[slotOf(left, right)] = {left, right, merge};
  }
  const Merge *find(int32_t left, int32_t right) const {
    const Slot &slot = slots[slotOf(left, right)];
    return slot.left < 0 ? nullptr : &slot.merge;
  }

private:
  struct Slot {
    int32_t left = -1, right = -1; ///< -1: empty
    Merge merge = {};
  };

  /// Where the pair is, or the empty slot where it would be.
  size_t slotOf(int32_t left, int32_t right) const {
    uint64_t key = static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
    uint64_t hash = (key * 0x9E3779B97F4A7C15u) >> 32; // Fibonacci hashing
    size_t slot = hash * slots.size() >> 32;           // evenly over the array
    while (slots[slot].left >= 0 && (slots[slot].left != left || slots[slot].right != right))
      slot = slot + 1 < slots.size() ? slot + 1 : 0;
    return slot;
  }

  std::vector<Slot> slots;
};

/// The merging of one word.
class Merger {
public:
  Merger(const MergeTable &merges, const std::vector<int32_t> &word) : merges(merges) {
    symbols.reserve(word.size());
    auto count = static_cast<int32_t>(word.size());
    for (int32_t i = 0; i < count; ++i)
      symbols.push_back({word[i], i - 1, i + 1 < count ? i + 1 : -1});
    for (int32_t i = 0; i + 1 < count; ++i)
      consider(i);
  }

  void run(std::vector<int32_t> &ids) {
    while (!candidates.empty()) {
      Candidate best = candidates.top();
      candidates.pop();
      apply(best);
    }
    for (int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].next)
      ids.push_back(symbols[i].id);
  }

private:
  struct Symbol {
    int32_t id; ///< -1 once it has merged into its left neighbour.
    int32_t previous, next;
  };
  struct Candidate {
    int32_t rank, position, result;
    /// The heap's top is the smallest rank, then the leftmost position.
    bool operator<(const Candidate &other) const {
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };

  const Merge *mergeAt(int32_t position) const {
    int32_t next = symbols[position].next;
    if (symbols[position].id < 0 || next < 0)
      return nullptr;
    return merges.find(symbols[position].id, symbols[next].id);
  }

  void consider(int32_t position) {
    if (const Merge *merge = mergeAt(position))
      candidates.push({merge->rank, position, merge->result});
  }

  void apply(const Candidate &candidate) {
    // Earlier merges may have changed what stands here.
    const Merge *merge = mergeAt(candidate.position);
    if (!merge || merge->result != candidate.result)
      return;
    Symbol &left = symbols[candidate.position];
    Symbol &right = symbols[left.next];
    left.id = merge->result;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0)
      symbols[left.next].previous = candidate.position;
    if (left.previous >= 0)
      consider(left.previous);
    consider(candidate.position);
  }

  const MergeTable &merges;
  std::vector<Symbol> symbols;
  std::priority_queue<Candidate> candidates;
};

class BPEModel : public Model {
public:
  explicit BPEModel(const JsonNode &node)
      : Model(Vocabulary::fromObject(node.member("vocab"))),
        prefix(node.stringOr("continuing_subword_prefix", "")),
        suffix(node.stringOr("end_of_word_suffix", "")),
        fuseUnknown(node.boolOr("fuse_unk", false)),
        ignoreMerges(node.boolOr("ignore_merges", false)) {
    JsonNode unknownNode = node.member("unk_token");
    if (unknownNode.present()) {
      unknown = words.idOf(unknownNode.asString());
      if (!unknown)
        unknownNode.fail("'" + unknownNode.asString() + "' is not in the vocabulary");
    }
    if (node.boolOr("byte_fallback", false))
      byteTokens.emplace(words);
    if (node.numberOr("dropout", 0) != 0)
      node.member("dropout").fail("dropout is not supported");
    if (!node.failed())
      readMerges(node.member("merges"));
  }

  MaybeError tokenize(std::string_view piece, std::vector<int32_t> &ids) const override {
    if (ignoreMerges)
      if (std::optional<int32_t> whole = words.idOf(piece)) {
        ids.push_back(*whole);
        return std::nullopt;
      }
    std::vector<int32_t> word;
    word.reserve(piece.size());
    splitWord(piece, word);
    Merger(merges, word).run(ids);
    return std::nullopt;
  }

private:
  /// The first symbols of a word.
  void splitWord(std::string_view piece, std::vector<int32_t> &word) const {
    // Unknown tokens wait here, as in Hugging Face's code: byte tokens that
    // follow come out before them.
    bool unknownWaits = false;
    std::string spelled;
    for (size_t begin = 0, end; begin < piece.size(); begin = end) {
      end = begin + characterSize(static_cast<unsigned char>(piece[begin]));
      std::string_view symbol = piece.substr(begin, end - begin);
      if (!prefix.empty() || !suffix.empty()) {
        spelled = begin > 0 ? prefix : "";
        spelled += symbol;
        if (end >= piece.size())
          spelled += suffix;
        symbol = spelled;
      }
      if (std::optional<int32_t> id = words.idOf(symbol)) {
        if (unknownWaits)
          word.push_back(*unknown);
        unknownWaits = false;
        word.push_back(*id);
      } else if (byteTokens && byteTokens->append(symbol, word)) {
        continue;
      } else if (unknown) {
        if (unknownWaits && !fuseUnknown)
          word.push_back(*unknown);
        unknownWaits = true;
      }
    }
    if (unknownWaits)
      word.push_back(*unknown);
  }

  void readMerges(const JsonNode &node) {
    const JsonTable *table = node.table();
    if (!table || table->isObject())
      return node.fail("expected an array of merges");
    merges = MergeTable(table->size());
    for (size_t row = 0; row < table->size(); ++row)
      if (std::string problem = addMerge(*table, row); !problem.empty())
        return node.fail(problem, "[" + std::to_string(row) + "]");
    node.clearTable();
  }

  /// Reads "a b" or ["a", "b"], whose rank is its row; returns what is wrong with it.
  std::string addMerge(const JsonTable &table, size_t row) {
    std::string_view left, right;
    JsonTable::Cell first = table.cell(row, 0), second = table.cell(row, 1);
    if (table.listSize(row) == 0 && first.isText()) {
      std::string_view text = first.text;
      size_t space = text.find(' ');
      if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
        return "expected two tokens with a space between, found '" + std::string(text) + "'";
      left = text.substr(0, space);
      right = text.substr(space + 1);
    } else if (table.listSize(row) == 2 && first.isText() && second.isText()) {
      left = first.text;
      right = second.text;
    } else {
      return "expected \"a b\" or [\"a\", \"b\"]";
    }
    if (right.size() < prefix.size())
      return "'" + std::string(right) + "' is shorter than the prefix '" + prefix + "'";
    std::string merged(left);
    merged += right.substr(prefix.size());
    std::optional<int32_t> ids[3];
    std::string_view names[3] = {left, right, merged};
    for (int i = 0; i < 3; ++i) {
      ids[i] = words.idOf(names[i]);
      if (!ids[i])
        return "'" + std::string(names[i]) + "' is not in the vocabulary";
    }
    merges.set(*ids[0], *ids[1], {static_cast<int32_t>(row), *ids[2]});
    return {};
  }

  std::string prefix, suffix;
  bool fuseUnknown, ignoreMerges;
  std::optional<int32_t> unknown;
  std::optional<ByteTokens> byteTokens;
  MergeTable merges;
};

} // namespace

std::unique_ptr<Model> llmc::tokenizer::parseBPE(const JsonNode &node) {
  return std::make_unique<BPEModel>(node);
}
