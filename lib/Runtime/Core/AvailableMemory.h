//===- AvailableMemory.h - what the system can still give -------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_AVAILABLEMEMORY_H
#define LLMC_RUNTIME_CORE_AVAILABLEMEMORY_H

#include <cstdint>

namespace llmc::runtime {

/// Bytes that new memory may take without swapping: the kernel's MemAvailable, and no more
/// than the control group's bound. UINT64_MAX where the system does not say.
uint64_t availableMemory();

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_AVAILABLEMEMORY_H
