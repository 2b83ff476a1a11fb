//===- Pointwise.cpp - kernels without an anchor, and cache appends
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

LogicalResult KernelBuilder::lowerPointwise(Value root) {
  Dims dims = getDims(root);
  Type type = cast<RankedTensorType>(root.getType()).getElementType();
  // Dimensions of size 1 at the end would make the inner loop one element long.
  size_t inner = dims.size();
  while (inner > 1 && dims[inner - 1].isConstant(1))
    --inner;
  ArrayRef<DimExpr> outer = ArrayRef(dims).take_front(inner ? inner - 1 : 0);
  DimExpr rows = product(outer), columns = inner ? dims[inner - 1] : DimExpr(1);
  int64_t tileRows = rowsPerTile(columns);
  tiles = DimExpr::ceilDiv(rows, tileRows);

  Value begin = index.mul(tile, index.constant(tileRows));
  Value end = index.add(begin, clipped(begin, tileRows, index.size(rows)));
  Value width = index.size(columns);
  emitter.loop(begin, end, [&](Value row) {
    Indices indices = index.delinearize(row, outer);
    indices.resize(dims.size());
    for (size_t d = inner; d < dims.size(); ++d)
      indices[d] = index.constant(0);
    Value base = index.mul(row, width);
    emitter.loop(index.constant(0), width, [&](Value column) {
      if (inner)
        indices[inner - 1] = column;
      emitter.store(output, index.add(base, column), type, emitter.element(root, indices));
    });
  });
  return success();
}

LogicalResult KernelBuilder::lowerStateAppend(StateAppendOp append) {
  Dims dims = getDims(append.getTokens()); // [B, H, S, D]
  RankedTensorType token = append.getState().getType().getToken();
  Type type = token.getElementType();
  if (type != cast<RankedTensorType>(append.getTokens().getType()).getElementType())
    return append.emitError("tokens and cache differ in their element type");
  int64_t heads = token.getDimSize(0), width = token.getDimSize(1), block = target.blockTokens;
  DimExpr rows = dims[0] * dims[1] * dims[2];
  int64_t tileRows = rowsPerTile(dims[3]);
  tiles = DimExpr::ceilDiv(rows, tileRows);
  Value state = pointers[append.getState()];

  Value begin = index.mul(tile, index.constant(tileRows));
  Value end = index.add(begin, clipped(begin, tileRows, index.size(rows)));
  emitter.loop(begin, end, [&](Value row) {
    Indices at = index.delinearize(row, ArrayRef(dims).take_front(3));
    Value past = emitter.element(append.getPastLens(), {at[0]});
    Value position = index.add(past, at[2]);
    Value slot = index.divide(position, index.constant(block));
    Value entry = index.add(index.mul(at[0], blockStride), slot);
    Value id = arith::ExtSIOp::create(builder, loc, builder.getI64Type(),
                                      emitter.load(blockTable, entry, builder.getI32Type()));
    // [block id][head][token in block][channel]
    Value base = index.add(index.mul(id, index.constant(heads)), at[1]);
    base = index.add(index.mul(base, index.constant(block)),
                     index.remainder(position, index.constant(block)));
    base = index.mul(base, index.constant(width));
    emitter.loop(index.constant(0), index.constant(width), [&](Value channel) {
      Value value = emitter.element(append.getTokens(), {at[0], at[1], at[2], channel});
      emitter.store(state, index.add(base, channel), type, value);
    });
  });
  return success();
}
