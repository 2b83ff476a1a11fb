//===- SymbolSubstitution.h - sizes of a whole function -------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Symbols of a function's types and size expressions: which there are, and
// replacing them everywhere at once.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_SYMBOLSUBSTITUTION_H
#define LLMC_TRANSFORMS_SYMBOLSUBSTITUTION_H

#include "llmc/Dialect/LLM/IR/Dims.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/FunctionExtras.h"

namespace llmc {

/// Calls `visit` for every symbol that decides an element of `op`'s result (as
/// opposed to its shape): those of dim_values, iota and slice starts.
void forEachValueSymbol(mlir::Operation *op, const std::function<void(const std::string &)> &visit);

/// Replaces symbols in every type and size expression of `func`, then infers
/// result types anew.
llvm::LogicalResult substituteSymbols(mlir::func::FuncOp func,
                                      const DimExpr::Substitution &replacement);

/// Gives each operation whose result types follow from its operands those
/// types, in program order, and the function the types that it returns.
llvm::LogicalResult refreshTypes(mlir::func::FuncOp func);
/// The same for one operation.
llvm::LogicalResult refreshTypes(mlir::Operation *op);

} // namespace llmc

#endif // LLMC_TRANSFORMS_SYMBOLSUBSTITUTION_H
