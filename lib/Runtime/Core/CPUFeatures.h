//===- CPUFeatures.h - what processor and system allow ----------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_CPUFEATURES_H
#define LLMC_RUNTIME_CORE_CPUFEATURES_H

#include <cstdint>

namespace llmc::runtime {

/// The LLMC_CPU_* bits of `required` that code may not use here, by what the
/// processor has (CPUID) *and* the system saves (XCR0). Where AMX is required
/// it also asks the kernel for tile data, once for the whole process. Bits that
/// this runtime does not know count as missing.
uint64_t missingCPUFeatures(uint64_t required);

/// "x86-64-v4" and so on, for the lowest bit set; null for an unknown one.
const char *cpuFeatureName(uint64_t features);

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_CPUFEATURES_H
