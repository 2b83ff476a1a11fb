//===- CPUTopology.h - how many threads pay ---------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_CPUTOPOLOGY_H
#define LLMC_RUNTIME_CORE_CPUTOPOLOGY_H

#include <cstdint>

namespace llmc::runtime {

struct CPUCount {
  uint32_t physicalCores;     ///< with at least one allowed processor
  uint32_t logicalProcessors; ///< allowed by affinity and cgroup quota
};

/// Both at least 1. Reads the affinity mask of the calling thread.
CPUCount countCPUs();

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_CPUTOPOLOGY_H
