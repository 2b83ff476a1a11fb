//===- UniformValue.h - tensors whose elements are all one number ---------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_UNIFORMVALUE_H
#define LLMC_TRANSFORMS_UNIFORMVALUE_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include <optional>

namespace llmc {

/// Finds the one number that every element of a value is, whatever its symbolic
/// size: a constant mask of ones stays recognisable through comparisons,
/// selections and changes of shape. Answers are kept; the IR must not change
/// while an object is used.
class UniformValues {
public:
  std::optional<double> lookup(mlir::Value value);

private:
  std::optional<double> compute(mlir::Operation *op);
  llvm::DenseMap<mlir::Value, std::optional<double>> known;
};

} // namespace llmc

#endif // LLMC_TRANSFORMS_UNIFORMVALUE_H
