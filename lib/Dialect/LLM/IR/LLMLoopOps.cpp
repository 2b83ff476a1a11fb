//===- LLMLoopOps.cpp - llm.loop: its rules and its canonical form
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

ValueRange LoopOp::getCarriedArguments() {
  return getBody().getArguments().take_front(getNumCarried());
}

ValueRange LoopOp::getCapturedArguments() {
  return getBody().getArguments().drop_front(getNumCarried());
}

static bool contains(const DimExpr &expr, StringRef symbol) {
  bool found = false;
  expr.forEachSymbol([&](const std::string &name) { found |= name == symbol; });
  return found;
}

static bool contains(Type type, StringRef symbol) {
  return llvm::any_of(getDims(cast<RankedTensorType>(type)),
                      [&](const DimExpr &dim) { return contains(dim, symbol); });
}

/// The type of a stack of `slice`, one for each of `count` iterations.
static RankedTensorType stackType(RankedTensorType slice, const DimExpr &count) {
  Dims dims = getDims(slice);
  dims.insert(dims.begin(), count);
  return makeTensorType(dims, slice.getElementType());
}

/// C3 to C5: what leaves the body.
static LogicalResult checkYielded(LoopOp loop, const DimExpr &trip) {
  auto yield = dyn_cast<YieldOp>(loop.getBody().front().getTerminator());
  unsigned numCarried = loop.getNumCarried(), numStacks = loop.getPositions().size();
  if (!yield || yield.getNumOperands() != numCarried + numStacks ||
      loop.getNumResults() != numCarried + numStacks) // C3
    return loop.emitOpError("C3: expected llm.yield and results of ")
           << numCarried << " carried values and " << numStacks << " slices";
  for (unsigned i = 0; i < numCarried + numStacks; ++i) {
    auto type = dyn_cast<RankedTensorType>(yield.getOperand(i).getType());
    if (!type)
      return loop.emitOpError("C3: a body cannot give ") << yield.getOperand(i).getType();
    Type before = i < numCarried ? loop.getInitial()[i].getType() : Type();
    if (before && type != before) // C4
      return loop.emitOpError("C4: carried value ")
             << i << " changes from " << before << " to " << type;
    RankedTensorType expected = before ? type : stackType(type, trip);
    if (loop.getResult(i).getType() != expected) // C4, C5
      return loop.emitOpError(before ? "C4: result " : "C5: result ")
             << i << " is " << loop.getResult(i).getType() << ", expected " << expected;
  }
  return success();
}

LogicalResult LoopOp::verifyRegions() {
  std::optional<DimExpr> trip = DimExpr::parse(getTrip());
  if (!trip || contains(*trip, getIndex())) // C1
    return emitOpError("C1: cannot run '") << getTrip() << "' times";
  for (Attribute position : getPositions()) // C1
    if (!isa<StringAttr>(position) || !DimExpr::parse(cast<StringAttr>(position).getValue()))
      return emitOpError("C1: cannot read the position ") << position;
  if (getBody().getArgumentTypes() != getOperandTypes()) // C2
    return emitOpError("C2: block arguments (")
           << getBody().getArgumentTypes() << ") for operands (" << getOperandTypes() << ")";
  if (failed(checkYielded(*this, *trip)))
    return failure();
  WalkResult walked = getBody().walk([&](Operation *op) {
    auto isState = [](Type type) { return isa<StateType>(type); };
    if (isa<DefineSizeOp>(op) || llvm::any_of(op->getResultTypes(), isState)) { // C7
      emitOpError("C7: the body defines a size or has a state");
      return WalkResult::interrupt();
    }
    auto inner = dyn_cast<LoopOp>(op);
    std::optional<DimExpr> count = inner ? DimExpr::parse(inner.getTrip()) : std::nullopt;
    if ((count && contains(*count, getIndex())) ||
        llvm::any_of(op->getResultTypes(),
                     [&](Type type) { return contains(type, getIndex()); })) { // C6
      op->emitOpError("C6: a size depends on the iteration ") << getIndexAttr();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(walked.wasInterrupted());
}

namespace {

/// The loop with those operands, and the arguments that stand for them, that `removed`
/// does not name; their arguments must have no uses left.
LoopOp withoutCaptures(LoopOp loop, const llvm::BitVector &removed, PatternRewriter &rewriter) {
  SmallVector<Value> captured;
  for (auto [i, value] : llvm::enumerate(loop.getCaptured()))
    if (!removed[i])
      captured.push_back(value);
  auto smaller =
      LoopOp::create(rewriter, loop.getLoc(), loop.getResultTypes(), loop.getIndexAttr(),
                     loop.getTripAttr(), loop.getInitial(), captured, loop.getPositionsAttr());
  llvm::BitVector arguments(loop.getBody().getNumArguments());
  for (unsigned i : removed.set_bits())
    arguments.set(loop.getNumCarried() + i);
  rewriter.inlineRegionBefore(loop.getBody(), smaller.getBody(), smaller.getBody().end());
  smaller.getBody().front().eraseArguments(arguments);
  rewriter.replaceOp(loop, smaller.getResults());
  return smaller;
}

/// Constants and sizes that a loop captures stand in its body, where kernels find their
/// weights and shapes fold; what the body does not use is not captured, and nothing twice.
struct SinkCaptures : OpRewritePattern<LoopOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LoopOp loop, PatternRewriter &rewriter) const override {
    llvm::BitVector removed(loop.getCaptured().size());
    DenseMap<Value, Value> seen;
    rewriter.setInsertionPointToStart(&loop.getBody().front());
    for (auto [i, value, argument] :
         llvm::enumerate(loop.getCaptured(), loop.getCapturedArguments())) {
      if (argument.use_empty()) {
        removed.set(i);
        continue;
      }
      Operation *op = value.getDefiningOp();
      bool isSunk = isa_and_nonnull<ConstantOp, DimValuesOp>(op);
      auto [it, isFirst] = seen.try_emplace(value, argument);
      if (isFirst && !isSunk)
        continue;
      removed.set(i);
      rewriter.replaceAllUsesWith(argument,
                                  isSunk ? rewriter.clone(*op)->getResult(0) : it->second);
    }
    if (removed.none())
      return rewriter.notifyMatchFailure(loop, "every captured value is needed");
    rewriter.setInsertionPoint(loop);
    withoutCaptures(loop, removed, rewriter);
    return success();
  }
};

} // namespace

void LoopOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SinkCaptures>(context);
}
