//===- StatusAPI.cpp - names of codes and element types -------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "llmc-c/Runtime.h"

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
  };
  constexpr llmc_status_t count = sizeof(names) / sizeof(names[0]);
  static_assert(count == LLMC_STATUS_INTERNAL + 1);
  return code >= 0 && code < count ? names[code] : "unknown status";
}

size_t llmc_dtype_size(uint32_t dtype) {
  switch (dtype) {
  case LLMC_DTYPE_U8:
  case LLMC_DTYPE_I8:
  case LLMC_DTYPE_BOOL:
    return 1;
  case LLMC_DTYPE_F16:
  case LLMC_DTYPE_BF16:
    return 2;
  case LLMC_DTYPE_F32:
  case LLMC_DTYPE_I32:
    return 4;
  case LLMC_DTYPE_I64:
  case LLMC_DTYPE_F64:
    return 8;
  default:
    return 0;
  }
}

const char *llmc_dtype_name(uint32_t dtype) {
  switch (dtype) {
  case LLMC_DTYPE_F32:
    return "f32";
  case LLMC_DTYPE_U8:
    return "u8";
  case LLMC_DTYPE_I8:
    return "i8";
  case LLMC_DTYPE_I32:
    return "i32";
  case LLMC_DTYPE_I64:
    return "i64";
  case LLMC_DTYPE_BOOL:
    return "bool";
  case LLMC_DTYPE_F16:
    return "f16";
  case LLMC_DTYPE_F64:
    return "f64";
  case LLMC_DTYPE_BF16:
    return "bf16";
  default:
    return "unknown";
  }
}

} // extern "C"
