//===- VerifySpecialized.cpp - the border after the specialize phase ------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What planning relies on: every function is a phase with bounded symbols that
// its inputs bind, and the stateful ones have the signature of the module ABI.
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Transforms/Passes.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace llmc {
#define GEN_PASS_DEF_VERIFYSPECIALIZED
#include "llmc/Transforms/Passes.h.inc"

namespace {

struct VerifySpecialized : impl::VerifySpecializedBase<VerifySpecialized> {
  void runOnOperation() override {
    bool isValid = true;
    for (auto func : getOperation().getOps<func::FuncOp>())
      isValid &= succeeded(check(func));
    if (!isValid)
      signalPassFailure();
  }

private:
  LogicalResult check(func::FuncOp func) {
    auto phase = func->getAttrOfType<StringAttr>("llm.phase");
    if (!phase)
      return func.emitError("function has no llm.phase");
    if (failed(checkSymbols(func)))
      return failure();
    if (phase == "run")
      return checkFunctional(func);
    if (phase == "prefill" || phase == "decode")
      return checkStateful(func, phase == "decode");
    return func.emitError("unknown phase '") << phase.getValue() << "'";
  }

  /// Symbols have bounds, and the caller's tensors give their values.
  LogicalResult checkSymbols(func::FuncOp func) {
    auto symbols = func->getAttrOfType<ArrayAttr>("llm.symbols");
    if (!symbols)
      return func.emitError("function has no llm.symbols");
    llvm::StringSet<> listed, bound{"past"};
    for (auto entry : symbols.getAsRange<DictionaryAttr>()) {
      auto name = entry.getAs<StringAttr>("name");
      if (!name || !entry.getAs<IntegerAttr>("min") || !entry.getAs<IntegerAttr>("max"))
        return func.emitError("an entry of llm.symbols has no name, min and max: ") << entry;
      listed.insert(name.getValue());
    }
    for (BlockArgument argument : func.getArguments())
      if (isa<RankedTensorType>(argument.getType()))
        for (const DimExpr &dim : llm::getDims(argument))
          if (std::optional<std::string> name = dim.asSymbol())
            bound.insert(*name);
    Operation *offender = nullptr;
    std::string text;
    auto visit = [&](Operation *op, Type type) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor || offender)
        return;
      for (const DimExpr &dim : llm::getDims(tensor))
        dim.forEachSymbol([&](const std::string &name) {
          if (listed.contains(name) && bound.contains(name))
            return;
          offender = op;
          text =
              "the size '" + name +
              (listed.contains(name) ? "' is no input's dimension by itself and not defined before"
                                     : "' is not in llm.symbols");
        });
    };
    for (BlockArgument argument : func.getArguments())
      visit(func, argument.getType());
    // In program order: a size that data decides has no value before its definition.
    func.walk<WalkOrder::PreOrder>([&](Operation *op) {
      for (Type type : op->getResultTypes())
        visit(op, type);
      if (auto size = dyn_cast<llm::DefineSizeOp>(op);
          size && !bound.insert(size.getSymbol()).second)
        offender = op, text = "the size '" + size.getSymbol().str() + "' is defined twice";
    });
    return offender ? offender->emitError(text) : success();
  }

  LogicalResult checkFunctional(func::FuncOp func) {
    WalkResult walked = func.walk([&](Operation *op) {
      if (!isa<llm::StateAppendOp, llm::StateLoadOp, llm::StateStoreOp>(op))
        return WalkResult::advance();
      op->emitError("a state in a functional phase");
      return WalkResult::interrupt();
    });
    return success(!walked.wasInterrupted());
  }

  LogicalResult checkStateful(func::FuncOp func, bool isDecode) {
    auto isInts = [](Type type, int64_t rank) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      return tensor && tensor.getRank() == rank && tensor.getElementType().isInteger(64);
    };
    ArrayRef<Type> inputs = func.getArgumentTypes(), results = func.getResultTypes();
    if (inputs.size() < 2 || !isInts(inputs[0], 2) || !isInts(inputs[1], 1))
      return func.emitError("a stateful phase starts with tokens[batch, seq] and past_lens[batch]");
    if (isDecode && cast<RankedTensorType>(inputs[0]).getDimSize(1) != 1)
      return func.emitError("decode takes one token per sequence");
    if (results.size() + 1 != inputs.size() || results.drop_front() != inputs.drop_front(2))
      return func.emitError("a stateful phase gives logits and the states that it took");
    auto logits = dyn_cast<RankedTensorType>(results[0]);
    if (!logits || logits.getRank() != 2 || !logits.getElementType().isF32())
      return func.emitError("a stateful phase gives f32 logits[batch, vocabulary]");
    for (Type type : inputs.drop_front(2))
      if (!isa<llm::StateType>(type))
        return func.emitError("expected a state, found ") << type;
    // Queries of the last token only do not make the bias of a step shorter.
    DimExpr tokens = DimExpr::symbol("past") + llm::getDims(func.getArgument(0))[1];
    WalkResult walked = func.walk([&](llm::AttentionOp op) {
      if (!isa<llm::StateType>(op.getKey().getType()) || !op.getBias())
        return WalkResult::advance();
      DimExpr keys = llm::getDims(op.getBias()).back();
      if (keys == tokens || keys.isConstant(1))
        return WalkResult::advance();
      op.emitError("attention on states has a bias for ")
          << keys.str() << " keys, expected " << tokens.str();
      return WalkResult::interrupt();
    });
    return success(!walked.wasInterrupted());
  }
};

} // namespace
} // namespace llmc
