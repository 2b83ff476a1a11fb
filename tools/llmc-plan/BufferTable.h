//===- BufferTable.h - buffers as comma-separated values
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One line of column names, then one buffer per line. `id`, `lower`, `upper` (exclusive)
// and `size` must be there, in any order; other columns are kept as they are. A column
// `offset` is filled in, or added at the end. No quotes.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_PLAN_BUFFERTABLE_H
#define LLMC_TOOLS_LLMC_PLAN_BUFFERTABLE_H

#include "llmc/Analysis/ArenaPlanner.h"

#include <iosfwd>
#include <string>
#include <vector>

namespace llmc {

struct BufferTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows; ///< a cell per column
  std::vector<PlannedBuffer> buffers;         ///< by row

  /// Returns what is wrong, with its line, or nothing.
  std::string read(std::istream &stream);
  void write(std::ostream &stream) const;
};

} // namespace llmc

#endif // LLMC_TOOLS_LLMC_PLAN_BUFFERTABLE_H
