//===- HostTensor.h - a named tensor in host memory --------------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tensors that llmc-run reads from files, feeds to a module and compares.
// Element types carry ONNX's numbers, which are also those of ModuleABI.h. Elements of
// less than 8 bits take a byte each, as in a module; files have them packed.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_HOSTTENSOR_H
#define LLMC_TOOLS_RUN_HOSTTENSOR_H

#include "llmc-c/ModuleABI.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace llmc::run {

struct HostTensor {
  std::string name;
  uint32_t dtype = 0;
  std::vector<int64_t> dims;
  std::vector<uint8_t> bytes; // dense, row-major, little-endian

  size_t numElements() const;
};

/// Bytes of one element; 0 for a type that llmc-run does not know.
size_t dtypeSizeBytes(uint32_t dtype);

/// Bits of one element in a file; less than a byte's for packed types.
size_t dtypeBits(uint32_t dtype);

/// Short name, such as "f32"; "type 17" for an unknown number.
std::string dtypeName(uint32_t dtype);

bool isFloatDType(uint32_t dtype);

/// For example "f32[1, 7, 384]".
std::string typeText(uint32_t dtype, const std::vector<int64_t> &dims);

/// Product of `dims`; false where one is negative or the product leaves int64.
bool countElements(const std::vector<int64_t> &dims, uint64_t &count);

/// Element `index` of a dense array of floating point or integer `dtype`.
double loadAsDouble(uint32_t dtype, const uint8_t *bytes, size_t index);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_HOSTTENSOR_H
