//===- Splat.h - constants with one value --------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_LLM_IR_SPLAT_H
#define LLMC_DIALECT_LLM_IR_SPLAT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"
#include <optional>

namespace llmc::llm {

/// The value that every element of a constant has (booleans: 0 or 1); nullopt for
/// other values, and for constants whose elements differ.
std::optional<double> getSplatValue(mlir::Value value);

/// The same of a constant's elements; integers as their type's sign says.
std::optional<double> getSplatValue(mlir::DenseElementsAttr elements);

} // namespace llmc::llm

#endif // LLMC_DIALECT_LLM_IR_SPLAT_H
