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
/// than the bounds of the process' control groups. UINT64_MAX where the system does not say.
uint64_t availableMemory();

/// The smallest bound of the groups that `membership` (the text of /proc/self/cgroup) names
/// and of those that they lie in; UINT64_MAX without one. Files under `root` give them:
/// memory.max of version 2, and memory.limit_in_bytes under memory/ of version 1.
uint64_t controlGroupBound(const char *root, const char *membership);

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_AVAILABLEMEMORY_H
