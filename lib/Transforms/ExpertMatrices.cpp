//===- ExpertMatrices.cpp - the weights of a mixture of experts -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ExpertMatrices.h"
#include "Matchers.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Reference/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

/// `value` behind a swap of its last two dimensions, which `transposed` records.
static Value stripTranspose(Value value, bool &transposed) {
  auto op = value.getDefiningOp<TransposeOp>();
  SmallVector<int64_t> swapped;
  if (op)
    swapped = llvm::to_vector(llvm::seq<int64_t>(0, op.getPermutation().size()));
  if (swapped.size() < 2)
    return value;
  std::swap(swapped[swapped.size() - 1], swapped[swapped.size() - 2]);
  if (op.getPermutation() != ArrayRef<int64_t>(swapped))
    return value;
  transposed = !transposed;
  return op.getInput();
}

/// The tensor of which `matrix` is number `expert`; null where it is no such slice.
static Value matchSlice(Value matrix, int64_t expert, bool &transposed) {
  matrix = stripTranspose(skipWidening(matrix), transposed);
  if (auto reshape = matrix.getDefiningOp<ReshapeOp>())
    matrix = reshape.getInput();
  auto slice = matrix.getDefiningOp<SliceOp>();
  if (!slice)
    return {};
  Dims from = getDims(slice.getInput()), to = getDims(slice.getResult());
  Dims starts = parseExprs(slice.getStarts());
  if (from.size() != 3 || !to[0].isConstant(1) || to[1] != from[1] || to[2] != from[2] ||
      !starts[0].isConstant(expert) || slice.getSteps()[1] != 1 || slice.getSteps()[2] != 1)
    return {};
  return stripTranspose(slice.getInput(), transposed);
}

/// Constants of one type behind one another, as `[count, ..]`.
static ConstantOp stack(OpBuilder &builder, ArrayRef<ConstantOp> constants) {
  ConstantOp first = constants.front();
  auto type = cast<RankedTensorType>(first.getType());
  std::vector<char> bytes;
  for (ConstantOp constant : constants) {
    FailureOr<reference::Tensor> tensor = reference::Tensor::fromAttr(constant.getValue());
    if (failed(tensor))
      return {};
    bytes.insert(bytes.end(), tensor->bytes().begin(), tensor->bytes().end());
  }
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin(), int64_t(constants.size()));
  auto stacked = RankedTensorType::get(shape, type.getElementType());
  std::string name = "experts";
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(first.getValue()))
    name = resource.getRawHandle().getKey().str() + ".experts";
  AsmResourceBlob blob = HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, /*align=*/64);
  return ConstantOp::create(builder, first.getLoc(),
                            DenseResourceElementsAttr::get(stacked, name, std::move(blob)));
}

Value llmc::stackConstants(OpBuilder &builder, ArrayRef<Value> constants) {
  SmallVector<ConstantOp> ops;
  for (Value constant : constants) {
    auto op = constant.getDefiningOp<ConstantOp>();
    if (!op || op.getType() != constants.front().getType())
      return {};
    ops.push_back(op);
  }
  ConstantOp stacked = stack(builder, ops);
  return stacked ? stacked.getResult() : Value();
}

std::optional<ExpertMatrices> llmc::matchExpertMatrices(OpBuilder &builder,
                                                        ArrayRef<Value> matrices) {
  Value whole;
  bool isTransposed = false;
  for (auto [expert, matrix] : llvm::enumerate(matrices)) {
    bool transposed = false;
    Value source = matchSlice(matrix, int64_t(expert), transposed);
    if (!source || (expert && (source != whole || transposed != isTransposed))) {
      whole = {};
      break;
    }
    whole = source;
    isTransposed = transposed;
  }
  if (whole && whole.getDefiningOp<ConstantOp>() &&
      getDims(whole)[0].isConstant(int64_t(matrices.size())))
    return ExpertMatrices{whole, isTransposed};

  SmallVector<ConstantOp> constants;
  for (auto [expert, matrix] : llvm::enumerate(matrices)) {
    bool transposed = false;
    auto constant = stripTranspose(skipWidening(matrix), transposed).getDefiningOp<ConstantOp>();
    if (!constant || getDims(constant).size() != 2 || (expert && transposed != isTransposed) ||
        (expert && constant.getType() != constants.front().getType()))
      return std::nullopt;
    isTransposed = transposed;
    constants.push_back(constant);
  }
  ConstantOp stacked = stack(builder, constants);
  return stacked ? std::optional(ExpertMatrices{stacked, isTransposed}) : std::nullopt;
}
