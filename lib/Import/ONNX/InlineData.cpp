//===- InlineData.cpp - weights inside a model file, left where they are
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "InlineData.h"

using namespace llmc::importer;
using llvm::StringRef;

namespace {

// Field numbers of onnx.proto.
constexpr uint32_t kModelGraph = 7, kGraphInitializer = 5;
constexpr uint32_t kTensorRawData = 9, kTensorExternalData = 13, kTensorDataLocation = 14;
constexpr uint32_t kEntryKey = 1, kEntryValue = 2;
/// Smaller data is cheaper to copy than to refer to.
constexpr size_t kMinInlineBytes = 4096;

constexpr uint32_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

/// One field of a message: its tag, and its payload or the bytes of its value.
struct Field {
  uint32_t number = 0, wireType = 0;
  StringRef whole;   ///< tag, length and payload
  StringRef payload; ///< of length-delimited fields
};

/// Reads the fields of a message in order.
class FieldReader {
public:
  explicit FieldReader(StringRef bytes) : bytes(bytes) {}
  bool atEnd() const { return position == bytes.size(); }

  std::optional<Field> next() {
    size_t start = position;
    std::optional<uint64_t> tag = varint();
    if (!tag || *tag >> 3 == 0 || *tag >> 3 > UINT32_MAX)
      return std::nullopt;
    Field field{uint32_t(*tag >> 3), uint32_t(*tag & 7), {}, {}};
    uint64_t length = 0;
    switch (field.wireType) {
    case kVarint:
      if (!varint())
        return std::nullopt;
      break;
    case kFixed64:
      length = 8;
      break;
    case kFixed32:
      length = 4;
      break;
    case kBytes: {
      std::optional<uint64_t> size = varint();
      if (!size)
        return std::nullopt;
      length = *size;
      break;
    }
    default:
      return std::nullopt;
    }
    if (length > bytes.size() - position)
      return std::nullopt;
    field.payload = bytes.substr(position, length);
    position += length;
    field.whole = bytes.slice(start, position);
    return field;
  }

private:
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (position == bytes.size())
        return std::nullopt;
      uint8_t byte = uint8_t(bytes[position++]);
      value |= uint64_t(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return value;
    }
    return std::nullopt;
  }

  StringRef bytes;
  size_t position = 0;
};

void writeVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(char(value | 0x80));
  out.push_back(char(value));
}

void writeBytes(std::string &out, uint32_t field, StringRef payload) {
  writeVarint(out, uint64_t(field) << 3 | kBytes);
  writeVarint(out, payload.size());
  out += payload;
}

void writeEntry(std::string &out, StringRef key, StringRef value) {
  std::string entry;
  writeBytes(entry, kEntryKey, key);
  writeBytes(entry, kEntryValue, value);
  writeBytes(out, kTensorExternalData, entry);
}

class Extractor {
public:
  explicit Extractor(StringRef file) : file(file) {}

  std::optional<std::string> model() {
    return rewrite(file, kModelGraph, [&](StringRef graph) {
      return rewrite(graph, kGraphInitializer,
                     [&](StringRef tensor) { return rewriteTensor(tensor); });
    });
  }

private:
  /// The message with each field `number` replaced by what `replace` makes of it.
  template <typename Replace>
  std::optional<std::string> rewrite(StringRef message, uint32_t number, Replace replace) {
    std::string out;
    for (FieldReader reader(message); !reader.atEnd();) {
      std::optional<Field> field = reader.next();
      if (!field)
        return std::nullopt;
      if (field->number != number || field->wireType != kBytes) {
        out += field->whole;
        continue;
      }
      std::optional<std::string> replaced = replace(field->payload);
      if (!replaced)
        return std::nullopt;
      writeBytes(out, number, *replaced);
    }
    return out;
  }

  std::optional<std::string> rewriteTensor(StringRef tensor) {
    std::string out;
    StringRef data;
    for (FieldReader reader(tensor); !reader.atEnd();) {
      std::optional<Field> field = reader.next();
      if (!field)
        return std::nullopt;
      // Data given twice or beside an external location is for the full parse.
      if (field->number == kTensorExternalData || field->number == kTensorDataLocation)
        return tensor.str();
      if (field->number == kTensorRawData && field->wireType == kBytes &&
          field->payload.size() >= kMinInlineBytes) {
        if (!data.empty())
          return tensor.str();
        data = field->payload;
        continue;
      }
      out += field->whole;
    }
    if (data.empty())
      return out;
    writeEntry(out, "location", kInlineLocation);
    writeEntry(out, "offset", std::to_string(data.data() - file.data()));
    writeEntry(out, "length", std::to_string(data.size()));
    writeVarint(out, uint64_t(kTensorDataLocation) << 3 | kVarint);
    writeVarint(out, 1); // EXTERNAL
    return out;
  }

  StringRef file;
};

} // namespace

std::optional<std::string> llmc::importer::extractInlineData(StringRef bytes) {
  return Extractor(bytes).model();
}
