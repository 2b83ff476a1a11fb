//===- SizeArithmetic.h - operators on known elements
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the kinds of llm operations do to known integers. Nothing is assumed: a
// quotient needs operands of known sign, a comparison a proof.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_DIALECT_LLM_IR_SIZEARITHMETIC_H
#define LLMC_LIB_DIALECT_LLM_IR_SIZEARITHMETIC_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Support/DimExpr.h"

namespace llmc::llm {

std::optional<DimExpr> applyUnary(UnaryKind kind, const DimExpr &a);
std::optional<DimExpr> applyBinary(BinaryKind kind, const DimExpr &a, const DimExpr &b);
std::optional<DimExpr> applyCompare(ComparePredicate predicate, const DimExpr &a, const DimExpr &b);
/// Conversion between integer types; a constant wraps as the target type does.
std::optional<DimExpr> applyCast(const DimExpr &a, mlir::Type from, mlir::Type to);

} // namespace llmc::llm

#endif // LLMC_LIB_DIALECT_LLM_IR_SIZEARITHMETIC_H
