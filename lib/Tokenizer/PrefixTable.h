//===- PrefixTable.h - Which strings begin here? ----------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sorted set of strings that finds all of its members that begin at some
// position of a text. The added tokens and the Unigram model search with it.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_PREFIXTABLE_H
#define LLMC_LIB_TOKENIZER_PREFIXTABLE_H

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::tokenizer {

/// Maps non-empty strings to numbers.
class PrefixTable {
public:
  struct Entry {
    std::string_view key;
    int32_t value;
  };

  PrefixTable() = default;
  /// Copies the keys. Of entries with the same key the last one stays.
  explicit PrefixTable(std::vector<Entry> entries);

  bool empty() const { return entries.empty(); }

  /// Calls `visit(size, value)` for every key that `text` starts with,
  /// shortest first.
  template <typename Visitor> void forEachPrefix(std::string_view text, Visitor &&visit) const {
    if (text.empty())
      return;
    auto first = static_cast<unsigned char>(text[0]);
    uint32_t low = firstByteBegin[first], high = firstByteBegin[first + 1];
    for (size_t depth = 1; low < high; ++depth) {
      // All entries in [low, high) share text's first `depth` bytes; the
      // shortest sorts first.
      if (entries[low].size == depth) {
        visit(depth, entries[low].value);
        ++low;
      }
      if (depth == text.size())
        return;
      narrow(low, high, depth, static_cast<unsigned char>(text[depth]));
    }
  }

private:
  void narrow(uint32_t &low, uint32_t &high, size_t depth, unsigned char byte) const;

  struct StoredEntry {
    uint32_t begin, size; ///< of the key in `keys`
    int32_t value;
  };

  std::string keys;
  std::vector<StoredEntry> entries;
  /// Where the keys with each first byte begin.
  std::array<uint32_t, 257> firstByteBegin{};
};

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_PREFIXTABLE_H
