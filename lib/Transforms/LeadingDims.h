//===- LeadingDims.h - the batch and the heads of attention's operands ----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters give the operands of attention any number of dimensions before their rows and
// columns: none, batch * heads, batch and heads, batch and windows and heads, and regroup
// them on the way. This follows the dimensions through that, and arranges the operands as
// `[B, H, rows, columns]`, the one form of llm.attention.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_LEADINGDIMS_H
#define LLMC_TRANSFORMS_LEADINGDIMS_H

#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace llmc {

/// A dimension before rows and columns, or one of the factors of one. Where it does not
/// vary, the operand is repeated along it.
struct LeadingDim {
  DimExpr size;
  bool varies = true;
};

/// A tensor `[.., rows, columns]` that is used where the leading dimensions are `lead`: its
/// leading elements, in row-major order, are those of the dimensions that vary.
struct LedTensor {
  mlir::Value value;
  llvm::SmallVector<int64_t> permutation; ///< that makes it so of `value`; empty: as it is
  llvm::SmallVector<LeadingDim> lead;

  /// `value` that broadcasts to leading dimensions `place`.
  static LedTensor at(mlir::Value value, llvm::ArrayRef<DimExpr> place);
  /// Takes off what only regroups or repeats leading dimensions; false where nothing does.
  bool stripRegrouping();
};

/// The dimensions before the last two.
llm::Dims leadOf(mlir::Value value);

/// Whether a reshape regroups leading dimensions and nothing else.
bool keepsRowsAndColumns(llm::ReshapeOp reshape);

/// The finest factors that both are products of, in order and without sizes of 1: of
/// `[4 * b, 2]` and `[b, 4, 2]` the latter. nullopt where they do not line up.
std::optional<llm::Dims> refine(llvm::ArrayRef<DimExpr> a, llvm::ArrayRef<DimExpr> b);

/// Common factors of all leading dimensions of an attention, cut into batch and heads.
class HeadLayout {
public:
  struct Operands {
    const LedTensor &query, &key, &value;
    llvm::SmallVector<const LedTensor *> others; ///< masks and factors
  };
  /// `views` are the leading dimensions that the scores have on their way, those that tell
  /// heads from the batch best first. `isFixed` keeps the heads of the first view: sinks
  /// are counted by them. nullopt where the dimensions do not line up.
  static std::optional<HeadLayout> find(const Operands &operands, llvm::ArrayRef<llm::Dims> views,
                                        bool isFixed);

  /// Of key and value; those of the query are a multiple.
  DimExpr numKeyHeads() const;
  /// `[B, H, rows, columns]` of the query.
  mlir::Value arrangeQuery(mlir::OpBuilder &builder, const LedTensor &query) const;
  /// `[B, Hkv, rows, columns]` of key or value.
  mlir::Value arrangeKey(mlir::OpBuilder &builder, const LedTensor &key) const;
  /// What broadcasts to `[B, H, rows, columns]`.
  mlir::Value arrangeFactor(mlir::OpBuilder &builder, const LedTensor &factor) const;
  /// The sum of `terms`, which broadcasts to `[B, H, rows, columns]`; null: no terms.
  mlir::Value arrangeSum(mlir::OpBuilder &builder, llvm::ArrayRef<LedTensor> terms) const;

private:
  using Presence = llvm::SmallVector<bool>;
  /// The factors along which `tensor` varies.
  Presence presenceOf(const LedTensor &tensor) const;
  bool variesInPart(const Presence &presence, size_t begin, size_t end) const;
  /// `presence` with both parts whole where a factor of them varies.
  Presence wholeParts(const Presence &presence) const;
  /// One dimension for each factor, 1 where it does not vary, then rows and columns.
  mlir::Value spread(mlir::OpBuilder &builder, const LedTensor &tensor) const;
  /// `[B or 1, H or 1, rows, columns]` with the `wanted` factors, of a value that varies in
  /// `present`.
  mlir::Value gather(mlir::OpBuilder &builder, mlir::Value value, const Presence &present,
                     const Presence &wanted, bool mayBroadcast) const;
  mlir::Value arrange(mlir::OpBuilder &builder, const LedTensor &tensor, const Presence &wanted,
                      bool mayBroadcast) const;
  size_t boundaryOf(llvm::ArrayRef<DimExpr> view) const;
  void chooseSplit(const Operands &operands, llvm::ArrayRef<llm::Dims> views, bool isFixed);

  llm::Dims factors;
  size_t split = 0;      ///< factors before it are the batch
  size_t keyFactors = 0; ///< so many of the heads' factors are heads of key and value
};

} // namespace llmc

#endif // LLMC_TRANSFORMS_LEADINGDIMS_H
