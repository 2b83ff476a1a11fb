//===- Matchers.cpp - matching trees of llm operations --------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "llmc/Dialect/LLM/IR/Splat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include <cmath>

using namespace mlir;
using namespace llmc::llm;

namespace llmc {

std::optional<double> matchSplat(Value value) {
  Operation *op = value.getDefiningOp();
  while (isa_and_nonnull<BroadcastOp, ReshapeOp, CastOp>(op))
    op = op->getOperand(0).getDefiningOp();
  auto constant = dyn_cast_or_null<ConstantOp>(op);
  auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
  return elements ? getSplatValue(elements) : std::nullopt;
}

bool isSplatOf(Value value, double expected) {
  std::optional<double> number = matchSplat(value);
  if (!number)
    return false;
  // A literal was rounded to f32 at best; to f16 or bf16 where the graph is.
  double tolerance = 1e-6;
  if (auto type = dyn_cast<FloatType>(elementTypeOf(value)))
    tolerance = std::max(tolerance, std::ldexp(1.0, -int(type.getFPMantissaWidth())));
  return std::fabs(*number - expected) <= tolerance * std::fabs(expected);
}

Value skipWidening(Value value) {
  auto cast = value.getDefiningOp<CastOp>();
  if (!cast || !elementTypeOf(value).isF32())
    return value;
  Type from = elementTypeOf(cast.getInput());
  return from.isF16() || from.isBF16() ? cast.getInput() : value;
}

bool isConstant(Value value) { return value.getDefiningOp<ConstantOp>() != nullptr; }

Value matchUnary(Value value, UnaryKind kind) {
  auto op = value.getDefiningOp<UnaryOp>();
  return op && op.getKind() == kind ? op.getInput() : Value();
}

BinaryOp matchBinary(Value value, BinaryKind kind) {
  auto op = value.getDefiningOp<BinaryOp>();
  return op && op.getKind() == kind ? op : BinaryOp();
}

bool matchEitherOrder(Value value, BinaryKind kind, llvm::function_ref<bool(Value, Value)> match) {
  BinaryOp op = matchBinary(value, kind);
  return op && (match(op.getLhs(), op.getRhs()) || match(op.getRhs(), op.getLhs()));
}

static bool isCommutative(BinaryKind kind) {
  return kind == BinaryKind::add || kind == BinaryKind::mul || kind == BinaryKind::max ||
         kind == BinaryKind::min;
}

std::optional<std::pair<Value, double>> matchWithSplat(Value value, BinaryKind kind) {
  BinaryOp op = matchBinary(value, kind);
  if (!op)
    return std::nullopt;
  if (std::optional<double> number = matchSplat(op.getRhs()))
    return std::pair(op.getLhs(), *number);
  if (isCommutative(kind))
    if (std::optional<double> number = matchSplat(op.getLhs()))
      return std::pair(op.getRhs(), *number);
  return std::nullopt;
}

Value matchSquare(Value value) {
  if (BinaryOp power = matchBinary(value, BinaryKind::pow))
    return isSplatOf(power.getRhs(), 2) ? power.getLhs() : Value();
  BinaryOp product = matchBinary(value, BinaryKind::mul);
  return product && product.getLhs() == product.getRhs() ? product.getLhs() : Value();
}

bool isSquareOf(Value value, Value x) { return matchSquare(value) == x; }

bool isVectorLike(Value value) {
  Dims dims = getDims(value);
  return !dims.empty() && dims.back().constant() &&
         llvm::all_of(ArrayRef(dims).drop_back(),
                      [](const DimExpr &dim) { return dim.isConstant(1); });
}

Value asVector(OpBuilder &builder, Value value) {
  if (!isVectorLike(value))
    return {};
  if (getDims(value).size() == 1)
    return value;
  auto type = makeTensorType(getDims(value).back(), elementTypeOf(value));
  if (auto inner = value.getDefiningOp<ReshapeOp>(); inner && inner.getInput().getType() == type)
    return inner.getInput();
  return ReshapeOp::create(builder, value.getLoc(), type, value);
}

Type elementTypeOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

Location fuseLocations(Operation *root, ArrayRef<Value> inputs) {
  constexpr size_t kMaxOps = 32; // a pattern is smaller; stops at a missed input
  llvm::SetVector<Operation *> pending;
  llvm::SetVector<Location> locations;
  pending.insert(root);
  for (size_t i = 0; i < std::min(pending.size(), kMaxOps); ++i) {
    // Constants say nothing about where the computation came from.
    if (!isa<ConstantOp>(pending[i]))
      locations.insert(pending[i]->getLoc());
    for (Value operand : pending[i]->getOperands())
      if (Operation *op = operand.getDefiningOp(); op && !llvm::is_contained(inputs, operand))
        pending.insert(op);
  }
  return FusedLoc::get(root->getContext(), locations.getArrayRef());
}

} // namespace llmc
