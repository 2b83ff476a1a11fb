//===- TokenFunction.cpp - what is computed of each token of a cache ------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TokenFunction.h"
#include "Matchers.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

static constexpr size_t kTokenAxis = 2;

/// A constant, also in another shape or type.
static bool comesFromConstant(Value value) {
  while (isa_and_nonnull<ReshapeOp, CastOp, BroadcastOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return isConstant(value);
}

/// Whether `parameter`, as an operand of an operation with a result of `rank` dimensions, is the
/// same for all tokens.
static bool isForAllTokens(Value parameter, size_t rank) {
  Dims dims = getDims(parameter);
  size_t missing = rank - dims.size(); // in front
  return comesFromConstant(parameter) &&
         (kTokenAxis < missing || dims[kTokenAxis - missing].isConstant(1));
}

Value llmc::tokenwiseInput(Operation *op) {
  Value tensor;
  if (isa<UnaryOp, CastOp, ReshapeOp>(op)) {
    tensor = op->getOperand(0);
  } else if (auto binary = dyn_cast<BinaryOp>(op)) {
    size_t rank = getDims(binary.getResult()).size();
    tensor = isForAllTokens(binary.getRhs(), rank)   ? binary.getLhs()
             : isForAllTokens(binary.getLhs(), rank) ? binary.getRhs()
                                                     : Value();
  }
  if (!tensor)
    return {};
  Dims from = getDims(tensor), to = getDims(op->getResult(0));
  bool keepsTokens = from.size() > kTokenAxis && to.size() > kTokenAxis &&
                     std::equal(from.begin(), from.begin() + kTokenAxis + 1, to.begin());
  return keepsTokens ? tensor : Value();
}

Value llmc::applyTokenwise(OpBuilder &builder, Value tokens, Value input, Value value) {
  SmallVector<Operation *> functions;
  for (; value != input; value = tokenwiseInput(functions.back()))
    functions.push_back(value.getDefiningOp());
  IRMapping mapping;
  mapping.map(input, tokens);
  for (Operation *op : llvm::reverse(functions)) {
    Value result = op->getResult(0), copy = builder.clone(*op, mapping)->getResult(0);
    Dims dims = getDims(result);
    dims[kTokenAxis] = getDims(tokens)[kTokenAxis];
    copy.setType(makeTensorType(dims, elementTypeOf(result)));
    tokens = copy;
  }
  return tokens;
}
