//===- JsonTable.h - Large tables of a JSON file, compactly -----*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A vocabulary or list of merges has several hundred thousand entries. As values of the
// JSON library each takes 100 bytes or more in pieces all over the heap; here it is its
// text and 12 bytes.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_JSONTABLE_H
#define LLMC_LIB_TOKENIZER_JSONTABLE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::tokenizer {

class JsonTable {
public:
  enum class Kind : uint8_t { Text, Integer, Real, Other };

  /// A scalar, or what stands for a value that no table of ours has.
  struct Cell {
    Kind kind = Kind::Other;
    std::string_view text; ///< of Text; of Other what it is: "true", "an object"
    int64_t integer = 0;   ///< of Integer; the largest one for what exceeds it
    double real = 0;       ///< of Integer and Real

    bool isText() const { return kind == Kind::Text; }
    bool isNumber() const { return kind == Kind::Integer || kind == Kind::Real; }
  };

  explicit JsonTable(bool isObject) : hasKeys(isObject) {}

  bool isObject() const { return hasKeys; }
  /// Members of the object, also those with equal keys, or elements of the array.
  size_t size() const { return rows.size(); }

  /// Of an object's row 0 is the key and 1 the value. Of an array's, 0 is the element; of
  /// one that is an array itself, 0 and 1 are its first two elements.
  Cell cell(size_t row, unsigned column) const;
  /// 0 for an element that is no array, otherwise how many elements that has, but not
  /// above 3.
  unsigned listSize(size_t row) const { return rows[row].listSize; }

  /// For the parser: a new row, and the cells of the last row.
  void addRow(bool isList);
  void addText(std::string_view text) { add(Kind::Text, text); }
  void addInteger(int64_t number);
  void addReal(double number);
  void addOther(std::string_view what) { add(Kind::Other, what); }
  /// False for a table beyond 4 GiB: it is not complete.
  bool fits() const { return text.size() <= UINT32_MAX; }

private:
  /// Its cells lie in `text` one after the other, up to where the next row begins.
  struct Row {
    uint32_t begin, middle; ///< of cell 0 and of cell 1; a number is 8 bytes
    Kind kinds[2] = {Kind::Other, Kind::Other};
    uint8_t numCells : 2 = 0;
    uint8_t isList : 1 = 0;
    uint8_t listSize : 2 = 0;
  };

  void add(Kind kind, std::string_view bytes);

  bool hasKeys;
  std::string text;
  std::vector<Row> rows;
};

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_JSONTABLE_H
