//===- Evaluator.h - the oracle of the llm dialect's semantics ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Evaluates llm operations with plain loops over indices. Kernels, folds and
// recognisers compare to it. Floats are accumulated in double and rounded once
// to the result's type, which is at least as precise as the f32 that the
// operations ask for.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_REFERENCE_EVALUATOR_H
#define LLMC_REFERENCE_EVALUATOR_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Reference/Tensor.h"
#include "llmc/Support/DimExpr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"
#include <optional>
#include <string>

namespace llmc::reference {

/// The values of the symbols in types, `llm.dim_values` and `llm.iota`.
using SymbolValues = llvm::StringMap<int64_t>;

/// One assignment of symbols and bound values; results are kept per SSA value,
/// so ask a new Evaluator for another assignment. Usage:
///
///   Evaluator evaluator({{"batch", 1}, {"seq", 3}, {"past", 2}});
///   evaluator.bind(maskArgument, mask);
///   FailureOr<Tensor> bias = evaluator.evaluate(biasValue);
///   if (failed(bias)) use(evaluator.message());
class Evaluator {
public:
  /// How many elements of results recognisers and folds compute for one assignment: more
  /// would take seconds, or more memory than there is.
  static constexpr int64_t kMaxElements = int64_t(1) << 26;

  explicit Evaluator(SymbolValues symbols = {}, int64_t maxElements = kMaxElements)
      : symbols(std::move(symbols)), elementsLeft(maxElements) {}

  void setSymbol(llvm::StringRef name, int64_t value) { symbols[name] = value; }
  /// Gives `value`, a block argument or any result, its elements; evaluation
  /// does not look behind a bound value.
  void bind(mlir::Value value, Tensor tensor) { values[value] = std::move(tensor); }
  /// Learns symbols from a tensor of this type: each dimension that is linear in
  /// one unknown symbol gives its value. Fails where a size contradicts.
  llvm::LogicalResult bindSymbols(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> shape);

  /// `value`, evaluating what it depends on and is not known yet. Fails where
  /// the slice reaches an unbound block argument, an unknown symbol or an
  /// operation without reference semantics (states), or takes too many elements.
  mlir::FailureOr<Tensor> evaluate(mlir::Value value);
  /// Binds the arguments, learns symbols from their shapes, and evaluates the
  /// operands of the function's return.
  mlir::FailureOr<llvm::SmallVector<Tensor>> run(mlir::func::FuncOp function,
                                                 llvm::ArrayRef<Tensor> arguments);

  std::optional<int64_t> evaluate(const DimExpr &expr) const;
  /// Why the last call failed, with the operation's name.
  const std::string &message() const { return errorText; }
  /// How many more elements it would compute.
  int64_t remainingElements() const { return elementsLeft; }

private:
  friend class OpFrame;
  llvm::LogicalResult evaluateOp(mlir::Operation *op);
  /// Takes the elements of the operation's results from those that are left; fails where
  /// there are not as many.
  llvm::LogicalResult spend(mlir::Operation *op);
  llvm::LogicalResult record(mlir::Value value, Tensor tensor);
  llvm::LogicalResult define(llm::DefineSizeOp op);
  llvm::LogicalResult run(llm::LoopOp op);
  /// Evaluates the body once, and `given` are the values that it yields.
  llvm::LogicalResult runIteration(llm::LoopOp op, int64_t iteration,
                                   llvm::SmallVectorImpl<Tensor> &given);
  llvm::LogicalResult fail(const llvm::Twine &text);

  SymbolValues symbols;
  int64_t elementsLeft;
  llvm::DenseMap<mlir::Value, Tensor> values;
  std::string errorText;
};

} // namespace llmc::reference

#endif // LLMC_REFERENCE_EVALUATOR_H
