//===- MergedHeads.cpp - attention whose heads are merged with the batch --===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "MergedHeads.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace llmc {

using llm::Dims;
using llm::getDims;

namespace {

Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

/// Whether `merged` is `[B * H, X, Y]` of `split` `[B, H, X, Y]`.
bool isMergeOf(ArrayRef<DimExpr> merged, ArrayRef<DimExpr> split) {
  return merged.size() == 3 && split.size() == 4 && merged[0] == split[0] * split[1] &&
         merged[1] == split[2] && merged[2] == split[3];
}

class HeadSplitter {
public:
  HeadSplitter(OpBuilder &builder, const DimExpr &batch, const DimExpr &heads)
      : builder(builder), batch(batch), heads(heads), merged(batch * heads) {}

  /// `value` of rank 3 as `[B, H, X, Y]`, through the operations that it is made of.
  Value split(Value value) {
    Dims dims = splitDims(value);
    Operation *op = value.getDefiningOp();
    if (!op)
      return reshape(value, dims);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfter(op);
    if (auto reshaped = dyn_cast<llm::ReshapeOp>(op);
        reshaped && getDims(reshaped.getInput()) == dims)
      return reshaped.getInput();
    if (auto transpose = dyn_cast<llm::TransposeOp>(op);
        transpose && transpose.getPermutation() == ArrayRef<int64_t>{0, 2, 1})
      return llm::TransposeOp::create(builder, op->getLoc(), split(transpose.getInput()),
                                      SmallVector<int64_t>{0, 1, 3, 2});
    bool isProduct = isa<llm::MatmulOp>(op) && llvm::all_of(op->getOperands(), [&](Value operand) {
                       return getDims(operand).size() == 3 && getDims(operand)[0] == merged;
                     });
    // Another user would compute the whole chain a second time.
    bool isElementwise = isa<llm::BinaryOp, llm::UnaryOp, llm::CastOp, llm::SelectOp>(op);
    if (!isProduct && !(isElementwise && value.hasOneUse()))
      return reshape(value, dims);
    IRMapping mapping;
    for (Value operand : op->getOperands())
      if (Dims own = getDims(operand); own.size() == 3)
        mapping.map(operand, own[0] == merged ? split(operand)
                                              : reshape(operand, {1, own[0], own[1], own[2]}));
    builder.setInsertionPointAfter(op);
    Operation *clone = builder.clone(*op, mapping);
    clone->getResult(0).setType(llm::makeTensorType(dims, elementOf(value)));
    return clone->getResult(0);
  }

private:
  Dims splitDims(Value value) {
    Dims dims = getDims(value);
    return {batch, heads, dims[1], dims[2]};
  }

  Value reshape(Value value, const Dims &dims) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfterValue(value);
    return llm::ReshapeOp::create(builder, value.getLoc(),
                                  llm::makeTensorType(dims, elementOf(value)), value);
  }

  OpBuilder &builder;
  DimExpr batch, heads, merged;
};

/// The reshape from `[B * H, S, T]` in the expression of `[B, H, S, T]` scores.
llm::ReshapeOp findMergedScores(Value scores) {
  Operation *op = scores.getDefiningOp();
  if (auto reshape = dyn_cast_or_null<llm::ReshapeOp>(op))
    return isMergeOf(getDims(reshape.getInput()), getDims(reshape)) ? reshape : llm::ReshapeOp();
  llm::ReshapeOp found;
  if (isa_and_nonnull<llm::BinaryOp, llm::UnaryOp, llm::CastOp, llm::SelectOp>(op))
    for (Value operand : op->getOperands())
      if (getDims(operand) == getDims(scores) && !found)
        found = findMergedScores(operand);
  return found;
}

} // namespace

llm::MatmulOp splitMergedHeads(llm::MatmulOp product) {
  auto probabilities = product.getLhs().getDefiningOp<llm::ReshapeOp>();
  if (!probabilities || !isMergeOf(getDims(product.getLhs()), getDims(probabilities.getInput())))
    return product;
  auto softmax = probabilities.getInput().getDefiningOp<llm::SoftmaxOp>();
  Dims dims = getDims(probabilities.getInput()), values = getDims(product.getRhs());
  if (!softmax || values.size() != 3 || values[0] != dims[0] * dims[1])
    return product;
  OpBuilder builder(product);
  HeadSplitter splitter(builder, dims[0], dims[1]);
  if (llm::ReshapeOp scores = findMergedScores(softmax.getInput()))
    scores.replaceAllUsesWith(splitter.split(scores.getInput()));
  Value value = splitter.split(product.getRhs());
  builder.setInsertionPoint(product);
  Type element = elementOf(product);
  dims.back() = values.back();
  auto result = llm::MatmulOp::create(builder, product.getLoc(), llm::makeTensorType(dims, element),
                                      probabilities.getInput(), value);
  Value again = llm::ReshapeOp::create(builder, product.getLoc(), product.getType(), result);
  product.replaceAllUsesWith(again);
  product.erase();
  return result;
}

} // namespace llmc
