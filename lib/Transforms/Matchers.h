//===- Matchers.h - matching trees of llm operations ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recognisers walk from a root operation to its operands: numbers that literals
// stand for, operands of commutative operations in either order, and locations
// of everything a fused operation replaces.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_MATCHERS_H
#define LLMC_TRANSFORMS_MATCHERS_H

#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <optional>
#include <utility>

namespace llmc {

/// The number that every element of a dense constant has, also behind
/// broadcast, reshape and cast.
std::optional<double> matchSplat(mlir::Value value);

/// Whether `value` is a constant of `expected` up to the rounding of a literal:
/// relative 1e-6, or half a unit in the last place of a narrower element type.
bool isSplatOf(mlir::Value value, double expected);

/// Whether the value comes from an `llm.constant` of any size.
bool isConstant(mlir::Value value);

/// The operand where `value` is a unary operation of this kind; else null.
mlir::Value matchUnary(mlir::Value value, llm::UnaryKind kind);

/// The operation where `value` is a binary of this kind; else null.
llm::BinaryOp matchBinary(mlir::Value value, llm::BinaryKind kind);

/// Tries `match(lhs, rhs)` and `match(rhs, lhs)` where `value` is a binary
/// operation of a commutative kind.
bool matchEitherOrder(mlir::Value value, llm::BinaryKind kind,
                      llvm::function_ref<bool(mlir::Value, mlir::Value)> match);

/// `x` and `c` where `value` is `x kind c` for a splat constant c; of a
/// commutative kind also `c kind x`.
std::optional<std::pair<mlir::Value, double>> matchWithSplat(mlir::Value value,
                                                             llm::BinaryKind kind);

/// Whether `value` is the square of `x`: `x * x` or `pow(x, 2)`.
bool isSquareOf(mlir::Value value, mlir::Value x);
/// The operand of a square; else null.
mlir::Value matchSquare(mlir::Value value);

/// A vector parameter behind added leading dimensions of size 1, as 1-D value;
/// null where `value` has another shape. `builder` makes the reshape.
mlir::Value asVector(mlir::OpBuilder &builder, mlir::Value value);
/// Whether asVector would succeed, without making anything.
bool isVectorLike(mlir::Value value);

/// The f16 or bf16 that `value` is the f32 of, or `value`.
mlir::Value skipWidening(mlir::Value value);

/// The element type of a tensor value.
mlir::Type elementTypeOf(mlir::Value value);

/// The locations of everything between `root` and `inputs`, fused.
mlir::Location fuseLocations(mlir::Operation *root, llvm::ArrayRef<mlir::Value> inputs);

} // namespace llmc

#endif // LLMC_TRANSFORMS_MATCHERS_H
