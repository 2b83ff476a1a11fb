//===- FusionPlan.cpp - which values a function keeps in memory
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "FusionPlan.h"
#include "llmc/Analysis/Layout.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

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
  return isa<UnaryOp, BinaryOp, CompareOp, SelectOp, CastOp, BitcastOp>(op);
}

bool llmc::isPointwise(Operation *op) {
  return isElementwise(op) || isIndexOp(op) ||
         isa<ConcatOp, GatherOp, GatherNDOp, GatherElementsOp, IotaOp, DimValuesOp, ConstantOp,
             EmbeddingOp, RotaryOp, KVAppendOp, KVEvictOp, StateAppendOp, StateLoadOp, StateStoreOp,
             CausalConvOp>(op);
}

/// Kernels of their own whose result is stored as it is.
static bool isWholeKernel(Operation *op) {
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return !matmul.getType().getElementType().isF32();
  return isa<ConvOp, WindowReduceOp, CumulativeOp, TopKIndicesOp, ScatterElementsOp, ScatterNDOp>(
      op);
}

/// Computes one row at a time and reads its input more than once.
static bool isRowAnchor(Operation *op) {
  return isa<RMSNormOp, LayerNormOp, SoftmaxOp, ReduceOp>(op);
}

bool llmc::hasKernel(Operation *op) {
  return isPointwise(op) || isRowAnchor(op) || isWholeKernel(op) ||
         isa<LinearOp, ExpertLinearOp, MatmulOp, AttentionOp, QuantizeInputOp, LinearAttentionOp,
             NonZeroOp, DefineSizeOp, LoopOp, YieldOp, func::ReturnOp>(op);
}

/// The store that puts the matrix of `op` back into the state that it was loaded from,
/// where nothing else reads either: the kernel then works in place.
static StateStoreOp findStoreInPlace(LinearAttentionOp op) {
  auto load = op.getPast() ? op.getPast().getDefiningOp<StateLoadOp>() : StateLoadOp();
  if (!load || !load->hasOneUse() || !op.getState().hasOneUse())
    return {};
  auto store = dyn_cast<StateStoreOp>(*op.getState().user_begin());
  if (!store || store.getState() != load.getState())
    return {};
  for (Operation *user : load.getState().getUsers())
    if (user != load && user != store)
      return {};
  return store;
}

SmallVector<Value> llmc::getKernelRoots(Operation *op) {
  SmallVector<Value> roots(op->getResults());
  if (auto attention = dyn_cast<LinearAttentionOp>(op))
    if (StateStoreOp store = findStoreInPlace(attention))
      roots[1] = store.getResult();
  return roots;
}

/// Whether computing `value` in a kernel makes it read a state.
static bool loadsState(Value value, const DenseSet<Value> &stored) {
  Operation *op = value.getDefiningOp();
  if (!op || stored.contains(value))
    return false;
  return isa<StateLoadOp>(op) || llvm::any_of(op->getOperands(), [&](Value operand) {
           return loadsState(operand, stored);
         });
}

/// More work per element than loading it again costs.
static bool isExpensive(Value value, const DenseSet<Value> &stored, int depth = 0) {
  Operation *op = value.getDefiningOp();
  if (!op || stored.contains(value) || isInlineConstant(value))
    return false;
  // One number computed again takes less than a dispatch and a barrier.
  auto type = dyn_cast<RankedTensorType>(value.getType());
  bool isOneNumber = type && type.hasStaticShape() && type.getNumElements() == 1;
  if (depth > (isOneNumber ? 12 : 6) || isRowAnchor(op) || isa<CausalConvOp>(op))
    return true;
  if (auto unary = dyn_cast<UnaryOp>(op))
    switch (unary.getKind()) {
    case UnaryKind::abs:
    case UnaryKind::neg:
    case UnaryKind::relu:
    case UnaryKind::logical_not:
    case UnaryKind::is_nan:
    case UnaryKind::is_inf:
    case UnaryKind::floor:
    case UnaryKind::ceil:
    case UnaryKind::round:
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

FusionPlan::FusionPlan(Block &block) {
  for (BlockArgument argument : block.getArguments())
    stored.insert(argument);
  for (Operation &op : block)
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

/// What slices of a value in memory read costs an addition: the value is stored.
static Value skipSlices(Value value) {
  while (auto slice = value.getDefiningOp<SliceOp>())
    value = slice.getInput();
  return value;
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
    if (isa<AttentionOp>(anchor)) {
      // The microkernel writes rows; only they may change places.
      auto transpose = dyn_cast<TransposeOp>(user);
      return transpose && operand == anchor->getResult(0) && transpose.getPermutation().back() == 3;
    }
    // The epilogue writes where the anchor's kernel wrote before.
    return isElementwise(user) && getDims(user->getResult(0)) == getDims(operand) &&
           getElementTypeOrSelf(user->getResult(0)).getIntOrFloatBitWidth() ==
               getElementTypeOrSelf(operand).getIntOrFloatBitWidth();
  }
  if (isRowAnchor(producer))
    return false;
  if (isIndexOp(producer) || isa<ConstantOp, IotaOp, DimValuesOp, StateLoadOp>(producer))
    return true;
  bool grows = false;
  if (auto result = dyn_cast<RankedTensorType>(user->getResult(0).getType()))
    grows = product(getDims(result)) != product(getDims(operand));
  bool expensive = isExpensive(operand, stored);
  if (isa<StateAppendOp, ConcatOp, SliceOp, ReduceOp>(user))
    grows = false;
  // These read each element of their input several times.
  if (isa<RMSNormOp, LayerNormOp, SoftmaxOp, CausalConvOp>(user))
    return !expensive;
  return !(expensive && grows) && (operand.hasOneUse() || !expensive);
}

void FusionPlan::visit(Operation *op) {
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    if (!isInlineConstant(constant.getResult()))
      stored.insert(constant.getResult());
    return;
  }
  if (isa<func::ReturnOp, YieldOp, LoopOp>(op)) {
    for (Value value : op->getOperands())
      store(value);
    stored.insert(op->result_begin(), op->result_end());
    return;
  }

  if (isWholeKernel(op)) {
    // All read their operands several times, but a scatter its input.
    for (Value operand : op->getOperands()) {
      bool isCopied = isa<ScatterElementsOp, ScatterNDOp>(op) && operand == op->getOperand(0);
      bool isReady = stored.contains(operand) || !operand.getDefiningOp();
      if (!isReady && (!isCopied || !canInline(op, operand)))
        store(isa<TopKIndicesOp>(op) ? operand : skipSlices(operand)); // it reads a pointer
    }
    stored.insert(op->getResult(0));
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
  } else if (auto experts = dyn_cast<ExpertLinearOp>(op)) {
    storeForRows(experts.getInput());
    store(experts.getIds());
    if (experts.getIds().getDefiningOp<ConstantOp>())
      stored.insert(experts.getIds());
    if (experts.getWeight().getDefiningOp<ConstantOp>())
      stored.insert(experts.getWeight());
    if (experts.getBias())
      store(experts.getBias());
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
    // One length per tile is read, through any arithmetic.
    if (Value lens = attention.getPastLens();
        lens && (carried.contains(lens) || isExpensive(lens, stored)))
      store(lens);
    for (Value perHead : {attention.getSinks(), attention.getSlopes()})
      if (perHead)
        store(perHead);
  }
  if (auto attention = dyn_cast<LinearAttentionOp>(op)) {
    for (Value input : {attention.getQuery(), attention.getKey(), attention.getValue(),
                        attention.getDecay(), attention.getRates(), attention.getBeta()})
      if (input)
        storeForStrides(input, /*needsUnitLast=*/true);
    // A matrix in a state is read where it lies.
    if (Value past = attention.getPast(); past && !past.getDefiningOp<StateLoadOp>())
      storeForStrides(past, /*needsUnitLast=*/true);
    for (Value root : getKernelRoots(op))
      stored.insert(root);
    return;
  }
  if (auto size = dyn_cast<DefineSizeOp>(op)) {
    store(size.getValue());
    return;
  }
  if (auto stateStore = dyn_cast<StateStoreOp>(op)) {
    // Written by another kernel: this one overwrites what that one may read.
    if (!stored.contains(stateStore.getResult()))
      store(stateStore.getValue());
    stored.insert(stateStore.getResult());
    return;
  }
  if (auto append = dyn_cast<StateAppendOp>(op); append && loadsState(append.getTokens(), stored))
    store(append.getTokens()); // a kernel that writes a state takes no other one
  if (isa<LinearOp, ExpertLinearOp, MatmulOp, AttentionOp>(op)) {
    carried[op->getResult(0)] = op;
    return;
  }

  if (auto embedding = dyn_cast<EmbeddingOp>(op)) {
    for (Value table : {embedding.getTable(), embedding.getScales(), embedding.getZeroPoints()})
      if (table)
        stored.insert(table);
    if (embedding.getBits()) {
      // Unpacked once, not by each reader; and how readers sum does not depend on the layout.
      Value ids = embedding.getIds();
      if (ids.getDefiningOp() && !stored.contains(ids) && !canInline(op, ids))
        store(ids);
      stored.insert(embedding.getResult());
      return;
    }
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
    if (isa<StateAppendOp, NonZeroOp>(op))
      stored.insert(result);
    else if (anchor && !stored.contains(anchored))
      carried[result] = anchor;
  }
}
