//===- ControlFlow.cpp - If
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Scope.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// One type for the results of both branches: sizes that differ become a fresh
/// symbol named after the output.
static RankedTensorType joinTypes(Node &n, Value a, Value b, StringRef output) {
  Dims x = n.dims(a), y = n.dims(b);
  if (n.elementTypeOf(a) != n.elementTypeOf(b) || x.size() != y.size()) {
    n.fail("output '" + output + "' is " + llm::formatDims(x) + " in one branch and " +
           llm::formatDims(y) + " in the other");
    return {};
  }
  for (size_t i = 0; i < x.size(); ++i)
    if (x[i] != y[i])
      x[i] = DimExpr::symbol((output + "." + Twine(i)).str());
  return llm::makeTensorType(x, n.elementTypeOf(a));
}

/// What a branch knows about sizes, as text; llmc-split-branches applies it.
static Attribute factsAttr(Node &n, const Symbols::Facts &facts) {
  SmallVector<NamedAttribute> entries;
  for (const auto &[symbol, expr] : facts)
    entries.push_back(n.builder.getNamedAttr(symbol, n.builder.getStringAttr(expr.str())));
  return n.builder.getDictionaryAttr(entries);
}

/// Whether the condition is an input of the model, by whose value the function is split
/// later (llmc-split-branches).
static bool isModelInput(Value condition) {
  while (Operation *op = condition.getDefiningOp()) {
    if (!isa<llm::ReshapeOp, llm::CastOp>(op))
      return false;
    condition = op->getOperand(0);
  }
  return true;
}

/// A condition that is computed: both branches are, and their results selected. False
/// where their shapes differ.
static bool selectBranches(Node &n, const GraphProto &thenGraph, const GraphProto &elseGraph) {
  // What one branch needs to be equal is not so where the other is taken.
  Symbols::Facts facts, *around = n.symbols.branchFacts;
  n.symbols.branchFacts = &facts;
  SmallVector<Value> taken, other;
  bool imported = n.walk().importInline(thenGraph, n.scope(), taken);
  imported &= n.walk().importInline(elseGraph, n.scope(), other);
  n.symbols.branchFacts = around;
  if (!imported) {
    n.failQuietly();
    return true;
  }
  for (auto [a, b] : llvm::zip(taken, other))
    if (a.getType() != b.getType())
      return false;
  Value condition = n.element(n.input(0));
  for (auto [i, pair] : llvm::enumerate(llvm::zip(taken, other)))
    n.setOutput(int(i), n.select(condition, std::get<0>(pair), std::get<1>(pair)));
  return true;
}

static void ifOp(Node &n) {
  const AttributeProto *thenBranch = n.attribute("then_branch");
  const AttributeProto *elseBranch = n.attribute("else_branch");
  if (!thenBranch || !elseBranch || !thenBranch->has_g() || !elseBranch->has_g())
    return n.fail("needs both branches");
  if (thenBranch->g().output_size() != n.numOutputs() ||
      elseBranch->g().output_size() != n.numOutputs())
    return n.fail("its branches give " + Twine(thenBranch->g().output_size()) + " and " +
                  Twine(elseBranch->g().output_size()) + " values for " + Twine(n.numOutputs()) +
                  " outputs");
  Value condition = n.input(0);
  if (!n.elementTypeOf(condition).isInteger(1))
    return n.fail("the condition is not boolean");
  std::optional<Dims> known = n.known(condition);
  SmallVector<Value> thenValues, elseValues;
  if (known && known->size() == 1 && known->front().constant()) {
    const AttributeProto *taken = known->front().isConstant(0) ? elseBranch : thenBranch;
    if (!n.walk().importInline(taken->g(), n.scope(), thenValues))
      return n.failQuietly();
    n.results.assign(thenValues.begin(), thenValues.end());
    return;
  }
  // A loop's body stays one.
  Operation *around = n.builder.getInsertionBlock()->getParentOp();
  bool isInLoop = isa<llm::LoopOp>(around) || around->getParentOfType<llm::LoopOp>();
  if ((isInLoop || !isModelInput(condition)) && selectBranches(n, thenBranch->g(), elseBranch->g()))
    return;
  Region thenRegion, elseRegion;
  Symbols::Facts thenFacts, elseFacts;
  bool imported =
      n.walk().importBranch(thenBranch->g(), n.scope(), thenRegion, thenValues, thenFacts);
  imported &= n.walk().importBranch(elseBranch->g(), n.scope(), elseRegion, elseValues, elseFacts);
  if (!imported)
    return n.failQuietly();
  SmallVector<Type> types;
  for (auto [i, pair] : llvm::enumerate(llvm::zip(thenValues, elseValues))) {
    types.push_back(joinTypes(n, std::get<0>(pair), std::get<1>(pair), n.proto().output(i)));
    if (n.failed())
      return;
  }
  auto op = llm::IfOp::create(n.builder, n.loc, types, condition);
  op.getThenRegion().takeBody(thenRegion);
  op.getElseRegion().takeBody(elseRegion);
  if (!thenFacts.empty())
    op->setAttr("llm.then_sizes", factsAttr(n, thenFacts));
  if (!elseFacts.empty())
    op->setAttr("llm.else_sizes", factsAttr(n, elseFacts));
  n.results.assign(op.getResults().begin(), op.getResults().end());
}

void llmc::importer::addControlFlowOps(OpTable &t) {
  t.add("", "If", 1,
        {ifOp, 1, 1, kVariadic, "then_branch else_branch",
         "computed conditions whose branches give different shapes"});
}
