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
// Where something else than attention reads what grows, it reads a state_load of all
// tokens. What keeps its size becomes a fixed state: loaded where the argument was used,
// stored where the result is made. States have the batch first; where the model has it
// elsewhere, as [layers, batch, hidden], transposes stand behind the load and in front of the
// store, and where it has tokens first, behind the tokens and in front of the logits.
//
// Sequences of a batch have pasts of different lengths, so whatever the function
// computes from the length `past` that they share in the ONNX graph would be
// wrong. Masks become ones and positions past_lens + i, also where the graph counts them
// itself (PerSequenceLengths.h); if a number that depends on `past` is still alive after
// that, no stateful function is made. Tensors of all
// tokens do have past + seq of them: the longest sequence's. What lies behind the end of
// a shorter one has no meaning, so only attention, which knows the lengths, may reduce
// such a dimension.
//
//===----------------------------------------------------------------------===//
#include "StatefulFunction.h"
#include "AttentionBias.h"
#include "LastToken.h"
#include "PerSequenceLengths.h"
#include "SymbolSubstitution.h"
#include "TokenFunction.h"
#include "UniformValue.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <cmath>
#include <numeric>

using namespace mlir;

namespace llmc {

using llm::Dims;
using llm::getDims;
using llm::makeTensorType;

namespace {

class StatefulBuilder {
public:
  StatefulBuilder(func::FuncOp func, const PhaseRoles &roles, bool isDecode, std::string &reason)
      : func(func), roles(roles), reason(reason), builder(func.getContext()),
        batch(roles.takesOneSequence() ? DimExpr(1) : DimExpr::symbol("batch")),
        seq(isDecode ? DimExpr(1) : DimExpr::symbol("seq")), past(DimExpr::symbol("past")),
        numOldArguments(func.getNumArguments()) {}

  LogicalResult build() {
    if (failed(renameSymbols()))
      return fail("its sizes do not fit together as batch, seq and past");
    addArguments();
    if (failed(replacePositions()))
      return failure();
    replaceInput(roles.tokens, asGiven(tokens));
    for (unsigned mask : roles.masks)
      replaceInput(mask, makeOnes(mask));
    SmallVector<Value> states = updateStates();
    simplifyBiases();
    returnValues(states);
    foldUniformValues();
    cleanUp();
    usePerSequenceLengths(func, pastLens, seq);
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
    if (std::optional<std::string> name = roles.sizes.batch.asSymbol())
      names[*name] = batch;
    if (std::optional<std::string> name = roles.sizes.seq.asSymbol())
      names[*name] = seq;
    for (const std::string &name : roles.pasts)
      names[name] = past;
    return substituteSymbols(func, [&](const std::string &name) -> std::optional<DimExpr> {
      auto found = names.find(name);
      return found == names.end() ? std::nullopt : std::optional(found->second);
    });
  }

  Value presentOf(const StatePair &pair) {
    return func.front().getTerminator()->getOperand(pair.result);
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
      auto name = func.getArgAttrOfType<StringAttr>(pair.argument, "llm.name");
      stateArguments.push_back(
          addArgument(stateType(pair), name ? name.getValue() : StringRef("state")));
    }
  }

  /// A token is [heads, dim]: all sizes before and behind the dimension that grows. What is
  /// fixed has all sizes but the batch.
  llm::StateType stateType(const StatePair &pair) {
    if (pair.kind == StateKind::fixed) {
      auto type = cast<RankedTensorType>(func.getArgument(pair.argument).getType());
      SmallVector<int64_t> sizes(type.getShape());
      if (pair.axis >= 0)
        sizes.erase(sizes.begin() + pair.axis);
      return llm::StateType::get(func.getContext(),
                                 RankedTensorType::get(sizes, type.getElementType()),
                                 /*fixed=*/true);
    }
    Value kept = keptCache(grownCache(presentOf(pair)), pair.kind);
    ArrayRef<int64_t> sizes = cast<RankedTensorType>(kept.getType()).getShape().drop_front();
    auto product = [](ArrayRef<int64_t> sizes) {
      return std::accumulate(sizes.begin(), sizes.end(), int64_t(1), std::multiplies<>());
    };
    int64_t heads = product(sizes.take_front(pair.axis - 1));
    return llm::StateType::get(RankedTensorType::get({heads, product(sizes.drop_front(pair.axis))},
                                                     getElementTypeOrSelf(kept.getType())));
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
      replaceInput(position, asGiven(positions));
    return success();
  }

  /// `ids` [batch, seq] as the model has its tokens.
  Value asGiven(Value ids) {
    Dims dims = getDims(func.getArgument(roles.tokens));
    if (dims.size() == 1)
      return llm::ReshapeOp::create(builder, func.getLoc(),
                                    makeTensorType(dims, getElementTypeOrSelf(ids.getType())), ids);
    return roles.sizes.isTimeMajor
               ? Value(llm::TransposeOp::create(builder, func.getLoc(), ids, {1, 0}))
               : ids;
  }

  /// Replaces what reads each past and makes each present; the states after the step.
  SmallVector<Value> updateStates() {
    SmallVector<Value> states;
    for (auto [pair, state] : llvm::zip(roles.states, stateArguments)) {
      if (pair.kind == StateKind::fixed)
        states.push_back(storeFixed(pair, state));
      else
        states.push_back(appendInPlace(pair, state));
    }
    func.walk([&](llm::AttentionOp attention) {
      if (!isa<RankedTensorType>(attention.getKey().getType()) ||
          getDims(attention.getKey())[2] == past + seq)
        usePastLens(attention);
    });
    return states;
  }

  Value storeFixed(const StatePair &pair, Value state) {
    BlockArgument argument = func.getArgument(pair.argument);
    builder.setInsertionPointToStart(&func.front());
    auto [toState, fromState] = batchFirst(argument, pair.axis);
    Dims dims = getDims(cast<llm::StateType>(state.getType()).getToken());
    dims.insert(dims.begin(), batch);
    Type type = makeTensorType(dims, getElementTypeOrSelf(argument.getType()));
    Value loaded = llm::StateLoadOp::create(builder, argument.getLoc(), type, state);
    argument.replaceAllUsesWith(arrange(loaded, fromState, argument.getType()));
    Value present = presentOf(pair);
    builder.setInsertionPointAfterValue(present);
    Value stored = arrange(present, toState, type);
    return llm::StateStoreOp::create(builder, present.getLoc(), state.getType(), state, stored);
  }

  /// Permutations that move dimension `axis` of `value` to the front, and back.
  static std::pair<SmallVector<int64_t>, SmallVector<int64_t>> batchFirst(Value value,
                                                                          int64_t axis) {
    SmallVector<int64_t> to, from;
    for (int64_t d = 0; d < int64_t(getDims(value).size()); ++d) {
      to.push_back(d == 0 ? axis : d <= axis ? d - 1 : d);
      from.push_back(d == axis ? 0 : d < axis ? d + 1 : d);
    }
    return {to, from};
  }

  /// `value` in another order of its dimensions, or with one of 1 more or less where there is
  /// only one sequence.
  Value arrange(Value value, ArrayRef<int64_t> permutation, Type type) {
    if (cast<RankedTensorType>(type).getRank() != int64_t(getDims(value).size()))
      return llm::ReshapeOp::create(builder, value.getLoc(), type, value);
    if (llvm::is_sorted(permutation))
      return value;
    return llm::TransposeOp::create(builder, value.getLoc(), value, permutation);
  }

  Value appendInPlace(const StatePair &pair, Value state) {
    Value present = grownCache(presentOf(pair)); // the runtime evicts
    Operation *append = present.getDefiningOp();
    Location loc = append->getLoc();
    if (auto kvAppend = dyn_cast<llm::KVAppendOp>(append))
      usePastLens(kvAppend.getPastLens());
    // What is computed of a token whenever it is read is computed once, as it is kept.
    Value kept = keptCache(present, pair.kind);
    builder.setInsertionPointAfterValue(kept);
    Value added = applyTokenwise(builder, append->getOperand(1), present, kept);
    RankedTensorType token = cast<llm::StateType>(state.getType()).getToken();
    Type element = token.getElementType();
    auto tokensType = [&](const DimExpr &count) {
      return makeTensorType({batch, token.getDimSize(0), count, token.getDimSize(1)}, element);
    };
    if (added.getType() != tokensType(seq))
      added = llm::ReshapeOp::create(builder, loc, tokensType(seq), added);
    Value appended =
        llm::StateAppendOp::create(builder, loc, state.getType(), state, added, pastLens);
    Value all = appended;
    if (pair.kind == StateKind::tokens) {
      all = llm::StateLoadOp::create(builder, loc, tokensType(past + seq), appended);
      if (all.getType() != kept.getType())
        all = llm::ReshapeOp::create(builder, loc, kept.getType(), all);
    }
    kept.replaceUsesWithIf(
        all, [](OpOperand &use) { return !isReturnedOnly(use.getOwner()); }); // that is rebuilt
    return appended;
  }

  void usePastLens(llm::AttentionOp attention) {
    if (Value lens = attention.getPastLens())
      usePastLens(lens);
    else
      attention.getPastLensMutable().assign(pastLens);
  }

  /// What the graph computed as lengths is the argument now.
  void usePastLens(Value lens) {
    if (lens != pastLens && lens.getType() == pastLens.getType())
      lens.replaceAllUsesWith(pastLens);
  }

  /// The logits as [batch, seq or 1, vocabulary].
  Value batchMajorLogits(Operation *terminator) {
    Value logits = terminator->getOperand(roles.logits);
    builder.setInsertionPoint(terminator);
    Dims dims = getDims(logits);
    if (dims.size() < 3) {
      bool isLast = dims[0] == batch;
      Dims sizes{batch, isLast ? DimExpr(1) : seq, dims.back()};
      if (roles.sizes.isTimeMajor)
        std::swap(sizes[0], sizes[1]);
      logits = llm::ReshapeOp::create(builder, logits.getLoc(),
                                      makeTensorType(sizes, getElementTypeOrSelf(logits.getType())),
                                      logits);
    }
    if (!roles.sizes.isTimeMajor)
      return logits;
    return llm::TransposeOp::create(builder, logits.getLoc(), logits, {1, 0, 2});
  }

  void returnValues(ArrayRef<Value> states) {
    Operation *terminator = func.front().getTerminator();
    Value logits = batchMajorLogits(terminator);
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

  /// With masks of ones, and with one past for all layers, more of a bias is understood: a
  /// position bias that counted a mask's tokens counts all of them.
  void simplifyBiases() {
    MaskAnalysis masks;
    SlopeFinder slopes;
    func.walk([&](llm::AttentionOp attention) {
      AttentionSizes sizes{batch, seq, past + seq};
      if (!attention.getBias())
        return;
      if (std::optional<BiasParts> parts = splitBias(attention.getBias(), sizes, masks)) {
        addMask(attention, parts->mask);
        setBias(attention, parts->rest, sizes.keys);
      }
      slopes.takeSlopes(attention, sizes);
    });
  }

  /// With masks of ones much is known that was computed from them, by its shape alone
  /// depending on the past.
  void foldUniformValues() {
    UniformValues uniform;
    SmallVector<std::pair<Operation *, double>> known;
    SmallVector<std::pair<Value, Value>> replaced; // first by second
    auto isNeutral = [&](llm::BinaryKind kind, Value value) {
      std::optional<double> number = uniform.lookup(value);
      return (kind == llm::BinaryKind::mul && number == 1.0) ||
             (kind == llm::BinaryKind::add && number == 0.0);
    };
    func.walk([&](Operation *op) {
      auto type = op->getNumResults() == 1 ? dyn_cast<RankedTensorType>(op->getResult(0).getType())
                                           : RankedTensorType();
      if (!type || isa<llm::ConstantOp, llm::BroadcastOp>(op))
        return;
      Value result = op->getResult(0);
      if (std::optional<double> number = uniform.lookup(result))
        known.push_back({op, *number});
      else if (auto binary = dyn_cast<llm::BinaryOp>(op)) {
        if (isNeutral(binary.getKind(), binary.getRhs()) && binary.getLhs().getType() == type)
          replaced.push_back({result, binary.getLhs()});
        else if (isNeutral(binary.getKind(), binary.getLhs()) && binary.getRhs().getType() == type)
          replaced.push_back({result, binary.getRhs()});
      } else if (auto select = dyn_cast<llm::SelectOp>(op)) {
        std::optional<double> condition = uniform.lookup(select.getCondition());
        Value chosen = condition == 0.0 ? select.getRhs() : select.getLhs();
        if (condition && chosen.getType() == type)
          replaced.push_back({result, chosen});
      }
    });
    for (auto [op, number] : known)
      if (Value value = makeUniform(op, number))
        op->getResult(0).replaceAllUsesWith(value);
    for (auto [from, to] : llvm::reverse(replaced)) // so that `to` is not replaced before
      from.replaceAllUsesWith(to);
  }

  /// `number` in every element of `op`'s type; null where the type does not have it.
  Value makeUniform(Operation *op, double number) {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    auto scalar = RankedTensorType::get({}, type.getElementType());
    builder.setInsertionPoint(op);
    Attribute element;
    if (auto floats = dyn_cast<FloatType>(type.getElementType())) {
      APFloat value(number);
      bool isLossy = false;
      value.convert(floats.getFloatSemantics(), APFloat::rmNearestTiesToEven, &isLossy);
      element = FloatAttr::get(floats, value);
    } else if (std::abs(number) < 0x1p31 && number == std::floor(number)) {
      unsigned width = type.getElementType().getIntOrFloatBitWidth();
      element = IntegerAttr::get(type.getElementType(),
                                 APInt(64, int64_t(number), /*isSigned=*/true).sextOrTrunc(width));
    } else {
      return {};
    }
    Value constant =
        llm::ConstantOp::create(builder, op->getLoc(), DenseElementsAttr::get(scalar, element));
    return type.getRank() == 0
               ? constant
               : Value(llm::BroadcastOp::create(builder, op->getLoc(), type, constant));
  }

  void cleanUp() {
    IRRewriter rewriter(func.getContext());
    (void)runRegionDCE(rewriter, func.getBody());
    // A size that only dropped results needed; those before it may go with it.
    llvm::StringSet<> used;
    func.walk([&](Operation *op) {
      auto visit = [&](const std::string &name) { used.insert(name); };
      forEachValueSymbol(op, visit);
      for (Value result : op->getResults())
        if (isa<RankedTensorType>(result.getType()))
          for (const DimExpr &dim : getDims(result))
            dim.forEachSymbol(visit);
    });
    SmallVector<llm::DefineSizeOp> sizes(func.getOps<llm::DefineSizeOp>());
    for (llm::DefineSizeOp size : llvm::reverse(sizes)) {
      if (used.contains(size.getSymbol()))
        DimExpr::parse(size.getBound())->forEachSymbol([&](const std::string &name) {
          used.insert(name);
        });
      else
        size.erase();
    }
    (void)runRegionDCE(rewriter, func.getBody());
  }

  /// Everything left is per sequence, and no old argument is needed.
  LogicalResult checkAndDropOldArguments() {
    for (unsigned index = 0; index < numOldArguments; ++index)
      if (!func.getArgument(index).use_empty())
        return fail("the input " + describeArgument(func, index) +
                    " is needed by more than attention masks, positions and caches");
    Operation *offender = nullptr;
    llm::LoopOp reversed;
    std::string unknownSymbol;
    llvm::StringSet<> known{"batch", "seq"};
    func.walk<WalkOrder::PreOrder>([&](Operation *op) {
      auto visit = [&](const std::string &name) {
        if (!known.contains(name))
          offender = op, unknownSymbol = name;
      };
      if (op == func || offender)
        return;
      if (auto loop = dyn_cast<llm::LoopOp>(op)) {
        known.insert(loop.getIndex());
        if (looksAhead(loop))
          reversed = loop;
      }
      forEachValueSymbol(op, visit);
      if (mixesTokens(op))
        offender = op, unknownSymbol = "past";
      known.insert("past"); // as a size it is the longest sequence's
      for (Value result : op->getResults())
        if (isa<RankedTensorType>(result.getType()))
          for (const DimExpr &dim : getDims(result))
            dim.forEachSymbol(visit);
      known.erase("past");
      if (auto size = dyn_cast<llm::DefineSizeOp>(op))
        known.insert(size.getSymbol());
    });
    if (reversed)
      return fail("'llm.loop' at " + locationText(reversed) + " begins with the last token");
    if (offender) {
      return fail("'" + offender->getName().getStringRef() + "' at " + locationText(offender) +
                  " depends on " +
                  (unknownSymbol == "past" ? "the past's length, which differs between sequences"
                                           : "the size '" + unknownSymbol + "'"));
    }
    llvm::BitVector old(func.getNumArguments());
    old.set(0, numOldArguments);
    return func.eraseArguments(old);
  }

  static std::string locationText(Operation *op) {
    std::string text;
    llvm::raw_string_ostream(text) << op->getLoc();
    return text;
  }

  /// Whether a loop goes over tokens from the last one on and hands on what it has seen: a
  /// token's results would depend on how many follow it in a call.
  bool looksAhead(llm::LoopOp loop) {
    DimExpr trip = *DimExpr::parse(loop.getTrip());
    if (loop.getInitial().empty() || !hasSymbol(trip, "seq"))
      return false;
    auto at = [&](const DimExpr &position, int64_t iteration) {
      return position.substitute([&](const std::string &name) -> std::optional<DimExpr> {
        return name == loop.getIndex() ? std::optional(DimExpr(iteration)) : std::nullopt;
      });
    };
    auto goesBack = [&](const DimExpr &position) {
      return (at(position, 0) - at(position, 1)).constant().value_or(0) > 0;
    };
    bool found = llvm::any_of(llm::parseExprs(loop.getPositions()), goesBack);
    loop.getBody().walk([&](llm::SliceOp slice) {
      found |= llvm::any_of(llm::parseExprs(slice.getStarts()), goesBack);
    });
    return found;
  }

  /// Whether `value` has a dimension of all tokens, also of those behind the end of a
  /// sequence that is shorter than the longest.
  static bool hasAllTokens(Value value) {
    return isa<RankedTensorType>(value.getType()) &&
           llvm::any_of(getDims(value), [](const DimExpr &dim) { return hasSymbol(dim, "past"); });
  }

  /// Whether an element of `op`'s result may come from tokens behind a sequence's end
  /// although it belongs to none of them.
  static bool mixesTokens(Operation *op) {
    if (isa<llm::AttentionOp, llm::StateLoadOp, func::ReturnOp>(op))
      return false; // attention has the lengths
    if (auto concat = dyn_cast<llm::ConcatOp>(op))
      for (Value input : concat.getInputs().drop_back())
        if (hasSymbol(getDims(input)[concat.getAxis()], "past"))
          return true; // what follows begins behind the longest sequence
    return llvm::any_of(op->getOperands(), hasAllTokens) &&
           !llvm::all_of(op->getResults(), hasAllTokens);
  }

  static bool hasSymbol(const DimExpr &expr, StringRef symbol) {
    bool found = false;
    expr.forEachSymbol([&](const std::string &name) { found |= name == symbol; });
    return found;
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
  copy->getOperation()->removeAttr("llm.stateful_source");
  copy->setPublic();
  if (failed(StatefulBuilder(*copy, roles, isDecode, reason).build()))
    return nullptr;
  return copy;
}

} // namespace llmc
