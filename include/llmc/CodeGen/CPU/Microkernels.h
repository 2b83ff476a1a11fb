//===- Microkernels.h - CPU microkernel bitcode, symbols and packing ------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Host-side interface to the CPU microkernels: the bitcode of each ISA level,
// the symbol that implements an operation at that level, the layouts that the
// kernels read, and the functions that produce those layouts. Plain C++ without
// LLVM, so that tests, the bench and the code generator share it. The contract
// of each kernel is in lib/CodeGen/CPU/Microkernels/<op>/<op>.h.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_CODEGEN_CPU_MICROKERNELS_H
#define LLMC_CODEGEN_CPU_MICROKERNELS_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace llmc::cpu {

/// ISA levels that have bitcode, oldest first. A level runs every kernel of the
/// levels before it.
enum class IsaLevel {
  X86_64_V3,      ///< AVX2, FMA, F16C
  X86_64_V4,      ///< AVX-512 F, BW, DQ, VL, CD
  X86_64_V4_VNNI, ///< and AVX512VNNI
};

inline constexpr IsaLevel allIsaLevels[] = {IsaLevel::X86_64_V3, IsaLevel::X86_64_V4,
                                            IsaLevel::X86_64_V4_VNNI};

/// "x86_64_v3", ...: the spelling in symbols and options.
std::string_view isaLevelName(IsaLevel level);

/// True where this CPU and its operating system (CPUID and XCR0) run `level`.
bool hostSupports(IsaLevel level);

enum class Microkernel {
  LinearF32F32F32,    ///< linear_f32/linear_f32.h
  LinearF32F16F32,    ///< linear_f32/linear_f32.h
  LinearF32BF16F32,   ///< linear_f32/linear_f32.h
  LinearI8I4F32,      ///< linear_i4/linear_i4.h
  LinearI8I8F32,      ///< linear_i4/linear_i4.h
  LinearF32I4F32,     ///< linear_i4/linear_i4.h
  LinearF32I8F32,     ///< linear_i4/linear_i4.h
  LinearU8I8I32,      ///< linear_u8_i8/linear_u8_i8.h
  QuantizeF32I8,      ///< quantize/quantize.h
  AttentionF32,       ///< attention/attention.h
  AttentionF32F16,    ///< attention/attention.h
  AttentionF32BF16,   ///< attention/attention.h
  AttentionF32I8,     ///< attention/attention.h
  LinearAttentionF32, ///< linear_attention/linear_attention.h
  MatmulF32F32F32,    ///< matmul/matmul.h
};

/// The kernel's symbol in `bitcode(level)`: the newest variant that `level` has,
/// e.g. "llmc_uk_linear_f32_f32_f32__x86_64_v4" at X86_64_V4_VNNI too.
std::string_view symbol(Microkernel kernel, IsaLevel level);

/// Scalar functions `float llmc_uk_math_<fn>_f32(float...)` have one symbol at
/// every level (math/math.h): branch free, vectorised where they are inlined.
inline constexpr std::string_view mathSymbolPrefix = "llmc_uk_math_";

/// LLVM bitcode with every kernel that `level` needs. Definitions are external,
/// `symbol` and math functions; helpers are internal, large tiles among them
/// noinline. Link with internalize and only-needed, then put alwaysinline on the
/// call: the functions carry "no-builtins", which stops the ordinary inliner.
std::span<const std::byte> bitcode(IsaLevel level);

/// The values of the "target-cpu" and "target-features" attributes that the
/// bitcode's functions carry; generated functions must carry the same.
std::string_view targetCpu(IsaLevel level);
std::string_view targetFeatures(IsaLevel level);

//===----------------------------------------------------------------------===//
// panels of f32, f16 or bf16
//===----------------------------------------------------------------------===//

/// Outputs in one panel of linear_f32_{f32,f16,bf16}_f32: 16 at x86_64_v3, else 32.
int64_t panelWidthF32(IsaLevel level);

/// Elements (not bytes) of all panels: ceil(n / nr) * k * nr.
int64_t packedSizePanels(int64_t k, int64_t n, int64_t nr);

/// Packs w(n, k) = w[n * strideN + k * strideK] into panels [k][nr] of `nr`
/// outputs, the last one zero padded, for panels [panelBegin, panelEnd). `dst` is
/// the start of panel 0. T is float, or uint16_t for the bits of f16 and bf16. Calls on
/// disjoint ranges may run concurrently.
template <class T>
void packPanels(const T *w, int64_t k, int64_t n, int64_t strideK, int64_t strideN, int64_t nr,
                T *dst, int64_t panelBegin, int64_t panelEnd);

//===----------------------------------------------------------------------===//
// n-bit row blocks (layout in linear_i4/linear_i4.h, the same at every level)
//===----------------------------------------------------------------------===//

/// Outputs in one row block.
inline constexpr int64_t rowBlockNBits = 16;

/// Bytes of one row block of k inputs in groups of `groupSize`. 2-bit numbers take 4.
int64_t rowBlockBytesNBits(int64_t bits, int64_t k, int64_t groupSize, bool hasZeroPoints);

/// Bytes of all row blocks: ceil(n / 16) * rowBlockBytesNBits.
int64_t packedSizeNBits(int64_t bits, int64_t k, int64_t n, int64_t groupSize, bool hasZeroPoints);

/// Weights as com.microsoft.MatMulNBits stores them, low bits of a byte first.
struct NBitsWeights {
  const uint8_t *numbers;    ///< [n][ceil(k/g)][g*bits/8]
  const float *scales;       ///< [n][ceil(k/g)]
  const uint8_t *zeroPoints; ///< [n][ceil(ceil(k/g)*bits/8)]; null: all 2^(bits-1)
  int64_t k, n, groupSize;   ///< groupSize 16, 32, 64, 128 or 256
  int64_t bits = 4;          ///< 2, 4 or 8
};

/// Packs row blocks [blockBegin, blockEnd) of `w`; `dst` is the start of row
/// block 0. Calls on disjoint ranges may run concurrently. Zero points are
/// packed exactly when `w.zeroPoints` is given.
void packNBits(const NBitsWeights &w, std::byte *dst, int64_t blockBegin, int64_t blockEnd);

//===----------------------------------------------------------------------===//
// 8-bit integer row blocks (layout in linear_u8_i8/linear_u8_i8.h)
//===----------------------------------------------------------------------===//

/// Outputs in one row block.
inline constexpr int64_t rowBlockI8 = 16;

/// Bytes of one row block: 16 * ceil(k / 4) * 4.
int64_t rowBlockBytesI8(int64_t k);

/// Packs row blocks [blockBegin, blockEnd) of w(n, k) = w[n * strideN + k * strideK];
/// `dst` is the start of row block 0.
void packI8(const int8_t *w, int64_t k, int64_t n, int64_t strideK, int64_t strideN, std::byte *dst,
            int64_t blockBegin, int64_t blockEnd);

} // namespace llmc::cpu

#endif // LLMC_CODEGEN_CPU_MICROKERNELS_H
