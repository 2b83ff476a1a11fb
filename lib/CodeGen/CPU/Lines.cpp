//===- Lines.cpp - kernels whose tiles are lines along one dimension, and scatter_nd
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Running sums, the largest elements and scattered elements stay within a line of the
// result, so lines are independent and the order inside one is kept. Of scatter_nd every
// tile owns rows of the result and applies those updates, in order, that fall on them.
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

static Type elementTypeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

void KernelBuilder::forEachLine(const Dims &dims, size_t axis, const DimExpr &work,
                                llvm::function_ref<void(ArrayRef<Value>)> body) {
  Dims outer(dims);
  outer.erase(outer.begin() + axis);
  DimExpr rows = product(outer);
  int64_t tileRows = rowsPerTile(work);
  tiles = DimExpr::ceilDiv(rows, tileRows);
  Value begin = index.mul(tile, index.constant(tileRows));
  Value end = index.add(begin, clipped(begin, tileRows, index.size(rows)));
  emitter.loop(begin, end, [&](Value row) {
    Indices at = index.delinearize(row, outer);
    at.insert(at.begin() + axis, index.constant(0));
    body(at);
  });
}

void KernelBuilder::emitIf(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  body();
}

/// An ONNX index as i64, negative ones counted from the end, and whether it is inside.
std::pair<Value, Value> KernelBuilder::checkedIndex(Value scalar, Value size) {
  Value zero = index.constant(0);
  Value wide = emitter.convert(scalar, scalar.getType(), builder.getI64Type());
  Value isNegative = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, wide, zero);
  Value at = arith::SelectOp::create(builder, loc, isNegative, index.add(wide, size), wide);
  // One comparison for both ends.
  Value inside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, at, size);
  return {at, inside};
}

/// Puts `update` on element `position` of the output.
void KernelBuilder::combine(ScatterKind kind, Type type, Value position, Value update) {
  static constexpr BinaryKind kinds[] = {BinaryKind::add /*unused*/, BinaryKind::add,
                                         BinaryKind::mul, BinaryKind::max, BinaryKind::min};
  if (kind != ScatterKind::replace)
    update = emitter.binary(kinds[int(kind)], emitter.load(output, position, type), update,
                            ElementEmitter::isUnsigned(type));
  emitter.store(output, position, type, update);
}

LogicalResult KernelBuilder::lowerCumulative(CumulativeOp op) {
  Dims dims = getDims(op.getResult());
  size_t axis = op.getAxis();
  Type type = elementTypeOf(op.getResult());
  bool isProduct = op.getKind() == CumulativeKind::prod;
  BinaryKind kind = isProduct ? BinaryKind::mul : BinaryKind::add;
  Value start = emitter.reduction(isProduct ? ReduceKind::prod : ReduceKind::sum, type).second;
  forEachLine(dims, axis, dims[axis], [&](ArrayRef<Value> line) {
    Indices at(line);
    Value size = index.size(dims[axis]);
    emitter.reduceLoop(size, start, [&](Value i, Value before) {
      Value place = i;
      if (op.getReverse())
        place = index.sub(index.sub(size, index.constant(1)), i);
      at[axis] = place;
      position = index.linearize(at, dims);
      Value after = emitter.binary(kind, before, emitter.element(op.getInput(), at), false);
      emitter.store(output, position, type, op.getExclusive() ? before : after);
      return after;
    });
  });
  return success();
}

LogicalResult KernelBuilder::lowerTopK(TopKIndicesOp op) {
  Dims dims = getDims(op.getInput()), resultDims = getDims(op.getResult());
  size_t axis = op.getAxis();
  Type type = elementTypeOf(op.getInput());
  Value input = memoryOf(op.getInput());
  if (!input)
    return op.emitError("input is not in memory");
  std::string name;
  if (type.isF16() || type.isBF16())
    name = type.isF16() ? "f16" : "bf16";
  else if (type.isF32() || type.isF64())
    name = type.isF32() ? "f32" : "f64";
  else if (auto integer = dyn_cast<IntegerType>(type);
           integer && (integer.getWidth() == 1 || integer.getWidth() >= 8))
    name = (ElementEmitter::isUnsigned(type) ? "u" : "i") +
           std::to_string(std::max(8u, integer.getWidth()));
  if (name.empty())
    return op.emitError("the CPU back end has no llm.top_k_indices of ") << type;
  Type memory = type.isInteger(1) ? builder.getI8Type() : type;
  if (auto integer = dyn_cast<IntegerType>(memory))
    memory = builder.getIntegerType(integer.getWidth());
  auto strideOf = [&](const Dims &all) {
    return index.size(product(ArrayRef(all).drop_front(axis + 1)));
  };
  forEachLine(dims, axis, dims[axis] * 8, [&](ArrayRef<Value> line) {
    Value x = offsetPointer(input, index.linearize(line, dims), memory);
    Value y = offsetPointer(output, index.linearize(line, resultDims), builder.getI64Type());
    emitter.call("llmc_uk_top_k_" + name, Type(),
                 {x, strideOf(dims), index.size(dims[axis]), y, strideOf(resultDims),
                  index.size(resultDims[axis]), index.constant(op.getLargest())});
  });
  return success();
}

LogicalResult KernelBuilder::lowerScatterElements(ScatterElementsOp op) {
  Dims dims = getDims(op.getResult()), updates = getDims(op.getUpdates());
  size_t axis = op.getAxis();
  Type type = elementTypeOf(op.getResult());
  forEachLine(dims, axis, dims[axis] + updates[axis], [&](ArrayRef<Value> line) {
    Indices at(line);
    Value size = index.size(dims[axis]);
    emitter.loop(index.constant(0), size, [&](Value i) {
      at[axis] = i;
      position = index.linearize(at, dims);
      emitter.store(output, position, type, emitter.element(op.getInput(), at));
    });
    // Updates may have fewer lines.
    Value covered = arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
    for (size_t d = 0; d < dims.size(); ++d)
      if (d != axis && dims[d] != updates[d]) {
        Value inside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, line[d],
                                             index.size(updates[d]));
        covered = arith::AndIOp::create(builder, loc, covered, inside);
      }
    emitIf(covered, [&] {
      emitter.loop(index.constant(0), index.size(updates[axis]), [&](Value i) {
        at[axis] = i;
        auto [target, inside] = checkedIndex(emitter.element(op.getIndices(), at), size);
        emitIf(inside, [&, target = target] {
          Value update = emitter.element(op.getUpdates(), at);
          Indices to(at);
          to[axis] = target;
          combine(op.getKind(), type, index.linearize(to, dims), update);
        });
      });
    });
  });
  return success();
}

LogicalResult KernelBuilder::lowerScatterND(ScatterNDOp op) {
  // Enough tiles for every core to take some; each reads all indices.
  constexpr int64_t kTiles = 16;
  Dims dims = getDims(op.getResult()), tuples = getDims(op.getIndices());
  int64_t length = *tuples.back().constant();
  Dims outer(dims.begin(), dims.begin() + length), inner(dims.begin() + length, dims.end());
  Dims places(tuples.begin(), tuples.end() - 1);
  Type type = elementTypeOf(op.getResult());
  tiles = length ? kTiles : 1;
  Value rows = index.size(product(outer)), width = index.size(product(inner));
  Value perTile = index.divide(index.add(rows, index.constant(kTiles - 1)), index.constant(kTiles));
  if (!length)
    perTile = rows;
  Value begin = index.min(index.mul(tile, perTile), rows);
  Value end = index.min(index.add(begin, perTile), rows);

  auto forEachOfRow = [&](llvm::function_ref<void(Value, ArrayRef<Value>)> body) {
    emitter.loop(index.constant(0), width,
                 [&](Value column) { body(column, index.delinearize(column, inner)); });
  };
  emitter.loop(begin, end, [&](Value row) {
    Indices at = index.delinearize(row, outer);
    Value base = index.mul(row, width);
    forEachOfRow([&](Value column, ArrayRef<Value> rest) {
      Indices source(at);
      source.append(rest.begin(), rest.end());
      position = index.add(base, column);
      emitter.store(output, position, type, emitter.element(op.getInput(), source));
    });
  });
  emitter.loop(index.constant(0), index.size(product(places)), [&](Value number) {
    Indices place = index.delinearize(number, places);
    Value row = index.constant(0);
    Value applies = arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
    for (int64_t i = 0; i < length; ++i) {
      Indices at(place);
      at.push_back(index.constant(i));
      Value size = index.size(outer[i]);
      auto [target, inside] = checkedIndex(emitter.element(op.getIndices(), at), size);
      row = index.add(index.mul(row, size), target);
      applies = arith::AndIOp::create(builder, loc, applies, inside);
    }
    // Rows of other tiles are theirs.
    Value notBefore = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, row, begin);
    Value notBehind = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, row, end);
    applies = arith::AndIOp::create(builder, loc, applies, notBefore);
    applies = arith::AndIOp::create(builder, loc, applies, notBehind);
    emitIf(applies, [&] {
      Value base = index.mul(row, width);
      forEachOfRow([&](Value column, ArrayRef<Value> rest) {
        Indices source(place);
        source.append(rest.begin(), rest.end());
        combine(op.getKind(), type, index.add(base, column),
                emitter.element(op.getUpdates(), source));
      });
    });
  });
  return success();
}
