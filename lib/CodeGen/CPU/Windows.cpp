//===- Windows.cpp - convolutions and reductions over sliding windows
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row of the result, along the last dimension, is its own accumulator: for every input
// channel and position in the window the part of the row whose input lies inside takes one
// term. So the inner loop runs over consecutive elements and has no conditions.
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

namespace {
/// How positions of the result and of a window give positions of the input.
struct Window {
  SmallVector<int64_t> sizes;
  ArrayRef<int64_t> strides, dilations, pads;

  int64_t numPositions() const {
    int64_t count = 1;
    for (int64_t size : sizes)
      count *= size;
    return count;
  }
};
} // namespace

/// ceil(max(a, 0) / b) for constant positive b.
static Value ceilDivNonNegative(IndexEmitter &index, Value a, int64_t b) {
  Value positive = index.max(a, index.constant(0));
  return index.divide(index.add(positive, index.constant(b - 1)), index.constant(b));
}

/// Calls `term(at, columnBegin, columnEnd, source)` for every position of the window: `at`
/// is the position in it, [columnBegin, columnEnd) the columns whose input is inside, and
/// `source(column)` the spatial indices of the input.
static void forEachTerm(
    ElementEmitter &emitter, IndexEmitter &index, const Window &window, ArrayRef<Value> place,
    ArrayRef<DimExpr> inputDims, const DimExpr &columns,
    llvm::function_ref<void(ArrayRef<Value>, Value, Value, llvm::function_ref<Indices(Value)>)>
        term) {
  OpBuilder &builder = index.builder;
  size_t rank = window.sizes.size(), last = rank - 1;
  Indices at(rank), source(rank);
  std::function<void(size_t)> nest = [&](size_t d) {
    emitter.loop(index.constant(0), index.constant(window.sizes[d]), [&](Value k) {
      at[d] = k;
      Value shift = index.sub(index.mul(k, index.constant(window.dilations[d])),
                              index.constant(window.pads[d]));
      Value extent = index.size(inputDims[d]);
      if (d == last) {
        int64_t stride = window.strides[d];
        // 0 <= column * stride + shift < extent
        Value begin = ceilDivNonNegative(index, index.sub(index.constant(0), shift), stride);
        Value end = ceilDivNonNegative(index, index.sub(extent, shift), stride);
        end = index.min(end, index.size(columns));
        term(at, begin, end, [&](Value column) {
          source[d] = index.add(index.mul(column, index.constant(stride)), shift);
          return source;
        });
        return;
      }
      source[d] = index.add(index.mul(place[d], index.constant(window.strides[d])), shift);
      Value notBefore = arith::CmpIOp::create(builder, index.loc, arith::CmpIPredicate::sge,
                                              source[d], index.constant(0));
      Value notBehind =
          arith::CmpIOp::create(builder, index.loc, arith::CmpIPredicate::slt, source[d], extent);
      Value inside = arith::AndIOp::create(builder, index.loc, notBefore, notBehind);
      auto condition = scf::IfOp::create(builder, index.loc, inside, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(condition.thenBlock());
      nest(d + 1);
    });
  };
  nest(0);
}

/// Sums and the like accumulate in the result's memory, which must hold them as they are.
static LogicalResult requireAccumulator(Operation *op, Type type) {
  bool isWhole =
      type.isF32() || type.isF64() || (isa<IntegerType>(type) && type.getIntOrFloatBitWidth() >= 8);
  if (isWhole)
    return success();
  return op->emitError("the CPU back end has no ")
         << op->getName().getStringRef() << " of " << type;
}

LogicalResult KernelBuilder::lowerConv(ConvOp op) {
  Dims dims = getDims(op.getResult()), input = getDims(op.getInput());
  Dims weight = getDims(op.getWeight());
  Type type = cast<RankedTensorType>(op.getType()).getElementType();
  std::optional<int64_t> outputs = weight[0].constant();
  if (failed(requireAccumulator(op, type)))
    return failure();
  if (!outputs)
    return op.emitError("the CPU back end needs a static number of output channels, found ")
           << op.getWeight().getType();
  Window window{{}, op.getStrides(), op.getDilations(), op.getPads()};
  for (const DimExpr &dim : ArrayRef(weight).drop_front(2))
    window.sizes.push_back(*dim.constant());
  Dims outer(dims.begin(), dims.end() - 1); // n, m, all spatial dimensions but the last
  DimExpr rows = product(outer);
  int64_t channels = weight[1].constant().value_or(64);
  int64_t tileRows = rowsPerTile(dims.back() * (channels * window.numPositions()));
  tiles = DimExpr::ceilDiv(rows, tileRows);
  auto zero = [&] {
    return isa<FloatType>(type) ? emitter.floatConstant(type, 0)
                                : emitter.integerConstant(ElementEmitter::registerType(type), 0);
  };

  Value begin = index.mul(tile, index.constant(tileRows));
  Value end = index.add(begin, clipped(begin, tileRows, index.size(rows)));
  Value width = index.size(dims.back());
  emitter.loop(begin, end, [&](Value row) {
    Indices at = index.delinearize(row, outer);
    Value base = index.mul(row, width), sequence = at[0], output0 = at[1];
    Value start = op.getBias() ? emitter.element(op.getBias(), {output0}) : zero();
    emitter.loop(index.constant(0), width, [&](Value column) {
      emitter.store(output, index.add(base, column), type, start);
    });
    Value group = index.divide(output0, index.constant(*outputs / int64_t(op.getGroups())));
    Value channel0 = index.mul(group, index.size(weight[1]));
    emitter.loop(index.constant(0), index.size(weight[1]), [&](Value channel) {
      forEachTerm(emitter, index, window, ArrayRef(at).drop_front(2), ArrayRef(input).drop_front(2),
                  dims.back(), [&](ArrayRef<Value> k, Value from, Value to, auto source) {
                    Indices weightAt{output0, channel};
                    llvm::append_range(weightAt, k);
                    Value factor = emitter.element(op.getWeight(), weightAt);
                    emitter.loop(from, to, [&](Value column) {
                      Indices inputAt{sequence, index.add(channel0, channel)};
                      llvm::append_range(inputAt, source(column));
                      Value product = emitter.binary(
                          BinaryKind::mul, factor, emitter.element(op.getInput(), inputAt), false);
                      Value position = index.add(base, column);
                      Value sum = emitter.load(output, position, type);
                      emitter.store(output, position, type,
                                    emitter.binary(BinaryKind::add, sum, product, false));
                    });
                  });
    });
  });
  return success();
}

LogicalResult KernelBuilder::lowerWindowReduce(WindowReduceOp op) {
  Dims dims = getDims(op.getResult()), input = getDims(op.getInput());
  Type type = cast<RankedTensorType>(op.getType()).getElementType();
  if (op.getKind() == ReduceKind::mean)
    return op.emitError("a mean over windows is not defined");
  if (failed(requireAccumulator(op, type)))
    return failure();
  Window window{SmallVector<int64_t>(op.getWindow()), op.getStrides(), op.getDilations(),
                op.getPads()};
  Dims outer(dims.begin(), dims.end() - 1);
  DimExpr rows = product(outer);
  int64_t tileRows = rowsPerTile(dims.back() * window.numPositions());
  tiles = DimExpr::ceilDiv(rows, tileRows);
  auto [kind, start] = emitter.reduction(op.getKind(), type);
  bool isUnsigned = ElementEmitter::isUnsigned(type);

  Value begin = index.mul(tile, index.constant(tileRows));
  Value end = index.add(begin, clipped(begin, tileRows, index.size(rows)));
  Value width = index.size(dims.back());
  emitter.loop(begin, end, [&, kind = kind, start = start](Value row) {
    Indices at = index.delinearize(row, outer);
    Value base = index.mul(row, width);
    emitter.loop(index.constant(0), width, [&](Value column) {
      emitter.store(output, index.add(base, column), type, start);
    });
    forEachTerm(emitter, index, window, ArrayRef(at).drop_front(2), ArrayRef(input).drop_front(2),
                dims.back(), [&](ArrayRef<Value>, Value from, Value to, auto source) {
                  emitter.loop(from, to, [&](Value column) {
                    Indices inputAt{at[0], at[1]};
                    llvm::append_range(inputAt, source(column));
                    Value position = index.add(base, column);
                    Value partial = emitter.load(output, position, type);
                    Value x = emitter.element(op.getInput(), inputAt);
                    emitter.store(output, position, type,
                                  emitter.binary(kind, partial, x, isUnsigned));
                  });
                });
  });
  return success();
}
