//===- linear_attention_x86_64_v3.cpp - linear_attention_f32 at x86_64_v3 ----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../simd/x86_64_v3.h"
#include "linear_attention_kernel.inc"

LLMC_UK_DECLARE_LINEAR_ATTENTION_F32(x86_64_v3) { linearAttentionF32(*params); }
