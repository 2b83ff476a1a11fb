//===- StatefulFunction.h - prefill and decode from a functional graph ----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_STATEFULFUNCTION_H
#define LLMC_TRANSFORMS_STATEFULFUNCTION_H

#include "PhaseRoles.h"

namespace llmc {

/// A copy of `func` under `name`, not yet in a module, with the signature
///   (tokens[batch, seq], past_lens[batch], states..) -> (logits[batch, V], states..)
/// and `seq` replaced by 1 for `isDecode`. Null where something in the function
/// cannot be expressed per sequence, with the reason.
mlir::OwningOpRef<mlir::func::FuncOp> buildStatefulFunction(mlir::func::FuncOp func,
                                                            const PhaseRoles &roles,
                                                            mlir::StringRef name, bool isDecode,
                                                            std::string &reason);

} // namespace llmc

#endif // LLMC_TRANSFORMS_STATEFULFUNCTION_H
