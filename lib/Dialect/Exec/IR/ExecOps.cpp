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

using namespace mlir;
using namespace llmc;
using namespace llmc::exec;
using llmc::llm::StateType;

static Value skipViews(Value value) {
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

Value exec::getBuffer(Value value) {
  value = skipViews(value);
  JoinOp join = value.getDefiningOp<DispatchOp>() ? getJoin(value) : JoinOp();
  return join ? join.getResult() : value;
}

bool exec::isPart(Value value) { return getBuffer(value) != skipViews(value); }

SmallVector<Value> exec::getSources(Value value) {
  value = skipViews(value);
  auto join = value.getDefiningOp<JoinOp>();
  return join ? llvm::map_to_vector(join.getParts(), skipViews) : SmallVector<Value>{value};
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
  if (DimExpr::equal(before, after) == false) // C2
    return emitOpError("C2: ") << before.str() << " elements seen as " << after.str();
  return success();
}
