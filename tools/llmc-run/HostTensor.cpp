//===- HostTensor.cpp - element types and their conversions ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One table of element types, and the conversion of any element to double.
//
//===----------------------------------------------------------------------===//
#include "HostTensor.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace llmc::run {
namespace {

struct DTypeRow {
  uint32_t dtype;
  const char *name;
  size_t bits; // of an element in a file
  bool isFloat;
};

constexpr DTypeRow DTypes[] = {
    {LLMC_DTYPE_F32, "f32", 32, true},
    {LLMC_DTYPE_F64, "f64", 64, true},
    {LLMC_DTYPE_F16, "f16", 16, true},
    {LLMC_DTYPE_BF16, "bf16", 16, true},
    {LLMC_DTYPE_F8E4M3FN, "f8e4m3fn", 8, true},
    {LLMC_DTYPE_F8E4M3FNUZ, "f8e4m3fnuz", 8, true},
    {LLMC_DTYPE_F8E5M2, "f8e5m2", 8, true},
    {LLMC_DTYPE_F8E5M2FNUZ, "f8e5m2fnuz", 8, true},
    {LLMC_DTYPE_F8E8M0FNU, "f8e8m0fnu", 8, true},
    {LLMC_DTYPE_F4E2M1FN, "f4e2m1fn", 4, true},
    {LLMC_DTYPE_I2, "i2", 2, false},
    {LLMC_DTYPE_U2, "u2", 2, false},
    {LLMC_DTYPE_I4, "i4", 4, false},
    {LLMC_DTYPE_U4, "u4", 4, false},
    {LLMC_DTYPE_I8, "i8", 8, false},
    {LLMC_DTYPE_U8, "u8", 8, false},
    {LLMC_DTYPE_I16, "i16", 16, false},
    {LLMC_DTYPE_U16, "u16", 16, false},
    {LLMC_DTYPE_I32, "i32", 32, false},
    {LLMC_DTYPE_U32, "u32", 32, false},
    {LLMC_DTYPE_I64, "i64", 64, false},
    {LLMC_DTYPE_U64, "u64", 64, false},
    {LLMC_DTYPE_BOOL, "bool", 8, false},
};

const DTypeRow *findDType(uint32_t dtype) {
  for (const DTypeRow &row : DTypes)
    if (row.dtype == dtype)
      return &row;
  return nullptr;
}

template <typename T> T loadElement(const uint8_t *bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return value;
}

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Sign, exponent and fraction from the top; every code is finite.
double smallFloatToDouble(unsigned code, int exponentBits, int fractionBits, int bias) {
  unsigned sign = 1u << (exponentBits + fractionBits);
  int exponent = static_cast<int>((code & (sign - 1)) >> fractionBits);
  int fraction = static_cast<int>(code & ((1u << fractionBits) - 1));
  double magnitude =
      exponent ? std::ldexp(fraction + (1 << fractionBits), exponent - bias - fractionBits)
               : std::ldexp(fraction, 1 - bias - fractionBits);
  return code & sign ? -magnitude : magnitude;
}

double halfToDouble(uint16_t bits) {
  int exponent = (bits >> 10) & 0x1f;
  int fraction = bits & 0x3ff;
  double magnitude;
  if (exponent == 0x1f)
    magnitude = fraction ? std::numeric_limits<double>::quiet_NaN()
                         : std::numeric_limits<double>::infinity();
  else if (exponent == 0)
    magnitude = std::ldexp(fraction, -24);
  else
    magnitude = std::ldexp(fraction + 1024, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

} // namespace

size_t HostTensor::numElements() const {
  uint64_t count = 0;
  return countElements(dims, count) ? static_cast<size_t>(count) : 0;
}

size_t dtypeSizeBytes(uint32_t dtype) {
  const DTypeRow *row = findDType(dtype);
  return row ? (row->bits + 7) / 8 : 0;
}

size_t dtypeBits(uint32_t dtype) {
  const DTypeRow *row = findDType(dtype);
  return row ? row->bits : 0;
}

std::string dtypeName(uint32_t dtype) {
  const DTypeRow *row = findDType(dtype);
  return row ? row->name : "type " + std::to_string(dtype);
}

bool isFloatDType(uint32_t dtype) {
  const DTypeRow *row = findDType(dtype);
  return row && row->isFloat;
}

std::string typeText(uint32_t dtype, const std::vector<int64_t> &dims) {
  std::string text = dtypeName(dtype) + "[";
  for (size_t i = 0; i < dims.size(); ++i)
    text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

bool countElements(const std::vector<int64_t> &dims, uint64_t &count) {
  bool hasZero = false;
  uint64_t product = 1;
  for (int64_t dim : dims) {
    if (dim < 0)
      return false;
    if (dim == 0)
      hasZero = true;
    else if (__builtin_mul_overflow(product, static_cast<uint64_t>(dim), &product) ||
             product > static_cast<uint64_t>(INT64_MAX))
      return false;
  }
  count = hasZero ? 0 : product;
  return true;
}

double loadAsDouble(uint32_t dtype, const uint8_t *bytes, size_t index) {
  switch (dtype) {
  case LLMC_DTYPE_F32:
    return loadElement<float>(bytes, index);
  case LLMC_DTYPE_F64:
    return loadElement<double>(bytes, index);
  case LLMC_DTYPE_F16:
    return halfToDouble(loadElement<uint16_t>(bytes, index));
  case LLMC_DTYPE_BF16:
    return std::bit_cast<float>(static_cast<uint32_t>(loadElement<uint16_t>(bytes, index)) << 16);
  case LLMC_DTYPE_I2:
  case LLMC_DTYPE_I4:
  case LLMC_DTYPE_I8:
    return loadElement<int8_t>(bytes, index);
  case LLMC_DTYPE_F8E4M3FN:
    return (bytes[index] & 0x7f) == 0x7f ? nan : smallFloatToDouble(bytes[index], 4, 3, 7);
  case LLMC_DTYPE_F8E4M3FNUZ:
    return bytes[index] == 0x80 ? nan : smallFloatToDouble(bytes[index], 4, 3, 8);
  case LLMC_DTYPE_F8E5M2: // the upper byte of an f16
    return halfToDouble(static_cast<uint16_t>(bytes[index] << 8));
  case LLMC_DTYPE_F8E5M2FNUZ:
    return bytes[index] == 0x80 ? nan : smallFloatToDouble(bytes[index], 5, 2, 16);
  case LLMC_DTYPE_F8E8M0FNU:
    return bytes[index] == 0xff ? nan : std::ldexp(1.0, bytes[index] - 127);
  case LLMC_DTYPE_F4E2M1FN:
    return smallFloatToDouble(bytes[index], 2, 1, 1);
  case LLMC_DTYPE_I16:
    return loadElement<int16_t>(bytes, index);
  case LLMC_DTYPE_U16:
    return loadElement<uint16_t>(bytes, index);
  case LLMC_DTYPE_I32:
    return loadElement<int32_t>(bytes, index);
  case LLMC_DTYPE_U32:
    return loadElement<uint32_t>(bytes, index);
  case LLMC_DTYPE_I64:
    return static_cast<double>(loadElement<int64_t>(bytes, index));
  case LLMC_DTYPE_U64:
    return static_cast<double>(loadElement<uint64_t>(bytes, index));
  default: // u8, u4, u2 and bool
    return bytes[index];
  }
}

} // namespace llmc::run
