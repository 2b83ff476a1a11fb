//===- LinearAttention.cpp - attention by a recurrent matrix
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile is one key head of one sequence and some columns of its matrix: all tokens go
// through it in order, and no tile needs another one's columns.
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

/// Columns of one tile: rows of four cache lines; enough tiles for a decode step of one
/// sequence.
static constexpr int64_t kTileColumns = 64;

namespace {
/// A [batch, head, token, channel] tensor in memory from one sequence and head on.
struct HeadAddress {
  Value pointer, head, token;
};
} // namespace

/// Fields of llmc_uk_linear_attention_params in order: 9 pointers, 17 sizes, a float.
static Type paramsType(OpBuilder &builder) {
  MLIRContext *context = builder.getContext();
  SmallVector<Type> fields(9, LLVM::LLVMPointerType::get(context));
  fields.append(17, builder.getI64Type());
  fields.push_back(builder.getF32Type());
  return LLVM::LLVMStructType::getLiteral(context, fields);
}

LogicalResult KernelBuilder::lowerLinearAttention(LinearAttentionOp op) {
  if (failed(
          requireF32(op, {op.getQuery(), op.getKey(), op.getValue(), op.getDecay(), op.getRates(),
                          op.getBeta(), op.getPast(), op.getOutput(), op.getState()})))
    return failure();
  Type f32 = builder.getF32Type(), pointerType = LLVM::LLVMPointerType::get(builder.getContext());
  Dims query = getDims(op.getQuery()), state = getDims(op.getState());
  int64_t keyDim = *state[2].constant(), valueDim = *state[3].constant();
  DimExpr group = DimExpr::floorDiv(query[1], state[1]);
  Dims grid = {state[0], state[1], DimExpr::ceilDiv(valueDim, kTileColumns)};
  tiles = product(grid);
  Indices at = index.delinearize(tile, grid);
  Value sequence = at[0], head = at[1], zero = index.constant(0);
  Value head0 = index.mul(head, index.size(group));
  Value column = index.mul(at[2], index.constant(kTileColumns));
  Value columns = clipped(column, kTileColumns, index.constant(valueDim));

  bool isInMemory = true;
  auto address = [&](Value tensor, Value firstHead, Value channel) -> HeadAddress {
    std::optional<StridedView> view = getStridedView(tensor);
    if (!view || !pointers.contains(view->root)) {
      isInMemory = false;
      return {};
    }
    Value starts[] = {sequence, firstHead};
    Value offset = index.add(index.size(view->offset), channel);
    for (size_t d = 0; d < 2; ++d)
      offset = index.add(offset, index.mul(starts[d], index.size(view->strides[d])));
    return {offsetPointer(pointers[view->root], offset, f32), index.size(view->strides[1]),
            index.size(view->strides[2])};
  };
  Value null = LLVM::ZeroOp::create(builder, loc, pointerType);
  auto optional = [&](Value tensor, Value channel) {
    return tensor ? address(tensor, head, channel) : HeadAddress{null, zero, zero};
  };
  HeadAddress q = address(op.getQuery(), head0, zero), k = address(op.getKey(), head, zero);
  HeadAddress v = address(op.getValue(), head, column);
  bool perChannel = op.getDecay() && !getDims(op.getDecay()).back().isConstant(1);
  // Channels of a decay are rows of the matrix, or, with rates, its columns.
  HeadAddress decay = optional(op.getDecay(), op.getRates() && perChannel ? column : zero);
  HeadAddress beta = optional(op.getBeta(), zero);
  // Rates are no sequence's own, and their rows are the second dimension.
  Value rates = null, ratesRow = zero;
  if (op.getRates()) {
    std::optional<StridedView> view = getStridedView(op.getRates());
    isInMemory &= view && pointers.contains(view->root);
    if (isInMemory) {
      Value offset =
          index.add(index.size(view->offset), index.mul(head, index.size(view->strides[0])));
      rates = offsetPointer(pointers[view->root], index.add(offset, column), f32);
      ratesRow = index.size(view->strides[1]);
    }
  }
  // Rows of a past tensor are its third dimension.
  auto load = op.getPast() ? op.getPast().getDefiningOp<StateLoadOp>() : StateLoadOp();
  HeadAddress past = load ? HeadAddress{null, zero, zero} : optional(op.getPast(), column);
  if (!isInMemory)
    return op.emitError("operands are not in memory");

  Value matrix = index.add(index.mul(head, index.constant(keyDim * valueDim)), column);
  auto inState = [&](Value value) {
    auto type = cast<StateType>(value.getType());
    return offsetPointer(pointers[value], index.add(slotOffset(type, sequence), matrix), f32);
  };
  if (load)
    past = {inState(load.getState()), zero, index.constant(valueDim)};
  Value yielded = cast<exec::YieldOp>(kernel.getBody().front().getTerminator()).getValues()[1];
  Value target;
  if (auto store = yielded.getDefiningOp<StateStoreOp>()) {
    target = inState(store.getState());
  } else {
    Value batch = index.mul(sequence, index.size(state[1] * (keyDim * valueDim)));
    target = offsetPointer(outputs[1], index.add(batch, matrix), f32);
  }
  Dims outStrides = contiguousStrides(getDims(op.getOutput()));
  Value outOffset = index.add(index.mul(sequence, index.size(outStrides[0])),
                              index.mul(head0, index.size(outStrides[1])));
  Value out = offsetPointer(outputs[0], index.add(outOffset, column), f32);

  SmallVector<Value> fields = {q.pointer,    k.pointer,    v.pointer, decay.pointer, rates,
                               beta.pointer, past.pointer, out,       target};
  fields.append({index.size(group), index.size(query[2]), index.constant(keyDim), columns,
                 index.constant(perChannel), index.constant(op.getDelta()), q.head, q.token,
                 k.token, v.token, decay.token, beta.token, index.size(outStrides[1]),
                 index.size(outStrides[2]), ratesRow, past.token, index.constant(valueDim)});
  fields.push_back(emitter.floatConstant(f32, op.getScale().convertToDouble()));
  Type type = paramsType(builder);
  Value params =
      LLVM::AllocaOp::create(builder, loc, pointerType, type, index.constant(1), /*alignment=*/8);
  for (auto [i, field] : llvm::enumerate(fields)) {
    Value place = LLVM::GEPOp::create(builder, loc, pointerType, type, params,
                                      ArrayRef<LLVM::GEPArg>{0, int32_t(i)});
    LLVM::StoreOp::create(builder, loc, field, place);
  }
  emitter.call(symbolOf(Microkernel::LinearAttentionF32), Type(), params);
  return success();
}
