//===- ElementMovement.cpp - elements of moved, gathered and reduced values
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ElementEmitter.h"
#include "llmc/Analysis/Layout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

static Type elementTypeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

Value ElementEmitter::emitReshape(ReshapeOp op, ArrayRef<Value> indices) {
  Dims in = getDims(op.getInput()), out = getDims(op.getResult());
  auto groups = matchReshape(in, out);
  if (!groups)
    return element(op.getInput(), index.delinearize(index.linearize(indices, out), in));
  Indices source(in.size());
  for (const ReshapeGroup &group : *groups) {
    ArrayRef<DimExpr> inner = ArrayRef(in).slice(group.inBegin, group.inEnd - group.inBegin);
    ArrayRef<DimExpr> outer = ArrayRef(out).slice(group.outBegin, group.outEnd - group.outBegin);
    Value position =
        index.linearize(indices.slice(group.outBegin, group.outEnd - group.outBegin), outer);
    Indices part = index.delinearize(position, inner);
    std::copy(part.begin(), part.end(), source.begin() + group.inBegin);
  }
  return element(op.getInput(), source);
}

Value ElementEmitter::emitConcat(ConcatOp op, ArrayRef<Value> indices) {
  uint64_t axis = op.getAxis();
  Type type = registerType(elementTypeOf(op.getResult()));
  // if i < size0: input0[i] else if i < size0 + size1: input1[i - size0] ...
  std::function<Value(size_t, Value)> from = [&](size_t piece, Value offset) -> Value {
    Value input = op.getInputs()[piece];
    Indices source(indices);
    source[axis] = index.sub(indices[axis], offset);
    if (piece + 1 == op.getInputs().size())
      return element(input, source);
    Value end = index.add(offset, index.size(getDims(input)[axis]));
    Value inside =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, indices[axis], end);
    return choose(
        inside, type, [&] { return element(input, source); }, [&] { return from(piece + 1, end); });
  };
  return from(0, index.constant(0));
}

/// An ONNX index: negative ones count from the end, others are clamped inside.
Value ElementEmitter::clampIndex(Value scalar, Value size) {
  Value wide = convert(scalar, scalar.getType(), builder.getI64Type());
  Value negative =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, wide, index.constant(0));
  Value fromEnd = arith::SelectOp::create(builder, loc, negative, index.add(wide, size), wide);
  Value upper = index.min(fromEnd, index.sub(size, index.constant(1)));
  return index.max(upper, index.constant(0));
}

Value ElementEmitter::emitGather(GatherOp op, ArrayRef<Value> indices) {
  size_t axis = op.getAxis(), count = getDims(op.getIndices()).size();
  Value chosen = element(op.getIndices(), indices.slice(axis, count));
  Indices source(indices.begin(), indices.begin() + axis);
  source.push_back(clampIndex(chosen, index.size(getDims(op.getInput())[axis])));
  source.append(indices.begin() + axis + count, indices.end());
  return element(op.getInput(), source);
}

Value ElementEmitter::emitGatherND(GatherNDOp op, ArrayRef<Value> indices) {
  Dims dims = getDims(op.getInput()), tuples = getDims(op.getIndices());
  size_t batch = op.getBatchDims(), outer = tuples.size() - 1;
  int64_t length = *tuples.back().constant();
  Indices source(indices.begin(), indices.begin() + batch);
  for (int64_t i = 0; i < length; ++i) {
    Indices position(indices.begin(), indices.begin() + outer);
    position.push_back(index.constant(i));
    source.push_back(clampIndex(element(op.getIndices(), position), index.size(dims[batch + i])));
  }
  source.append(indices.begin() + outer, indices.end());
  return element(op.getInput(), source);
}

Value ElementEmitter::emitDimValues(DimValuesOp op, ArrayRef<Value> indices) {
  Dims values = parseExprs(op.getExprs());
  Type type = elementTypeOf(op.getResult());
  auto size = [&](const DimExpr &expr) {
    return convert(index.size(expr), builder.getI64Type(), type);
  };
  Value result = size(values.back());
  for (size_t i = values.size() - 1; i-- > 0;) {
    Value here = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, indices[0],
                                       index.constant(i));
    result = arith::SelectOp::create(builder, loc, here, size(values[i]), result);
  }
  return result;
}

Value ElementEmitter::emitReduce(ReduceOp op, ArrayRef<Value> indices) {
  Dims dims = getDims(op.getInput());
  SmallVector<int64_t> axes(op.getAxes());
  llvm::sort(axes);
  Indices source(dims.size());
  size_t next = 0;
  for (size_t d = 0; d < dims.size(); ++d) {
    bool reduced = llvm::is_contained(axes, int64_t(d));
    if (!reduced)
      source[d] = indices[next++];
    else if (op.getKeepdims())
      ++next;
  }
  Type element0 = elementTypeOf(op.getInput());
  Type type = registerType(element0);
  bool isFloat = isa<FloatType>(type), isUnsigned = element0.isUnsignedInteger();
  BinaryKind kind = BinaryKind::add;
  double start = 0;
  double infinity = std::numeric_limits<double>::infinity();
  switch (op.getKind()) {
  case ReduceKind::sum:
  case ReduceKind::mean:
    break;
  case ReduceKind::max:
    kind = BinaryKind::max;
    start = -infinity;
    break;
  case ReduceKind::min:
    kind = BinaryKind::min;
    start = infinity;
    break;
  case ReduceKind::prod:
    kind = BinaryKind::mul;
    start = 1;
    break;
  }
  Value init;
  if (isFloat) {
    init = floatConstant(type, start);
  } else {
    unsigned bits = type.getIntOrFloatBitWidth();
    APInt value(bits, start == 1 ? 1 : 0);
    if (start == -infinity)
      value = isUnsigned ? APInt::getMinValue(bits) : APInt::getSignedMinValue(bits);
    if (start == infinity)
      value = isUnsigned ? APInt::getMaxValue(bits) : APInt::getSignedMaxValue(bits);
    init = arith::ConstantOp::create(builder, loc, IntegerAttr::get(type, value));
  }
  std::function<Value(size_t, Value)> nest = [&](size_t depth, Value accumulator) -> Value {
    if (depth == axes.size()) {
      Value x = element(op.getInput(), source);
      // Partial sums may be combined in any order that the compiler fixes now.
      if (isFloat && kind == BinaryKind::add)
        return arith::AddFOp::create(builder, loc, accumulator, x,
                                     arith::FastMathFlags::contract |
                                         arith::FastMathFlags::reassoc);
      return binary(kind, accumulator, x, isUnsigned);
    }
    return reduceLoop(index.size(dims[axes[depth]]), accumulator, [&](Value i, Value carried) {
      source[axes[depth]] = i;
      return nest(depth + 1, carried);
    });
  };
  Value result = nest(0, init);
  if (op.getKind() != ReduceKind::mean)
    return result;
  Value count = index.constant(1);
  for (int64_t axis : axes)
    count = index.mul(count, index.size(dims[axis]));
  Value divisor = convert(count, builder.getI64Type(), type);
  return binary(BinaryKind::div, result, divisor, isUnsigned);
}

Value ElementEmitter::emitEmbedding(EmbeddingOp op, ArrayRef<Value> indices) {
  Value column = indices.back();
  Dims table = getDims(op.getTable());
  Value row = clampIndex(element(op.getIds(), indices.drop_back()), index.size(table[0]));
  if (!op.getBits())
    return element(op.getTable(), {row, column});
  int64_t perByte = 8 / int64_t(*op.getBits());
  int64_t group = *op.getGroupSize();
  auto code = [&](Value tensor, Value position) -> Value {
    // Codes lie `perByte` to a byte, low bits first.
    Value byte = element(tensor, {row, index.divide(position, index.constant(perByte))});
    Value wide = arith::ExtUIOp::create(builder, loc, builder.getI64Type(), byte);
    Value shift = index.mul(index.remainder(position, index.constant(perByte)),
                            index.constant(int64_t(*op.getBits())));
    Value shifted = arith::ShRUIOp::create(builder, loc, wide, shift);
    Value mask = index.constant((int64_t(1) << *op.getBits()) - 1);
    Value bits = arith::AndIOp::create(builder, loc, shifted, mask);
    return arith::SIToFPOp::create(builder, loc, builder.getF32Type(), bits);
  };
  Value groupIndex = index.divide(column, index.constant(group));
  Value scale = element(op.getScales(), {row, groupIndex});
  Value zero = op.getZeroPoints()
                   ? code(op.getZeroPoints(), groupIndex)
                   : floatConstant(builder.getF32Type(), double(int64_t(1) << (*op.getBits() - 1)));
  Value q = code(op.getTable(), column);
  return arith::MulFOp::create(builder, loc, arith::SubFOp::create(builder, loc, q, zero), scale);
}

Value ElementEmitter::emitRotary(RotaryOp op, ArrayRef<Value> indices) {
  Dims dims = getDims(op.getInput()), table = getDims(op.getCos());
  int64_t half = *table[2].constant(), width = *dims[3].constant();
  Value channel = indices[3];
  auto less = [&](Value a, int64_t b) {
    return Value(
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, a, index.constant(b)));
  };
  auto input = [&](Value at) {
    return element(op.getInput(), {indices[0], indices[1], indices[2], at});
  };
  auto rotate = [&]() -> Value {
    Value pair, partner, isFirst;
    if (op.getInterleaved()) {
      pair = index.divide(channel, index.constant(2));
      partner = arith::XOrIOp::create(builder, loc, channel, index.constant(1));
      Value parity = index.remainder(channel, index.constant(2));
      isFirst =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, parity, index.constant(0));
    } else {
      isFirst = less(channel, half);
      Value down = index.sub(channel, index.constant(half));
      pair = arith::SelectOp::create(builder, loc, isFirst, channel, down);
      partner = arith::SelectOp::create(builder, loc, isFirst,
                                        index.add(channel, index.constant(half)), down);
    }
    Indices at = {indices[0], indices[2], pair};
    if (table[0].isConstant(1))
      at[0] = index.constant(0);
    Value cos = element(op.getCos(), at), sin = element(op.getSin(), at);
    Value signedSin = arith::SelectOp::create(builder, loc, isFirst,
                                              arith::NegFOp::create(builder, loc, sin), sin);
    Value kept =
        arith::MulFOp::create(builder, loc, input(channel), cos, arith::FastMathFlags::contract);
    Value moved = arith::MulFOp::create(builder, loc, input(partner), signedSin,
                                        arith::FastMathFlags::contract);
    return arith::AddFOp::create(builder, loc, kept, moved, arith::FastMathFlags::contract);
  };
  if (2 * half == width)
    return rotate();
  return choose(less(channel, 2 * half), registerType(elementTypeOf(op.getResult())), rotate,
                [&] { return input(channel); });
}

Value ElementEmitter::emitKVAppend(KVAppendOp op, ArrayRef<Value> indices) {
  Type type = registerType(elementTypeOf(op.getResult()));
  Value past = element(op.getPastLens(), {indices[0]});
  past = convert(past, past.getType(), builder.getI64Type());
  auto less = [&](Value a, Value b) {
    return Value(arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, a, b));
  };
  Value end = index.min(past, index.size(getDims(op.getPast())[2]));
  return choose(
      less(indices[2], end), type, [&] { return element(op.getPast(), indices); },
      [&] {
        Value token = index.sub(indices[2], past);
        return choose(
            less(token, index.size(getDims(op.getTokens())[2])), type,
            [&] {
              Value inside = index.max(token, index.constant(0));
              return element(op.getTokens(), {indices[0], indices[1], inside, indices[3]});
            },
            [&] {
              return Value(arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type)));
            });
      });
}
