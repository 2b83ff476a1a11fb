//===- FusionPlan.cpp - which values a function keeps in memory
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "FusionPlan.h"
#include "llmc/Analysis/Layout.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

bool llmc::isInlineConstant(Value value) {
  DenseElementsAttr elements;
  return matchPattern(value, m_Constant(&elements)) && elements.isSplat() &&
         value.getDefiningOp<ConstantOp>();
}

/// Operations that only say which element of their input to take.
static bool isIndexOp(Operation *op) {
  return isa<ReshapeOp, BroadcastOp, TransposeOp, SliceOp>(op);
}

static bool isElementwise(Operation *op) {
  return isa<UnaryOp, BinaryOp, CompareOp, SelectOp, CastOp>(op);
}

static bool isPointwise(Operation *op) {
  return isElementwise(op) || isIndexOp(op) ||
         isa<ConcatOp, GatherOp, GatherNDOp, IotaOp, DimValuesOp, ConstantOp, EmbeddingOp, RotaryOp,
             KVAppendOp, StateAppendOp>(op);
}

/// Computes one row at a time and reads its input more than once.
static bool isRowAnchor(Operation *op) {
  return isa<RMSNormOp, LayerNormOp, SoftmaxOp, ReduceOp>(op);
}

bool llmc::hasKernel(Operation *op) {
  return isPointwise(op) || isRowAnchor(op) ||
         isa<LinearOp, MatmulOp, AttentionOp, QuantizeInputOp, func::ReturnOp>(op);
}

/// More work per element than loading it again costs.
static bool isExpensive(Value value, const DenseSet<Value> &stored, int depth = 0) {
  Operation *op = value.getDefiningOp();
  if (!op || stored.contains(value) || isInlineConstant(value))
    return false;
  if (depth > 6 || isRowAnchor(op))
    return true;
  if (auto unary = dyn_cast<UnaryOp>(op))
    switch (unary.getKind()) {
    case UnaryKind::abs:
    case UnaryKind::neg:
    case UnaryKind::relu:
    case UnaryKind::logical_not:
    case UnaryKind::is_nan:
    case UnaryKind::is_inf:
      break;
    default:
      return true;
    }
  if (auto binary = dyn_cast<BinaryOp>(op))
    if (binary.getKind() == BinaryKind::pow || binary.getKind() == BinaryKind::mod ||
        binary.getKind() == BinaryKind::fmod)
      return true;
  for (Value operand : op->getOperands())
    if (isExpensive(operand, stored, depth + 1))
      return true;
  return false;
}

FusionPlan::FusionPlan(func::FuncOp func) {
  for (BlockArgument argument : func.getArguments())
    stored.insert(argument);
  for (Operation &op : func.front())
    visit(&op);
}

bool FusionPlan::inMemory(Value value) const { return stored.contains(value); }

void FusionPlan::store(Value value) {
  carried.erase(value);
  // A reshape costs nothing: store what it reshapes.
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getInput();
  carried.erase(value);
  stored.insert(value);
}

void FusionPlan::storeForRows(Value value) {
  std::optional<RowMatrix> rows = getRowMatrix(value);
  store(rows ? rows->root : value);
}

void FusionPlan::storeForStrides(Value value, bool needsUnitLast) {
  std::optional<StridedView> view = getStridedView(value);
  if (view && needsUnitLast && !view->dims.back().isConstant(1) &&
      view->strides.back() != DimExpr(1))
    view.reset();
  store(view ? view->root : value);
}

bool FusionPlan::canInline(Operation *user, Value operand) {
  Operation *producer = operand.getDefiningOp();
  if (Operation *anchor = carried.lookup(operand)) {
    if (!operand.hasOneUse())
      return false;
    if (isa<AttentionOp>(anchor))
      return isa<TransposeOp>(user) && operand == anchor->getResult(0);
    return isElementwise(user) && getDims(user->getResult(0)) == getDims(operand);
  }
  if (isRowAnchor(producer))
    return false;
  if (isIndexOp(producer) || isa<ConstantOp, IotaOp, DimValuesOp>(producer))
    return true;
  bool grows = false;
  if (auto result = dyn_cast<RankedTensorType>(user->getResult(0).getType()))
    grows = product(getDims(result)) != product(getDims(operand));
  bool expensive = isExpensive(operand, stored);
  if (isa<StateAppendOp, ConcatOp, SliceOp, ReduceOp>(user))
    grows = false;
  // Norms and softmax read their input in more than one pass.
  if (isa<RMSNormOp, LayerNormOp, SoftmaxOp>(user))
    return !expensive;
  return !(expensive && grows) && (operand.hasOneUse() || !expensive);
}

void FusionPlan::visit(Operation *op) {
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    if (!isInlineConstant(constant.getResult()))
      stored.insert(constant.getResult());
    return;
  }
  if (isa<func::ReturnOp>(op)) {
    for (Value value : op->getOperands())
      store(value);
    return;
  }

  // What microkernels read must lie in memory.
  if (auto linear = dyn_cast<LinearOp>(op)) {
    storeForRows(linear.getInput());
    // Also where all its elements are equal.
    if (linear.getWeight().getDefiningOp<ConstantOp>())
      stored.insert(linear.getWeight());
    if (linear.getBias())
      store(linear.getBias());
  } else if (auto quantize = dyn_cast<QuantizeInputOp>(op)) {
    storeForRows(quantize.getInput());
    stored.insert(quantize.getResult());
    return;
  } else if (auto matmul = dyn_cast<MatmulOp>(op)) {
    storeForStrides(matmul.getLhs(), /*needsUnitLast=*/true);
    storeForStrides(matmul.getRhs(), /*needsUnitLast=*/false);
  } else if (auto attention = dyn_cast<AttentionOp>(op)) {
    storeForStrides(attention.getQuery(), true);
    for (Value source : {attention.getKey(), attention.getValue()}) {
      if (isa<StateType>(source.getType()))
        stored.insert(source);
      else
        storeForStrides(source, true);
    }
    if (attention.getBias())
      storeForStrides(attention.getBias(), true);
    for (Value small : {attention.getPastLens(), attention.getSinks()})
      if (small)
        store(small);
  }
  if (isa<LinearOp, MatmulOp, AttentionOp>(op)) {
    carried[op->getResult(0)] = op;
    return;
  }

  if (auto embedding = dyn_cast<EmbeddingOp>(op)) {
    for (Value table : {embedding.getTable(), embedding.getScales(), embedding.getZeroPoints()})
      if (table)
        stored.insert(table);
  }
  Operation *anchor = nullptr;
  Value anchored;
  for (Value operand : op->getOperands()) {
    if (stored.contains(operand) || !operand.getDefiningOp())
      continue;
    if (!canInline(op, operand)) {
      store(operand);
      continue;
    }
    if (Operation *candidate = carried.lookup(operand)) {
      // One anchor per kernel: the later one keeps its epilogue.
      if (anchor && anchor != candidate) {
        if (anchor->isBeforeInBlock(candidate)) {
          store(anchored);
        } else {
          store(operand);
          continue;
        }
      }
      anchor = candidate;
      anchored = operand;
    }
  }
  for (Value result : op->getResults()) {
    if (isa<StateAppendOp>(op))
      stored.insert(result);
    else if (anchor && !stored.contains(anchored))
      carried[result] = anchor;
  }
}
