//===- IndexEmitter.cpp - i64 arithmetic that folds constants
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ElementEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;

std::optional<int64_t> IndexEmitter::known(Value value) {
  if (auto constant = value.getDefiningOp<arith::ConstantOp>())
    if (auto integer = dyn_cast<IntegerAttr>(constant.getValue()))
      return integer.getInt();
  return std::nullopt;
}

Value IndexEmitter::constant(int64_t value) {
  return arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(value));
}

Value IndexEmitter::add(Value a, Value b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(*x + *y);
  if (x == 0)
    return b;
  if (y == 0)
    return a;
  return arith::AddIOp::create(builder, loc, a, b, arith::IntegerOverflowFlags::nsw);
}

Value IndexEmitter::sub(Value a, Value b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(*x - *y);
  if (y == 0)
    return a;
  return arith::SubIOp::create(builder, loc, a, b, arith::IntegerOverflowFlags::nsw);
}

Value IndexEmitter::mul(Value a, Value b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(*x * *y);
  if (x == 0 || y == 1)
    return a;
  if (y == 0 || x == 1)
    return b;
  return arith::MulIOp::create(builder, loc, a, b, arith::IntegerOverflowFlags::nsw);
}

Value IndexEmitter::min(Value a, Value b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(std::min(*x, *y));
  return arith::MinSIOp::create(builder, loc, a, b);
}

Value IndexEmitter::max(Value a, Value b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(std::max(*x, *y));
  return arith::MaxSIOp::create(builder, loc, a, b);
}

Value IndexEmitter::divide(Value a, Value b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(*x / *y);
  if (y == 1 || x == 0)
    return a;
  return arith::DivUIOp::create(builder, loc, a, b);
}

Value IndexEmitter::remainder(Value a, Value b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(*x % *y);
  if (y == 1)
    return constant(0);
  if (x == 0)
    return a;
  return arith::RemUIOp::create(builder, loc, a, b);
}

Value IndexEmitter::floorDivide(Value a, Value b) {
  if (!known(b)) { // a size of 0 must not trap
    Value isZero = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, b, constant(0));
    b = arith::SelectOp::create(builder, loc, isZero, constant(1), b);
  }
  return arith::FloorDivSIOp::create(builder, loc, a, b);
}

Value IndexEmitter::size(const DimExpr &expr) {
  Value sum = constant(0);
  for (const DimExpr::Term &term : expr.terms()) {
    Value factor = constant(term.coefficient);
    for (const DimExpr::AtomRef &atom : term.factors) {
      Value value;
      if (atom->kind == DimExpr::AtomKind::Symbol) {
        value = symbols.lookup(atom->key);
        assert(value && "a symbol that the kernel was not given");
      } else {
        Value a = size(atom->args[0]), b = size(atom->args[1]);
        switch (atom->kind) {
        case DimExpr::AtomKind::FloorDiv:
          value = floorDivide(a, b);
          break;
        case DimExpr::AtomKind::Mod:
          value = sub(a, mul(floorDivide(a, b), b));
          break;
        case DimExpr::AtomKind::Min:
          value = min(a, b);
          break;
        default:
          value = max(a, b);
          break;
        }
      }
      factor = mul(factor, value);
    }
    sum = add(sum, factor);
  }
  return sum;
}

Value IndexEmitter::linearize(ArrayRef<Value> indices, ArrayRef<DimExpr> dims) {
  Value position = constant(0);
  for (size_t d = 0; d < dims.size(); ++d)
    position = add(mul(position, size(dims[d])), indices[d]);
  return position;
}

Indices IndexEmitter::delinearize(Value position, ArrayRef<DimExpr> dims) {
  Indices indices(dims.size());
  size_t outermost = dims.size();
  for (size_t d = dims.size(); d-- > 0;)
    if (!dims[d].isConstant(1))
      outermost = d;
  for (size_t d = dims.size(); d-- > 0;) {
    if (dims[d].isConstant(1)) {
      indices[d] = constant(0);
    } else if (d == outermost) {
      indices[d] = position;
    } else {
      Value extent = size(dims[d]);
      indices[d] = remainder(position, extent);
      position = divide(position, extent);
    }
  }
  return indices;
}
