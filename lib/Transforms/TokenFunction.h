//===- TokenFunction.h - what is computed of each token of a cache --------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A model may round its cache whenever it reads it, or keep integers and multiply them by
// scales. Such a function of each token can be computed once, as the token is kept.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_TOKENFUNCTION_H
#define LLMC_TRANSFORMS_TOKENFUNCTION_H

#include "mlir/IR/Builders.h"

namespace llmc {

/// The tensor [batch, heads, tokens, ..] of which `op` computes a function token by token, the
/// same for all of them, constants being its other operands; null for other operations.
mlir::Value tokenwiseInput(mlir::Operation *op);

/// The operations from `input` to `value`, which tokenwiseInput leads back, on another number
/// of `tokens` instead. `builder` stands behind them.
mlir::Value applyTokenwise(mlir::OpBuilder &builder, mlir::Value tokens, mlir::Value input,
                           mlir::Value value);

} // namespace llmc

#endif // LLMC_TRANSFORMS_TOKENFUNCTION_H
