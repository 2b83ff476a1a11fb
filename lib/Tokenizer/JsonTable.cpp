//===- JsonTable.cpp - Large tables of a JSON file, compactly -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All rows share one text.
//
//===----------------------------------------------------------------------===//

#include "JsonTable.h"

#include <cstring>

using namespace llmc::tokenizer;

void JsonTable::addRow(bool isList) {
  auto end = static_cast<uint32_t>(text.size());
  rows.push_back({end, end});
  rows.back().isList = isList;
}

void JsonTable::add(Kind kind, std::string_view bytes) {
  Row &row = rows.back();
  if (row.isList && row.listSize < 3)
    row.listSize = row.listSize + 1;
  if (row.numCells == 2)
    return;
  row.kinds[row.numCells] = kind;
  text += bytes;
  if (row.numCells == 0)
    row.middle = static_cast<uint32_t>(text.size());
  row.numCells = row.numCells + 1;
}

void JsonTable::addInteger(int64_t number) {
  add(Kind::Integer, {reinterpret_cast<const char *>(&number), sizeof(number)});
}

void JsonTable::addReal(double number) {
  add(Kind::Real, {reinterpret_cast<const char *>(&number), sizeof(number)});
}

JsonTable::Cell JsonTable::cell(size_t row, unsigned column) const {
  const Row &stored = rows[row];
  Cell cell;
  cell.kind = stored.kinds[column];
  size_t end = row + 1 < rows.size() ? rows[row + 1].begin : text.size();
  std::string_view bytes = text;
  bytes = column == 0 ? bytes.substr(stored.begin, stored.middle - stored.begin)
                      : bytes.substr(stored.middle, end - stored.middle);
  switch (cell.kind) {
  case Kind::Text:
  case Kind::Other:
    cell.text = bytes;
    break;
  case Kind::Integer:
    std::memcpy(&cell.integer, bytes.data(), sizeof(cell.integer));
    cell.real = static_cast<double>(cell.integer);
    break;
  case Kind::Real:
    std::memcpy(&cell.real, bytes.data(), sizeof(cell.real));
    break;
  }
  return cell;
}
