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
  size_t sizeBytes;
  bool isFloat;
};

constexpr DTypeRow DTypes[] = {
    {LLMC_DTYPE_F32, "f32", 4, true},   {LLMC_DTYPE_F64, "f64", 8, true},
    {LLMC_DTYPE_F16, "f16", 2, true},   {LLMC_DTYPE_BF16, "bf16", 2, true},
    {LLMC_DTYPE_I8, "i8", 1, false},    {LLMC_DTYPE_U8, "u8", 1, false},
    {DTypeI16, "i16", 2, false},        {DTypeU16, "u16", 2, false},
    {LLMC_DTYPE_I32, "i32", 4, false},  {DTypeU32, "u32", 4, false},
    {LLMC_DTYPE_I64, "i64", 8, false},  {DTypeU64, "u64", 8, false},
    {LLMC_DTYPE_BOOL, "bool", 1, false}};

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
  return row ? row->sizeBytes : 0;
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
  case LLMC_DTYPE_I8:
    return loadElement<int8_t>(bytes, index);
  case DTypeI16:
    return loadElement<int16_t>(bytes, index);
  case DTypeU16:
    return loadElement<uint16_t>(bytes, index);
  case LLMC_DTYPE_I32:
    return loadElement<int32_t>(bytes, index);
  case DTypeU32:
    return loadElement<uint32_t>(bytes, index);
  case LLMC_DTYPE_I64:
    return static_cast<double>(loadElement<int64_t>(bytes, index));
  case DTypeU64:
    return static_cast<double>(loadElement<uint64_t>(bytes, index));
  default: // u8 and bool
    return bytes[index];
  }
}

} // namespace llmc::run
