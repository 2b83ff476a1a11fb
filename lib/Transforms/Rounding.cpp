//===- Rounding.cpp - numbers that were quantised and dequantised ---------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Rounding.h"
#include "Matchers.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

/// The tensor and the number of `value = tensor kind number`.
static std::optional<double> takeOff(Value &value, BinaryKind kind) {
  auto match = matchWithSplat(value, kind);
  if (!match || match->first.getType() != value.getType())
    return std::nullopt;
  value = match->first;
  return match->second;
}

/// The operand of a cast between f32 and an integer type, or null.
static Value skipCast(Value value, bool toInteger) {
  auto cast = value.getDefiningOp<CastOp>();
  if (!cast)
    return {};
  Type from = elementTypeOf(cast.getInput()), to = elementTypeOf(value);
  bool fits = toInteger ? from.isF32() && isa<IntegerType>(to) && !to.isInteger(1)
                        : isa<IntegerType>(from) && !from.isInteger(1) && to.isF32();
  return fits ? cast.getInput() : Value();
}

std::optional<Rounding> llmc::matchRounding(Value value) {
  // ((cast(cast(min(max(round(x / s) + z, least), most)))) - z) * s
  std::optional<double> step = takeOff(value, BinaryKind::mul);
  if (!step)
    return std::nullopt;
  double origin = takeOff(value, BinaryKind::sub).value_or(0);
  Value integers = skipCast(value, /*toInteger=*/false);
  value = integers ? skipCast(integers, /*toInteger=*/true) : Value();
  if (!value)
    return std::nullopt;
  std::optional<double> most = takeOff(value, BinaryKind::min);
  std::optional<double> least = most ? takeOff(value, BinaryKind::max) : std::nullopt;
  if (!least)
    return std::nullopt;
  double offset = takeOff(value, BinaryKind::add).value_or(0);
  value = matchUnary(value, UnaryKind::round);
  std::optional<double> divisor = value ? takeOff(value, BinaryKind::div) : std::nullopt;
  bool isOne = divisor == step && offset == origin && std::isfinite(*step) && *step > 0;
  if (!isOne)
    return std::nullopt;
  return Rounding{value, *step, *least - origin, *most - origin};
}

/// The tensor of which `op` computes a function element by element, with numbers as its
/// other operands; null for other operations.
static Value elementwiseInput(Operation *op) {
  if (isa_and_nonnull<UnaryOp, CastOp>(op))
    return op->getOperand(0);
  auto binary = dyn_cast_or_null<BinaryOp>(op);
  if (!binary)
    return {};
  for (auto [tensor, number] :
       {std::pair(binary.getLhs(), binary.getRhs()), std::pair(binary.getRhs(), binary.getLhs())})
    if (getDims(tensor) == getDims(binary.getResult()) && !getDims(tensor).empty() &&
        getDims(number).empty() && matchSplat(number))
      return tensor;
  return {};
}

/// `op` on `tensor`, with numbers of its own, which may stand behind `builder`.
static Value cloneOn(OpBuilder &builder, Operation *op, Value tensor) {
  Value input = elementwiseInput(op);
  IRMapping mapping;
  mapping.map(input, tensor);
  for (Value operand : op->getOperands())
    if (auto number = operand.getDefiningOp<ConstantOp>(); number && operand != input)
      mapping.map(operand, builder.clone(*number)->getResult(0));
  Operation *copy = builder.clone(*op, mapping);
  Type type = makeTensorType(getDims(tensor), elementTypeOf(op->getResult(0)));
  copy->getResult(0).setType(type);
  return copy->getResult(0);
}

Value llmc::roundBeforeMoving(OpBuilder &builder, Value value) {
  SmallVector<Operation *> functions, movements;
  bool isMixed = false, rounds = false;
  Value source = value;
  while (Operation *op = source.getDefiningOp()) {
    Value input = elementwiseInput(op);
    if (input) {
      functions.push_back(op);
      auto unary = dyn_cast<UnaryOp>(op);
      rounds |= unary && unary.getKind() == UnaryKind::round;
    } else if (isa<TransposeOp, ReshapeOp, BroadcastOp>(op)) {
      movements.push_back(op);
      isMixed |= !functions.empty();
      input = op->getOperand(0);
    } else {
      break;
    }
    source = input;
  }
  if (!isMixed || !rounds)
    return value;
  for (Operation *op : llvm::reverse(functions))
    source = cloneOn(builder, op, source);
  for (Operation *op : llvm::reverse(movements)) {
    IRMapping mapping;
    mapping.map(op->getOperand(0), source);
    Operation *copy = builder.clone(*op, mapping);
    copy->getResult(0).setType(makeTensorType(getDims(op->getResult(0)), elementTypeOf(source)));
    source = copy->getResult(0);
  }
  return source;
}
