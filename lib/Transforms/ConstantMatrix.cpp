//===- ConstantMatrix.cpp - matrices that constants are moved into --------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ConstantMatrix.h"
#include "ConstantParts.h"
#include "QuantizedConstant.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace llmc::llm;

namespace llmc {

namespace {

/// `size` elements that lie `stride` apart in the constant.
struct Run {
  int64_t size, stride;
};
/// A dimension: runs inside of each other, the outermost first.
using Runs = SmallVector<Run, 2>;

/// Where the elements of a moved constant lie in it.
struct Movement {
  SmallVector<Runs> dims;
  int64_t offset = 0;
};

/// Adds a run inside of the others; one that continues the last becomes a part of it.
void addRun(Runs &runs, Run run) {
  if (run.size == 1)
    return;
  if (!runs.empty() && runs.back().stride == run.size * run.stride)
    runs.back() = {runs.back().size * run.size, run.stride};
  else
    runs.push_back(run);
}

Movement identityOf(ArrayRef<int64_t> shape) {
  Movement result;
  result.dims.resize(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0; stride *= shape[axis])
    addRun(result.dims[axis], {shape[axis], stride});
  return result;
}

bool applyTranspose(Movement &movement, TransposeOp transpose) {
  SmallVector<Runs> dims;
  for (int64_t axis : transpose.getPermutation())
    dims.push_back(movement.dims[axis]);
  movement.dims = std::move(dims);
  return true;
}

bool applySlice(Movement &movement, SliceOp slice) {
  ArrayRef<int64_t> from = cast<RankedTensorType>(slice.getInput().getType()).getShape();
  ArrayRef<int64_t> to = cast<RankedTensorType>(slice.getType()).getShape();
  Dims starts = parseExprs(slice.getStarts());
  for (auto [axis, runs] : llvm::enumerate(movement.dims)) {
    std::optional<int64_t> start = starts[axis].constant();
    int64_t step = slice.getSteps()[axis];
    constexpr int64_t kMaxStep = int64_t(1) << 20; // a stride times it is a number
    if (!start || step < 1 || step > kMaxStep)
      return false;
    if (from[axis] == to[axis])
      continue;
    if (runs.size() != 1)
      return false;
    movement.offset += *start * runs[0].stride;
    Run part{to[axis], runs[0].stride * step};
    runs.clear();
    addRun(runs, part);
  }
  return true;
}

bool applyReshape(Movement &movement, ArrayRef<int64_t> shape) {
  Runs all;
  for (const Runs &runs : movement.dims)
    for (Run run : runs)
      addRun(all, run);
  SmallVector<Runs> dims(shape.size());
  size_t next = 0;
  for (auto [axis, size] : llvm::enumerate(shape))
    for (int64_t wanted = size; wanted != 1;) {
      if (next == all.size())
        return false;
      Run &run = all[next];
      if (run.size % wanted == 0) {
        int64_t inner = run.size / wanted;
        addRun(dims[axis], {wanted, run.stride * inner});
        run.size = inner;
        next += inner == 1;
        wanted = 1;
      } else if (wanted % run.size == 0) {
        addRun(dims[axis], run);
        wanted /= run.size;
        ++next;
      } else {
        return false;
      }
    }
  movement.dims = std::move(dims);
  return true;
}

std::optional<Movement> follow(Value value, ConstantOp &constant) {
  SmallVector<Operation *> path;
  for (Operation *op = value.getDefiningOp();; op = op->getOperand(0).getDefiningOp()) {
    if ((constant = dyn_cast_or_null<ConstantOp>(op)))
      break;
    auto type = op ? dyn_cast<RankedTensorType>(op->getResult(0).getType()) : nullptr;
    if (!isa_and_nonnull<TransposeOp, ReshapeOp, SliceOp>(op) || !type.hasStaticShape() ||
        type.getNumElements() == 0)
      return std::nullopt;
    path.push_back(op);
  }
  Movement movement = identityOf(cast<RankedTensorType>(constant.getType()).getShape());
  for (Operation *op : llvm::reverse(path)) {
    bool isKnown = true;
    if (auto transpose = dyn_cast<TransposeOp>(op))
      isKnown = applyTranspose(movement, transpose);
    else if (auto slice = dyn_cast<SliceOp>(op))
      isKnown = applySlice(movement, slice);
    else
      isKnown =
          applyReshape(movement, cast<RankedTensorType>(op->getResult(0).getType()).getShape());
    if (!isKnown)
      return std::nullopt;
  }
  return movement;
}

/// Whether the dimension's elements lie `stride` apart.
bool hasStride(const Runs &runs, int64_t stride) {
  return runs.empty() || (runs.size() == 1 && runs[0].stride == stride);
}

/// The places of a dimension's elements.
SmallVector<int64_t> placesOf(const Runs &runs) {
  SmallVector<int64_t> places{0};
  for (const Run &run : runs) {
    SmallVector<int64_t> inner;
    for (int64_t place : places)
      for (int64_t i = 0; i < run.size; ++i)
        inner.push_back(place + i * run.stride);
    places = std::move(inner);
  }
  return places;
}

/// A constant `[rows, columns]` with the bytes at those places of `constant`.
Value copyMatrix(OpBuilder &builder, ConstantOp constant, const Movement &movement) {
  auto bytes = bytesOf(constant.getValue());
  auto type = cast<RankedTensorType>(constant.getType());
  size_t width = type.getElementTypeBitWidth() / 8;
  if (!bytes || width == 0 || bytes->first.size() != size_t(type.getNumElements()) * width)
    return {};
  SmallVector<int64_t> rows = placesOf(movement.dims[0]), columns = placesOf(movement.dims[1]);
  auto matrixType =
      RankedTensorType::get({int64_t(rows.size()), int64_t(columns.size())}, type.getElementType());
  return makeHeapConstant(builder, constant.getLoc(), matrixType, [&](MutableArrayRef<char> to) {
    char *out = to.begin();
    for (int64_t row : rows)
      for (int64_t column : columns) {
        size_t from = size_t(movement.offset + row + column) * width;
        out = llvm::copy(bytes->first.slice(from, width), out);
      }
  });
}

} // namespace

std::optional<ConstantMatrix> matchConstantMatrix(OpBuilder &builder, Value value) {
  ConstantOp constant;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() < 2 || !type.hasStaticShape() || type.getNumElements() == 0 ||
      type.getElementTypeBitWidth() < 8 ||
      llvm::any_of(type.getShape().drop_back(2), [](int64_t size) { return size != 1; }))
    return std::nullopt;
  std::optional<Movement> movement = follow(value, constant);
  if (!movement)
    return std::nullopt;
  movement->dims.erase(movement->dims.begin(), movement->dims.end() - 2);
  int64_t rows = type.getShape().end()[-2], columns = type.getShape().back();
  const Runs &outer = movement->dims[0], &inner = movement->dims[1];
  bool isStraight = hasStride(inner, 1) && hasStride(outer, columns);
  if (isStraight || (hasStride(outer, 1) && hasStride(inner, rows))) {
    SmallVector<int64_t> shape =
        isStraight ? SmallVector<int64_t>{rows, columns} : SmallVector<int64_t>{columns, rows};
    size_t width = type.getElementTypeBitWidth() / 8;
    if (Value part =
            makePart(builder, constant, RankedTensorType::get(shape, type.getElementType()),
                     size_t(movement->offset) * width, size_t(rows * columns) * width))
      return ConstantMatrix{part, !isStraight};
  }
  Value copied = copyMatrix(builder, constant, *movement);
  return copied ? std::optional(ConstantMatrix{copied, false}) : std::nullopt;
}

} // namespace llmc
