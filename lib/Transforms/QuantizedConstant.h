//===- QuantizedConstant.h - constants of few bits ------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reading integer constants where they are, evaluating the small ones beside them,
// and making new ones.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_QUANTIZEDCONSTANT_H
#define LLMC_TRANSFORMS_QUANTIZEDCONSTANT_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Reference/Tensor.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <optional>

namespace llmc {

/// The elements of an integer constant of 2, 4 or 8 bits, read from its blob.
class IntegerData {
public:
  /// Nullopt for other types and where the blob is missing or too small.
  static std::optional<IntegerData> get(mlir::ElementsAttr attr);

  int64_t bits() const { return width; }
  bool isSigned() const { return hasSign; }
  int64_t at(int64_t index) const {
    int64_t bit = index * stored;
    unsigned number = uint8_t(data[bit / 8]) >> (bit % 8) & mask;
    return hasSign ? int64_t(number ^ middle) - int64_t(middle) : int64_t(number);
  }

private:
  const char *data = nullptr;
  int64_t width = 8, stored = 8; ///< bits of an element, and where the next one begins
  unsigned mask = 0xff, middle = 0x80;
  bool hasSign = false;
};

/// What a value computes that depends on constants only; nullopt for others and where
/// it takes more than casts, arithmetic and movement.
std::optional<reference::Tensor> evaluateConstant(mlir::Value value);

/// A constant on the heap: `fill` writes its bytes, which are zero before.
llm::ConstantOp makeHeapConstant(mlir::OpBuilder &builder, mlir::Location loc,
                                 mlir::RankedTensorType type,
                                 llvm::function_ref<void(llvm::MutableArrayRef<char>)> fill);

} // namespace llmc

#endif // LLMC_TRANSFORMS_QUANTIZEDCONSTANT_H
