//===- ExpertMatrices.cpp - the weights of a mixture of experts -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ExpertMatrices.h"
#include "DequantizedMatrix.h"
#include "Matchers.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Reference/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

Value llmc::stripTranspose(Value value, bool &transposed) {
  auto op = value.getDefiningOp<TransposeOp>();
  SmallVector<int64_t> swapped;
  if (op)
    swapped = llvm::to_vector(llvm::seq<int64_t>(0, op.getPermutation().size()));
  if (swapped.size() < 2)
    return value;
  std::swap(swapped[swapped.size() - 1], swapped[swapped.size() - 2]);
  if (op.getPermutation() != ArrayRef<int64_t>(swapped))
    return value;
  transposed = !transposed;
  return op.getInput();
}

/// The tensor of which `matrix` is number `expert`; null where it is no such slice.
static Value matchSlice(Value matrix, int64_t expert, bool &transposed) {
  matrix = stripTranspose(skipWidening(matrix), transposed);
  if (auto reshape = matrix.getDefiningOp<ReshapeOp>())
    matrix = reshape.getInput();
  auto slice = matrix.getDefiningOp<SliceOp>();
  if (!slice)
    return {};
  Dims from = getDims(slice.getInput()), to = getDims(slice.getResult());
  Dims starts = parseExprs(slice.getStarts());
  if (from.size() != 3 || !to[0].isConstant(1) || to[1] != from[1] || to[2] != from[2] ||
      !starts[0].isConstant(expert) || slice.getSteps()[1] != 1 || slice.getSteps()[2] != 1)
    return {};
  return stripTranspose(slice.getInput(), transposed);
}

/// Constants of one type behind one another, as `[count, ..]`.
static ConstantOp stack(OpBuilder &builder, ArrayRef<ConstantOp> constants) {
  ConstantOp first = constants.front();
  auto type = cast<RankedTensorType>(first.getType());
  std::vector<char> bytes;
  for (ConstantOp constant : constants) {
    FailureOr<reference::Tensor> tensor = reference::Tensor::fromAttr(constant.getValue());
    if (failed(tensor))
      return {};
    bytes.insert(bytes.end(), tensor->bytes().begin(), tensor->bytes().end());
  }
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin(), int64_t(constants.size()));
  auto stacked = RankedTensorType::get(shape, type.getElementType());
  std::string name = "experts";
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(first.getValue()))
    name = resource.getRawHandle().getKey().str() + ".experts";
  AsmResourceBlob blob = HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, /*align=*/64);
  return ConstantOp::create(builder, first.getLoc(),
                            DenseResourceElementsAttr::get(stacked, name, std::move(blob)));
}

/// The constant that `value` is, also behind a reshape.
static ConstantOp asConstant(OpBuilder &builder, Value value) {
  if (auto constant = value.getDefiningOp<ConstantOp>())
    return constant;
  Value reshaped = reshapeConstant(builder, value, getDims(value));
  return reshaped ? reshaped.getDefiningOp<ConstantOp>() : ConstantOp();
}

Value llmc::reshapeConstant(OpBuilder &builder, Value value, ArrayRef<DimExpr> dims) {
  auto type = cast<RankedTensorType>(makeTensorType(dims, elementTypeOf(value)));
  if (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getInput();
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant || !type.hasStaticShape())
    return {};
  if (constant.getType() == type)
    return constant;
  ElementsAttr reshaped;
  if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue()))
    reshaped = dense.reshape(type);
  else if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue()))
    reshaped = DenseResourceElementsAttr::get(type, resource.getRawHandle());
  return reshaped ? ConstantOp::create(builder, constant.getLoc(), reshaped).getResult() : Value();
}

Value llmc::stackConstants(OpBuilder &builder, ArrayRef<Value> constants) {
  SmallVector<ConstantOp> ops;
  for (Value constant : constants) {
    ConstantOp op = asConstant(builder, constant);
    if (!op || op.getType() != constants.front().getType())
      return {};
    ops.push_back(op);
  }
  ConstantOp stacked = stack(builder, ops);
  return stacked ? stacked.getResult() : Value();
}

std::optional<ExpertMatrices> llmc::matchMatrixStack(OpBuilder &builder, Value value,
                                                     bool transposed) {
  ExpertMatrices matrices;
  matrices.transposed = transposed;
  matrices.weight = stripTranspose(skipWidening(value), matrices.transposed);
  if (isConstant(matrices.weight) && getDims(matrices.weight).size() == 3)
    return matrices;
  std::optional<DequantizedMatrix> stack = matchDequantized(matrices.weight);
  std::optional<GroupedWeight> grouped =
      stack && stack->count ? layOut(builder, *stack, matrices.transposed) : std::nullopt;
  if (!grouped)
    return std::nullopt;
  ExpertMatrices few;
  few.weight = grouped->weight;
  few.scales = grouped->scales;
  few.zeroPoints = grouped->zeroPoints;
  few.bits = builder.getI64IntegerAttr(grouped->bits);
  few.groupSize = builder.getI64IntegerAttr(grouped->groupSize);
  few.columns = builder.getI64IntegerAttr(grouped->columns);
  return few;
}

Value llmc::beforeGather(OpBuilder &builder, Value value, Value &ids) {
  Operation *op = value.getDefiningOp();
  if (auto gather = dyn_cast_or_null<GatherOp>(op)) {
    if (gather.getAxis() != 0 || (ids && gather.getIndices() != ids))
      return {};
    ids = gather.getIndices();
    return gather.getInput();
  }
  if (!isa_and_nonnull<CastOp, ReshapeOp, BinaryOp>(op))
    return {};
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    // Numbers are the same for all experts.
    bool isNumber = getDims(operand).empty() && isConstant(operand);
    operands.push_back(isNumber ? operand : beforeGather(builder, operand, ids));
    if (!operands.back())
      return {};
  }
  // Experts are in front, where the ids' dimensions were.
  Dims chosen = ids ? getDims(ids) : Dims(), dims = getDims(value);
  if (chosen.empty() || dims.size() < chosen.size() ||
      ArrayRef(dims).take_front(chosen.size()) != ArrayRef(chosen))
    return {};
  Dims all{getDims(operands.front()).empty() ? getDims(operands.back())[0]
                                             : getDims(operands.front())[0]};
  all.append(dims.begin() + chosen.size(), dims.end());
  if (isa<ReshapeOp>(op) && llmc::llm::product(all) != llmc::llm::product(getDims(operands[0])))
    return {};
  if (isa<BinaryOp>(op) && broadcastDims(getDims(operands[0]), getDims(operands[1])) != all)
    return {};
  IRMapping mapping;
  mapping.map(op->getOperands(), operands);
  Operation *copy = builder.clone(*op, mapping);
  copy->getResult(0).setType(makeTensorType(all, elementTypeOf(value)));
  return copy->getResult(0);
}

static ExpertMatrices dense(Value weight, bool transposed) {
  ExpertMatrices result;
  result.weight = weight;
  result.transposed = transposed;
  return result;
}

/// The tensor whose e-th matrix is `matrices[e]`.
static std::optional<ExpertMatrices> matchDense(OpBuilder &builder, ArrayRef<Value> matrices) {
  Value whole;
  bool isTransposed = false;
  for (auto [expert, matrix] : llvm::enumerate(matrices)) {
    bool transposed = false;
    Value source = matchSlice(matrix, int64_t(expert), transposed);
    if (!source || (expert && (source != whole || transposed != isTransposed))) {
      whole = {};
      break;
    }
    whole = source;
    isTransposed = transposed;
  }
  if (whole && whole.getDefiningOp<ConstantOp>() &&
      getDims(whole)[0].isConstant(int64_t(matrices.size())))
    return dense(whole, isTransposed);

  SmallVector<ConstantOp> constants;
  for (auto [expert, matrix] : llvm::enumerate(matrices)) {
    bool transposed = false;
    auto constant = stripTranspose(skipWidening(matrix), transposed).getDefiningOp<ConstantOp>();
    if (!constant || getDims(constant).size() != 2 || (expert && transposed != isTransposed) ||
        (expert && constant.getType() != constants.front().getType()))
      return std::nullopt;
    isTransposed = transposed;
    constants.push_back(constant);
  }
  ConstantOp stacked = stack(builder, constants);
  return stacked ? std::optional(dense(stacked, isTransposed)) : std::nullopt;
}

/// n-bit weights of products that differ in their constants only.
static std::optional<ExpertMatrices> matchGrouped(OpBuilder &builder, ArrayRef<LinearOp> linears) {
  LinearOp first = linears.front();
  SmallVector<Value> weights, scales, zeroPoints, biases;
  for (LinearOp linear : linears) {
    bool isAlike = linear->getAttrDictionary() == first->getAttrDictionary() &&
                   bool(linear.getZeroPoints()) == bool(first.getZeroPoints()) &&
                   bool(linear.getBias()) == bool(first.getBias());
    if (!isAlike || !linear.getBits() || !linear.getScales())
      return std::nullopt;
    weights.push_back(linear.getWeight());
    scales.push_back(linear.getScales());
    zeroPoints.push_back(linear.getZeroPoints());
    biases.push_back(linear.getBias());
  }
  bool isComplete = true;
  auto stackAll = [&](ArrayRef<Value> values) {
    Value stacked = values.front() ? stackConstants(builder, values) : Value();
    isComplete &= bool(stacked) == bool(values.front());
    return stacked;
  };
  ExpertMatrices result;
  result.weight = stackAll(weights);
  result.scales = stackAll(scales);
  result.zeroPoints = stackAll(zeroPoints);
  result.bias = stackAll(biases);
  result.bits = first.getBitsAttr();
  result.groupSize = first.getGroupSizeAttr();
  result.columns = first.getColumnsAttr();
  result.roundsInput = first.getActivations() == Activations::int8;
  isComplete &= !result.roundsInput || *first.getColumns() % *first.getGroupSize() == 0;
  return isComplete ? std::optional(result) : std::nullopt;
}

Value llmc::inputOfProduct(Value product) {
  if (auto matmul = product.getDefiningOp<MatmulOp>())
    return matmul.getLhs();
  auto linear = product.getDefiningOp<LinearOp>();
  return linear && linear.getBits() ? linear.getInput() : Value();
}

std::optional<ExpertMatrices> llmc::matchExpertProducts(OpBuilder &builder,
                                                        ArrayRef<Value> products) {
  SmallVector<Value> matrices;
  SmallVector<LinearOp> linears;
  for (Value product : products) {
    if (auto matmul = product.getDefiningOp<MatmulOp>())
      matrices.push_back(matmul.getRhs());
    else if (auto linear = product.getDefiningOp<LinearOp>())
      linears.push_back(linear);
  }
  if (matrices.size() == products.size())
    return matchDense(builder, matrices);
  return linears.size() == products.size() ? matchGrouped(builder, linears) : std::nullopt;
}

/// What `llm.linear` with int8 activations makes of its input, as floats again: round(x * r) / r
/// with r = 127 / absmax of the group.
static Value roundToInt8(OpBuilder &builder, Location loc, Value input, int64_t groupSize) {
  Type element = elementTypeOf(input);
  Dims flat = getDims(input), grouped = flat;
  grouped.back() = DimExpr::floorDiv(flat.back(), groupSize);
  Dims perGroup = grouped;
  grouped.push_back(groupSize);
  perGroup.push_back(1);
  auto number = [&](float value) -> Value {
    auto type = RankedTensorType::get({}, element);
    return ConstantOp::create(builder, loc, DenseElementsAttr::get(type, value));
  };
  auto binary = [&](ArrayRef<DimExpr> dims, BinaryKind kind, Value a, Value b) -> Value {
    return BinaryOp::create(builder, loc, makeTensorType(dims, element), kind, a, b);
  };
  Type groupedType = makeTensorType(grouped, element);
  Value x = ReshapeOp::create(builder, loc, groupedType, input);
  Value size = UnaryOp::create(builder, loc, groupedType, UnaryKind::abs, x);
  Value largest =
      ReduceOp::create(builder, loc, makeTensorType(perGroup, element), ReduceKind::max, size,
                       ArrayRef<int64_t>{int64_t(grouped.size()) - 1}, /*keepdims=*/true);
  // A group of zeros stays one.
  largest = binary(perGroup, BinaryKind::max, largest, number(1e-30f));
  Value most = number(127);
  Value factor = binary(perGroup, BinaryKind::div, most, largest);
  Value scale = binary(perGroup, BinaryKind::div, largest, most);
  Value scaled = binary(grouped, BinaryKind::mul, x, factor);
  Value rounded = UnaryOp::create(builder, loc, groupedType, UnaryKind::round, scaled);
  return ReshapeOp::create(builder, loc, makeTensorType(flat, element),
                           binary(grouped, BinaryKind::mul, rounded, scale));
}

Value llmc::makeExpertLinear(OpBuilder &builder, Location loc, Value input, Value ids,
                             const ExpertMatrices &matrices) {
  Dims dims = getDims(ids), weight = getDims(matrices.weight);
  dims.push_back(weight[matrices.bits || matrices.transposed ? 1 : 2]);
  if (matrices.roundsInput)
    input = roundToInt8(builder, loc, input, matrices.groupSize.getInt());
  return ExpertLinearOp::create(builder, loc, makeTensorType(dims, elementTypeOf(input)), input,
                                ids, matrices.weight, matrices.scales, matrices.zeroPoints,
                                matrices.bias,
                                matrices.transposed ? builder.getUnitAttr() : UnitAttr(),
                                matrices.bits, matrices.groupSize, matrices.columns);
}
