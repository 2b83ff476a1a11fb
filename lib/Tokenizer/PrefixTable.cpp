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

PrefixTable::PrefixTable(std::vector<Entry> given) : entries(std::move(given)) {
  std::erase_if(entries, [](const Entry &entry) { return entry.key.empty(); });
  // std::string compares bytes as unsigned, as the search needs it.
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry &a, const Entry &b) { return a.key < b.key; });
  size_t kept = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i + 1 < entries.size() && entries[i].key == entries[i + 1].key)
      continue;
    if (kept != i)
      entries[kept] = std::move(entries[i]);
    ++kept;
  }
  entries.resize(kept);
  for (const Entry &entry : entries)
    ++firstByteBegin[static_cast<unsigned char>(entry.key[0]) + 1];
  for (size_t i = 1; i < firstByteBegin.size(); ++i)
    firstByteBegin[i] += firstByteBegin[i - 1];
}

void PrefixTable::narrow(uint32_t &low, uint32_t &high, size_t depth, unsigned char byte) const {
  auto byteOf = [depth](const Entry &entry) {
    return static_cast<unsigned char>(entry.key[depth]);
  };
  auto begin = entries.begin() + low, end = entries.begin() + high;
  auto first =
      std::partition_point(begin, end, [&](const Entry &entry) { return byteOf(entry) < byte; });
  auto last =
      std::partition_point(first, end, [&](const Entry &entry) { return byteOf(entry) == byte; });
  low = static_cast<uint32_t>(first - entries.begin());
  high = static_cast<uint32_t>(last - entries.begin());
}
