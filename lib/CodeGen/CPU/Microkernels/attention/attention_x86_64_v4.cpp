//===- attention_x86_64_v4.cpp - attention_f32 at x86_64_v4 ----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../simd/x86_64_v4.h"
#include "attention_kernel.inc"

LLMC_UK_DECLARE_ATTENTION_F32(x86_64_v4) { attention<CacheF32>(*params); }
LLMC_UK_DECLARE_ATTENTION_F32_F16(x86_64_v4) { attention<CacheF16>(*params); }
LLMC_UK_DECLARE_ATTENTION_F32_BF16(x86_64_v4) { attention<CacheBF16>(*params); }
LLMC_UK_DECLARE_ATTENTION_F32_I8(x86_64_v4) { attention<CacheI8>(*params); }
