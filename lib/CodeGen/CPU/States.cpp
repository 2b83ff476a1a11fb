//===- States.cpp - kernels that read and write the session's states
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A state of tokens is [block id][head][token in block][channel], blocks being found
// through the sequence's row of the block table. A fixed state is an array of slots.
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

Value KernelBuilder::tokenOffset(StateType state, Value sequence, Value head, Value position) {
  int64_t heads = state.getToken().getDimSize(0), width = state.getToken().getDimSize(1);
  Value block = index.constant(target.blockTokens);
  Value entry = index.add(index.mul(sequence, blockStride), index.divide(position, block));
  Value id = arith::ExtSIOp::create(builder, loc, builder.getI64Type(),
                                    emitter.load(blockTable, entry, builder.getI32Type()));
  Value base = index.add(index.mul(id, index.constant(heads)), head);
  base = index.add(index.mul(base, block), index.remainder(position, block));
  return index.mul(base, index.constant(width));
}

Value KernelBuilder::slotOffset(StateType state, Value sequence) {
  Value slot = arith::ExtSIOp::create(builder, loc, builder.getI64Type(),
                                      emitter.load(slots, sequence, builder.getI32Type()));
  return index.mul(slot, index.constant(state.getToken().getNumElements()));
}

void KernelBuilder::bindStateLoads() {
  for (auto load : kernel.getBody().front().getOps<StateLoadOp>())
    emitter.bindSource(load.getResult(), [this, load](ArrayRef<Value> at) mutable -> Value {
      StateType state = load.getState().getType();
      Type type = state.getToken().getElementType();
      Value position;
      if (state.getFixed())
        position = index.add(slotOffset(state, at.front()),
                             index.linearize(at.drop_front(), getDims(state.getToken())));
      else
        position = index.add(tokenOffset(state, at[0], at[1], at[2]), at[3]);
      return emitter.load(pointers[load.getState()], position, type);
    });
}

LogicalResult KernelBuilder::lowerStateStore(StateStoreOp store) {
  Dims dims = getDims(store.getValue());
  StateType state = store.getState().getType();
  Type type = state.getToken().getElementType();
  if (type != cast<RankedTensorType>(store.getValue().getType()).getElementType())
    return store.emitError("value and state differ in their element type");
  // A tile is a piece of one sequence's tensor, whose elements lie as in the value.
  constexpr int64_t kTileElements = 8192;
  int64_t count = state.getToken().getNumElements();
  Dims grid = {dims[0], DimExpr((count + kTileElements - 1) / kTileElements)};
  tiles = product(grid);
  Indices at = index.delinearize(tile, grid);
  Value begin = index.mul(at[1], index.constant(kTileElements));
  Value end = index.add(begin, clipped(begin, kTileElements, index.constant(count)));
  Value target = slotOffset(state, at[0]);
  emitter.loop(begin, end, [&](Value position) {
    Indices source = {at[0]};
    llvm::append_range(source, index.delinearize(position, getDims(state.getToken())));
    emitter.store(pointers[store.getState()], index.add(target, position), type,
                  emitter.element(store.getValue(), source));
  });
  return success();
}

LogicalResult KernelBuilder::lowerStateAppend(StateAppendOp append) {
  Dims dims = getDims(append.getTokens()); // [B, H, S, D]
  RankedTensorType token = append.getState().getType().getToken();
  Type type = token.getElementType();
  if (type != cast<RankedTensorType>(append.getTokens().getType()).getElementType())
    return append.emitError("tokens and cache differ in their element type");
  int64_t width = token.getDimSize(1);
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
    Value base = tokenOffset(append.getState().getType(), at[0], at[1], position);
    emitter.loop(index.constant(0), index.constant(width), [&](Value channel) {
      Value value = emitter.element(append.getTokens(), {at[0], at[1], at[2], channel});
      emitter.store(state, index.add(base, channel), type, value);
    });
  });
  return success();
}
