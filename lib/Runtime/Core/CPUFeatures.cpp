//===- CPUFeatures.cpp - what processor and system allow ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled for the baseline ISA, like the whole runtime. Bit positions are
// those of the Intel SDM, volume 2A (CPUID) and volume 1, 13.3 (XCR0).
//
//===----------------------------------------------------------------------===//

#include "CPUFeatures.h"

#include "llmc-c/ModuleABI.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace llmc::runtime;

#if defined(__x86_64__)
namespace {

constexpr bool has(uint64_t word, uint64_t bits) { return (word & bits) == bits; }
constexpr uint64_t bit(int index) { return uint64_t{1} << index; }

constexpr uint64_t xcr0YMM = bit(1) | bit(2);
constexpr uint64_t xcr0ZMM = xcr0YMM | bit(5) | bit(6) | bit(7);
constexpr uint64_t xcr0Tiles = bit(17) | bit(18);

uint64_t readXCR0() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

/// Linux enables tile data per process, on request (Documentation/arch/x86/
/// xstate.rst). Asking again is harmless.
bool requestTileData() {
  constexpr long archReqXcompPerm = 0x1023, xfeatureTileData = 18;
  return syscall(SYS_arch_prctl, archReqXcompPerm, xfeatureTileData) == 0;
}

uint64_t presentFeatures(bool wantTiles) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, bit(27) /* OSXSAVE */))
    return 0;
  uint64_t leaf1c = c, xcr0 = readXCR0();
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return 0;
  uint64_t leaf7b = b, leaf7c = c, leaf7d = d;
  if (!__get_cpuid(0x80000001, &a, &b, &c, &d))
    return 0;
  uint64_t extendedC = c;

  uint64_t present = 0;
  // FMA, MOVBE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT
  if (has(leaf1c, bit(12) | bit(22) | bit(28) | bit(29)) && has(leaf7b, bit(3) | bit(5) | bit(8)) &&
      has(extendedC, bit(5)) && has(xcr0, xcr0YMM))
    present |= LLMC_CPU_X86_64_V3;
  // AVX512 F, DQ, CD, BW, VL
  if ((present & LLMC_CPU_X86_64_V3) && has(xcr0, xcr0ZMM) &&
      has(leaf7b, bit(16) | bit(17) | bit(28) | bit(30) | bit(31)))
    present |= LLMC_CPU_X86_64_V4;
  if ((present & LLMC_CPU_X86_64_V4) && has(leaf7c, bit(11)))
    present |= LLMC_CPU_AVX512_VNNI;
  if (wantTiles && has(leaf7d, bit(24)) && has(xcr0, xcr0Tiles) && requestTileData()) {
    if (has(leaf7d, bit(25)))
      present |= LLMC_CPU_AMX_INT8;
    if (has(leaf7d, bit(22)))
      present |= LLMC_CPU_AMX_BF16;
  }
  return present;
}

} // namespace
#else
static uint64_t presentFeatures(bool) { return 0; }
#endif

uint64_t llmc::runtime::missingCPUFeatures(uint64_t required) {
  if (required == 0)
    return 0;
  constexpr uint64_t tiles = LLMC_CPU_AMX_INT8 | LLMC_CPU_AMX_BF16;
  return required & ~presentFeatures((required & tiles) != 0);
}

const char *llmc::runtime::cpuFeatureName(uint64_t features) {
  switch (features & (~features + 1)) {
  case LLMC_CPU_X86_64_V3:
    return "x86-64-v3 (AVX2, FMA)";
  case LLMC_CPU_X86_64_V4:
    return "x86-64-v4 (AVX-512)";
  case LLMC_CPU_AVX512_VNNI:
    return "AVX-512 VNNI";
  case LLMC_CPU_AMX_INT8:
    return "AMX int8";
  case LLMC_CPU_AMX_BF16:
    return "AMX bf16";
  default:
    return nullptr;
  }
}
