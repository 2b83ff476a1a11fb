//===- BufferTable.cpp - buffers as comma-separated values
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BufferTable.h"

#include <algorithm>
#include <charconv>
#include <istream>
#include <ostream>

using namespace llmc;

static const char *const kRequired[] = {"id", "lower", "upper", "size"};

static std::string atLine(size_t line, const std::string &message) {
  return "line " + std::to_string(line) + ": " + message;
}

static std::vector<std::string> splitCells(const std::string &line) {
  std::vector<std::string> cells;
  for (size_t begin = 0; begin <= line.size();) {
    size_t end = std::min(line.find(',', begin), line.size());
    size_t from = begin, to = end;
    while (from < to && (line[from] == ' ' || line[from] == '\t'))
      ++from;
    while (to > from && (line[to - 1] == ' ' || line[to - 1] == '\t'))
      --to;
    cells.push_back(line.substr(from, to - from));
    begin = end + 1;
  }
  return cells;
}

/// The next line without its end; false at the end of the file.
static bool nextLine(std::istream &stream, std::string &line) {
  if (!std::getline(stream, line))
    return false;
  if (!line.empty() && line.back() == '\r')
    line.pop_back();
  return true;
}

static bool parseNumber(const std::string &cell, int64_t &value) {
  const char *end = cell.data() + cell.size();
  auto [parsed, error] = std::from_chars(cell.data(), end, value);
  return error == std::errc() && parsed == end;
}

size_t BufferTable::columnAt(const std::string &name) const {
  return size_t(std::find(columns.begin(), columns.end(), name) - columns.begin());
}

/// A cell of the column names the buffer that goes first in its pair.
std::string BufferTable::readPairs(const std::string &name, std::vector<BufferPair> &pairs,
                                   const std::unordered_map<std::string, size_t> &rowOfId) const {
  size_t column = columnAt(name);
  if (column == columns.size())
    return "";
  for (size_t row = 0; row < rows.size(); ++row) {
    const std::string &cell = rows[row][column];
    if (cell.empty())
      continue;
    auto other = rowOfId.find(cell);
    if (other == rowOfId.end())
      return atLine(lines[row], name + " '" + cell + "' is the id of no buffer");
    if (other->second == row)
      return atLine(lines[row], name + " '" + cell + "' is the buffer itself");
    pairs.push_back({other->second, row});
  }
  return "";
}

std::string BufferTable::read(std::istream &stream) {
  std::string text;
  if (!nextLine(stream, text))
    return "the file is empty; expected a line of column names: id,lower,upper,size";
  if (text.starts_with("\xef\xbb\xbf"))
    text.erase(0, 3);
  columns = splitCells(text);
  for (const char *name : kRequired)
    if (columnAt(name) == columns.size())
      return atLine(1, "no column '" + std::string(name) + "' in '" + text +
                           "'; expected at least id,lower,upper,size");
  for (size_t i = 0; i < columns.size(); ++i)
    if (columnAt(columns[i]) != i)
      return atLine(1, "column '" + columns[i] + "' appears twice");

  size_t id = columnAt("id");
  std::unordered_map<std::string, size_t> rowOfId;
  for (size_t line = 2; nextLine(stream, text); ++line) {
    if (text.find('"') != std::string::npos)
      return atLine(line, "quoted cells are not supported");
    if (text.find_first_not_of(" \t") == std::string::npos)
      continue;
    std::vector<std::string> cells = splitCells(text);
    if (cells.size() != columns.size())
      return atLine(line, "expected " + std::to_string(columns.size()) + " cells, found " +
                              std::to_string(cells.size()));
    auto [first, isNew] = rowOfId.try_emplace(cells[id], rows.size());
    if (!isNew)
      return atLine(line, "id '" + cells[id] + "' is that of line " +
                              std::to_string(lines[first->second]));
    PlannedBuffer buffer;
    for (auto [name, value] : {std::pair("lower", &buffer.begin), std::pair("upper", &buffer.end),
                               std::pair("size", &buffer.sizeBytes)})
      if (const std::string &cell = cells[columnAt(name)]; !parseNumber(cell, *value))
        return atLine(line, std::string(name) + " '" + cell + "' is not a 64-bit integer");
    if (buffer.sizeBytes < 0)
      return atLine(line, "size " + std::to_string(buffer.sizeBytes) + " is negative");
    if (buffer.end < buffer.begin)
      return atLine(line, "upper " + std::to_string(buffer.end) + " is below lower " +
                              std::to_string(buffer.begin));
    rows.push_back(std::move(cells));
    buffers.push_back(buffer);
    lines.push_back(line);
  }
  if (stream.bad())
    return "cannot be read to its end";
  std::string problem = readPairs("alias", aliases, rowOfId);
  return problem.empty() ? readPairs("in_place", inPlace, rowOfId) : problem;
}

void BufferTable::write(std::ostream &stream) const {
  size_t offset = columnAt("offset");
  for (const std::string &name : columns)
    stream << (&name == &columns.front() ? "" : ",") << name;
  stream << (offset == columns.size() ? ",offset\n" : "\n");
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t i = 0; i < columns.size(); ++i) {
      stream << (i ? "," : "");
      if (i == offset)
        stream << buffers[row].offset;
      else
        stream << rows[row][i];
    }
    if (offset == columns.size())
      stream << ',' << buffers[row].offset;
    stream << '\n';
  }
}
