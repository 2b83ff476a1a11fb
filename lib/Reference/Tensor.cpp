//===- Tensor.cpp - element access of reference tensors
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Reference/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

using namespace mlir;

namespace llmc::reference {

static int64_t product(ArrayRef<int64_t> shape) {
  int64_t result = 1;
  for (int64_t size : shape)
    result *= size;
  return result;
}

static int64_t bytesOf(Type element) { return (element.getIntOrFloatBitWidth() + 7) / 8; }

/// Whether an element is a word of 1, 2, 4 or 8 bytes.
static bool hasWords(Type element) {
  int64_t bytes = bytesOf(element);
  return bytes <= 8 && llvm::isPowerOf2_64(bytes);
}

void Tensor::setElementType(Type type) {
  assert(hasWords(type) && "a tensor of no type of the dialect");
  element = type;
  elementBits = type.getIntOrFloatBitWidth();
  elementBytes = bytesOf(type);
  if (isa<FloatType>(type))
    format = type.isF16()    ? Format::F16
             : type.isBF16() ? Format::BF16
             : type.isF32()  ? Format::F32
             : type.isF64()  ? Format::F64
                             : Format::OtherFloat;
  else
    format = type.isInteger(1)          ? Format::Bool
             : type.isUnsignedInteger() ? Format::Unsigned
                                        : Format::Signed;
}

Tensor::Tensor(Type element, ArrayRef<int64_t> shape) : sizes(shape), count(product(shape)) {
  setElementType(element);
  owned = std::make_shared<std::vector<char>>(sizeBytes());
  data = owned->data();
}

Tensor Tensor::borrow(Type element, ArrayRef<int64_t> shape, ArrayRef<char> bytes) {
  Tensor tensor;
  tensor.setElementType(element);
  tensor.sizes = Shape(shape);
  tensor.count = product(shape);
  tensor.data = bytes.data();
  assert(int64_t(bytes.size()) >= tensor.sizeBytes() && "too few bytes for the shape");
  return tensor;
}

Tensor Tensor::fromFloats(Type element, ArrayRef<int64_t> shape, ArrayRef<double> values) {
  Tensor tensor(element, shape);
  assert(int64_t(values.size()) == tensor.count && "values do not fill the shape");
  for (auto [index, value] : llvm::enumerate(values))
    tensor.setFloat(index, value);
  return tensor;
}

Tensor Tensor::fromInts(Type element, ArrayRef<int64_t> shape, ArrayRef<int64_t> values) {
  Tensor tensor(element, shape);
  assert(int64_t(values.size()) == tensor.count && "values do not fill the shape");
  for (auto [index, value] : llvm::enumerate(values))
    tensor.setInt(index, value);
  return tensor;
}

FailureOr<Tensor> Tensor::fromAttr(ElementsAttr attr) {
  ShapedType type = attr.getShapedType();
  Type element = type.getElementType();
  if (!type.hasStaticShape() || !element.isIntOrFloat() || !hasWords(element))
    return failure();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    int64_t count = product(type.getShape()), bits = element.getIntOrFloatBitWidth();
    bool isPacked = bits == 2 || bits == 4;
    int64_t bytes = isPacked ? (count * bits + 7) / 8 : count * bytesOf(element);
    if (!blob || int64_t(blob->getData().size()) < bytes)
      return failure();
    if (!isPacked)
      return borrow(element, type.getShape(), blob->getData());
    Tensor tensor(element, type.getShape());
    for (int64_t i = 0; i < count; ++i)
      (*tensor.owned)[i] =
          uint8_t(blob->getData()[i * bits / 8]) >> (i * bits % 8) & ((1 << bits) - 1);
    return tensor;
  }
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense)
    return failure();
  Tensor tensor(element, type.getShape());
  if (tensor.isFloat()) {
    for (auto [index, value] : llvm::enumerate(dense.getValues<APFloat>())) {
      APInt bits = value.bitcastToAPInt();
      std::memcpy(tensor.owned->data() + index * tensor.elementBytes, bits.getRawData(),
                  tensor.elementBytes);
    }
    return tensor;
  }
  for (auto [index, value] : llvm::enumerate(dense.getValues<APInt>()))
    tensor.setInt(index, value.getZExtValue());
  return tensor;
}

/// An f16 or bf16 number. APFloat would take most of the time that an evaluation takes.
static double decodeHalf(uint16_t bits, bool isBF16) {
  if (isBF16) {
    uint32_t wide = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof(value));
    return value;
  }
  constexpr double kSmallest = 0x1p-24; // subnormal
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value = exponent == 0    ? fraction * kSmallest
                 : exponent != 31 ? (1024 + fraction) * (kSmallest * double(1u << (exponent - 1)))
                 : fraction       ? std::numeric_limits<double>::quiet_NaN()
                                  : std::numeric_limits<double>::infinity();
  return bits >> 15 ? -value : value;
}

template <typename Word> static Word load(const char *source) {
  Word word;
  std::memcpy(&word, source, sizeof(word));
  return word;
}

/// The bits of one element of 1, 2, 4 or 8 bytes.
static uint64_t loadBits(const char *source, int64_t size) {
  switch (size) {
  case 1:
    return load<uint8_t>(source);
  case 2:
    return load<uint16_t>(source);
  case 4:
    return load<uint32_t>(source);
  default:
    return load<uint64_t>(source);
  }
}

template <typename Word> static void store(uint64_t bits, char *target) {
  auto word = Word(bits);
  std::memcpy(target, &word, sizeof(word));
}

static void storeBits(uint64_t bits, char *target, int64_t size) {
  switch (size) {
  case 1:
    return store<uint8_t>(bits, target);
  case 2:
    return store<uint16_t>(bits, target);
  case 4:
    return store<uint32_t>(bits, target);
  default:
    return store<uint64_t>(bits, target);
  }
}

/// A number of another type.
static double decode(uint64_t bits, FloatType type) {
  APFloat value(type.getFloatSemantics(), APInt(type.getWidth(), bits));
  bool losesInfo = false;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
  return value.convertToDouble();
}

double Tensor::getFloat(int64_t index) const {
  assert(index >= 0 && index < count && "element outside the tensor");
  const char *source = data + index * elementBytes;
  switch (format) {
  case Format::Bool:
  case Format::Signed:
    return double(getInt(index));
  case Format::Unsigned:
    return double(uint64_t(getInt(index)));
  case Format::F16:
  case Format::BF16:
    return decodeHalf(uint16_t(loadBits(source, 2)), format == Format::BF16);
  case Format::F32:
    return std::bit_cast<float>(uint32_t(loadBits(source, 4)));
  case Format::F64:
    return std::bit_cast<double>(loadBits(source, 8));
  case Format::OtherFloat:
    break;
  }
  return decode(loadBits(source, elementBytes), cast<FloatType>(element));
}

/// Truncates; what does not fit saturates and NaN is 0, so that the oracle is
/// defined where ONNX leaves the result open.
static int64_t truncate(double value) {
  if (std::isnan(value))
    return 0;
  if (value >= 9223372036854775808.0)
    return std::numeric_limits<int64_t>::max();
  if (value < -9223372036854775808.0)
    return std::numeric_limits<int64_t>::min();
  return int64_t(value);
}

/// As generated code converts: through 32 bits where the type is not wider.
static int64_t toInteger(double value, Type type) {
  unsigned width = type.getIntOrFloatBitWidth();
  if (type.isUnsignedInteger(64) && value >= 9223372036854775808.0)
    return value >= 18446744073709551616.0 ? -1 : int64_t(uint64_t(value));
  int64_t wide = truncate(value);
  if (width > 32 || type.isUnsignedInteger(32))
    return wide;
  return std::clamp<int64_t>(wide, std::numeric_limits<int32_t>::min(),
                             std::numeric_limits<int32_t>::max());
}

int64_t Tensor::getInt(int64_t index) const {
  if (isFloat())
    return truncate(getFloat(index));
  assert(index >= 0 && index < count && "element outside the tensor");
  uint64_t bits = loadBits(data + index * elementBytes, elementBytes);
  return format == Format::Signed ? llvm::SignExtend64(bits, elementBits)
                                  : int64_t(bits & llvm::maskTrailingOnes<uint64_t>(elementBits));
}

/// Rounds to nearest even. Types without NaN or sign have no code for some values: 4-bit
/// floats saturate, scales (f8E8M0FNU) take the smallest for 0 and NaN for negatives.
static uint64_t encode(float value, FloatType type) {
  const llvm::fltSemantics &semantics = type.getFloatSemantics();
  if (isa<Float4E2M1FNType>(type)) {
    if (std::isnan(value)) // as ONNX has it: negative zero
      return 8;
    value = std::clamp(value, -6.0f, 6.0f);
  }
  if (isa<Float8E8M0FNUType>(type)) {
    if (value == 0)
      return 0;
    if (value < 0 || !std::isfinite(value))
      return 255;
  }
  APFloat narrow(value);
  bool losesInfo = false;
  narrow.convert(semantics, APFloat::rmNearestTiesToEven, &losesInfo);
  return narrow.bitcastToAPInt().getZExtValue();
}

void Tensor::setFloat(int64_t index, double value) {
  if (!isFloat())
    return setInt(index, format == Format::Bool ? value != 0 : toInteger(value, element));
  assert(owned && index >= 0 && index < count && "element outside an owned tensor");
  char *target = owned->data() + index * elementBytes;
  if (format == Format::F64)
    storeBits(std::bit_cast<uint64_t>(value), target, 8);
  else if (format == Format::F32)
    storeBits(std::bit_cast<uint32_t>(float(value)), target, 4);
  else
    storeBits(encode(float(value), cast<FloatType>(element)), target, elementBytes);
}

void Tensor::setInt(int64_t index, int64_t value) {
  if (isFloat())
    return setFloat(index, double(value));
  assert(owned && index >= 0 && index < count && "element outside an owned tensor");
  uint64_t bits = format == Format::Bool ? value != 0 : uint64_t(value);
  storeBits(bits, owned->data() + index * elementBytes, elementBytes);
}

void Tensor::copyElement(int64_t index, const Tensor &source, int64_t from) {
  assert(element == source.element && "a copy keeps the element type");
  assert(owned && index >= 0 && index < count && "element outside an owned tensor");
  uint64_t bits = loadBits(source.data + from * elementBytes, elementBytes);
  storeBits(bits, owned->data() + index * elementBytes, elementBytes);
}

Tensor Tensor::clone() const {
  Tensor result(element, sizes);
  std::copy_n(data, sizeBytes(), result.owned->begin());
  return result;
}

Tensor Tensor::reshaped(ArrayRef<int64_t> shape) const {
  assert(product(shape) == count && "a reshape keeps the number of elements");
  Tensor result = *this;
  result.sizes = Shape(shape);
  return result;
}

Tensor Tensor::bitcast(Type type) const {
  assert(type.getIntOrFloatBitWidth() == element.getIntOrFloatBitWidth() &&
         "a bitcast keeps the number of bits");
  Tensor result = *this;
  result.setElementType(type);
  return result;
}

DenseElementsAttr Tensor::toAttr() const {
  auto type = RankedTensorType::get(sizes, element);
  if (auto floats = dyn_cast<FloatType>(element)) {
    SmallVector<APFloat> values;
    for (int64_t index = 0; index < count; ++index) {
      uint64_t bits = 0;
      std::memcpy(&bits, data + index * elementBytes, elementBytes);
      values.emplace_back(floats.getFloatSemantics(), APInt(floats.getWidth(), bits));
    }
    return DenseElementsAttr::get(type, values);
  }
  SmallVector<APInt> values;
  unsigned width = element.getIntOrFloatBitWidth();
  for (int64_t index = 0; index < count; ++index)
    values.emplace_back(width, uint64_t(getInt(index)), /*isSigned=*/false,
                        /*implicitTrunc=*/true);
  return DenseElementsAttr::get(type, values);
}

} // namespace llmc::reference
