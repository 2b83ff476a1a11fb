//===- TensorProtoReaderTest.cpp - ONNX tensors, sound and broken --------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TensorProtoReader.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace llmc::run;

namespace {

/// Writes protobuf's wire format.
class Wire {
public:
  Wire &varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7)
      text.push_back(static_cast<char>(value | 0x80));
    text.push_back(static_cast<char>(value));
    return *this;
  }
  Wire &integer(uint32_t field, uint64_t value) { return varint(field << 3).varint(value); }
  Wire &bytes(uint32_t field, const std::string &data) {
    varint(field << 3 | 2).varint(data.size());
    text += data;
    return *this;
  }
  template <typename T> Wire &packed(uint32_t field, std::vector<T> values) {
    return bytes(field,
                 std::string(reinterpret_cast<char *>(values.data()), values.size() * sizeof(T)));
  }
  Wire &packedVarints(uint32_t field, const std::vector<uint64_t> &values) {
    Wire list;
    for (uint64_t value : values)
      list.varint(value);
    return bytes(field, list.text);
  }
  Wire &dims(const std::vector<uint64_t> &values) {
    for (uint64_t value : values)
      integer(1, value);
    return *this;
  }
  std::string text;
};

template <typename T> std::vector<T> elements(const HostTensor &tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

HostTensor parse(const Wire &wire) {
  std::string error;
  std::optional<HostTensor> tensor = parseTensorProto(wire.text, "t.pb", error);
  EXPECT_TRUE(tensor) << error;
  return tensor ? *tensor : HostTensor{};
}

std::string parseError(const std::string &text) {
  std::string error;
  EXPECT_FALSE(parseTensorProto(text, "t.pb", error));
  return error;
}

TEST(TensorProtoReader, RawData) {
  HostTensor tensor = parse(Wire()
                                .dims({1, 2})
                                .integer(2, LLMC_DTYPE_F32)
                                .bytes(8, "logits")
                                .packed<float>(9, {1.5f, -2.0f}));
  EXPECT_EQ(tensor.name, "logits");
  EXPECT_EQ(typeText(tensor.dtype, tensor.dims), "f32[1, 2]");
  EXPECT_EQ(elements<float>(tensor), (std::vector<float>{1.5f, -2.0f}));
}

TEST(TensorProtoReader, TypedDataPackedAndSingle) {
  HostTensor floats = parse(Wire().dims({2}).integer(2, LLMC_DTYPE_F32).packed<float>(4, {1, 2}));
  EXPECT_EQ(elements<float>(floats), (std::vector<float>{1, 2}));

  HostTensor doubles =
      parse(Wire().dims({1}).integer(2, LLMC_DTYPE_F64).packed<double>(10, {0.25}));
  EXPECT_EQ(elements<double>(doubles), (std::vector<double>{0.25}));

  uint64_t minusOne = static_cast<uint64_t>(int64_t{-1});
  HostTensor longs =
      parse(Wire().dims({2}).integer(2, LLMC_DTYPE_I64).integer(7, minusOne).integer(7, 9));
  EXPECT_EQ(elements<int64_t>(longs), (std::vector<int64_t>{-1, 9}));

  HostTensor bytes =
      parse(Wire().dims({2}).integer(2, LLMC_DTYPE_I8).packedVarints(5, {minusOne, 7}));
  EXPECT_EQ(elements<int8_t>(bytes), (std::vector<int8_t>{-1, 7}));

  HostTensor half = parse(Wire().dims({1}).integer(2, LLMC_DTYPE_F16).integer(5, 0x3c00));
  EXPECT_EQ(loadAsDouble(half.dtype, half.bytes.data(), 0), 1.0);

  HostTensor words = parse(Wire().dims({1}).integer(2, LLMC_DTYPE_U32).integer(11, 4000000000u));
  EXPECT_EQ(elements<uint32_t>(words), (std::vector<uint32_t>{4000000000u}));
}

TEST(TensorProtoReader, PackedElementsTakeAByteEach) {
  HostTensor nibbles =
      parse(Wire().dims({3}).integer(2, LLMC_DTYPE_I4).bytes(9, std::string("\x9f\x07")));
  EXPECT_EQ(elements<int8_t>(nibbles), (std::vector<int8_t>{-1, -7, 7}));
  HostTensor unsignedNibbles = parse(Wire().dims({2}).integer(2, LLMC_DTYPE_U4).integer(5, 0x9f));
  EXPECT_EQ(elements<uint8_t>(unsignedNibbles), (std::vector<uint8_t>{15, 9}));
  HostTensor pairs = parse(Wire().dims({4}).integer(2, LLMC_DTYPE_U2).bytes(9, "\x1b"));
  EXPECT_EQ(elements<uint8_t>(pairs), (std::vector<uint8_t>{3, 2, 1, 0}));
}

TEST(TensorProtoReader, SmallFloats) {
  const uint8_t code = 0x7e;
  EXPECT_EQ(loadAsDouble(LLMC_DTYPE_F8E4M3FN, &code, 0), 448.0);
  EXPECT_EQ(loadAsDouble(LLMC_DTYPE_F8E4M3FNUZ, &code, 0), 224.0);
  EXPECT_EQ(loadAsDouble(LLMC_DTYPE_F8E5M2FNUZ, &code, 0), 49152.0);
  const uint8_t one[] = {0x3c, 127, 0x02};
  EXPECT_EQ(loadAsDouble(LLMC_DTYPE_F8E5M2, one, 0), 1.0);
  EXPECT_EQ(loadAsDouble(LLMC_DTYPE_F8E8M0FNU, one, 1), 1.0);
  EXPECT_EQ(loadAsDouble(LLMC_DTYPE_F4E2M1FN, one, 2), 1.0);
}

TEST(TensorProtoReader, EmptyAndScalar) {
  HostTensor empty = parse(Wire().dims({1, 0, 4}).integer(2, LLMC_DTYPE_F32));
  EXPECT_EQ(empty.numElements(), 0u);
  HostTensor scalar = parse(Wire().integer(2, LLMC_DTYPE_BOOL).bytes(9, std::string(1, 1)));
  EXPECT_TRUE(scalar.dims.empty());
  EXPECT_EQ(scalar.numElements(), 1u);
}

TEST(TensorProtoReader, UnknownFieldsAreSkipped) {
  Wire wire;
  wire.dims({1}).integer(2, LLMC_DTYPE_U8).bytes(12, "a comment");
  wire.integer(100, 5).bytes(9, "x");
  EXPECT_EQ(parse(wire).bytes, std::vector<uint8_t>{'x'});
}

TEST(TensorProtoReader, EveryTruncationFails) {
  Wire wire;
  wire.dims({2}).integer(2, LLMC_DTYPE_F32).bytes(8, "name");
  wire.packed<float>(9, {1, 2});
  for (size_t size = 0; size < wire.text.size(); ++size) {
    std::string error = parseError(wire.text.substr(0, size));
    EXPECT_EQ(error.rfind("t.pb: ", 0), 0u) << error;
  }
}

TEST(TensorProtoReader, ErrorsNameTheOffset) {
  Wire wire;
  wire.integer(2, LLMC_DTYPE_F32); // two bytes
  wire.varint(9 << 3 | 2).varint(1000);
  EXPECT_EQ(parseError(wire.text), "t.pb: offset 2: field of 1000 bytes, but 0 are left");
}

TEST(TensorProtoReader, MalformedInput) {
  struct Case {
    const char *what;
    Wire wire;
    const char *message;
  };
  auto f32 = [] { return Wire().integer(2, LLMC_DTYPE_F32); };
  const Case cases[] = {
      {"no type", Wire().dims({1}), "unsupported data type 0"},
      {"string tensor", Wire().integer(2, 8).bytes(6, "x"), "string tensors"},
      {"unknown type", Wire().integer(2, 4000000000000), "unsupported"},
      {"huge dims", f32().dims({1ull << 40, 1ull << 40}), "absurd shape"},
      {"negative dim", f32().dims({~0ull}), "absurd shape"},
      {"too much data", f32().dims({1}).packed<float>(9, {1, 2}),
       "needs 4 bytes, but the file has 8"},
      {"no data", f32().dims({3}), "needs 12 bytes, but the file has 0"},
      {"two data fields", f32().dims({1}).packed<float>(4, {1}).integer(7, 1),
       "data in two typed fields"},
      {"raw and typed", f32().dims({1}).packed<float>(4, {1}).packed<float>(9, {1}),
       "both raw_data and a typed data field"},
      {"wrong field", f32().dims({1}).integer(7, 1), "expected field 4"},
      {"external", f32().dims({1}).integer(14, 1), "external data"},
      {"field 0", Wire().integer(0, 1), "field number 0"},
      {"group", Wire().varint(20 << 3 | 3), "unknown wire type 3"},
      {"odd floats", f32().bytes(4, "abc"), "packed list ends inside a value"},
      {"name as number", Wire().integer(8, 1), "field 8 with wire type 0"},
      {"rank", f32().dims(std::vector<uint64_t>(65, 1)), "rank over 64"},
  };
  for (const Case &test : cases) {
    SCOPED_TRACE(test.what);
    std::string error = parseError(test.wire.text);
    EXPECT_NE(error.find(test.message), std::string::npos) << error;
  }
}

TEST(TensorProtoReader, VarintOver64Bits) {
  std::string text = "\x10" + std::string(9, '\xff') + "\x7f";
  EXPECT_EQ(parseError(text), "t.pb: offset 0: varint over 64 bits");
  EXPECT_EQ(parseError("\x10" + std::string(20, '\xff')), "t.pb: offset 0: varint over 64 bits");
}

TEST(TensorProtoReader, MissingFileAndFolder) {
  std::string error;
  EXPECT_FALSE(readTensorProtoFile("/nonexistent/x.pb", error));
  EXPECT_EQ(error, "/nonexistent/x.pb: No such file or directory");
  EXPECT_FALSE(readTensorProtoFile("/tmp", error));
  EXPECT_EQ(error, "/tmp: Is a directory");
}

TEST(TensorProtoReader, RandomBytesNeverCrash) {
  uint64_t state = 1;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int i = 0; i < 24; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text.push_back(static_cast<char>(state >> 56));
    }
    std::string error;
    if (!parseTensorProto(text, "t.pb", error)) {
      EXPECT_FALSE(error.empty());
    }
  }
}

} // namespace
