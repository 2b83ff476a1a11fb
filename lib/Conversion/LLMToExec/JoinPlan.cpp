//===- JoinPlan.cpp - which concatenations are written in place
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "JoinPlan.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

/// Behind reshapes, which are views.
static Value getRoot(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getInput();
  return value;
}

/// Whether the kernel for `value` can write its rows apart from each other. Those with
/// loops of their own over the whole result cannot.
static bool canWriteRows(Value value, const FusionPlan &fusion) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<ReduceOp>(op))
    return false;
  if (isa<LinearOp, ExpertLinearOp, RMSNormOp, LayerNormOp, SoftmaxOp>(op))
    return true;
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return matmul.getType().getElementType().isF32();
  if (!isPointwise(op))
    return false;
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    bool isRead = fusion.inMemory(operand) || isa<StateType>(operand.getType());
    return isRead || isa<ReduceOp>(operand.getDefiningOp()) || canWriteRows(operand, fusion);
  });
}

/// Whether the value leaves the block, or becomes the buffer of a loop.
static bool isReturned(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    return isa<func::ReturnOp, YieldOp, LoopOp>(user) ||
           (isa<ReshapeOp>(user) && isReturned(user->getResult(0)));
  });
}

/// Only `operand` reads `root`, through reshapes.
static bool isOnlyUse(OpOperand &operand, Value root) {
  for (Value value = operand.get();; value = value.getDefiningOp<ReshapeOp>().getInput()) {
    if (!value.hasOneUse())
      return false;
    if (value == root)
      return true;
  }
}

std::optional<DimExpr> JoinPlan::getRowStride(ConcatOp op) {
  Dims dims = getDims(op.getResult());
  size_t axis = op.getAxis();
  if (product(ArrayRef(dims).take_front(axis)).isConstant(1))
    return std::nullopt;
  return product(ArrayRef(dims).drop_front(axis));
}

std::optional<DimExpr> JoinPlan::getRowStride(Value value) const {
  ConcatOp whole = wholes.lookup(value);
  return whole ? getRowStride(whole) : std::nullopt;
}

bool JoinPlan::canPlace(OpOperand &operand) const {
  auto concat = cast<ConcatOp>(operand.getOwner());
  Value root = getRoot(operand.get());
  Operation *op = root.getDefiningOp();
  if (!op || !fusion.inMemory(root) || isa<ConstantOp>(op) || getKernelRoots(op).size() != 1 ||
      joined.contains(op) || wholes.contains(root) || isReturned(root))
    return false;
  if (!getRowStride(concat))
    return true;
  Dims rows = getDims(root), part = getDims(operand.get());
  return isOnlyUse(operand, root) && !rows.empty() &&
         rows.back() == product(ArrayRef(part).drop_front(concat.getAxis())) &&
         canWriteRows(root, fusion);
}

/// Sizes that data decides are not known when a step begins, as places must be.
static bool hasDefinedSizes(ConcatOp op, const llvm::StringSet<> &defined) {
  bool found = false;
  auto look = [&](Value value) {
    for (const DimExpr &dim : getDims(value))
      dim.forEachSymbol([&](const std::string &name) { found |= defined.contains(name); });
  };
  look(op.getResult());
  llvm::for_each(op.getInputs(), look); // their sizes may add up to one without symbols
  return found;
}

JoinPlan::JoinPlan(Block &block, const FusionPlan &fusion) : fusion(fusion) {
  llvm::StringSet<> defined;
  for (auto size : block.getOps<DefineSizeOp>())
    defined.insert(size.getSymbol());
  for (auto concat : block.getOps<ConcatOp>()) {
    if (!fusion.inMemory(concat.getResult()) || hasDefinedSizes(concat, defined))
      continue;
    SmallVector<OpOperand *> candidates, others;
    for (OpOperand &operand : concat->getOpOperands())
      (canPlace(operand) ? candidates : others).push_back(&operand);
    // One value twice is placed once.
    DenseSet<Value> roots;
    llvm::erase_if(candidates, [&](OpOperand *operand) {
      bool isAgain = !roots.insert(getRoot(operand->get())).second;
      if (isAgain)
        others.push_back(operand);
      return isAgain;
    });
    bool hasRows = getRowStride(concat).has_value();
    bool canCopy = !hasRows || concat.getAxis() + 1 == getDims(concat.getResult()).size();
    // Never more dispatches than with a kernel for the concatenation.
    if (candidates.empty() || others.size() > 1 || (!others.empty() && !canCopy))
      continue;
    if (!others.empty() && hasRows && !fusion.inMemory(getRoot(others.front()->get())) &&
        !canWriteRows(others.front()->get(), fusion))
      continue;
    joined.insert(concat);
    for (OpOperand *operand : candidates) {
      placed.insert(operand);
      wholes[getRoot(operand->get())] = concat;
    }
  }
}
