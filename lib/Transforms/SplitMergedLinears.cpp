//===- SplitMergedLinears.cpp - one linear per product that a model means
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters join the matrices of query, key and value, or of gate and up, and slice
// the result; others do not. Recognition wants one form, and the parts need no copy of
// their result. Matrices whose rows are outputs share the bytes of the joined one.
//
//===----------------------------------------------------------------------===//
#include "ConstantParts.h"
#include "Matchers.h"
#include "QuantizedConstant.h"
#include "llmc/Transforms/Passes.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_SPLITMERGEDLINEARS
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

namespace {

/// Outputs [first, first + count) of a linear with `total` outputs.
struct OutputRange {
  int64_t first, count, total;
};

/// A slice of the last dimension that is known and dense.
std::optional<OutputRange> matchRange(SliceOp slice) {
  Dims from = getDims(slice.getInput()), to = getDims(slice.getResult());
  Dims starts = parseExprs(slice.getStarts());
  size_t last = from.size() - 1;
  for (size_t i = 0; i < last; ++i)
    if (from[i] != to[i] || !starts[i].isConstant(0) || slice.getSteps()[i] != 1)
      return std::nullopt;
  if (!starts[last].constant() || !to[last].constant() || !from[last].constant() ||
      slice.getSteps()[last] != 1)
    return std::nullopt;
  return OutputRange{*starts[last].constant(), *to[last].constant(), *from[last].constant()};
}

/// The slices that are all there is of a linear's result, also behind a reshape that
/// keeps the last dimension; empty where something else uses it.
SmallVector<SliceOp> matchParts(LinearOp linear) {
  Value whole = linear.getResult();
  if (whole.hasOneUse())
    if (auto reshape = dyn_cast<ReshapeOp>(*whole.user_begin());
        reshape && !getDims(reshape.getResult()).empty() &&
        getDims(reshape.getResult()).back() == getDims(whole).back())
      whole = reshape.getResult();
  SmallVector<SliceOp> parts;
  for (Operation *user : whole.getUsers()) {
    auto slice = dyn_cast<SliceOp>(user);
    if (!slice || !matchRange(slice))
      return {};
    parts.push_back(slice);
  }
  return parts.size() > 1 ? parts : SmallVector<SliceOp>();
}

class ConstantSlicer {
public:
  ConstantSlicer(OpBuilder &builder, OutputRange range) : builder(builder), range(range) {}

  /// The rows of the range: the constant's bytes are `total` rows of one size, however
  /// it is shaped. Null where they are not, or cannot be read.
  Value rows(Value value);
  /// Columns of a matrix `[K, total]`, copied.
  Value columns(Value value);

private:
  OpBuilder &builder;
  OutputRange range;
};

Value ConstantSlicer::rows(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant)
    return {};
  auto type = cast<RankedTensorType>(constant.getType());
  SmallVector<int64_t> shape(type.getShape());
  if (shape.empty() || shape[0] % range.total != 0)
    return {};
  shape[0] = shape[0] / range.total * range.count;
  auto partType = RankedTensorType::get(shape, type.getElementType());
  size_t numBytes = 0;
  if (auto bytes = bytesOf(constant.getValue()))
    numBytes = bytes->first.size();
  if (numBytes % size_t(range.total) != 0)
    return {};
  size_t rowBytes = numBytes / size_t(range.total);
  return makePart(builder, constant, partType, size_t(range.first) * rowBytes,
                  size_t(range.count) * rowBytes);
}

Value ConstantSlicer::columns(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant)
    return {};
  auto type = cast<RankedTensorType>(constant.getType());
  int64_t depth = type.getDimSize(0);
  auto partType = RankedTensorType::get({depth, range.count}, type.getElementType());
  if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue()); dense && dense.isSplat())
    return ConstantOp::create(builder, constant.getLoc(), dense.resizeSplat(partType));
  auto bytes = bytesOf(constant.getValue());
  size_t element = type.getElementTypeBitWidth() / 8;
  if (!bytes || bytes->first.size() != size_t(depth * range.total) * element)
    return {};
  return makeHeapConstant(builder, constant.getLoc(), partType, [&](MutableArrayRef<char> to) {
    for (int64_t k = 0; k < depth; ++k)
      llvm::copy(bytes->first.slice(size_t(k * range.total + range.first) * element,
                                    size_t(range.count) * element),
                 to.begin() + size_t(k * range.count) * element);
  });
}

/// linear(x, [A B]) -> slices  =>  linear(x, A), linear(x, B).
void split(LinearOp linear, ArrayRef<SliceOp> slices) {
  SmallVector<LinearOp> parts;
  OpBuilder builder(linear);
  bool isRows = linear.getBits() || linear.getTransposed();
  for (SliceOp slice : slices) {
    OutputRange range = *matchRange(slice);
    ConstantSlicer slicer(builder, range);
    auto cut = [&](Value value) { return value ? slicer.rows(value) : Value(); };
    Value weight = isRows ? slicer.rows(linear.getWeight()) : slicer.columns(linear.getWeight());
    Value scales = cut(linear.getScales()), zeroPoints = cut(linear.getZeroPoints());
    Value bias = cut(linear.getBias());
    if (!weight || bool(scales) != bool(linear.getScales()) ||
        bool(zeroPoints) != bool(linear.getZeroPoints()) || bool(bias) != bool(linear.getBias())) {
      for (LinearOp part : parts)
        part.erase();
      return;
    }
    auto part = cast<LinearOp>(builder.clone(*linear));
    part.getWeightMutable().assign(weight);
    if (scales)
      part.getScalesMutable().assign(scales);
    if (zeroPoints)
      part.getZeroPointsMutable().assign(zeroPoints);
    if (bias)
      part.getBiasMutable().assign(bias);
    Dims dims = getDims(linear.getResult());
    dims.back() = range.count;
    part.getResult().setType(makeTensorType(dims, elementTypeOf(linear.getResult())));
    part->setLoc(builder.getFusedLoc({linear.getLoc(), slice.getLoc()}));
    parts.push_back(part);
  }
  for (auto [i, part] : llvm::enumerate(parts)) {
    SliceOp slice = slices[i];
    Value result = part.getResult();
    if (result.getType() != slice.getType()) {
      builder.setInsertionPoint(slice);
      result = ReshapeOp::create(builder, slice.getLoc(), slice.getType(), result);
    }
    slice.replaceAllUsesWith(result);
    slice.erase();
  }
}

struct SplitMergedLinears : llmc::impl::SplitMergedLinearsBase<SplitMergedLinears> {
  void runOnOperation() override {
    SmallVector<LinearOp> linears(getOperation().getOps<LinearOp>());
    for (LinearOp linear : linears)
      if (SmallVector<SliceOp> parts = matchParts(linear); !parts.empty())
        split(linear, parts);
  }
};

} // namespace
