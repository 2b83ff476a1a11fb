//===- Selection.cpp - ISA levels, symbols and embedded bitcode -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "llmc/CodeGen/CPU/Microkernels.h"

#include <cassert>
#include <cpuid.h>

// Defined by Embed.S, one pair per level.
#define LLMC_UK_BITCODE(level)                                                 \
  extern "C" const std::byte llmc_uk_bitcode_begin_##level[];                  \
  extern "C" const std::byte llmc_uk_bitcode_end_##level[];
LLMC_UK_BITCODE(x86_64_v3)
LLMC_UK_BITCODE(x86_64_v4)
LLMC_UK_BITCODE(x86_64_v4_vnni)
#undef LLMC_UK_BITCODE

namespace llmc::cpu {

namespace {

struct Variant {
  Microkernel kernel;
  IsaLevel level;
  std::string_view symbol;
};

constexpr Variant variants[] = {
#define LLMC_UK_VARIANT(kernel, op, stem, isa, level)                          \
  {Microkernel::kernel, IsaLevel::level, "llmc_uk_" #stem "__" #isa},
#include "Microkernels_variants.inc"
#undef LLMC_UK_VARIANT
};

struct Level {
  std::string_view name, cpu, features;
  const std::byte *begin, *end;
};

// CPU and features as clang 22 writes them for the flags in CMakeLists.txt; to check after
// a change of either: llvm-dis < bitcode/<level>.bc | grep -o '"target-[^ ]*'.
#define LLMC_UK_V3_FEATURES                                                    \
  "+avx,+avx2,+bmi,+bmi2,+cmov,+crc32,+cx16,+cx8,+f16c,+fma,+fxsr,+lzcnt,"     \
  "+mmx,+movbe,+popcnt,+sahf,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+x87,"    \
  "+xsave"
#define LLMC_UK_V4_FEATURES                                                    \
  "+avx,+avx2,+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl,+bmi,+bmi2,"    \
  "+cmov,+crc32,+cx16,+cx8,+f16c,+fma,+fxsr,+lzcnt,+mmx,+movbe,+popcnt,+sahf," \
  "+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+x87,+xsave"
#define LLMC_UK_V4_VNNI_FEATURES                                               \
  "+avx,+avx2,+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl,+avx512vnni,"   \
  "+bmi,+bmi2,+cmov,+crc32,+cx16,+cx8,+f16c,+fma,+fxsr,+lzcnt,+mmx,+movbe,"    \
  "+popcnt,+sahf,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+x87,+xsave"

/// In the order of IsaLevel.
const Level levels[] = {
    {"x86_64_v3", "x86-64-v3", LLMC_UK_V3_FEATURES,
     llmc_uk_bitcode_begin_x86_64_v3, llmc_uk_bitcode_end_x86_64_v3},
    {"x86_64_v4", "x86-64-v4", LLMC_UK_V4_FEATURES,
     llmc_uk_bitcode_begin_x86_64_v4, llmc_uk_bitcode_end_x86_64_v4},
    {"x86_64_v4_vnni", "x86-64-v4", LLMC_UK_V4_VNNI_FEATURES,
     llmc_uk_bitcode_begin_x86_64_v4_vnni, llmc_uk_bitcode_end_x86_64_v4_vnni},
};

const Level &info(IsaLevel level) { return levels[static_cast<int>(level)]; }

bool hasBits(unsigned value, unsigned bits) { return (value & bits) == bits; }

} // namespace

std::string_view isaLevelName(IsaLevel level) { return info(level).name; }
std::string_view targetCpu(IsaLevel level) { return info(level).cpu; }
std::string_view targetFeatures(IsaLevel level) { return info(level).features; }

std::span<const std::byte> bitcode(IsaLevel level) {
  return {info(level).begin, info(level).end};
}

std::string_view symbol(Microkernel kernel, IsaLevel level) {
  std::string_view newest;
  for (const Variant &v : variants)
    if (v.kernel == kernel && v.level <= level)
      newest = v.symbol;
  assert(!newest.empty() && "every kernel has a variant at the oldest level");
  return newest;
}

int64_t panelWidthF32(IsaLevel level) { return level == IsaLevel::X86_64_V3 ? 16 : 32; }

bool hostSupports(IsaLevel level) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !hasBits(c, bit_OSXSAVE | bit_FMA | bit_F16C))
    return false;
  // What the operating system saves: XMM and YMM, for AVX-512 opmask and ZMM too.
  unsigned xcr0, xcr0High;
  __asm__("xgetbv" : "=a"(xcr0), "=d"(xcr0High) : "c"(0));
  if (!hasBits(xcr0, 0x6) || !__get_cpuid_count(7, 0, &a, &b, &c, &d) ||
      !hasBits(b, bit_AVX2 | bit_BMI | bit_BMI2))
    return false;
  if (level == IsaLevel::X86_64_V3)
    return true;
  if (!hasBits(xcr0, 0xe6) ||
      !hasBits(b, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD))
    return false;
  return level == IsaLevel::X86_64_V4 || hasBits(c, bit_AVX512VNNI);
}

} // namespace llmc::cpu
