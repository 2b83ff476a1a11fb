//===- States.cpp - kernels that read and write the session's states
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A state of tokens is an array of blocks (StateLayout.h), found through the sequence's row
// of the block table. A fixed state is an array of slots.
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/Exec/IR/StateLayout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

KernelBuilder::TokenPlace KernelBuilder::tokenPlace(StateType state, Value sequence, Value head,
                                                    Value position) {
  int64_t bytes = exec::stateBytes(state, target.blockTokens);
  int64_t elementBytes = exec::elementBytes(state.getToken().getElementType());
  Value block = index.constant(target.blockTokens);
  Value entry = index.add(index.mul(sequence, blockStride), index.divide(position, block));
  Value id = arith::ExtSIOp::create(builder, loc, builder.getI64Type(),
                                    emitter.load(blockTable, entry, builder.getI32Type()));
  Value row = index.add(index.mul(head, block), index.remainder(position, block));
  TokenPlace place;
  place.channels = index.add(index.mul(id, index.constant(bytes / elementBytes)),
                             index.mul(row, index.constant(state.getToken().getDimSize(1))));
  if (exec::hasScales(state)) {
    int64_t offset = exec::scalesOffset(state, target.blockTokens);
    place.scale = index.add(index.mul(id, index.constant(bytes / 4)),
                            index.add(row, index.constant(offset / 4)));
  }
  return place;
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
      Value pointer = pointers[load.getState()];
      if (state.getFixed())
        return emitter.load(pointer,
                            index.add(slotOffset(state, at.front()),
                                      index.linearize(at.drop_front(), getDims(state.getToken()))),
                            type);
      TokenPlace place = tokenPlace(state, at[0], at[1], at[2]);
      Value element = emitter.load(pointer, index.add(place.channels, at[3]), type);
      if (!place.scale)
        return element;
      Type f32 = builder.getF32Type();
      return arith::MulFOp::create(builder, loc, emitter.convert(element, type, f32),
                                   emitter.load(pointer, place.scale, f32));
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

void KernelBuilder::storeScaled(StateAppendOp append, ArrayRef<Value> at, const TokenPlace &place,
                                Value row) {
  Type f32 = builder.getF32Type(), type = append.getState().getType().getToken().getElementType();
  Value width = index.size(getDims(append.getTokens())[3]);
  Value state = pointers[append.getState()];
  Value largest = emitter.reduceLoop(
      width, emitter.floatConstant(f32, 0), [&](Value channel, Value largest) -> Value {
        Value value = emitter.element(append.getTokens(), {at[0], at[1], at[2], channel});
        emitter.store(row, channel, f32, value);
        Value size = LLVM::FAbsOp::create(builder, loc, f32, value);
        return emitter.binary(BinaryKind::max, largest, size, /*isUnsigned=*/false);
      });
  Value most = emitter.floatConstant(f32, 127);
  emitter.store(state, place.scale, f32, arith::DivFOp::create(builder, loc, largest, most));
  // So small that the quotient may be no number: such a token is zero. One that is not
  // finite has such a scale, whatever its numbers are.
  Value isLarge = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, largest,
                                        emitter.floatConstant(f32, 1e-30));
  Value factor = arith::SelectOp::create(builder, loc, isLarge,
                                         arith::DivFOp::create(builder, loc, most, largest),
                                         emitter.floatConstant(f32, 0));
  emitter.loop(index.constant(0), width, [&](Value channel) {
    Value scaled = arith::MulFOp::create(builder, loc, emitter.load(row, channel, f32), factor);
    Value number = LLVM::RoundEvenOp::create(builder, loc, f32, scaled);
    emitter.store(state, index.add(place.channels, channel), type,
                  emitter.convert(number, f32, type));
  });
}

LogicalResult KernelBuilder::lowerStateAppend(StateAppendOp append) {
  Dims dims = getDims(append.getTokens()); // [B, H, S, D]
  StateType state = append.getState().getType();
  Type type = state.getToken().getElementType(), f32 = builder.getF32Type();
  Type given = cast<RankedTensorType>(append.getTokens().getType()).getElementType();
  Type stored = exec::hasScales(state) ? f32 : ElementEmitter::registerType(type);
  if (!isa<FloatType>(given) || ElementEmitter::registerType(given) != stored)
    return append.emitError("tokens of ") << given << " do not go into a cache of " << type;
  int64_t width = state.getToken().getDimSize(1);
  DimExpr rows = dims[0] * dims[1] * dims[2];
  int64_t tileRows = rowsPerTile(dims[3]);
  tiles = DimExpr::ceilDiv(rows, tileRows);
  Value row;
  if (exec::hasScales(state))
    row = LLVM::AllocaOp::create(builder, loc, LLVM::LLVMPointerType::get(builder.getContext()),
                                 f32, index.constant(width), 64);

  Value begin = index.mul(tile, index.constant(tileRows));
  Value end = index.add(begin, clipped(begin, tileRows, index.size(rows)));
  emitter.loop(begin, end, [&](Value token) {
    Indices at = index.delinearize(token, ArrayRef(dims).take_front(3));
    Value past = emitter.element(append.getPastLens(), {at[0]});
    TokenPlace place = tokenPlace(state, at[0], at[1], index.add(past, at[2]));
    if (exec::hasScales(state))
      return storeScaled(append, at, place, row);
    emitter.loop(index.constant(0), index.constant(width), [&](Value channel) {
      Value value = emitter.element(append.getTokens(), {at[0], at[1], at[2], channel});
      emitter.store(pointers[append.getState()], index.add(place.channels, channel), type, value);
    });
  });
  return success();
}
