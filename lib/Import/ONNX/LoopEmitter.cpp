//===- LoopEmitter.cpp - builds llm.loop
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "LoopEmitter.h"
#include "Scope.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

LoopEmitter::LoopEmitter(Node &n, const DimExpr &trip) : n(n), guard(n.builder) {
  std::string index = *n.symbols.defineSymbol("i").asSymbol();
  loop = llm::LoopOp::create(n.builder, n.loc, TypeRange(), index, trip.str(), ValueRange(),
                             ValueRange(), n.builder.getArrayAttr({}));
  n.builder.createBlock(&loop.getBody());
}

DimExpr LoopEmitter::trip() const {
  llm::LoopOp op = loop;
  return *DimExpr::parse(op.getTrip()); // up to date where sizes were found equal
}

int64_t LoopEmitter::numCarried() const {
  llm::LoopOp op = loop;
  return int64_t(op.getInitial().size());
}

DimExpr LoopEmitter::position(bool isReversed) const {
  llm::LoopOp op = loop;
  DimExpr index = DimExpr::symbol(op.getIndex().str());
  return isReversed ? trip() - 1 - index : index;
}

Value LoopEmitter::carry(Value initial) {
  if (n.failed() || !initial)
    return {};
  loop.getInitialMutable().append(initial);
  return loop.getBody().addArgument(initial.getType(), n.loc);
}

/// Sizes of what is carried are the same in each iteration.
void LoopEmitter::unifyCarried(ArrayRef<Value> next) {
  for (size_t i = 0; i < next.size() && !n.failed(); ++i) {
    // Read again each time: unify rewrites types.
    auto before = [&] { return n.dims(loop.getInitial()[i]); };
    bool isAlike = before().size() == n.dims(next[i]).size();
    for (size_t d = 0; isAlike && d < before().size(); ++d)
      isAlike = n.symbols.unify(before()[d], n.dims(next[i])[d]);
    if (!isAlike || loop.getInitial()[i].getType() != next[i].getType())
      n.fail("not supported: carried value " + Twine(i) + " changes from " +
             llm::formatDims(before()) + " to " + llm::formatDims(n.dims(next[i])) +
             " in a loop that is not unrolled");
  }
}

bool LoopEmitter::checkBody() {
  std::string index = loop.getIndex().str();
  auto dependsOnIndex = [&](Type type) {
    bool depends = false;
    for (const DimExpr &dim : llm::getDims(cast<RankedTensorType>(type)))
      dim.forEachSymbol([&](const std::string &name) { depends |= name == index; });
    return depends;
  };
  loop.getBody().walk([&](Operation *op) {
    if (n.failed())
      return;
    if (isa<llm::DefineSizeOp>(op))
      n.fail("not supported: sizes that data decides in a loop that is not unrolled");
    if (isa<llm::IfOp>(op))
      n.fail("not supported: branches of different shapes in a loop that is not unrolled");
    bool depends = llvm::any_of(op->getResultTypes(), dependsOnIndex);
    if (auto inner = dyn_cast<llm::LoopOp>(op))
      DimExpr::parse(inner.getTrip())->forEachSymbol([&](const std::string &name) {
        depends |= name == index;
      });
    if (depends)
      n.fail("not supported: sizes that depend on the iteration in a loop that is not unrolled");
  });
  return !n.failed();
}

/// Whether `value` follows from constants by saying where their elements go: a loop's body
/// has it for itself, so that weights are found where they are used.
static bool isParameter(Operation *op) {
  if (isa<llm::ConstantOp, llm::DimValuesOp, llm::IotaOp>(op))
    return true;
  if (!isa<llm::TransposeOp, llm::ReshapeOp, llm::SliceOp, llm::BroadcastOp>(op))
    return false;
  Operation *source = op->getOperand(0).getDefiningOp();
  return source && isParameter(source);
}

SmallVector<Value> LoopEmitter::finish(ArrayRef<Value> next, ArrayRef<Slice> slices) {
  if (!n.failed())
    unifyCarried(next);
  if (n.failed() || !checkBody())
    return {};
  SmallVector<Type> types;
  llm::Dims positions;
  SmallVector<Value> given(next);
  for (Value value : next)
    types.push_back(value.getType());
  for (const Slice &slice : slices) {
    Dims dims = n.dims(slice.value);
    dims.insert(dims.begin(), trip());
    types.push_back(llm::makeTensorType(dims, n.elementTypeOf(slice.value)));
    positions.push_back(position(slice.isReversed));
    given.push_back(slice.value);
  }
  llm::YieldOp::create(n.builder, n.loc, given);
  IRRewriter rewriter(n.builder.getContext());
  SmallVector<Value> captured = makeRegionIsolatedFromAbove(rewriter, loop.getBody(), isParameter);
  n.builder.setInsertionPoint(loop);
  auto whole = llm::LoopOp::create(n.builder, n.loc, types, loop.getIndex(), loop.getTrip(),
                                   loop.getInitial(), captured,
                                   llm::makeExprs(n.builder.getContext(), positions));
  whole.getBody().takeBody(loop.getBody());
  loop.erase();
  loop = whole;
  n.builder.setInsertionPointAfter(whole);
  return llvm::to_vector_of<Value>(whole.getResults());
}

bool importer::tryEmit(Node &n, llvm::function_ref<void(Node &)> emit,
                       SmallVectorImpl<Diagnostic> &problems) {
  Operation *before = n.builder.getInsertionPoint() == n.builder.getInsertionBlock()->begin()
                          ? nullptr
                          : &*std::prev(n.builder.getInsertionPoint());
  Block *block = n.builder.getInsertionBlock();
  Block::iterator end = n.builder.getInsertionPoint();
  Node attempt = n.copy();
  int errors = n.walk().errorCount();
  {
    ScopedDiagnosticHandler handler(n.builder.getContext(), [&](Diagnostic &problem) {
      problems.push_back(std::move(problem));
      return success();
    });
    emit(attempt);
  }
  if (!attempt.failed()) {
    n.results = std::move(attempt.results);
    return true;
  }
  n.walk().forgetErrors(errors);
  n.builder.setInsertionPoint(block, end);
  while (end != block->begin() && &*std::prev(end) != before) {
    Operation *last = &*std::prev(end);
    if (isa<llm::ConstantOp>(last)) { // an initializer, which has a name by now
      --end;
      continue;
    }
    last->dropAllUses();
    last->erase();
  }
  return false;
}

void importer::emitInstead(Node &n, llvm::function_ref<void()> emit,
                           ArrayRef<Diagnostic> problems) {
  bool isSilent = true;
  {
    ScopedDiagnosticHandler handler(n.builder.getContext(), [&](Diagnostic &) {
      isSilent = false;
      return failure(); // whoever listens gets it
    });
    emit();
  }
  if (n.failed() && isSilent)
    report(problems, n);
}

void importer::report(ArrayRef<Diagnostic> problems, Node &n) {
  DiagnosticEngine &engine = n.builder.getContext()->getDiagEngine();
  for (const Diagnostic &problem : problems) {
    InFlightDiagnostic shown = engine.emit(problem.getLocation(), problem.getSeverity());
    shown << problem.str();
  }
  n.failQuietly();
}
