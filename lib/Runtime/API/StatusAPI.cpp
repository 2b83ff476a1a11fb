//===- StatusAPI.cpp - names of codes and element types -------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "llmc-c/Runtime.h"

namespace {

struct DType {
  uint32_t number;
  uint32_t sizeBytes; // of an element in memory
  const char *name;
};

constexpr DType dtypes[] = {
    {LLMC_DTYPE_F32, 4, "f32"},
    {LLMC_DTYPE_U8, 1, "u8"},
    {LLMC_DTYPE_I8, 1, "i8"},
    {LLMC_DTYPE_U16, 2, "u16"},
    {LLMC_DTYPE_I16, 2, "i16"},
    {LLMC_DTYPE_I32, 4, "i32"},
    {LLMC_DTYPE_I64, 8, "i64"},
    {LLMC_DTYPE_BOOL, 1, "bool"},
    {LLMC_DTYPE_F16, 2, "f16"},
    {LLMC_DTYPE_F64, 8, "f64"},
    {LLMC_DTYPE_U32, 4, "u32"},
    {LLMC_DTYPE_U64, 8, "u64"},
    {LLMC_DTYPE_BF16, 2, "bf16"},
    {LLMC_DTYPE_F8E4M3FN, 1, "f8e4m3fn"},
    {LLMC_DTYPE_F8E4M3FNUZ, 1, "f8e4m3fnuz"},
    {LLMC_DTYPE_F8E5M2, 1, "f8e5m2"},
    {LLMC_DTYPE_F8E5M2FNUZ, 1, "f8e5m2fnuz"},
    {LLMC_DTYPE_U4, 1, "u4"},
    {LLMC_DTYPE_I4, 1, "i4"},
    {LLMC_DTYPE_F4E2M1FN, 1, "f4e2m1fn"},
    {LLMC_DTYPE_F8E8M0FNU, 1, "f8e8m0fnu"},
    {LLMC_DTYPE_U2, 1, "u2"},
    {LLMC_DTYPE_I2, 1, "i2"},
};

const DType *findDType(uint32_t number) {
  for (const DType &row : dtypes)
    if (row.number == number)
      return &row;
  return nullptr;
}

} // namespace

extern "C" {

uint32_t llmc_api_version(void) { return LLMC_API_VERSION; }

const char *llmc_status_string(llmc_status_t code) {
  static const char *const names[] = {
      "ok",
      "invalid argument",
      "out of memory",
      "file not found",
      "input/output error",
      "bad artifact",
      "version mismatch",
      "processor not supported",
      "weights do not match",
      "code failed to load",
      "bad module",
      "not supported by the module",
      "shape mismatch",
      "element type mismatch",
      "out of range",
      "capacity exceeded",
      "internal error",
      "bad session file",
      "session file of another module",
  };
  constexpr llmc_status_t count = sizeof(names) / sizeof(names[0]);
  static_assert(count == LLMC_STATUS_MODULE_MISMATCH + 1);
  return code >= 0 && code < count ? names[code] : "unknown status";
}

size_t llmc_dtype_size(uint32_t dtype) {
  const DType *row = findDType(dtype);
  return row ? row->sizeBytes : 0;
}

const char *llmc_dtype_name(uint32_t dtype) {
  const DType *row = findDType(dtype);
  return row ? row->name : "unknown";
}

} // extern "C"
