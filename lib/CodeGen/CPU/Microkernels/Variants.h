//===- Variants.h - the registry as declarations and tables ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_VARIANTS_H
#define LLMC_UK_VARIANTS_H

#include "llmc/CodeGen/CPU/Microkernels.h"

#include "attention/attention.h"
#include "linear_attention/linear_attention.h"
#include "linear_f32/linear_f32.h"
#include "linear_i4/linear_i4.h"
#include "linear_u8_i8/linear_u8_i8.h"
#include "matmul/matmul.h"
#include "quantize/quantize.h"

#define LLMC_UK_VARIANT(kernel, op, stem, isa, level) LLMC_UK_DECLARE_##op(isa);
#include "Microkernels_variants.inc"
#undef LLMC_UK_VARIANT

/// Calls f(Microkernel, IsaLevel, isa name, function) for every variant, oldest first.
template <class F> void forEachMicrokernelVariant(F &&f) {
#define LLMC_UK_VARIANT(kernel, op, stem, isa, level)                          \
  f(llmc::cpu::Microkernel::kernel, llmc::cpu::IsaLevel::level, #isa,          \
    reinterpret_cast<void (*)()>(&llmc_uk_##stem##__##isa));
#include "Microkernels_variants.inc"
#undef LLMC_UK_VARIANT
}

#endif // LLMC_UK_VARIANTS_H
