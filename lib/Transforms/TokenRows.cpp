//===- TokenRows.cpp - tensors with a row per token -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TokenRows.h"
#include "Matchers.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

bool llmc::isRowElement(Type type) { return type.isF32() || type.isF16() || type.isBF16(); }

Value llmc::castTo(OpBuilder &builder, Value value, Type element) {
  if (elementTypeOf(value) == element)
    return value;
  return CastOp::create(builder, value.getLoc(), makeTensorType(getDims(value), element), value);
}

std::optional<TokenRows> llmc::findTokenRows(Value value, const DimExpr &batch,
                                             const DimExpr &tokens, int64_t maxChannels) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !isRowElement(type.getElementType()))
    return std::nullopt;
  TokenRows rows{batch, tokens, {}, {}, {}, 1};
  for (auto [axis, dim] : llvm::enumerate(getDims(type))) {
    if (dim.isConstant(1))
      continue;
    if (!rows.batchAxis && dim == batch) {
      rows.batchAxis = axis;
    } else if (!rows.tokenAxis && dim == tokens) {
      rows.tokenAxis = axis;
    } else {
      std::optional<int64_t> size = dim.constant();
      if (!size || *size <= 0 || rows.channels > maxChannels / *size)
        return std::nullopt;
      rows.channels *= *size;
      rows.channelAxes.push_back(axis);
    }
  }
  bool isWhole =
      (rows.batchAxis || batch.isConstant(1)) && (rows.tokenAxis || tokens.isConstant(1));
  return isWhole && rows.channelAxes.size() <= 2 ? std::optional(rows) : std::nullopt;
}

static Value reshape(OpBuilder &builder, Value value, ArrayRef<DimExpr> dims) {
  if (getDims(value) == dims)
    return value;
  return ReshapeOp::create(builder, value.getLoc(), makeTensorType(dims, elementTypeOf(value)),
                           value);
}

static Value transpose(OpBuilder &builder, Value value, ArrayRef<int64_t> permutation) {
  if (llvm::equal(permutation, llvm::seq<int64_t>(0, permutation.size())))
    return value;
  return TransposeOp::create(builder, value.getLoc(), value, permutation);
}

/// The dimensions that are in a list, in the order [batch, tokens, channels..].
static SmallVector<int64_t> rowOrder(const TokenRows &rows) {
  SmallVector<int64_t> axes;
  if (rows.batchAxis)
    axes.push_back(*rows.batchAxis);
  if (rows.tokenAxis)
    axes.push_back(*rows.tokenAxis);
  axes.append(rows.channelAxes.begin(), rows.channelAxes.end());
  return axes;
}

/// The permutation that brings `axes`, of which some are left out of all dimensions, into
/// their order.
static SmallVector<int64_t> ranks(ArrayRef<int64_t> axes) {
  SmallVector<int64_t> sorted(axes), permutation;
  llvm::sort(sorted);
  for (int64_t axis : axes)
    permutation.push_back(llvm::find(sorted, axis) - sorted.begin());
  return permutation;
}

/// Whether the tensor has the order of [B, heads, T, width] but for dimensions of 1.
static bool isInHeadOrder(const TokenRows &rows, ArrayRef<DimExpr> dims, int64_t heads,
                          int64_t width) {
  SmallVector<unsigned> channels(rows.channelAxes), axes;
  if (rows.batchAxis)
    axes.push_back(*rows.batchAxis);
  if (heads != 1 && !channels.empty() && dims[channels.front()].isConstant(heads)) {
    axes.push_back(channels.front());
    channels.erase(channels.begin());
    heads = 1;
  }
  if (rows.tokenAxis)
    axes.push_back(*rows.tokenAxis);
  if (width != 1 && channels.size() == 1 && dims[channels.front()].isConstant(width)) {
    axes.push_back(channels.front());
    channels.clear();
    width = 1;
  }
  return heads == 1 && width == 1 && channels.empty() && llvm::is_sorted(axes);
}

Value llmc::makeHeadRows(OpBuilder &builder, Value value, const TokenRows &rows, int64_t heads,
                         int64_t width) {
  int64_t groups = rows.channels / width;
  if (rows.channels % width || groups > heads || heads % groups)
    return {};
  Dims from = getDims(value), kept;
  if (groups == heads && isInHeadOrder(rows, from, heads, width))
    return reshape(builder, value, {rows.batch, heads, rows.tokens, width});
  SmallVector<int64_t> order = rowOrder(rows), sorted(order);
  llvm::sort(sorted);
  for (int64_t axis : sorted)
    kept.push_back(from[axis]);
  Value result = transpose(builder, reshape(builder, value, kept), ranks(order));
  if (groups < heads) {
    result = reshape(builder, result, {rows.batch, rows.tokens, groups, 1, width});
    auto type = makeTensorType({rows.batch, rows.tokens, groups, heads / groups, width},
                               elementTypeOf(value));
    result = BroadcastOp::create(builder, value.getLoc(), type, result);
  }
  result = reshape(builder, result, {rows.batch, rows.tokens, heads, width});
  return transpose(builder, result, {0, 2, 1, 3});
}

Value llmc::fromHeadRows(OpBuilder &builder, Value value, const TokenRows &rows, Type type) {
  Dims to = getDims(cast<RankedTensorType>(type)), kept;
  Dims from = getDims(value);
  if (isInHeadOrder(rows, to, *from[1].constant(), *from[3].constant()))
    return reshape(builder, value, to);
  SmallVector<int64_t> order = rowOrder(rows), inverse(order.size());
  for (int64_t axis : order)
    kept.push_back(to[axis]);
  for (auto [from, rank] : llvm::enumerate(ranks(order)))
    inverse[rank] = from;
  Value result = reshape(builder, transpose(builder, value, {0, 2, 1, 3}), kept);
  return reshape(builder, transpose(builder, result, inverse), to);
}
