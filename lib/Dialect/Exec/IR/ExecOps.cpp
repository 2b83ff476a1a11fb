//===- ExecOps.cpp - verifiers of the exec dialect
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What one operation, or an operation and the symbol that it names, must satisfy.
// What a whole module must satisfy is checked by llmc-verify-partition and
// llmc-verify-plan.
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/Exec/IR/ExecOps.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::exec;
using llmc::llm::StateType;

Value exec::skipViews(Value value) {
  while (auto view = value.getDefiningOp<ViewOp>())
    value = view.getInput();
  return value;
}

JoinOp exec::getJoin(Value result) {
  for (Operation *user : result.getUsers()) {
    if (auto join = dyn_cast<JoinOp>(user))
      return join;
    if (auto view = dyn_cast<ViewOp>(user))
      if (JoinOp join = getJoin(view.getResult()))
        return join;
  }
  return {};
}

std::optional<LoopPlace> exec::getLoopPlace(Value result) {
  for (OpOperand &use : result.getUses()) {
    if (auto loop = isa<YieldOp>(use.getOwner()) ? dyn_cast<LoopOp>(use.getOwner()->getParentOp())
                                                 : LoopOp())
      return LoopPlace{loop, use.getOperandNumber()};
    if (auto view = dyn_cast<ViewOp>(use.getOwner()))
      if (std::optional<LoopPlace> place = getLoopPlace(view.getResult()))
        return place;
  }
  return std::nullopt;
}

/// The loop's buffer that `value`, which is no view, shows as an argument of the body, a
/// result, or what an iteration gives.
static std::optional<LoopPlace> findLoopBuffer(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<LoopOp>(argument.getOwner()->getParentOp());
    return loop ? std::optional(LoopPlace{loop, argument.getArgNumber()}) : std::nullopt;
  }
  if (auto loop = value.getDefiningOp<LoopOp>())
    return LoopPlace{loop, cast<OpResult>(value).getResultNumber()};
  return value.getDefiningOp<DispatchOp>() ? getLoopPlace(value) : std::nullopt;
}

Value exec::getBuffer(Value value) {
  value = skipViews(value);
  while (std::optional<LoopPlace> place = findLoopBuffer(value)) {
    if (!place->isCarried())
      return place->loop.getResult(place->number);
    value = skipViews(place->loop.getInitial()[place->number]);
  }
  JoinOp join = value.getDefiningOp<DispatchOp>() ? getJoin(value) : JoinOp();
  return join ? join.getResult() : value;
}

bool exec::isPart(Value value) { return getBuffer(value) != skipViews(value); }

SmallVector<Value> exec::getSources(Value value) {
  value = skipViews(value);
  if (auto join = value.getDefiningOp<JoinOp>())
    return llvm::map_to_vector(join.getParts(), skipViews);
  std::optional<LoopPlace> place =
      value.getDefiningOp<DispatchOp>() ? std::nullopt : findLoopBuffer(value);
  if (!place)
    return {value};
  SmallVector<Value> sources;
  Value given = place->loop.getBody().front().getTerminator()->getOperand(place->number);
  if (skipViews(given).getDefiningOp<DispatchOp>())
    sources.push_back(skipViews(given));
  if (place->isCarried())
    sources.push_back(skipViews(place->loop.getInitial()[place->number]));
  return sources;
}

Operation *exec::getLastingUse(Operation *op, Value buffer) {
  Operation *lasting = op;
  for (auto loop = op->getParentOfType<LoopOp>(); loop; loop = loop->getParentOfType<LoopOp>())
    if (!loop->isAncestor(buffer.getParentBlock()->getParentOp()))
      lasting = loop;
  return lasting;
}

DimExpr exec::getPartOffset(JoinOp join, unsigned part) {
  size_t axis = join.getAxis();
  DimExpr before = 0;
  for (Value earlier : join.getParts().take_front(part))
    before = before + llm::getDims(earlier)[axis];
  llm::Dims dims = llm::getDims(join.getResult());
  return before * llm::product(ArrayRef(dims).drop_front(axis + 1));
}

LogicalResult WeightOp::verify() {
  bool isDense = getLayout() == WeightLayout::dense;
  bool isRowBlocks = getLayout() == WeightLayout::row_blocks;
  StringRef layout = stringifyWeightLayout(getLayout());
  if (getColumns().has_value() == isDense || getOutputs().has_value() == isDense) // C1
    return emitOpError("C1: ") << layout
                               << (isDense ? " has columns or outputs"
                                           : " needs columns and outputs");
  if (getLayout() == WeightLayout::panels) { // C2
    int64_t rows = int64_t(*getColumns()), outputs = int64_t(*getOutputs());
    if (getTransposed())
      std::swap(rows, outputs);
    ShapedType type = getValue().getShapedType();
    if (type.getRank() > 3 || type.getShape().take_back(2) != ArrayRef<int64_t>{rows, outputs})
      return emitOpError("C2: expected a matrix of ")
             << rows << " x " << outputs << ", or several, found " << type;
  }
  if (isRowBlocks && (!getGroupSize() || !getScales())) // C3
    return emitOpError("C3: row_blocks needs group_size and scales");
  if (!isRowBlocks && (getGroupSize() || getScales() || getZeroPoints())) // C3
    return emitOpError("C3: ") << layout << " has group_size, scales or zero_points";
  if (getOffset().has_value() != getBytes().has_value()) // C4
    return emitOpError("C4: offset and bytes come together");
  if (getOffset() && (int64_t(*getOffset()) < 0 || int64_t(*getBytes()) < 0)) // C4
    return emitOpError("C4: offset or bytes is negative");
  return success();
}

LogicalResult KernelOp::verifyRegions() {
  if (!isa<YieldOp>(getBody().front().getTerminator())) // C1
    return emitOpError("C1: expected exec.yield at the end");
  if (!getRowStride())
    return success();
  TypeRange yielded = getBody().front().getTerminator()->getOperandTypes();
  auto type = yielded.size() == 1 ? dyn_cast<RankedTensorType>(yielded[0]) : RankedTensorType();
  if (!type || type.getRank() == 0 || !DimExpr::parse(*getRowStride())) // C2
    return emitOpError("C2: cannot write rows ") << getRowStrideAttr() << " apart";
  return success();
}

LogicalResult ProgramOp::verify() {
  for (Attribute entry : getSymbols()) { // C4
    auto symbol = dyn_cast<DictionaryAttr>(entry);
    auto min = symbol ? symbol.getAs<IntegerAttr>("min") : IntegerAttr();
    auto max = symbol ? symbol.getAs<IntegerAttr>("max") : IntegerAttr();
    if (!min || !max || !symbol.getAs<StringAttr>("name") || min.getInt() > max.getInt())
      return emitOpError("C4: expected {name, min, max} with min <= max, found ") << entry;
  }
  if (getArenaBytes().has_value() != getLowerBound().has_value()) // C5
    return emitOpError("C5: arena_bytes and lower_bound come together");
  if (getArenaBytes() && int64_t(*getLowerBound()) > int64_t(*getArenaBytes())) // C5
    return emitOpError("C5: lower_bound ")
           << int64_t(*getLowerBound()) << " is above arena_bytes " << int64_t(*getArenaBytes());
  return success();
}

/// A pair of expressions of symbols in `given`.
static bool isRequirement(Attribute entry, const llvm::StringSet<> &given) {
  auto pair = dyn_cast<ArrayAttr>(entry);
  if (!pair || pair.size() != 2 || !llvm::all_of(pair, llvm::IsaPred<StringAttr>))
    return false;
  for (auto side : pair.getAsRange<StringAttr>()) {
    std::optional<DimExpr> expr = DimExpr::parse(side.getValue());
    bool isKnown = expr.has_value();
    if (expr)
      expr->forEachSymbol([&](const std::string &name) { isKnown &= given.contains(name); });
    if (!isKnown)
      return false;
  }
  return true;
}

LogicalResult ProgramOp::verifyRegions() {
  Block &block = getBody().front();
  auto isNamed = [](ArrayAttr names, size_t count) {
    return names.size() == count && llvm::all_of(names, llvm::IsaPred<StringAttr>);
  };
  auto last = dyn_cast<ReturnOp>(block.getTerminator());
  if (!last) // C1
    return emitOpError("C1: expected exec.return at the end");
  if (!isNamed(getInputNames(), block.getNumArguments())) // C2
    return emitOpError("C2: expected a name for each of ")
           << block.getNumArguments() << " inputs, found " << getInputNames();
  if (!isNamed(getOutputNames(), last.getNumOperands())) // C3
    return emitOpError("C3: expected a name for each of ")
           << last.getNumOperands() << " outputs, found " << getOutputNames();
  SmallVector<DefineSizeOp> defined(block.getOps<DefineSizeOp>());
  for (size_t i = 0; i < defined.size(); ++i) { // C6
    size_t first = getSymbols().size() - std::min(defined.size(), getSymbols().size());
    auto entry = first + i < getSymbols().size() ? cast<DictionaryAttr>(getSymbols()[first + i])
                                                 : DictionaryAttr();
    if (!entry || entry.getAs<StringAttr>("name") != defined[i].getSymbolAttr())
      return defined[i].emitOpError("C6: '")
             << defined[i].getSymbol() << "' is not in its place among the program's symbols";
  }
  llvm::StringSet<> given;
  for (Attribute entry : getSymbols().getValue().drop_back(defined.size()))
    given.insert(cast<DictionaryAttr>(entry).getAs<StringAttr>("name").getValue());
  if (ArrayAttr entries = getRequirementsAttr())
    for (Attribute entry : entries) // C7
      if (!isRequirement(entry, given))
        return emitOpError("C7: expected a pair of expressions of given symbols, found ") << entry;
  return success();
}

LogicalResult LoadWeightOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto weight = tables.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight) // C1
    return emitOpError("C1: ") << getWeightAttr() << " is no exec.weight";
  ShapedType type = weight.getValue().getShapedType();
  if (type != getResult().getType()) { // C2
    InFlightDiagnostic error = emitOpError("C2: ")
                               << getResult().getType() << " for a weight of type " << type;
    error.attachNote(weight.getLoc()) << "the weight is here";
    return error;
  }
  return success();
}

Value exec::getWrittenState(Operation *op) {
  if (!isa<DispatchOp>(op) || llvm::none_of(op->getResultTypes(), llvm::IsaPred<StateType>))
    return {};
  for (Value input : op->getOperands())
    if (isa<StateType>(input.getType()))
      return input;
  return {};
}

Value exec::getOverwrittenState(Operation *op) {
  Value state = getWrittenState(op);
  return state && cast<StateType>(state.getType()).getFixed() ? state : Value();
}

LogicalResult DispatchOp::verify() {
  auto states = [](TypeRange types) {
    return llvm::to_vector(llvm::make_filter_range(types, llvm::IsaPred<StateType>));
  };
  SmallVector<Type> written = states(getResultTypes());
  if (!written.empty() && (written.size() > 1 || states(getInputs().getTypes()) != written)) // C5
    return emitOpError("C5: writes a state that is not the only one it takes");
  std::optional<ArrayRef<int64_t>> offsets = getOffsets();
  if (!offsets)
    return success();
  if (offsets->size() != getNumResults()) // C4
    return emitOpError("C4: ") << offsets->size() << " offsets for " << getNumResults()
                               << " outputs";
  if (llvm::any_of(*offsets, [](int64_t offset) { return offset < -1; })) // C4
    return emitOpError("C4: an offset is below -1");
  return success();
}

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto kernel = tables.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel) // C1
    return emitOpError("C1: ") << getKernelAttr() << " is no exec.kernel";
  Block &block = kernel.getBody().front();
  auto mismatch = [&](StringRef constraint, TypeRange found, TypeRange expected) {
    InFlightDiagnostic error = emitOpError(constraint)
                               << "(" << found << ") for a kernel's (" << expected << ")";
    error.attachNote(kernel.getLoc()) << "the kernel is here";
    return error;
  };
  if (getInputs().getTypes() != TypeRange(block.getArgumentTypes())) // C2
    return mismatch("C2: inputs ", getInputs().getTypes(), block.getArgumentTypes());
  TypeRange yielded = block.getTerminator()->getOperandTypes();
  if (getResultTypes() != yielded) // C3
    return mismatch("C3: outputs ", getResultTypes(), yielded);
  if (kernel.getRowStride() && !getJoin(getResult(0))) // C6
    return emitOpError("C6: writes rows apart from each other into no joined buffer");
  return success();
}

LogicalResult JoinOp::verify() {
  RankedTensorType whole = getResult().getType();
  llm::Dims dims = llm::getDims(whole);
  size_t axis = getAxis();
  if (getParts().empty() || axis >= dims.size()) // C1
    return emitOpError("C1: no parts along dimension ") << axis << " of " << whole;
  DimExpr sum = 0;
  for (Value part : getParts()) {
    llm::Dims partDims = llm::getDims(part);
    bool isAlike =
        partDims.size() == dims.size() &&
        cast<RankedTensorType>(part.getType()).getElementType() == whole.getElementType();
    for (size_t d = 0; isAlike && d < dims.size(); ++d)
      isAlike = d == axis || partDims[d] == dims[d];
    if (!isAlike) // C1
      return emitOpError("C1: ") << part.getType() << " as a part of " << whole;
    sum = sum + partDims[axis];
  }
  if (sum != dims[axis]) // C1
    return emitOpError("C1: parts of ") << sum.str() << " together in " << dims[axis].str();
  if (getOffset() && int64_t(*getOffset()) < -1) // C4
    return emitOpError("C4: the offset is below -1");
  return success();
}

/// Whether `result`, or a view of it, is a part of anything but `join` or an output.
static bool isUsedOtherwise(Value result, JoinOp join) {
  bool isPart = false;
  return llvm::any_of(result.getUses(), [&](OpOperand &use) {
    if (auto view = dyn_cast<ViewOp>(use.getOwner()))
      return isUsedOtherwise(view.getResult(), join);
    if (isa<JoinOp>(use.getOwner()))
      return use.getOwner() != join || std::exchange(isPart, true);
    return isa<ReturnOp>(use.getOwner());
  });
}

LogicalResult JoinOp::verifySymbolUses(SymbolTableCollection &tables) {
  llm::Dims dims = llm::getDims(getResult());
  ArrayRef<DimExpr> before = ArrayRef(dims).take_front(getAxis());
  ArrayRef<DimExpr> from = ArrayRef(dims).drop_front(getAxis());
  for (Value part : getParts()) {
    Value result = skipViews(part);
    auto dispatch = result.getDefiningOp<DispatchOp>();
    if (!dispatch || dispatch.getNumResults() != 1 || isUsedOtherwise(result, *this)) // C2
      return emitOpError("C2: a part is not the only result of a dispatch, or something else, too");
    auto kernel = tables.lookupNearestSymbolFrom<KernelOp>(dispatch, dispatch.getKernelAttr());
    if (!kernel)
      continue; // the dispatch's own error
    std::optional<DimExpr> stride;
    if (kernel.getRowStride())
      stride = *DimExpr::parse(*kernel.getRowStride());
    std::optional<DimExpr> expected;
    if (!llm::product(before).isConstant(1))
      expected = llm::product(from);
    llm::Dims partDims = llm::getDims(part), rows = llm::getDims(result);
    bool fits = !stride || rows.back() == llm::product(ArrayRef(partDims).drop_front(getAxis()));
    if (stride != expected || !fits) { // C3
      InFlightDiagnostic error = emitOpError("C3: the kernel of a part writes other rows");
      error.attachNote(kernel.getLoc()) << "the kernel is here";
      return error;
    }
  }
  return success();
}

LogicalResult DefineSizeOp::verify() {
  RankedTensorType type = getValue().getType();
  if (!type.hasStaticShape() || type.getNumElements() != 1 ||
      !(type.getElementType().isInteger(32) || type.getElementType().isInteger(64))) // C1
    return emitOpError("C1: a size cannot be ") << type;
  if (!DimExpr::parse(getBound())) // C2
    return emitOpError("C2: cannot read the expression '") << getBound() << "'";
  return success();
}

LogicalResult ViewOp::verify() {
  RankedTensorType input = getInput().getType(), result = getResult().getType();
  if (input.getElementType() != result.getElementType()) // C1
    return emitOpError("C1: element types of ") << input << " and " << result << " differ";
  DimExpr before = llm::product(llm::getDims(input)), after = llm::product(llm::getDims(result));
  if (!llm::mayBeEqual(before, after)) // C2
    return emitOpError("C2: ") << before.str() << " elements seen as " << after.str();
  return success();
}

/// The only result of a dispatch in `block` that `value`, behind any chain of views, shows;
/// null where it shows none.
static DispatchOp findDispatch(Value value, Block *block) {
  auto dispatch = skipViews(value).getDefiningOp<DispatchOp>();
  bool isIt = dispatch && dispatch.getNumResults() == 1 && dispatch->getBlock() == block;
  return isIt ? dispatch : DispatchOp();
}

/// Whether anything but views and `user` uses `value`.
static bool isUsedBeside(Operation *user, Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation *other) {
    auto view = dyn_cast<ViewOp>(other);
    return view ? isUsedBeside(user, view.getResult()) : other != user;
  });
}

/// C4: an initial value becomes the loop's own buffer.
static LogicalResult checkInitial(LoopOp loop) {
  for (Value initial : loop.getInitial()) {
    DispatchOp dispatch = findDispatch(initial, loop->getBlock());
    if (!dispatch || isUsedBeside(loop, dispatch.getResult(0)) ||
        llvm::count(loop.getInitial(), initial) > 1)
      return loop.emitOpError("C4: an initial value is not the only result of a dispatch, or "
                              "something else uses it");
  }
  return success();
}

/// C2, C3, C5 and C6: what an iteration gives has a place of its own.
static LogicalResult checkGiven(LoopOp loop, YieldOp yield, const DimExpr &trip) {
  Block &body = loop.getBody().front();
  DenseSet<Value> placed;
  for (auto [i, given] : llvm::enumerate(yield.getValues())) {
    bool isCarried = i < loop.getNumCarried();
    auto type = dyn_cast<RankedTensorType>(given.getType());
    RankedTensorType expected = type;
    if (type && !isCarried) {
      llm::Dims dims = llm::getDims(type);
      dims.insert(dims.begin(), trip);
      expected = llm::makeTensorType(dims, type.getElementType());
    }
    bool hasOneType = !isCarried || (loop.getInitial()[i].getType() == type &&
                                     body.getArgument(i).getType() == type);
    if (!type || !hasOneType || loop.getResult(i).getType() != expected) // C2, C3
      return loop.emitOpError(isCarried ? "C2: " : "C3: ")
             << given.getType() << " for the result " << loop.getResult(i).getType();
    if (isCarried && given == body.getArgument(i))
      continue;
    DispatchOp dispatch = findDispatch(given, &body);
    if (!dispatch) // C5
      return loop.emitOpError("C5: what the body gives at ")
             << i << " is not the only result of a dispatch in it";
    if (!placed.insert(dispatch.getResult(0)).second || getJoin(dispatch.getResult(0))) // C6
      return loop.emitOpError("C6: what the body gives at ") << i << " has another place, too";
  }
  return success();
}

LogicalResult LoopOp::verifyRegions() {
  std::optional<DimExpr> trip = DimExpr::parse(getTrip());
  auto isExpression = [](Attribute position) {
    return isa<StringAttr>(position) && DimExpr::parse(cast<StringAttr>(position).getValue());
  };
  if (!trip || !llvm::all_of(getPositions(), isExpression)) // C1
    return emitOpError("C1: cannot read the trip count '")
           << getTrip() << "' or a position of " << getPositions();
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  size_t count = getNumCarried() + getPositions().size();
  if (!yield || yield.getNumOperands() != count || getNumResults() != count ||
      getBody().getNumArguments() != getNumCarried()) // C2, C3
    return emitOpError("C2: expected exec.yield, arguments and results for ")
           << getNumCarried() << " carried values and " << getPositions().size() << " stacks";
  if (getOffsets() && (getOffsets()->size() != getPositions().size() ||
                       llvm::any_of(*getOffsets(), [](int64_t o) { return o < -1; }))) // C7
    return emitOpError("C7: expected an offset of -1 or more for each of ")
           << getPositions().size() << " stacks";
  if (failed(checkInitial(*this)))
    return failure();
  return checkGiven(*this, yield, *trip);
}
