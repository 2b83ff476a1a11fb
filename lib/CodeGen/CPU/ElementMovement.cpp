//===- ElementMovement.cpp - elements of moved, gathered and reduced values
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ElementEmitter.h"
#include "llmc/Analysis/Layout.h"
#include "llmc/CodeGen/CPU/Microkernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

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

Value ElementEmitter::emitGatherElements(GatherElementsOp op, ArrayRef<Value> indices) {
  Indices source(indices);
  Dims dims = getDims(op.getInput()), result = getDims(op.getResult());
  // Sizes that are not known to agree must not lead outside.
  for (size_t d = 0; d < dims.size(); ++d)
    if (dims[d] != result[d])
      source[d] = index.min(source[d], index.sub(index.size(dims[d]), index.constant(1)));
  Value size = index.size(dims[op.getAxis()]);
  source[op.getAxis()] = clampIndex(element(op.getIndices(), indices), size);
  return element(op.getInput(), source);
}

Value ElementEmitter::emitDimValues(DimValuesOp op, ArrayRef<Value> indices) {
  Dims values = parseExprs(op.getExprs());
  Type type = elementTypeOf(op.getResult());
  auto size = [&](const DimExpr &expr) {
    return convert(index.size(expr), builder.getI64Type(), type);
  };
  Value result = size(values.back());
  Value position = index.linearize(indices, getDims(op.getResult()));
  for (size_t i = values.size() - 1; i-- > 0;) {
    Value here =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, position, index.constant(i));
    result = arith::SelectOp::create(builder, loc, here, size(values[i]), result);
  }
  return result;
}

std::pair<BinaryKind, Value> ElementEmitter::reduction(ReduceKind kind, Type elementType) {
  Type type = registerType(elementType);
  bool isMax = kind == ReduceKind::max, isExtreme = isMax || kind == ReduceKind::min;
  BinaryKind combine = isMax                      ? BinaryKind::max
                       : isExtreme                ? BinaryKind::min
                       : kind == ReduceKind::prod ? BinaryKind::mul
                                                  : BinaryKind::add;
  double neutral = kind == ReduceKind::prod ? 1 : 0;
  if (isa<FloatType>(type)) {
    double infinity = std::numeric_limits<double>::infinity();
    return {combine, floatConstant(type, isMax ? -infinity : isExtreme ? infinity : neutral)};
  }
  unsigned bits = type.getIntOrFloatBitWidth();
  if (!isExtreme)
    return {combine, integerConstant(type, int64_t(neutral))};
  APInt least = isUnsigned(elementType) ? APInt::getMinValue(bits) : APInt::getSignedMinValue(bits);
  APInt most = isUnsigned(elementType) ? APInt::getMaxValue(bits) : APInt::getSignedMaxValue(bits);
  return {combine,
          arith::ConstantOp::create(builder, loc, IntegerAttr::get(type, isMax ? least : most))};
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
  bool isFloat = isa<FloatType>(type), isWithoutSign = isUnsigned(element0);
  // The sum of a mean of integers keeps all bits.
  bool isWide = op.getKind() == ReduceKind::mean && !isFloat;
  if (isWide)
    type = builder.getI64Type();
  auto [kind, init] = reduction(op.getKind(), isWide ? builder.getI64Type() : element0);
  std::function<Value(size_t, Value)> nest = [&, kind = kind](size_t depth,
                                                              Value accumulator) -> Value {
    if (depth == axes.size()) {
      Value x = element(op.getInput(), source);
      if (isWide)
        x = convert(x, element0, type);
      return binary(kind, accumulator, x, isWithoutSign);
    }
    if (isFloat && kind == BinaryKind::add && depth + 1 == axes.size())
      return sum(index.size(dims[axes[depth]]), accumulator,
                 axes[depth] + 1 == int64_t(dims.size()) ? kNeighbours : kApart, [&](Value i) {
                   source[axes[depth]] = i;
                   return element(op.getInput(), source);
                 });
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
  Value mean = binary(BinaryKind::div, result, divisor, isWithoutSign);
  return isWide ? convert(mean, type, element0) : mean;
}

Value ElementEmitter::emitEmbedding(EmbeddingOp op, ArrayRef<Value> indices) {
  Value column = indices.back();
  Dims table = getDims(op.getTable());
  Value row = clampIndex(element(op.getIds(), indices.drop_back()), index.size(table[0]));
  if (!op.getBits())
    return element(op.getTable(), {row, column});
  if (op.getPacked())
    return packedElement(op, row, column);
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
  Value zero;
  if (!op.getZeroPoints())
    zero = floatConstant(builder.getF32Type(), double(int64_t(1) << (*op.getBits() - 1)));
  else if (isa<FloatType>(elementTypeOf(op.getZeroPoints())))
    zero = element(op.getZeroPoints(), {row, groupIndex});
  else
    zero = code(op.getZeroPoints(), groupIndex);
  Value q = code(op.getTable(), column);
  return arith::MulFOp::create(builder, loc, arith::SubFOp::create(builder, loc, q, zero), scale);
}

Value ElementEmitter::packedElement(EmbeddingOp op, Value row, Value column) {
  const int64_t bits = *op.getBits(), group = *op.getGroupSize();
  const bool hasZeroPoints = *op.getPacked();
  const int64_t groupBytes = rowBlockBytesNBits(bits, group, group, hasZeroPoints);
  const int64_t blockBytes = rowBlockBytesNBits(bits, *op.getWidth(), group, hasZeroPoints);
  Value memory = buffers.lookup(op.getTable());
  auto number = [&](int64_t value) { return index.constant(value); };
  auto byteAt = [&](Value at) -> Value {
    Value byte = load(memory, at, elementTypeOf(op.getTable()));
    return arith::ExtUIOp::create(builder, loc, builder.getI64Type(), byte);
  };
  auto toFloat = [&](Value integer) -> Value {
    return arith::SIToFPOp::create(builder, loc, builder.getF32Type(), integer);
  };
  // The layout is that of linear_i4.h: blocks of 16 rows, in them groups of columns.
  Value lane = index.remainder(row, number(rowBlockNBits));
  Value block = index.divide(row, number(rowBlockNBits));
  Value base = index.add(index.mul(block, number(blockBytes)),
                         index.mul(index.divide(column, number(group)), number(groupBytes)));
  // A vector of 64 bytes has 4 bytes of each row; a byte's fields are 4 columns apart.
  const int64_t perVector = 4 * (8 / bits);
  Value inGroup = index.remainder(column, number(group));
  Value vector = index.mul(index.divide(inGroup, number(perVector)), number(64));
  Value inVector = index.remainder(inGroup, number(perVector));
  Value inLane = index.add(index.mul(lane, number(4)), index.remainder(inVector, number(4)));
  Value byte = byteAt(index.add(base, index.add(vector, inLane)));
  Value shift = index.mul(index.divide(inVector, number(4)), number(bits));
  Value shifted = arith::ShRUIOp::create(builder, loc, byte, shift);
  Value code = arith::AndIOp::create(builder, loc, shifted, number((int64_t(1) << bits) - 1));
  // Behind the numbers: an f32 scale of each row, then the zero points as bytes.
  Value scales = index.add(base, number(group * 2 * bits));
  Value scaleMemory =
      LLVM::GEPOp::create(builder, loc, memory.getType(), builder.getI8Type(), memory,
                          ArrayRef<LLVM::GEPArg>{scales}, LLVM::GEPNoWrapFlags::inbounds);
  Value scale = load(scaleMemory, lane, builder.getF32Type());
  Value zero = number(int64_t(1) << (bits - 1));
  if (hasZeroPoints)
    zero = byteAt(index.add(scales, index.add(number(64), lane)));
  Value centred = arith::SubFOp::create(builder, loc, toFloat(code), toFloat(zero));
  return arith::MulFOp::create(builder, loc, centred, scale);
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
    Value kept = arith::MulFOp::create(builder, loc, input(channel), cos);
    Value moved = arith::MulFOp::create(builder, loc, input(partner), signedSin);
    return arith::AddFOp::create(builder, loc, kept, moved);
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

Value ElementEmitter::emitKVEvict(KVEvictOp op, ArrayRef<Value> indices) {
  Type type = registerType(elementTypeOf(op.getResult()));
  Value evicted = element(op.getEvicted(), {indices[0]});
  evicted = convert(evicted, evicted.getType(), builder.getI64Type());
  Value token = index.add(indices[2], index.max(evicted, index.constant(0)));
  Value isInside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, token,
                                         index.size(getDims(op.getCache())[2]));
  return choose(
      isInside, type,
      [&] { return element(op.getCache(), {indices[0], indices[1], token, indices[3]}); },
      [&] { return Value(arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type))); });
}

/// The terms of a causal convolution are unrolled. Which side of the step's beginning a
/// token lies on is a selection between two loads, so that loops stay free of branches.
Value ElementEmitter::emitCausalConv(CausalConvOp op, ArrayRef<Value> indices) {
  int64_t width = *getDims(op.getWeight())[1].constant();
  Type f32 = builder.getF32Type();
  auto wide = [&](Value scalar) {
    return scalar.getType() == f32 ? scalar : convert(scalar, scalar.getType(), f32);
  };
  Value zero = index.constant(0), channel = indices[1];
  Value sum = op.getBias() ? wide(element(op.getBias(), channel)) : floatConstant(f32, 0);
  for (int64_t k = 0; k < width; ++k) {
    int64_t back = width - 1 - k;
    Value at = index.sub(indices[2], index.constant(back));
    Value x = wide(element(op.getInput(), {indices[0], channel, back ? index.max(at, zero) : at}));
    if (back) {
      // past[.., K - 1 + at], and any element of it where `at` is not before the step.
      Value before = index.min(index.add(at, index.constant(width - 1)), index.constant(width - 2));
      Value old = op.getPast() ? wide(element(op.getPast(), {indices[0], channel, before}))
                               : floatConstant(f32, 0);
      Value isOld = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, at, zero);
      x = arith::SelectOp::create(builder, loc, isOld, old, x);
    }
    Value weight = wide(element(op.getWeight(), {channel, index.constant(k)}));
    sum = LLVM::FMAOp::create(builder, loc, weight, x, sum);
  }
  Type type = registerType(elementTypeOf(op.getResult()));
  return type == f32 ? sum : convert(sum, f32, type);
}

Value ElementEmitter::isNonZero(Value value, ArrayRef<Value> indices) {
  Type type = elementTypeOf(value);
  Value scalar = element(value, indices);
  return type.isInteger(1) ? scalar : convert(scalar, type, builder.getI1Type());
}
