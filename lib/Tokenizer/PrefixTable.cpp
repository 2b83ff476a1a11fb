//===- PrefixTable.cpp - Which strings begin here? ------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sorting and the binary search by one byte.
//
//===----------------------------------------------------------------------===//

#include "PrefixTable.h"

using namespace llmc::tokenizer;

PrefixTable::PrefixTable(std::vector<Entry> given) {
  // Views compare bytes as unsigned, as the search needs it.
  std::stable_sort(given.begin(), given.end(),
                   [](const Entry &a, const Entry &b) { return a.key < b.key; });
  for (size_t i = 0; i < given.size(); ++i) {
    std::string_view key = given[i].key;
    if (key.empty() || (i + 1 < given.size() && key == given[i + 1].key))
      continue;
    entries.push_back(
        {static_cast<uint32_t>(keys.size()), static_cast<uint32_t>(key.size()), given[i].value});
    keys += key;
    ++firstByteBegin[static_cast<unsigned char>(key[0]) + 1];
  }
  for (size_t i = 1; i < firstByteBegin.size(); ++i)
    firstByteBegin[i] += firstByteBegin[i - 1];
}

void PrefixTable::narrow(uint32_t &low, uint32_t &high, size_t depth, unsigned char byte) const {
  auto byteOf = [&](const StoredEntry &entry) {
    return static_cast<unsigned char>(keys[entry.begin + depth]);
  };
  auto begin = entries.begin() + low, end = entries.begin() + high;
  auto first = std::partition_point(begin, end,
                                    [&](const StoredEntry &entry) { return byteOf(entry) < byte; });
  auto last = std::partition_point(first, end,
                                   [&](const StoredEntry &entry) { return byteOf(entry) == byte; });
  low = static_cast<uint32_t>(first - entries.begin());
  high = static_cast<uint32_t>(last - entries.begin());
}
