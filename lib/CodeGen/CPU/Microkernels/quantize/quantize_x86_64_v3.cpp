//===- quantize_x86_64_v3.cpp - quantize_f32_i8 at x86_64_v3 ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../simd/x86_64_v3.h"
#include "quantize_kernel.inc"

LLMC_UK_DECLARE_QUANTIZE_F32_I8(x86_64_v3) {
  quantizeRows({x, ldx, q, ldq, scale, sum, lds, m, k, group_size});
}
