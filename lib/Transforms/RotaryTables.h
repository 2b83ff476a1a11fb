//===- RotaryTables.h - cos and sin per channel pair
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters give cos and sin one value per channel, each twice. llm.rotary takes
// one per pair: this derives it by the same operations on the angles before they
// were repeated.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_ROTARYTABLES_H
#define LLMC_TRANSFORMS_ROTARYTABLES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"

namespace llmc {

/// How the last dimension repeats its values.
enum class Repetition {
  None,       ///< one value per pair already
  Halves,     ///< [f, f]
  Interleaved ///< f0 f0 f1 f1 ..
};

/// Tables are made once per value, behind its definition, so all layers share them.
class RotaryTables {
public:
  explicit RotaryTables(mlir::OpBuilder &builder) : builder(builder) {}

  /// `[batch or 1, seq, R]` for a table that broadcasts to `[batch, heads, seq, ..]`
  /// of rank 2 to 4, its heads being dimension `headAxis` of rank 4; null where
  /// it is not provably repeated in this way.
  mlir::Value pairTable(mlir::Value table, Repetition repetition, int64_t headAxis);

  /// The sines of the opposite angles.
  mlir::Value negated(mlir::Value sin);

private:
  /// `value` with each repeated element of dimension `axis` once; null where it is not
  /// provably repeated.
  mlir::Value unrepeat(mlir::Value value, Repetition repetition, int64_t axis);
  mlir::Value makeUnrepeated(mlir::Value value, Repetition repetition, int64_t axis);

  mlir::OpBuilder &builder;
  llvm::DenseMap<std::tuple<mlir::Value, int, int64_t>, mlir::Value> unrepeated;
  llvm::DenseMap<std::pair<mlir::Value, mlir::Type>, mlir::Value> tables;
  llvm::DenseMap<mlir::Value, mlir::Value> opposites;
};

} // namespace llmc

#endif // LLMC_TRANSFORMS_ROTARYTABLES_H
