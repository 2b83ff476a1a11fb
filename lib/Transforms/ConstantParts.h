//===- ConstantParts.h - constants that are a part of another -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_CONSTANTPARTS_H
#define LLMC_TRANSFORMS_CONSTANTPARTS_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include <optional>
#include <utility>

namespace llmc {

/// The bytes of a constant and whether they lie in a mapped file; nullopt for a splat.
std::optional<std::pair<llvm::ArrayRef<char>, bool>> bytesOf(mlir::ElementsAttr value);

/// A constant of `type` over the bytes of `constant` from `firstByte` on. A mapped file's are
/// shared, others copied. Null where the constant has not so many bytes.
mlir::Value makePart(mlir::OpBuilder &builder, llm::ConstantOp constant,
                     mlir::RankedTensorType type, size_t firstByte, size_t numBytes);

} // namespace llmc

#endif // LLMC_TRANSFORMS_CONSTANTPARTS_H
