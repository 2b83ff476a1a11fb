//===- QuantizedConstant.cpp - constants of few bits ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "QuantizedConstant.h"
#include "llmc/Reference/Evaluator.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/STLExtras.h"
#include <limits>

using namespace mlir;
using namespace llmc::llm;

namespace llmc {

std::optional<IntegerData> IntegerData::get(ElementsAttr attr) {
  ShapedType type = attr.getShapedType();
  auto element = dyn_cast<IntegerType>(type.getElementType());
  if (!element || !llvm::is_contained({2u, 4u, 8u}, element.getWidth()))
    return std::nullopt;
  IntegerData result;
  result.width = element.getWidth();
  result.mask = (1u << result.width) - 1;
  result.middle = 1u << (result.width - 1);
  result.hasSign = !element.isUnsigned();
  size_t count = type.getNumElements();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    result.stored = result.width;
    if (!blob || blob->getData().size() < (count * result.width + 7) / 8)
      return std::nullopt;
    result.data = blob->getData().data();
    return result;
  }
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense)
    return std::nullopt;
  if (dense.isSplat())
    result.stored = 0; // every element is the first
  result.data = dense.getRawData().data();
  return result;
}

static bool isConstantExpression(Value value, int depth = 0) {
  constexpr int kMaxDepth = 12;
  Operation *op = value.getDefiningOp();
  if (!op || depth > kMaxDepth)
    return false;
  if (isa<ConstantOp>(op))
    return true;
  return isa<CastOp, BinaryOp, UnaryOp, ReshapeOp, BroadcastOp, TransposeOp, SliceOp>(op) &&
         llvm::all_of(op->getOperands(),
                      [&](Value operand) { return isConstantExpression(operand, depth + 1); });
}

std::optional<reference::Tensor> evaluateConstant(Value value) {
  if (!isConstantExpression(value))
    return std::nullopt;
  // Scales and zero points may be as large as a matrix of the model.
  reference::Evaluator evaluator({}, /*maxElements=*/std::numeric_limits<int64_t>::max());
  FailureOr<reference::Tensor> tensor = evaluator.evaluate(value);
  return succeeded(tensor) ? std::optional(*tensor) : std::nullopt;
}

ConstantOp makeHeapConstant(OpBuilder &builder, Location loc, RankedTensorType type,
                            llvm::function_ref<void(MutableArrayRef<char>)> fill) {
  size_t bytes = type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(bytes, /*align=*/64, /*dataIsMutable=*/true);
  MutableArrayRef<char> data = blob.getMutableData();
  memset(data.data(), 0, data.size());
  fill(data);
  std::string name = "constant";
  if (auto named = dyn_cast<NameLoc>(loc))
    name = named.getName().str();
  return ConstantOp::create(builder, loc,
                            DenseResourceElementsAttr::get(type, name, std::move(blob)));
}

} // namespace llmc
