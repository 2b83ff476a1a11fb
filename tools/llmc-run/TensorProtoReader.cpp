//===- TensorProtoReader.cpp - ONNX TensorProto files ---------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A bounds-checked reader of protobuf's wire format, for the fields that hold
// numbers. Scalar lists may come packed or one by one, as protobuf demands.
//
//===----------------------------------------------------------------------===//
#include "TensorProtoReader.h"
#include "FileIO.h"

#include <cstring>

namespace llmc::run {
namespace {

/// Field numbers of onnx.TensorProto.
enum Field : uint32_t {
  FieldDims = 1,
  FieldDataType = 2,
  FieldFloatData = 4,
  FieldInt32Data = 5,
  FieldStringData = 6,
  FieldInt64Data = 7,
  FieldName = 8,
  FieldRawData = 9,
  FieldDoubleData = 10,
  FieldUInt64Data = 11,
  FieldDataLocation = 14,
};

enum WireType : uint32_t {
  WireVarint = 0,
  WireFixed64 = 1,
  WireBytes = 2,
  WireFixed32 = 5,
};

constexpr size_t MaxRank = 64;

/// Walks one message. After a failure every read fails too.
class WireReader {
public:
  explicit WireReader(std::string_view data) : data(data) {}

  bool atEnd() const { return position == data.size(); }
  size_t offset() const { return position; }
  const std::string &failure() const { return reason; }
  bool fail(std::string text) {
    if (reason.empty())
      reason = std::move(text);
    return false;
  }

  bool readVarint(uint64_t &value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (atEnd())
        return fail("truncated varint");
      uint8_t byte = static_cast<uint8_t>(data[position++]);
      if (shift == 63 && byte > 1)
        break;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return true;
    }
    return fail("varint over 64 bits");
  }

  bool readBytes(uint64_t size, std::string_view &bytes) {
    if (size > data.size() - position)
      return fail("field of " + std::to_string(size) + " bytes, but " +
                  std::to_string(data.size() - position) + " are left");
    bytes = data.substr(position, size);
    position += size;
    return true;
  }

  bool readLengthDelimited(std::string_view &bytes) {
    uint64_t size;
    return readVarint(size) && readBytes(size, bytes);
  }

  bool skip(uint32_t wireType) {
    uint64_t value;
    std::string_view bytes;
    switch (wireType) {
    case WireVarint:
      return readVarint(value);
    case WireFixed64:
      return readBytes(8, bytes);
    case WireBytes:
      return readLengthDelimited(bytes);
    case WireFixed32:
      return readBytes(4, bytes);
    default:
      return fail("unknown wire type " + std::to_string(wireType));
    }
  }

private:
  std::string_view data;
  size_t position = 0;
  std::string reason;
};

/// What the file says, before dtype and dims are put together with the data.
struct RawTensor {
  std::string name;
  uint64_t dataType = 0;
  uint64_t dataLocation = 0;
  std::vector<int64_t> dims;
  bool hasRawData = false;
  std::string_view rawData;
  uint32_t typedField = 0;       // the one Field*Data that occurs, 0 for none
  std::vector<uint64_t> varints; // int32_data, int64_data, uint64_data
  std::string fixedBytes;        // float_data, double_data
};

bool readVarintList(WireReader &reader, uint32_t wireType, std::vector<uint64_t> &values) {
  uint64_t value;
  if (wireType == WireVarint) {
    if (!reader.readVarint(value))
      return false;
    values.push_back(value);
    return true;
  }
  if (wireType != WireBytes)
    return reader.fail("integer list with wire type " + std::to_string(wireType));
  uint64_t size;
  std::string_view ignored;
  if (!reader.readVarint(size))
    return false;
  // Checked as a whole first, then decoded by the outer reader, so that offsets
  // in messages count from the start of the file.
  WireReader probe = reader;
  if (!probe.readBytes(size, ignored))
    return reader.fail(probe.failure());
  size_t end = reader.offset() + static_cast<size_t>(size);
  while (reader.offset() < end) {
    if (!reader.readVarint(value))
      return false;
    values.push_back(value);
  }
  return reader.offset() == end || reader.fail("packed list ends inside a value");
}

bool readFixedList(WireReader &reader, uint32_t wireType, size_t elementBytes, std::string &bytes) {
  std::string_view piece;
  uint32_t single = elementBytes == 4 ? WireFixed32 : WireFixed64;
  if (wireType == single) {
    if (!reader.readBytes(elementBytes, piece))
      return false;
  } else if (wireType == WireBytes) {
    if (!reader.readLengthDelimited(piece))
      return false;
    if (piece.size() % elementBytes)
      return reader.fail("packed list ends inside a value");
  } else {
    return reader.fail("floating point list with wire type " + std::to_string(wireType));
  }
  bytes.append(piece);
  return true;
}

bool readTypedField(WireReader &reader, uint32_t field, uint32_t wireType, RawTensor &tensor) {
  if (tensor.typedField && tensor.typedField != field)
    return reader.fail("data in two typed fields");
  tensor.typedField = field;
  if (field == FieldFloatData)
    return readFixedList(reader, wireType, 4, tensor.fixedBytes);
  if (field == FieldDoubleData)
    return readFixedList(reader, wireType, 8, tensor.fixedBytes);
  return readVarintList(reader, wireType, tensor.varints);
}

bool readField(WireReader &reader, uint32_t field, uint32_t wireType, RawTensor &tensor) {
  auto expect = [&](uint32_t wanted) {
    return wireType == wanted || reader.fail("field " + std::to_string(field) + " with wire type " +
                                             std::to_string(wireType));
  };
  std::string_view bytes;
  std::vector<uint64_t> values;
  switch (field) {
  case FieldDims:
    if (!readVarintList(reader, wireType, values))
      return false;
    for (uint64_t value : values)
      tensor.dims.push_back(static_cast<int64_t>(value));
    return tensor.dims.size() <= MaxRank || reader.fail("rank over 64");
  case FieldDataType:
    return expect(WireVarint) && reader.readVarint(tensor.dataType);
  case FieldName:
    if (!expect(WireBytes) || !reader.readLengthDelimited(bytes))
      return false;
    tensor.name = bytes;
    return true;
  case FieldRawData:
    tensor.hasRawData = true;
    return expect(WireBytes) && reader.readLengthDelimited(tensor.rawData);
  case FieldFloatData:
  case FieldInt32Data:
  case FieldInt64Data:
  case FieldDoubleData:
  case FieldUInt64Data:
    return readTypedField(reader, field, wireType, tensor);
  case FieldStringData:
    return reader.fail("string tensors are not supported");
  case FieldDataLocation:
    return expect(WireVarint) && reader.readVarint(tensor.dataLocation);
  default:
    return field != 0 ? reader.skip(wireType) : reader.fail("field number 0");
  }
}

/// The typed field that ONNX prescribes for a type without raw_data.
uint32_t typedFieldOf(uint32_t dtype) {
  switch (dtype) {
  case LLMC_DTYPE_F32:
    return FieldFloatData;
  case LLMC_DTYPE_F64:
    return FieldDoubleData;
  case LLMC_DTYPE_I64:
    return FieldInt64Data;
  case LLMC_DTYPE_U32:
  case LLMC_DTYPE_U64:
    return FieldUInt64Data;
  default:
    return FieldInt32Data;
  }
}

/// Stores the low bytes of each value; little-endian hosts only, like the
/// files.
std::vector<uint8_t> narrow(const std::vector<uint64_t> &values, size_t elementBytes) {
  std::vector<uint8_t> bytes(values.size() * elementBytes);
  for (size_t i = 0; i < values.size(); ++i)
    std::memcpy(bytes.data() + i * elementBytes, &values[i], elementBytes);
  return bytes;
}

/// Elements of `bits` < 8, low bits first, as a byte each; signed ones keep their sign.
std::vector<uint8_t> unpack(const std::vector<uint8_t> &packed, size_t bits, uint64_t count,
                            bool isSigned) {
  std::vector<uint8_t> bytes(count);
  for (uint64_t i = 0; i < count; ++i) {
    unsigned value = packed[i * bits / 8] >> (i * bits % 8) & ((1u << bits) - 1);
    if (isSigned && value >> (bits - 1))
      value |= ~0u << bits;
    bytes[i] = static_cast<uint8_t>(value);
  }
  return bytes;
}

bool assemble(RawTensor &raw, HostTensor &tensor, std::string &error) {
  tensor.name = std::move(raw.name);
  tensor.dims = std::move(raw.dims);
  size_t elementBytes = 0;
  if (raw.dataType <= UINT32_MAX) {
    tensor.dtype = static_cast<uint32_t>(raw.dataType);
    elementBytes = dtypeSizeBytes(tensor.dtype);
  }
  if (elementBytes == 0) {
    error = "unsupported data type " + std::to_string(raw.dataType);
    return false;
  }
  if (raw.dataLocation != 0) {
    error = "external data is not supported";
    return false;
  }
  if (raw.hasRawData && raw.typedField) {
    error = "both raw_data and a typed data field";
    return false;
  }
  if (raw.typedField && raw.typedField != typedFieldOf(tensor.dtype)) {
    error = "data of type " + dtypeName(tensor.dtype) + " in field " +
            std::to_string(raw.typedField) + ", expected field " +
            std::to_string(typedFieldOf(tensor.dtype));
    return false;
  }
  if (raw.hasRawData)
    tensor.bytes.assign(raw.rawData.begin(), raw.rawData.end());
  else if (!raw.fixedBytes.empty())
    tensor.bytes.assign(raw.fixedBytes.begin(), raw.fixedBytes.end());
  else
    tensor.bytes = narrow(raw.varints, elementBytes);

  uint64_t count, sizeBytes;
  if (!countElements(tensor.dims, count) ||
      __builtin_mul_overflow(count, elementBytes, &sizeBytes)) {
    error = "absurd shape " + typeText(tensor.dtype, tensor.dims);
    return false;
  }
  size_t bits = dtypeBits(tensor.dtype);
  if (bits < 8)
    sizeBytes = count / (8 / bits) + (count % (8 / bits) != 0);
  if (tensor.bytes.size() != sizeBytes) {
    error = typeText(tensor.dtype, tensor.dims) + " needs " + std::to_string(sizeBytes) +
            " bytes, but the file has " + std::to_string(tensor.bytes.size());
    return false;
  }
  if (bits < 8)
    tensor.bytes = unpack(tensor.bytes, bits, count,
                          tensor.dtype == LLMC_DTYPE_I4 || tensor.dtype == LLMC_DTYPE_I2);
  return true;
}

} // namespace

std::optional<HostTensor> parseTensorProto(std::string_view data, const std::string &fileName,
                                           std::string &error) {
  WireReader reader(data);
  RawTensor raw;
  while (!reader.atEnd()) {
    size_t fieldOffset = reader.offset();
    uint64_t tag = 0;
    bool isRead = reader.readVarint(tag);
    if (isRead && (tag >> 3) > UINT32_MAX)
      isRead = reader.fail("absurd field number");
    if (!isRead ||
        !readField(reader, static_cast<uint32_t>(tag >> 3), static_cast<uint32_t>(tag & 7), raw)) {
      error = fileName + ": offset " + std::to_string(fieldOffset) + ": " + reader.failure();
      return std::nullopt;
    }
  }
  HostTensor tensor;
  std::string reason;
  if (!assemble(raw, tensor, reason)) {
    error = fileName + ": " + reason;
    return std::nullopt;
  }
  return tensor;
}

std::optional<HostTensor> readTensorProtoFile(const std::string &path, std::string &error) {
  std::optional<std::string> data = readFile(path, error);
  if (!data)
    return std::nullopt;
  return parseTensorProto(*data, path, error);
}

} // namespace llmc::run
