//===- StatefulFunction.cpp - prefill and decode from a functional graph --===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %present = concat(%past, %k); attention(%q, %present, ..); return %present
//     => %state1 = state_append %state, %k, %past_lens
//        attention(%q, %state1, ..) past_lens %past_lens; return %state1
//
// Sequences of a batch have pasts of different lengths, so whatever the function
// computes from the length `past` that they share in the ONNX graph would be
// wrong. Masks become ones and positions past_lens + i; if anything that depends
// on `past` is still alive after that, no stateful function is made.
//
//===----------------------------------------------------------------------===//
#include "StatefulFunction.h"
#include "LastToken.h"
#include "SymbolSubstitution.h"
#include "UniformValue.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace llmc {

using llm::getDims;
using llm::makeTensorType;

namespace {

class StatefulBuilder {
public:
  StatefulBuilder(func::FuncOp func, const PhaseRoles &roles, bool isDecode, std::string &reason)
      : func(func), roles(roles), reason(reason), builder(func.getContext()),
        batch(DimExpr::symbol("batch")), seq(isDecode ? DimExpr(1) : DimExpr::symbol("seq")),
        past(DimExpr::symbol("past")), numOldArguments(func.getNumArguments()) {}

  LogicalResult build() {
    if (failed(renameSymbols()))
      return fail("its sizes do not fit together as batch, seq and past");
    addArguments();
    if (failed(replacePositions()))
      return failure();
    replaceInput(roles.tokens, tokens);
    for (unsigned mask : roles.masks)
      replaceInput(mask, makeOnes(mask));
    SmallVector<Value> states = appendInPlace();
    returnValues(states);
    dropZeroBiases();
    cleanUp();
    return checkAndDropOldArguments();
  }

private:
  LogicalResult fail(const llvm::Twine &text) {
    reason = text.str();
    return failure();
  }

  /// The function's own names for batch, seq and past; the sizes that exporters
  /// give to masks are batch and past + seq.
  LogicalResult renameSymbols() {
    llvm::StringMap<DimExpr> names;
    for (unsigned mask : roles.masks) {
      llm::Dims dims = getDims(func.getArgument(mask));
      for (auto [dim, size] : {std::pair(dims[0], batch), std::pair(dims[1], past + seq)})
        if (std::optional<std::string> name = dim.asSymbol())
          names[*name] = size;
    }
    names[roles.batch] = batch;
    names[roles.seq] = seq;
    for (const std::string &name : roles.pasts)
      names[name] = past;
    return substituteSymbols(func, [&](const std::string &name) -> std::optional<DimExpr> {
      auto found = names.find(name);
      return found == names.end() ? std::nullopt : std::optional(found->second);
    });
  }

  Value addArgument(Type type, StringRef name) {
    Block &block = func.front();
    unsigned index = block.getNumArguments();
    (void)func.insertArgument(
        index, type,
        builder.getDictionaryAttr(builder.getNamedAttr("llm.name", builder.getStringAttr(name))),
        func.getLoc());
    return block.getArgument(index);
  }

  void addArguments() {
    Type i64 = builder.getI64Type();
    builder.setInsertionPointToStart(&func.front());
    tokens = addArgument(makeTensorType({batch, seq}, i64), "tokens");
    pastLens = addArgument(makeTensorType({batch}, i64), "past_lens");
    for (const StatePair &pair : roles.states) {
      auto type = cast<RankedTensorType>(func.getArgument(pair.argument).getType());
      auto token =
          RankedTensorType::get({type.getDimSize(1), type.getDimSize(3)}, type.getElementType());
      auto name = func.getArgAttrOfType<StringAttr>(pair.argument, "llm.name");
      stateArguments.push_back(addArgument(llm::StateType::get(token),
                                           name ? name.getValue() : StringRef("state")));
    }
  }

  /// Uses of old argument `index` become `value`, in the argument's type.
  void replaceInput(unsigned index, Value value) {
    BlockArgument old = func.getArgument(index);
    if (old.use_empty())
      return;
    if (value.getType() != old.getType())
      value = llm::CastOp::create(builder, old.getLoc(), old.getType(), value);
    old.replaceAllUsesWith(value);
  }

  Value makeOnes(unsigned index) {
    auto type = cast<RankedTensorType>(func.getArgument(index).getType());
    auto scalar = RankedTensorType::get({}, type.getElementType());
    Value one = llm::ConstantOp::create(
        builder, func.getLoc(),
        DenseElementsAttr::get(scalar,
                               builder.getIntegerAttr(type.getElementType(), 1).getValue()));
    return llm::BroadcastOp::create(builder, func.getLoc(), type, one);
  }

  LogicalResult replacePositions() {
    if (roles.positions.empty())
      return success();
    Location loc = func.getLoc();
    Type i64 = builder.getI64Type();
    Value first = llm::ReshapeOp::create(builder, loc, makeTensorType({batch, 1}, i64), pastLens);
    Value index = llm::IotaOp::create(builder, loc, makeTensorType({1, seq}, i64), "0", "1", 1);
    Value positions =
        llm::BinaryOp::create(builder, loc, llm::BinaryKind::add, first, index).getResult();
    for (unsigned position : roles.positions)
      replaceInput(position, positions);
    return success();
  }

  /// Replaces what appends to each past; the states after the step.
  SmallVector<Value> appendInPlace() {
    SmallVector<Value> states;
    Operation *terminator = func.front().getTerminator();
    for (auto [pair, state] : llvm::zip(roles.states, stateArguments)) {
      Value present = terminator->getOperand(pair.result);
      Operation *append = present.getDefiningOp();
      builder.setInsertionPoint(append);
      if (auto kvAppend = dyn_cast<llm::KVAppendOp>(append))
        usePastLens(kvAppend.getPastLens());
      Value appended = llm::StateAppendOp::create(builder, append->getLoc(), state.getType(), state,
                                                  append->getOperand(1), pastLens);
      states.push_back(appended);
      for (OpOperand &use : llvm::make_early_inc_range(present.getUses())) {
        auto attention = dyn_cast<llm::AttentionOp>(use.getOwner());
        if (!attention)
          continue; // the return, which is rebuilt
        use.set(appended);
        if (Value lens = attention.getPastLens())
          usePastLens(lens);
        else
          attention.getPastLensMutable().assign(pastLens);
      }
    }
    return states;
  }

  /// What the graph computed as lengths is the argument now.
  void usePastLens(Value lens) {
    if (lens != pastLens && lens.getType() == pastLens.getType())
      lens.replaceAllUsesWith(pastLens);
  }

  void returnValues(ArrayRef<Value> states) {
    Operation *terminator = func.front().getTerminator();
    Value logits = terminator->getOperand(roles.logits);
    auto type = cast<RankedTensorType>(logits.getType());
    int64_t vocabulary = type.getDimSize(2);
    if (!getDims(logits)[1].isConstant(1)) {
      // The other results would keep values alive that only they need.
      terminator->setOperands(logits);
      logits = takeLastToken(logits, batch, seq);
    }
    builder.setInsertionPoint(terminator);
    Location loc = logits.getLoc();
    logits = llm::ReshapeOp::create(
        builder, loc, makeTensorType({batch, vocabulary}, type.getElementType()), logits);
    Type f32 = builder.getF32Type();
    if (type.getElementType() != f32)
      logits = llm::CastOp::create(builder, loc, makeTensorType({batch, vocabulary}, f32), logits);

    SmallVector<Value> results{logits};
    SmallVector<Attribute> names{resultName("logits")};
    for (auto [pair, state] : llvm::zip(roles.states, states)) {
      results.push_back(state);
      auto name = func.getResultAttrOfType<StringAttr>(pair.result, "llm.name");
      names.push_back(resultName(name ? name.getValue() : StringRef("state")));
    }
    terminator->setOperands(results);
    func.setFunctionType(FunctionType::get(func.getContext(), func.front().getArgumentTypes(),
                                           terminator->getOperandTypes()));
    func.setResAttrsAttr(builder.getArrayAttr(names));
  }

  Attribute resultName(StringRef name) {
    return builder.getDictionaryAttr(builder.getNamedAttr("llm.name", builder.getStringAttr(name)));
  }

  /// A padding mask of ones adds zero to every score.
  void dropZeroBiases() {
    UniformValues uniform;
    SmallVector<llm::AttentionOp> zeroBias;
    func.walk([&](llm::AttentionOp op) {
      if (op.getBias() && uniform.lookup(op.getBias()) == 0.0)
        zeroBias.push_back(op);
    });
    for (llm::AttentionOp op : zeroBias)
      op.getBiasMutable().clear();
  }

  void cleanUp() {
    IRRewriter rewriter(func.getContext());
    (void)runRegionDCE(rewriter, func.getBody());
  }

  /// Everything left is per sequence, and no old argument is needed.
  LogicalResult checkAndDropOldArguments() {
    for (unsigned index = 0; index < numOldArguments; ++index)
      if (!func.getArgument(index).use_empty())
        return fail("the input " + describeArgument(func, index) +
                    " is needed by more than attention masks, positions and caches");
    Operation *offender = nullptr;
    std::string unknownSymbol;
    func.walk([&](Operation *op) {
      auto visit = [&](const std::string &name) {
        if (name != "batch" && name != "seq")
          offender = op, unknownSymbol = name;
      };
      if (op == func || offender)
        return;
      forEachValueSymbol(op, visit);
      for (Value result : op->getResults())
        if (isa<RankedTensorType>(result.getType()))
          for (const DimExpr &dim : getDims(result))
            dim.forEachSymbol(visit);
    });
    if (offender) {
      std::string location;
      llvm::raw_string_ostream(location) << offender->getLoc();
      return fail("'" + offender->getName().getStringRef() + "' at " + location + " depends on " +
                  (unknownSymbol == "past" ? "the past's length, which differs between sequences"
                                           : "the size '" + unknownSymbol + "'"));
    }
    llvm::BitVector old(func.getNumArguments());
    old.set(0, numOldArguments);
    return func.eraseArguments(old);
  }

  func::FuncOp func;
  const PhaseRoles &roles;
  std::string &reason;
  OpBuilder builder;
  DimExpr batch, seq, past;
  unsigned numOldArguments;
  Value tokens, pastLens;
  SmallVector<Value> stateArguments;
};

} // namespace

OwningOpRef<func::FuncOp> buildStatefulFunction(func::FuncOp func, const PhaseRoles &roles,
                                                StringRef name, bool isDecode,
                                                std::string &reason) {
  OwningOpRef<func::FuncOp> copy(cast<func::FuncOp>(func->clone()));
  copy->setName(name);
  copy->getOperation()->removeAttr("llm.guard");
  if (failed(StatefulBuilder(*copy, roles, isDecode, reason).build()))
    return nullptr;
  return copy;
}

} // namespace llmc
