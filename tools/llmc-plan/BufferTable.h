//===- BufferTable.h - buffers as comma-separated values
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One line of column names, then one buffer per line. `id`, `lower`, `upper` (exclusive)
// and `size` must be there, in any order. `alias` and `in_place` may be: the id of the
// buffer that this one is one block with, or in whose place it may begin; empty cells say
// nothing. Other columns are kept as they are. A column `offset` is filled in, or added at
// the end. No quotes.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_PLAN_BUFFERTABLE_H
#define LLMC_TOOLS_LLMC_PLAN_BUFFERTABLE_H

#include "llmc/Analysis/ArenaPlanner.h"

#include <iosfwd>
#include <string>
#include <unordered_map>
#include <vector>

namespace llmc {

struct BufferTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows; ///< a cell per column
  std::vector<PlannedBuffer> buffers;         ///< by row
  std::vector<BufferPair> aliases, inPlace;   ///< of rows, as in ArenaPlanOptions

  /// Returns what is wrong, with its line, or nothing.
  std::string read(std::istream &stream);
  void write(std::ostream &stream) const;

private:
  /// Where the column is; columns.size() if there is none.
  size_t columnAt(const std::string &name) const;
  std::string readPairs(const std::string &name, std::vector<BufferPair> &pairs,
                        const std::unordered_map<std::string, size_t> &rowOfId) const;

  std::vector<size_t> lines; ///< of the file, by row
};

} // namespace llmc

#endif // LLMC_TOOLS_LLMC_PLAN_BUFFERTABLE_H
