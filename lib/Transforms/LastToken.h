//===- LastToken.h - logits of the last token only ------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_LASTTOKEN_H
#define LLMC_TRANSFORMS_LASTTOKEN_H

#include "llmc/Dialect/LLM/IR/Dims.h"

namespace llmc {

/// `value[:, seq - 1 : seq, ...]` of a `[batch, seq, ...]` whose only user is the
/// function's return. Everything that only this slice needs and that works per
/// token is computed for the last token alone: the language model's head and
/// the norm before it, and the last layer's MLP.
mlir::Value takeLastToken(mlir::Value value, const DimExpr &batch, const DimExpr &seq);

} // namespace llmc

#endif // LLMC_TRANSFORMS_LASTTOKEN_H
