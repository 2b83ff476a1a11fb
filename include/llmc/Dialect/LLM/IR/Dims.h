//===- Dims.h - symbolic sizes on tensor types
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A ranked tensor type's dimensions as DimExpr, read from its shape and its
// `#llm.dims` encoding, and the integer tensors whose elements are such sizes.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_LLM_IR_DIMS_H
#define LLMC_DIALECT_LLM_IR_DIMS_H

#include "llmc/Support/DimExpr.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace llmc::llm {

using Dims = llvm::SmallVector<DimExpr, 4>;

/// The sizes of `type`; a dynamic dimension without encoding is a symbol of its
/// own, named after its position, that equals nothing else.
Dims getDims(mlir::RankedTensorType type);
/// The sizes of a value of ranked tensor type.
Dims getDims(mlir::Value value);

/// The tensor type with these sizes; encoded only where one is not constant.
mlir::RankedTensorType makeTensorType(llvm::ArrayRef<DimExpr> dims, mlir::Type elementType);

/// `type` with every symbol replaced.
mlir::RankedTensorType substituteDims(mlir::RankedTensorType type,
                                      const DimExpr::Substitution &replacement);

/// False where the sizes are provably different. The rules of operations ask it of sizes
/// that must be equal and take for granted what nothing disproves.
bool mayBeEqual(const DimExpr &a, const DimExpr &b);

/// The same for `part` <= `whole`.
bool mayFit(const DimExpr &part, const DimExpr &whole);

/// While it lives, it collects what mayBeEqual takes for granted on its thread: equalities
/// that hold or not when a module runs, and must be checked there. `mayFit` makes one of
/// the larger of two sizes and `whole`.
class AssumedEqualities {
public:
  AssumedEqualities();
  ~AssumedEqualities();
  AssumedEqualities(const AssumedEqualities &) = delete;
  AssumedEqualities &operator=(const AssumedEqualities &) = delete;

  llvm::SmallVector<std::pair<DimExpr, DimExpr>> pairs;

private:
  AssumedEqualities *around;
};

/// Whether `size` is of what was cut out of a tensor: a sum of symbols, minima and maxima.
bool isCut(const DimExpr &size);

/// The numpy broadcast of two shapes; nullopt where they provably conflict.
/// Two different symbolic sizes are taken to be equal (ONNX has no other use
/// for them); the result has the constant one, or the one that is not cut out of a tensor.
std::optional<Dims> broadcastDims(llvm::ArrayRef<DimExpr> a, llvm::ArrayRef<DimExpr> b);

DimExpr product(llvm::ArrayRef<DimExpr> dims);

/// "[batch, 4, past + seq]" for messages.
std::string formatDims(llvm::ArrayRef<DimExpr> dims);

/// The elements of a small integer or i1 tensor as expressions, where its
/// defining op is a constant (at most 4096 elements) or `llm.dim_values`.
std::optional<Dims> getKnownInts(mlir::Value value);

/// Parses an array of expressions as ops store them; they are canonical text.
Dims parseExprs(mlir::ArrayAttr exprs);
mlir::ArrayAttr makeExprs(mlir::MLIRContext *context, llvm::ArrayRef<DimExpr> exprs);

} // namespace llmc::llm

#endif // LLMC_DIALECT_LLM_IR_DIMS_H
