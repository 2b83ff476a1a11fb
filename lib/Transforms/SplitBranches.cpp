//===- SplitBranches.cpp - one function per branch of a llm.if ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A merged decoder holds one graph with a past and one without, and chooses by
// an input. Each choice becomes a function that serves one value of the input:
//
//   @run(%use_cache) { llm.if %use_cache { A } else { B } }
//   => @run      {llm.guard = {input = 0, value = 1}} { A }
//      @run_else {llm.guard = {input = 0, value = 0}} { B }
//
// The input stays in both signatures, because the caller still gives it.
//
//===----------------------------------------------------------------------===//
#include "SymbolSubstitution.h"
#include "llmc/Transforms/Passes.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace llmc {
#define GEN_PASS_DEF_SPLITBRANCHES
#include "llmc/Transforms/Passes.h.inc"

namespace {

/// The function argument that `condition` is, through changes of shape and type
/// that keep "is not zero".
std::optional<unsigned> conditionArgument(Value condition, func::FuncOp func) {
  while (Operation *op = condition.getDefiningOp()) {
    if (!isa<llm::ReshapeOp, llm::CastOp>(op))
      return std::nullopt;
    condition = op->getOperand(0);
  }
  auto argument = cast<BlockArgument>(condition);
  if (argument.getOwner() != &func.front())
    return std::nullopt;
  return argument.getArgNumber();
}

/// What the chosen branch says about sizes, a dictionary of symbol and text.
using SizeFacts = llvm::StringMap<DimExpr>;

void addFacts(llm::IfOp op, bool chosen, SizeFacts &facts) {
  auto entries = op->getAttrOfType<DictionaryAttr>(chosen ? "llm.then_sizes" : "llm.else_sizes");
  if (!entries)
    return;
  for (NamedAttribute entry : entries)
    if (auto text = dyn_cast<StringAttr>(entry.getValue()))
      if (std::optional<DimExpr> size = DimExpr::parse(text.getValue()))
        facts.insert({entry.getName().getValue(), *size});
}

/// Puts the chosen region's operations in place of `op`.
void inlineBranch(llm::IfOp op, bool chosen) {
  Region &region = chosen ? op.getThenRegion() : op.getElseRegion();
  Block &block = region.front();
  Operation *yield = block.getTerminator();
  op->replaceAllUsesWith(yield->getOperands());
  yield->erase();
  op->getBlock()->getOperations().splice(op->getIterator(), block.getOperations());
  op->erase();
}

/// Chooses `value` in every `llm.if` on `argument`, also those that become
/// visible by inlining.
LogicalResult choose(func::FuncOp func, unsigned argument, bool value) {
  SizeFacts facts;
  while (true) {
    llm::IfOp next;
    func.walk<WalkOrder::PreOrder>([&](llm::IfOp op) {
      if (conditionArgument(op.getCondition(), func) != argument)
        return WalkResult::advance();
      next = op;
      return WalkResult::interrupt();
    });
    if (!next)
      break;
    addFacts(next, value, facts);
    inlineBranch(next, value); // removes one llm.if, so the loop ends
  }
  Builder builder(func.getContext());
  func->setAttr(
      "llm.guard",
      builder.getDictionaryAttr({builder.getNamedAttr("input", builder.getI64IntegerAttr(argument)),
                                 builder.getNamedAttr("value", builder.getI64IntegerAttr(value))}));
  // Each pass over the function applies every fact once; one fact may name the
  // symbol of another, so there are at most as many rounds as facts. Types are
  // inferred anew even without facts: a branch's results may have more precise
  // types than the llm.if.
  for (size_t round = 0; round < std::max<size_t>(facts.size(), 1); ++round)
    if (failed(substituteSymbols(func, [&](const std::string &name) -> std::optional<DimExpr> {
          auto found = facts.find(name);
          return found == facts.end() ? std::nullopt : std::optional(found->second);
        })))
      return failure();
  return success();
}

struct SplitBranches : impl::SplitBranchesBase<SplitBranches> {
  void runOnOperation() override {
    for (auto func : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (!func.isExternal() && failed(split(func)))
        return signalPassFailure();
  }

  LogicalResult split(func::FuncOp func) {
    // One guard per function: a second input that chooses stays an llm.if.
    std::optional<unsigned> argument;
    func.walk([&](llm::IfOp op) {
      if (!argument && op->getParentOp() == func)
        argument = conditionArgument(op.getCondition(), func);
    });
    if (!argument || func->hasAttr("llm.guard"))
      return success();
    auto other = cast<func::FuncOp>(func->clone());
    other.setName((func.getName() + "_else").str());
    func->getBlock()->getOperations().insert(std::next(func->getIterator()), other);
    return success(succeeded(choose(func, *argument, true)) &&
                   succeeded(choose(other, *argument, false)));
  }
};

} // namespace
} // namespace llmc
