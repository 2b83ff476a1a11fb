//===- Tensors.cpp - ONNX tensors as attributes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Tensors.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace llmc::importer;

// ONNX 1.14 and later; the linked library's enum ends before them.
enum LaterDataType {
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUInt4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUInt2 = 25,
  kInt2 = 26,
};
static constexpr int64_t kMaxDenseElements = 64;

Type llmc::importer::elementType(MLIRContext *context, int dataType) {
  auto integer = [&](unsigned width, IntegerType::SignednessSemantics signedness) -> Type {
    return IntegerType::get(context, width, signedness);
  };
  switch (dataType) {
  case TensorProto::FLOAT:
    return Float32Type::get(context);
  case TensorProto::FLOAT16:
    return Float16Type::get(context);
  case TensorProto::BFLOAT16:
    return BFloat16Type::get(context);
  case TensorProto::DOUBLE:
    return Float64Type::get(context);
  case TensorProto::BOOL:
    return integer(1, IntegerType::Signless);
  case TensorProto::INT8:
    return integer(8, IntegerType::Signless);
  case TensorProto::INT16:
    return integer(16, IntegerType::Signless);
  case TensorProto::INT32:
    return integer(32, IntegerType::Signless);
  case TensorProto::INT64:
    return integer(64, IntegerType::Signless);
  case TensorProto::UINT8:
    return integer(8, IntegerType::Unsigned);
  case TensorProto::UINT16:
    return integer(16, IntegerType::Unsigned);
  case TensorProto::UINT32:
    return integer(32, IntegerType::Unsigned);
  case TensorProto::UINT64:
    return integer(64, IntegerType::Unsigned);
  case kUInt4:
    return integer(4, IntegerType::Unsigned);
  case kInt4:
    return integer(4, IntegerType::Signless);
  case kUInt2:
    return integer(2, IntegerType::Unsigned);
  case kInt2:
    return integer(2, IntegerType::Signless);
  case kFloat8E4M3FN:
    return Float8E4M3FNType::get(context);
  case kFloat8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case kFloat8E5M2:
    return Float8E5M2Type::get(context);
  case kFloat8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case kFloat4E2M1:
    return Float4E2M1FNType::get(context);
  case kFloat8E8M0:
    return Float8E8M0FNUType::get(context);
  default:
    return {};
  }
}

std::string llmc::importer::dataTypeName(int dataType) {
  static constexpr const char *names[] = {
      "undefined",      "float",    "uint8",        "int8",           "uint16",
      "int16",          "int32",    "int64",        "string",         "bool",
      "float16",        "double",   "uint32",       "uint64",         "complex64",
      "complex128",     "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
      "float8e5m2fnuz", "uint4",    "int4",         "float4e2m1",     "float8e8m0",
      "uint2",          "int2"};
  if (dataType >= 0 && dataType < int(std::size(names)))
    return names[dataType];
  return "number " + std::to_string(dataType);
}

/// Bits per element in ONNX's raw layout: a byte per bool, others narrower than a byte
/// are packed.
static int64_t rawBits(Type type) { return type.isInteger(1) ? 8 : type.getIntOrFloatBitWidth(); }

/// Little-endian bytes of a repeated field, narrowed to the element's width.
template <typename Field>
static void appendNarrow(const Field &field, int64_t width, std::vector<char> &bytes) {
  for (auto value : field) {
    const char *data = reinterpret_cast<const char *>(&value);
    bytes.insert(bytes.end(), data, data + width);
  }
}

/// The typed fields of a tensor without raw data, as raw bytes.
static std::vector<char> typedBytes(const TensorProto &tensor, int64_t width) {
  std::vector<char> bytes;
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    appendNarrow(tensor.float_data(), width, bytes);
    break;
  case TensorProto::DOUBLE:
    appendNarrow(tensor.double_data(), width, bytes);
    break;
  case TensorProto::INT64:
    appendNarrow(tensor.int64_data(), width, bytes);
    break;
  case TensorProto::UINT32:
  case TensorProto::UINT64:
    appendNarrow(tensor.uint64_data(), width, bytes);
    break;
  default:
    appendNarrow(tensor.int32_data(), width, bytes);
    break;
  }
  return bytes;
}

static bool parseNumber(StringRef text, uint64_t &value) { return !text.getAsInteger(10, value); }

/// The external bytes that a tensor's key-value list names.
static std::optional<ModelFile::ExternalBytes>
externalBytes(ModelFile &file, const TensorProto &tensor, std::string &error) {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const auto &entry : tensor.external_data()) {
    uint64_t value = 0;
    bool isNumber = entry.key() == "offset" || entry.key() == "length";
    if (isNumber && !parseNumber(entry.value(), value)) {
      error = "external data: " + entry.key() + " is '" + entry.value() + "', not a number";
      return std::nullopt;
    }
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset")
      offset = value;
    else if (entry.key() == "length")
      length = value;
  }
  if (location.empty()) {
    error = "external data without a location";
    return std::nullopt;
  }
  return file.external(location, offset, length, error);
}

static DenseElementsAttr makeDense(RankedTensorType type, ArrayRef<char> bytes) {
  Type element = type.getElementType();
  if (element.isInteger(1)) {
    SmallVector<bool> values;
    for (char byte : bytes)
      values.push_back(byte != 0);
    return DenseElementsAttr::get(type, values);
  }
  unsigned bits = element.getIntOrFloatBitWidth();
  if (bits >= 8)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  SmallVector<Attribute> values;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    APInt value(bits, uint8_t(bytes[i * bits / 8]) >> (i * bits % 8), /*isSigned=*/false,
                /*implicitTrunc=*/true);
    if (auto number = dyn_cast<FloatType>(element))
      values.push_back(FloatAttr::get(element, APFloat(number.getFloatSemantics(), value)));
    else
      values.push_back(IntegerAttr::get(element, value));
  }
  return DenseElementsAttr::get(type, values);
}

/// A resource over bytes that `owner` keeps alive. Data inside a model file has any
/// alignment; who reads it copies elements. Immutable means mapped from a file: its
/// pages may be given back and read again.
static ElementsAttr makeResource(RankedTensorType type, StringRef name, ArrayRef<char> bytes,
                                 bool isMapped, std::shared_ptr<const void> owner) {
  size_t alignment = std::min<size_t>(
      64, size_t(1) << llvm::countr_zero(reinterpret_cast<uintptr_t>(bytes.data())));
  auto keep = [owner = std::move(owner)](void *, size_t, size_t) {};
  AsmResourceBlob blob(bytes, alignment, std::move(keep), /*dataIsMutable=*/!isMapped);
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

/// The shape in `tensor`, checked for sense.
static std::optional<SmallVector<int64_t>> readShape(const TensorProto &tensor, int64_t maxElements,
                                                     std::string &error) {
  SmallVector<int64_t> shape;
  int64_t count = 1;
  if (tensor.dims_size() > kMaxRank) {
    error = "has more than " + std::to_string(kMaxRank) + " dimensions";
    return std::nullopt;
  }
  for (int64_t dim : tensor.dims()) {
    // Beside a 0, too: strides are products of the other sizes.
    if (dim < 0 || __builtin_mul_overflow(count, std::max<int64_t>(dim, 1), &count) ||
        count > maxElements) {
      error =
          "has dimensions without sense: " +
          ("[" +
           llvm::join(llvm::map_range(tensor.dims(), [](int64_t d) { return std::to_string(d); }),
                      ", ") +
           "]");
      return std::nullopt;
    }
    shape.push_back(dim);
  }
  return shape;
}

ElementsAttr TensorReader::read(const TensorProto &tensor, std::string &error) const {
  Type element = elementType(context, tensor.data_type());
  if (!element) {
    error = "data type " + dataTypeName(tensor.data_type()) + " is not supported";
    return {};
  }
  if (tensor.has_segment()) {
    error = "a tensor in segments is not supported";
    return {};
  }
  auto shape = readShape(tensor, maxElements, error);
  if (!shape)
    return {};
  auto type = RankedTensorType::get(*shape, element);
  int64_t bits = rawBits(element);
  auto owned = std::make_shared<std::vector<char>>();
  std::shared_ptr<const void> owner = file;
  ArrayRef<char> bytes;
  bool isMapped = false;
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    auto external = externalBytes(*file, tensor, error);
    if (!external)
      return {};
    bytes = external->bytes;
    isMapped = external->isMapped;
  } else if (tensor.has_raw_data()) {
    bytes = ArrayRef(tensor.raw_data().data(), tensor.raw_data().size());
  } else {
    *owned = typedBytes(tensor, std::max<int64_t>(1, bits / 8));
    bytes = *owned;
    owner = owned;
  }
  int64_t expected = (type.getNumElements() * bits + 7) / 8;
  if (int64_t(bytes.size()) != expected) {
    error = "holds " + std::to_string(bytes.size()) + " bytes of data where " +
            dataTypeName(tensor.data_type()) + " of this shape needs " + std::to_string(expected);
    return {};
  }
  if (type.getNumElements() <= kMaxDenseElements)
    return makeDense(type, bytes);
  return makeResource(type, tensor.name().empty() ? "constant" : tensor.name(), bytes, isMapped,
                      std::move(owner));
}
