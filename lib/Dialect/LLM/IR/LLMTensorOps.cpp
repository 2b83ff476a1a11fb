//===- LLMTensorOps.cpp - shape rules of the tensor operations
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per op serves inference and, through the interface's default
// verifier, verification. Comments name the constraints of the op's description.
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

static LogicalResult inferBroadcast(std::optional<Location> loc, StringRef name, Value lhs,
                                    Value rhs, Type element, SmallVectorImpl<Type> &results) {
  std::optional<Dims> dims = broadcastDims(getDims(lhs), getDims(rhs));
  if (!dims) // C2
    return emitOptionalError(loc, name, ": shapes ", formatDims(getDims(lhs)), " and ",
                             formatDims(getDims(rhs)), " do not broadcast");
  results.push_back(makeTensorType(*dims, element));
  return success();
}

LogicalResult ConstantOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                           SmallVectorImpl<Type> &results) {
  results.push_back(adaptor.getValue().getShapedType());
  return success();
}

LogicalResult DimValuesOp::verify() {
  auto type = tensorType(getResult());
  int64_t count = getExprs().size();
  if (!type.hasStaticShape() || type.getNumElements() != count ||
      !type.getElementType().isIntOrIndex()) // C1
    return emitOpError("C1: needs a static integer tensor of ")
           << count << " elements, found " << type;
  for (StringAttr text : getExprs().getAsRange<StringAttr>())
    if (!DimExpr::parse(text.getValue()))
      return emitOpError("cannot read the expression '") << text.getValue() << "'";
  return success();
}

LogicalResult IotaOp::verify() {
  if (getDim() >= uint64_t(tensorType(getResult()).getRank())) // C1
    return emitOpError("C1: dimension ") << getDim() << " of " << getResult().getType();
  if (!DimExpr::parse(getStart()) || !DimExpr::parse(getStep()))
    return emitOpError("cannot read the expressions '") << getStart() << "', '" << getStep() << "'";
  return success();
}

LogicalResult UnaryOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                        Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto type = tensorType(adaptor.getInput());
  UnaryKind kind = adaptor.getKind();
  if (kind == UnaryKind::bitwise_not && !isa<IntegerType>(type.getElementType()))
    return emitOptionalError(loc, "llm.unary: bitwise_not is for integers, found ", type);
  bool isPredicate = kind == UnaryKind::is_nan || kind == UnaryKind::is_inf;
  results.push_back(isPredicate ? type.clone(IntegerType::get(context, 1)) : type);
  return success();
}

LogicalResult BinaryOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Type element = tensorType(adaptor.getLhs()).getElementType();
  if (element != tensorType(adaptor.getRhs()).getElementType()) // C1
    return emitOptionalError(loc, "llm.binary: C1: element types ", element, " and ",
                             tensorType(adaptor.getRhs()).getElementType(), " differ");
  BinaryKind kind = adaptor.getKind();
  bool isBitwise = kind == BinaryKind::bitwise_and || kind == BinaryKind::bitwise_or ||
                   kind == BinaryKind::bitwise_xor || kind == BinaryKind::shift_left ||
                   kind == BinaryKind::shift_right;
  if (isBitwise && !isa<IntegerType>(element))
    return emitOptionalError(loc, "llm.binary: ", stringifyBinaryKind(kind),
                             " is for integers, found ", element);
  return inferBroadcast(loc, "llm.binary: C2", adaptor.getLhs(), adaptor.getRhs(), element,
                        results);
}

LogicalResult CompareOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                          Adaptor adaptor, SmallVectorImpl<Type> &results) {
  if (tensorType(adaptor.getLhs()).getElementType() !=
      tensorType(adaptor.getRhs()).getElementType()) // C1
    return emitOptionalError(loc, "llm.compare: C1: element types ",
                             tensorType(adaptor.getLhs()).getElementType(), " and ",
                             tensorType(adaptor.getRhs()).getElementType(), " differ");
  return inferBroadcast(loc, "llm.compare: C2", adaptor.getLhs(), adaptor.getRhs(),
                        IntegerType::get(context, 1), results);
}

LogicalResult SelectOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Type element = tensorType(adaptor.getLhs()).getElementType();
  if (element != tensorType(adaptor.getRhs()).getElementType()) // C1
    return emitOptionalError(loc, "llm.select: C1: element types ", element, " and ",
                             tensorType(adaptor.getRhs()).getElementType(), " differ");
  std::optional<Dims> dims = broadcastDims(getDims(adaptor.getLhs()), getDims(adaptor.getRhs()));
  if (dims)
    dims = broadcastDims(*dims, getDims(adaptor.getCondition()));
  if (!dims) // C2
    return emitOptionalError(loc, "llm.select: C2: shapes ",
                             formatDims(getDims(adaptor.getCondition())), ", ",
                             formatDims(getDims(adaptor.getLhs())), " and ",
                             formatDims(getDims(adaptor.getRhs())), " do not broadcast");
  results.push_back(makeTensorType(*dims, element));
  return success();
}

LogicalResult CastOp::verify() {
  if (getDims(getInput()) != getDims(getResult()))
    return emitOpError("changes the shape from ")
           << formatDims(getDims(getInput())) << " to " << formatDims(getDims(getResult()));
  return success();
}

LogicalResult BitcastOp::verify() {
  auto from = tensorType(getInput()), to = tensorType(getResult());
  if (!from.getElementType().isIntOrFloat() || !to.getElementType().isIntOrFloat() ||
      from.getElementTypeBitWidth() != to.getElementTypeBitWidth()) // C1
    return emitOpError("C1: ") << from << " and " << to << " have elements of other widths";
  if (getDims(from) != getDims(to))
    return emitOpError("changes the shape from ")
           << formatDims(getDims(from)) << " to " << formatDims(getDims(to));
  return success();
}

LogicalResult ReshapeOp::verify() {
  if (tensorType(getInput()).getElementType() != tensorType(getResult()).getElementType()) // C1
    return emitOpError("C1: changes the element type");
  DimExpr from = product(getDims(getInput())), to = product(getDims(getResult()));
  if (!mayBeEqual(from, to)) // C2
    return emitOpError("C2: ") << from.str() << " elements become " << to.str();
  return success();
}

LogicalResult BroadcastOp::verify() {
  Dims from = getDims(getInput()), to = getDims(getResult());
  if (from.size() > to.size()) // C1
    return emitOpError("C1: rank ") << from.size() << " does not fit in " << to.size();
  for (size_t i = 0; i < from.size(); ++i) {
    const DimExpr &dim = from[i], &target = to[to.size() - from.size() + i];
    if (!dim.isConstant(1) && !mayBeEqual(dim, target)) // C2
      return emitOpError("C2: ") << formatDims(from) << " does not broadcast to " << formatDims(to);
  }
  return success();
}

LogicalResult TransposeOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims dims = getDims(adaptor.getInput());
  SmallVector<int64_t> sorted(adaptor.getPermutation());
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, dims.size()))) // C1
    return emitOptionalError(loc, "llm.transpose: C1: not a permutation of ", dims.size(),
                             " dimensions");
  Dims permuted;
  for (int64_t axis : adaptor.getPermutation())
    permuted.push_back(dims[axis]);
  results.push_back(makeTensorType(permuted, tensorType(adaptor.getInput()).getElementType()));
  return success();
}

LogicalResult SliceOp::verify() {
  size_t rank = tensorType(getInput()).getRank();
  if (getStarts().size() != rank || getSteps().size() != rank ||
      size_t(tensorType(getResult()).getRank()) != rank || llvm::is_contained(getSteps(), 0)) // C1
    return emitOpError("C1: needs a start and a step other than 0 for each of ")
           << rank << " dimensions";
  return success();
}

LogicalResult ConcatOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  if (adaptor.getInputs().empty())
    return emitOptionalError(loc, "llm.concat: needs an input");
  Dims dims = getDims(adaptor.getInputs().front());
  uint64_t axis = adaptor.getAxis();
  Type element = tensorType(adaptor.getInputs().front()).getElementType();
  if (axis >= dims.size()) // C1
    return emitOptionalError(loc, "llm.concat: C1: axis ", axis, " of rank ", dims.size());
  for (Value input : adaptor.getInputs().drop_front()) {
    Dims other = getDims(input);
    bool agrees = other.size() == dims.size() && tensorType(input).getElementType() == element;
    for (size_t i = 0; agrees && i < dims.size(); ++i) {
      if (i == axis)
        continue;
      agrees = mayBeEqual(dims[i], other[i]);
      if (other[i].constant())
        dims[i] = other[i];
    }
    if (!agrees) // C2
      return emitOptionalError(loc, "llm.concat: C2: ", tensorType(input), " beside ",
                               formatDims(dims), " along axis ", axis);
    dims[axis] = dims[axis] + other[axis];
  }
  results.push_back(makeTensorType(dims, element));
  return success();
}

LogicalResult GatherOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), indices = getDims(adaptor.getIndices());
  uint64_t axis = adaptor.getAxis();
  if (axis >= input.size()) // C1
    return emitOptionalError(loc, "llm.gather: C1: axis ", axis, " of rank ", input.size());
  Type index = tensorType(adaptor.getIndices()).getElementType();
  if (!index.isInteger(32) && !index.isInteger(64)) // C2
    return emitOptionalError(loc, "llm.gather: C2: indices of type ", index);
  Dims dims(input.begin(), input.begin() + axis);
  dims.append(indices.begin(), indices.end());
  dims.append(input.begin() + axis + 1, input.end());
  results.push_back(makeTensorType(dims, tensorType(adaptor.getInput()).getElementType()));
  return success();
}

LogicalResult GatherNDOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                           Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), indices = getDims(adaptor.getIndices());
  uint64_t batch = adaptor.getBatchDims();
  std::optional<int64_t> tuple = indices.empty() ? std::nullopt : indices.back().constant();
  bool fits = tuple && batch < indices.size() && *tuple >= 1 && batch + *tuple <= input.size();
  for (size_t i = 0; fits && i < batch; ++i)
    fits = mayFit(indices[i], input[i]);
  if (!fits) // C1
    return emitOptionalError(loc, "llm.gather_nd: C1: indices ", formatDims(indices), " into ",
                             formatDims(input), " after ", batch, " batch dimensions");
  Dims dims(indices.begin(), indices.end() - 1);
  dims.append(input.begin() + batch + *tuple, input.end());
  results.push_back(makeTensorType(dims, tensorType(adaptor.getInput()).getElementType()));
  return success();
}

static bool isIndexTensor(Value value) {
  Type element = tensorType(value).getElementType();
  return element.isInteger(32) || element.isInteger(64);
}

LogicalResult GatherElementsOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                 Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), indices = getDims(adaptor.getIndices());
  if (adaptor.getAxis() >= input.size()) // C1
    return emitOptionalError(loc, "llm.gather_elements: C1: axis ", adaptor.getAxis(), " of rank ",
                             input.size());
  bool fits = isIndexTensor(adaptor.getIndices()) && indices.size() == input.size();
  for (size_t i = 0; fits && i < input.size(); ++i)
    fits = i == adaptor.getAxis() || mayFit(indices[i], input[i]);
  if (!fits) // C2
    return emitOptionalError(loc, "llm.gather_elements: C2: indices ",
                             tensorType(adaptor.getIndices()), " into ", formatDims(input));
  results.push_back(makeTensorType(indices, tensorType(adaptor.getInput()).getElementType()));
  return success();
}

LogicalResult ScatterElementsOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                  Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), indices = getDims(adaptor.getIndices());
  Dims updates = getDims(adaptor.getUpdates());
  if (adaptor.getAxis() >= input.size()) // C1
    return emitOptionalError(loc, "llm.scatter_elements: C1: axis ", adaptor.getAxis(), " of rank ",
                             input.size());
  bool agrees = isIndexTensor(adaptor.getIndices()) && indices.size() == input.size() &&
                updates.size() == input.size();
  for (size_t i = 0; agrees && i < indices.size(); ++i)
    agrees = mayBeEqual(indices[i], updates[i]) &&
             (i == adaptor.getAxis() || mayFit(indices[i], input[i]));
  if (!agrees) // C2
    return emitOptionalError(loc, "llm.scatter_elements: C2: indices ",
                             tensorType(adaptor.getIndices()), " and updates ", formatDims(updates),
                             " into ", formatDims(input));
  if (tensorType(adaptor.getUpdates()).getElementType() !=
      tensorType(adaptor.getInput()).getElementType()) // C3
    return emitOptionalError(loc, "llm.scatter_elements: C3: ", tensorType(adaptor.getUpdates()),
                             " written into ", tensorType(adaptor.getInput()));
  results.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult ScatterNDOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), indices = getDims(adaptor.getIndices());
  std::optional<int64_t> tuple = indices.empty() ? std::nullopt : indices.back().constant();
  if (!isIndexTensor(adaptor.getIndices()) || !tuple || *tuple < 0 ||
      *tuple > int64_t(input.size())) // C1
    return emitOptionalError(loc, "llm.scatter_nd: C1: indices ", tensorType(adaptor.getIndices()),
                             " into ", formatDims(input));
  Dims expected(indices.begin(), indices.end() - 1), updates = getDims(adaptor.getUpdates());
  expected.append(input.begin() + *tuple, input.end());
  bool agrees = expected.size() == updates.size();
  for (size_t i = 0; agrees && i < expected.size(); ++i)
    agrees = mayBeEqual(expected[i], updates[i]);
  if (!agrees) // C2
    return emitOptionalError(loc, "llm.scatter_nd: C2: updates ", formatDims(updates), " where ",
                             formatDims(expected), " are due");
  if (tensorType(adaptor.getUpdates()).getElementType() !=
      tensorType(adaptor.getInput()).getElementType()) // C3
    return emitOptionalError(loc, "llm.scatter_nd: C3: ", tensorType(adaptor.getUpdates()),
                             " written into ", tensorType(adaptor.getInput()));
  results.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult NonZeroOp::verify() {
  Dims dims = getDims(getResult());
  if (dims.size() != 2 || !dims[1].isConstant(tensorType(getInput()).getRank()) ||
      !tensorType(getResult()).getElementType().isInteger(64)) // C1
    return emitOpError("C1: gives ") << getResult().getType() << " for " << getInput().getType();
  return success();
}

LogicalResult DefineSizeOp::verify() {
  auto type = tensorType(getValue());
  if (!type.hasStaticShape() || type.getNumElements() != 1 || !isIndexTensor(getValue())) // C1
    return emitOpError("C1: a size cannot be ") << type;
  if (!DimExpr::parse(getBound()))
    return emitOpError("cannot read the expression '") << getBound() << "'";
  return success();
}

LogicalResult ReduceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), dims;
  // The parser infers before it turns the attribute dictionary into properties.
  BoolAttr keepdims = adaptor.getKeepdimsAttr();
  if (!keepdims && adaptor.getAttributes())
    keepdims = adaptor.getAttributes().getAs<BoolAttr>("keepdims");
  if (!keepdims)
    return emitOptionalError(loc, "llm.reduce: needs keepdims");
  SmallVector<bool> reduced(input.size(), false);
  for (int64_t axis : adaptor.getAxes()) {
    if (axis < 0 || axis >= int64_t(input.size()) || reduced[axis]) // C1
      return emitOptionalError(loc, "llm.reduce: C1: axis ", axis, " of ", formatDims(input));
    reduced[axis] = true;
  }
  for (auto [dim, isReduced] : llvm::zip(input, reduced))
    if (!isReduced)
      dims.push_back(dim);
    else if (keepdims.getValue())
      dims.push_back(1);
  results.push_back(makeTensorType(dims, tensorType(adaptor.getInput()).getElementType()));
  return success();
}

LogicalResult SoftmaxOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                          Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto type = tensorType(adaptor.getInput());
  if (adaptor.getAxis() >= uint64_t(type.getRank())) // C1
    return emitOptionalError(loc, "llm.softmax: C1: axis ", adaptor.getAxis(), " of ", type);
  results.push_back(type);
  return success();
}

LogicalResult MatmulOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims lhs = getDims(adaptor.getLhs()), rhs = getDims(adaptor.getRhs());
  Type element = tensorType(adaptor.getLhs()).getElementType();
  if (lhs.size() < 2 || rhs.size() < 2 ||
      element != tensorType(adaptor.getRhs()).getElementType()) // C1
    return emitOptionalError(loc, "llm.matmul: C1: ", tensorType(adaptor.getLhs()), " times ",
                             tensorType(adaptor.getRhs()));
  if (!mayBeEqual(lhs.back(), rhs[rhs.size() - 2])) // C2
    return emitOptionalError(loc, "llm.matmul: C2: contracts ", formatDims(lhs), " with ",
                             formatDims(rhs));
  std::optional<Dims> dims = broadcastDims(ArrayRef(lhs).drop_back(2), ArrayRef(rhs).drop_back(2));
  if (!dims) // C3
    return emitOptionalError(loc, "llm.matmul: C3: leading dimensions of ", formatDims(lhs),
                             " and ", formatDims(rhs), " do not broadcast");
  dims->push_back(lhs[lhs.size() - 2]);
  dims->push_back(rhs.back());
  results.push_back(makeTensorType(*dims, element));
  return success();
}

LogicalResult CumulativeOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                             Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto type = tensorType(adaptor.getInput());
  if (adaptor.getAxis() >= uint64_t(type.getRank())) // C1
    return emitOptionalError(loc, "llm.cumulative: C1: axis ", adaptor.getAxis(), " of ", type);
  results.push_back(type);
  return success();
}

LogicalResult TopKIndicesOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                              Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims dims = getDims(adaptor.getInput());
  if (adaptor.getAxis() >= dims.size()) // C1
    return emitOptionalError(loc, "llm.top_k_indices: C1: axis ", adaptor.getAxis(), " of ",
                             formatDims(dims));
  std::optional<DimExpr> count = DimExpr::parse(adaptor.getCount());
  DimExpr &size = dims[adaptor.getAxis()];
  if (!count || !mayFit(*count, size)) // C2
    return emitOptionalError(loc, "llm.top_k_indices: C2: the first ", adaptor.getCount(), " of ",
                             size.str());
  size = *count;
  results.push_back(makeTensorType(dims, IntegerType::get(context, 64)));
  return success();
}

/// Sizes of a sliding window's positions, nullopt where an attribute does not fit.
static std::optional<Dims> slide(ArrayRef<DimExpr> spatial, ArrayRef<int64_t> window,
                                 ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
                                 ArrayRef<int64_t> pads) {
  size_t rank = spatial.size();
  auto isPositive = [](int64_t value) { return value > 0; };
  if (window.size() != rank || strides.size() != rank || dilations.size() != rank ||
      pads.size() != 2 * rank || !llvm::all_of(window, isPositive) ||
      !llvm::all_of(strides, isPositive) || !llvm::all_of(dilations, isPositive))
    return std::nullopt;
  Dims result;
  for (size_t i = 0; i < rank; ++i) {
    DimExpr room =
        spatial[i] + DimExpr(pads[i] + pads[rank + i] - dilations[i] * (window[i] - 1) - 1);
    result.push_back(DimExpr::floorDiv(room, strides[i]) + 1);
  }
  return result;
}

LogicalResult ConvOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                       SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput()), weight = getDims(adaptor.getWeight());
  Type element = tensorType(adaptor.getInput()).getElementType();
  if (input.size() < 3 || weight.size() != input.size() ||
      tensorType(adaptor.getWeight()).getElementType() != element) // C1
    return emitOptionalError(loc, "llm.conv: C1: ", tensorType(adaptor.getInput()), " with ",
                             tensorType(adaptor.getWeight()));
  SmallVector<int64_t> window;
  for (const DimExpr &dim : ArrayRef(weight).drop_front(2)) {
    if (!dim.constant()) // C5
      return emitOptionalError(loc, "llm.conv: C5: kernel ", formatDims(weight));
    window.push_back(*dim.constant());
  }
  std::optional<Dims> spatial = slide(ArrayRef(input).drop_front(2), window, adaptor.getStrides(),
                                      adaptor.getDilations(), adaptor.getPads());
  if (!spatial) // C2
    return emitOptionalError(loc, "llm.conv: C2: strides, dilations or pads do not fit ",
                             formatDims(input));
  DimExpr groups = int64_t(adaptor.getGroups());
  if (int64_t(adaptor.getGroups()) < 1 || !mayBeEqual(weight[1] * groups, input[1]) ||
      (weight[0].constant() && *weight[0].constant() % *groups.constant() != 0)) // C3
    return emitOptionalError(loc, "llm.conv: C3: ", formatDims(input), " with ", formatDims(weight),
                             " in ", groups.str(), " groups");
  if (adaptor.getBias()) {
    Dims bias = getDims(adaptor.getBias());
    if (bias.size() != 1 || !mayBeEqual(bias[0], weight[0])) // C4
      return emitOptionalError(loc, "llm.conv: C4: bias ", formatDims(bias), " for ",
                               weight[0].str(), " channels");
  }
  Dims dims = {input[0], weight[0]};
  dims.append(*spatial);
  results.push_back(makeTensorType(dims, element));
  return success();
}

LogicalResult WindowReduceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                               Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims input = getDims(adaptor.getInput());
  if (input.size() < 3) // C1
    return emitOptionalError(loc, "llm.window_reduce: C1: ", tensorType(adaptor.getInput()));
  std::optional<Dims> spatial =
      slide(ArrayRef(input).drop_front(2), adaptor.getWindow(), adaptor.getStrides(),
            adaptor.getDilations(), adaptor.getPads());
  if (!spatial) // C2
    return emitOptionalError(loc,
                             "llm.window_reduce: C2: window, strides, dilations or pads do "
                             "not fit ",
                             formatDims(input));
  Dims dims = {input[0], input[1]};
  dims.append(*spatial);
  results.push_back(makeTensorType(dims, tensorType(adaptor.getInput()).getElementType()));
  return success();
}
