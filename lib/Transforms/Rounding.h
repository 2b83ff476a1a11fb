//===- Rounding.h - numbers that were quantised and dequantised -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A static quantiser puts QuantizeLinear and DequantizeLinear around operations. With one
// scale for a tensor the pair is a function of each element: a rounding.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_ROUNDING_H
#define LLMC_TRANSFORMS_ROUNDING_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace llmc {

/// `step * clamp(round(input / step), low, high)`, ties to even.
struct Rounding {
  mlir::Value input;
  double step, low, high;
};

/// The rounding that `value` is the result of, where one finite scale and zero point serve
/// the whole tensor; nullopt for others.
std::optional<Rounding> matchRounding(mlir::Value value);

/// `value` with its elementwise operations before the transposes, reshapes and broadcasts
/// between them, if a rounding is among them; otherwise `value`. A rounding of repeated heads
/// becomes one of the heads.
mlir::Value roundBeforeMoving(mlir::OpBuilder &builder, mlir::Value value);

} // namespace llmc

#endif // LLMC_TRANSFORMS_ROUNDING_H
