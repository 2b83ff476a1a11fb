//===- Layout.cpp - reshape groups and strided views
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/Layout.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

static bool divides(const DimExpr &divisor, const DimExpr &dividend) {
  return DimExpr::floorDiv(dividend, divisor) * divisor == dividend;
}

std::optional<SmallVector<ReshapeGroup>> llmc::matchReshape(ArrayRef<DimExpr> in,
                                                            ArrayRef<DimExpr> out) {
  SmallVector<ReshapeGroup> groups;
  size_t i = 0, o = 0;
  while (i < in.size() || o < out.size()) {
    ReshapeGroup group{i, i, o, o};
    DimExpr inProduct = 1, outProduct = 1;
    if (i < in.size())
      inProduct = in[i++];
    if (o < out.size())
      outProduct = out[o++];
    while (inProduct != outProduct) {
      if (i < in.size() && divides(inProduct, outProduct))
        inProduct = inProduct * in[i++];
      else if (o < out.size() && divides(outProduct, inProduct))
        outProduct = outProduct * out[o++];
      else
        return std::nullopt;
    }
    // Trailing ones belong to the group before them.
    while (i < in.size() && in[i].isConstant(1))
      ++i;
    while (o < out.size() && out[o].isConstant(1))
      ++o;
    group.inEnd = i;
    group.outEnd = o;
    groups.push_back(group);
  }
  return groups;
}

Dims llmc::contiguousStrides(ArrayRef<DimExpr> dims) {
  Dims strides(dims.size(), DimExpr(1));
  for (size_t d = dims.size(); d-- > 1;)
    strides[d - 1] = strides[d] * dims[d];
  return strides;
}

/// New strides for `out`, where every group of `view` collapses to one stride.
static bool reshapeView(StridedView &view, ArrayRef<DimExpr> out) {
  auto groups = matchReshape(view.dims, out);
  if (!groups)
    return false;
  Dims strides(out.size(), DimExpr(1));
  for (const ReshapeGroup &group : *groups) {
    std::optional<DimExpr> inner; // stride of the group's innermost dimension
    DimExpr next;                 // the stride that continues it outwards
    for (size_t d = group.inEnd; d-- > group.inBegin;) {
      if (view.dims[d].isConstant(1))
        continue;
      if (inner && view.strides[d] != next)
        return false;
      if (!inner)
        inner = view.strides[d];
      next = view.strides[d] * view.dims[d];
    }
    DimExpr stride = inner.value_or(DimExpr(0));
    for (size_t d = group.outEnd; d-- > group.outBegin;) {
      strides[d] = stride;
      stride = stride * out[d];
    }
  }
  view.dims.assign(out.begin(), out.end());
  view.strides = std::move(strides);
  return true;
}

std::optional<StridedView> llmc::getStridedView(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !isa<ReshapeOp, TransposeOp, SliceOp, BroadcastOp>(op)) {
    Dims dims = getDims(value);
    Dims strides = contiguousStrides(dims);
    return StridedView{value, 0, std::move(dims), std::move(strides)};
  }
  std::optional<StridedView> view = getStridedView(op->getOperand(0));
  if (!view)
    return std::nullopt;
  Dims dims = getDims(value);
  if (isa<ReshapeOp>(op))
    return reshapeView(*view, dims) ? view : std::nullopt;
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    Dims strides;
    for (int64_t axis : transpose.getPermutation())
      strides.push_back(view->strides[axis]);
    view->strides = std::move(strides);
  } else if (auto slice = dyn_cast<SliceOp>(op)) {
    for (auto [index, start] : llvm::enumerate(parseExprs(slice.getStarts()))) {
      view->offset = view->offset + start * view->strides[index];
      view->strides[index] = view->strides[index] * slice.getSteps()[index];
    }
  } else {
    Dims strides(dims.size(), DimExpr(0));
    size_t skip = dims.size() - view->dims.size();
    for (size_t d = 0; d < view->dims.size(); ++d)
      if (!view->dims[d].isConstant(1))
        strides[skip + d] = view->strides[d];
    view->strides = std::move(strides);
  }
  view->dims = std::move(dims);
  return view;
}

std::optional<RowMatrix> llmc::getRowMatrix(Value value) {
  std::optional<StridedView> view = getStridedView(value);
  if (!view || view->dims.empty())
    return std::nullopt;
  size_t last = view->dims.size() - 1;
  if (view->strides[last] != DimExpr(1) && !view->dims[last].isConstant(1))
    return std::nullopt;
  RowMatrix matrix{view->root, view->offset, 1, view->dims[last], view->dims[last]};
  std::optional<DimExpr> next;
  for (size_t d = last; d-- > 0;) {
    if (view->dims[d].isConstant(1))
      continue;
    if (next && view->strides[d] != *next)
      return std::nullopt;
    if (!next)
      matrix.rowStride = view->strides[d];
    next = view->strides[d] * view->dims[d];
    matrix.rows = matrix.rows * view->dims[d];
  }
  return matrix;
}
