//===- RecurrenceSimulation.h - recurrences on random data ----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A graph's leaves may play the parts of a recurrence in hundreds of ways. Each way is run
// on numbers, without any operation, and most fail at the first token.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_TRANSFORMS_RECURRENCESIMULATION_H
#define LLMC_LIB_TRANSFORMS_RECURRENCESIMULATION_H

#include "TokenRows.h"
#include "llmc/Reference/Evaluator.h"
#include <optional>
#include <vector>

namespace llmc {

/// What the past's dimensions are.
struct RecurrentMatrix {
  int64_t heads, keyDim, valueDim;
  bool transposed = false; ///< [.., Dv, Dk]
};

/// A tensor with a row per token that a recurrence reads.
struct Leaf {
  mlir::Value value;
  TokenRows rows;
  unsigned index = 0; ///< among the leaves
};

/// A value that depends on constants only.
struct KnownValue {
  mlir::Value value;
  reference::Tensor tensor;
};

/// What multiplies the matrix.
enum class DecayForm {
  none,
  exponent, ///< exp(leaf)
  scaled,   ///< exp(leaf * constant), per head
  rates,    ///< exp(leaf * constant), per element of the matrix
  factor,   ///< the leaf itself
};

/// What the leaves are.
struct RecurrenceRoles {
  const Leaf *query = nullptr, *key = nullptr, *value = nullptr;
  const Leaf *decay = nullptr, *beta = nullptr;
  const Leaf *step = nullptr; ///< the value is value * step
  DecayForm form = DecayForm::none;
  llvm::ArrayRef<float> constant; ///< of `scaled` [H], of `rates` [H, Dk, Dv]
  const Leaf *skipped = nullptr;  ///< the output gets skipped * skip[head] besides
  llvm::ArrayRef<float> skip;     ///< empty: nothing
  bool delta = false;
  double scale = 1;
};

/// The constants that roles may choose from.
struct RecurrenceConstants {
  std::vector<std::vector<float>> perHead; ///< [H]
  std::vector<std::vector<float>> rates;   ///< [H, Dk, Dv]
  std::vector<std::vector<float>> skips;   ///< [H], or empty for none
};

/// One evaluation of the graph on random data.
struct RecurrenceSample {
  reference::SymbolValues symbols;
  llvm::DenseMap<mlir::Value, reference::Tensor> inputs;
  reference::Tensor output, state;
  int64_t batch = 1, tokens = 1;
  std::vector<std::vector<double>> rows; ///< of each leaf, [batch][tokens][channels]
  std::vector<double> outputRows;
  double outputTolerance = 0, stateTolerance = 0;
};

/// The elements of a tensor with a row per token as [batch][tokens][channels].
std::vector<double> rowsOf(const reference::Tensor &tensor, const TokenRows &rows);

/// What the graph and a recurrence, which round differently but both in double or f32, may
/// differ by.
double toleranceOf(const reference::Tensor &tensor);
bool isClose(const reference::Tensor &tensor, const reference::Tensor &expected);
/// No NaN, and nothing so large that the next token may overflow.
bool isModerate(const reference::Tensor &tensor);

/// Whether each head has one number in all elements.
bool isPerHead(const reference::Tensor &tensor, int64_t heads);
/// That number of each head.
std::vector<float> perHead(const reference::Tensor &tensor, int64_t heads);
/// Elements (h, i, j) of a constant that is said to be rates, [H, Dv, Dk] where swapped.
std::vector<float> ratesOf(const reference::Tensor &tensor, const RecurrentMatrix &matrix,
                           bool isSwapped);

/// Whether the roles give the sample's output, and its state where there is one; the leaves
/// must have the channels that their roles say. `past` null: zeros.
bool simulatesSame(const RecurrenceSample &sample, const RecurrentMatrix &matrix,
                   const RecurrenceRoles &roles, const reference::Tensor *past,
                   const reference::Tensor *state);

} // namespace llmc

#endif // LLMC_LIB_TRANSFORMS_RECURRENCESIMULATION_H
