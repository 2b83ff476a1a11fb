//===- VariantTable.h - test parameters out of the registry ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UNITTESTS_MICROKERNELS_VARIANTTABLE_H
#define LLMC_UNITTESTS_MICROKERNELS_VARIANTTABLE_H

#include "Testing.h"
#include "Variants.h"

namespace llmc::cpu::testing {

/// All variants of `kernel`, whose functions have type Fn.
template <class Fn> std::vector<KernelVariant<Fn>> variantsOf(Microkernel kernel) {
  std::vector<KernelVariant<Fn>> result;
  forEachMicrokernelVariant(
      [&](Microkernel k, IsaLevel level, const char *isa, void (*fn)()) {
        if (k == kernel)
          result.push_back({reinterpret_cast<Fn *>(fn), level, isa});
      });
  return result;
}

} // namespace llmc::cpu::testing

#endif // LLMC_UNITTESTS_MICROKERNELS_VARIANTTABLE_H
