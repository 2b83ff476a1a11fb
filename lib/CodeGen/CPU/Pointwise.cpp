//===- Pointwise.cpp - kernels without an anchor
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

LogicalResult KernelBuilder::lowerPointwise(Value root) {
  Dims dims = getDims(root);
  Type type = cast<RankedTensorType>(root.getType()).getElementType();
  // A reduction has its work behind each element: every element is a row of its own.
  auto reduce = root.getDefiningOp<ReduceOp>();
  // Dimensions of size 1 at the end would make the inner loop one element long.
  size_t inner = reduce ? 0 : dims.size();
  while (!kernel.getRowStride() && inner > 1 && dims[inner - 1].isConstant(1))
    --inner;
  ArrayRef<DimExpr> outer = ArrayRef(dims).take_front(inner ? inner - 1 : 0);
  if (reduce)
    outer = dims;
  DimExpr rows = product(outer), columns = inner ? dims[inner - 1] : DimExpr(1);
  DimExpr work = columns;
  if (reduce)
    for (int64_t axis : reduce.getAxes())
      work = work * getDims(reduce.getInput())[axis];
  int64_t tileRows = rowsPerTile(work);
  tiles = DimExpr::ceilDiv(rows, tileRows);

  Value begin = index.mul(tile, index.constant(tileRows));
  Value end = index.add(begin, clipped(begin, tileRows, index.size(rows)));
  Value width = index.size(columns), outStride = rowStride(width);
  emitter.loop(begin, end, [&](Value row) {
    Indices indices = index.delinearize(row, outer);
    indices.resize(dims.size());
    for (size_t d = reduce ? dims.size() : inner; d < dims.size(); ++d)
      indices[d] = index.constant(0);
    Value base = index.mul(row, outStride);
    emitter.loop(index.constant(0), width, [&](Value column) {
      if (inner)
        indices[inner - 1] = column;
      position = index.add(base, column);
      emitter.store(output, position, type, emitter.element(root, indices));
    });
  });
  return success();
}

/// One tile: where a row goes depends on all elements before it.
LogicalResult KernelBuilder::lowerNonZero(NonZeroOp op) {
  Dims dims = getDims(op.getInput());
  Type i64 = builder.getI64Type();
  Value rows = index.size(getDims(op.getResult())[0]);
  emitter.reduceLoop(index.size(product(dims)), index.constant(0), [&](Value position, Value row) {
    Indices at = index.delinearize(position, dims);
    Value found = emitter.isNonZero(op.getInput(), at);
    Value hasRoom = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, row, rows);
    Value isStored = arith::AndIOp::create(builder, loc, found, hasRoom);
    auto condition = scf::IfOp::create(builder, loc, isStored, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(condition.thenBlock());
    Value base = index.mul(row, index.constant(int64_t(dims.size())));
    for (auto [axis, value] : llvm::enumerate(at))
      emitter.store(output, index.add(base, index.constant(int64_t(axis))), i64, value);
    builder.setInsertionPointAfter(condition);
    return index.add(row, arith::ExtUIOp::create(builder, loc, i64, isStored));
  });
  return success();
}
