//===- ShapeOps.cpp - sizes as data, and other shapes for the same data
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "Scope.h"
#include "ValueBounds.h"
#include "llmc/Dialect/LLM/IR/SizeFolds.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

static void shapeOp(Node &n) {
  Dims dims = n.dims(n.input(0));
  int64_t rank = dims.size();
  auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  int64_t start = clamp(n.intAttr("start", 0)), end = clamp(n.intAttr("end", rank));
  if (start >= end)
    return n.setOutput(n.sizes({}, n.builder.getI64Type()));
  n.setOutput(n.sizes(ArrayRef(dims).slice(start, end - start), n.builder.getI64Type()));
}

static void sizeOp(Node &n) {
  n.setOutput(n.sizes(llm::product(n.dims(n.input(0))), n.builder.getI64Type(), true));
}

/// A constant list attribute as a dense tensor.
template <typename T>
static Value listConstant(Node &n, ArrayRef<T> values, Type element, bool isScalar) {
  SmallVector<int64_t> shape;
  if (!isScalar)
    shape.push_back(values.size());
  return n.constant(DenseElementsAttr::get(RankedTensorType::get(shape, element), values));
}

static void constantOp(Node &n) {
  for (StringRef name : {"value", "value_float", "value_floats", "value_int", "value_ints"}) {
    const AttributeProto *a = n.attribute(name);
    if (!a)
      continue;
    Type f32 = n.builder.getF32Type(), i64 = n.builder.getI64Type();
    if (name == "value_float")
      return n.setOutput(listConstant<float>(n, a->f(), f32, true));
    if (name == "value_int")
      return n.setOutput(listConstant<int64_t>(n, int64_t(a->i()), i64, true));
    if (name == "value_floats")
      return n.setOutput(listConstant<float>(
          n, SmallVector<float>(a->floats().begin(), a->floats().end()), f32, false));
    if (name == "value_ints")
      return n.setOutput(listConstant<int64_t>(n, n.intsAttr(name), i64, false));
    std::string error;
    ElementsAttr value = a->has_t() ? n.walk().readTensor(a->t(), error) : ElementsAttr();
    if (!value)
      return n.fail("its value " + (error.empty() ? "is not a tensor" : error));
    return n.setOutput(n.constant(value));
  }
  n.fail("not supported: a constant without a numeric value");
}

/// A shape operand's elements; the declared shape of the output where they are
/// computed at run time.
static Dims shapeOperand(Node &n, int input) {
  std::optional<Dims> known = n.known(n.input(input));
  return known ? *known : n.declaredShape(0, "shapes");
}

static void constantOfShapeOp(Node &n) {
  Dims shape = shapeOperand(n, 0);
  Value value;
  if (const AttributeProto *a = n.attribute("value")) {
    std::string error;
    ElementsAttr tensor = a->has_t() ? n.walk().readTensor(a->t(), error) : ElementsAttr();
    if (!tensor || tensor.getNumElements() != 1)
      return n.fail("its value is not a tensor of one element");
    value = n.reshape(n.constant(tensor), {});
  } else {
    value = n.scalar(0, n.builder.getF32Type());
  }
  n.setOutput(n.broadcast(value, shape));
}

/// The shape that ONNX Reshape's `target` means for `from`.
static Dims resolveReshape(Node &n, ArrayRef<DimExpr> from, Dims target, bool allowZero) {
  DimExpr rest = 1;
  std::optional<size_t> inferred;
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i].isConstant(-1)) {
      if (inferred)
        n.fail("two dimensions of the new shape are -1: " + llm::formatDims(target));
      inferred = i;
      continue;
    }
    if (target[i].isConstant(0) && !allowZero) {
      if (i >= from.size()) {
        n.fail("dimension " + Twine(i) + " of the new shape copies one that " +
               llm::formatDims(from) + " does not have");
        return target;
      }
      target[i] = from[i];
    }
    if (target[i].bounds().upper < 0)
      n.fail("negative size in the new shape " + llm::formatDims(target));
    rest = rest * target[i];
  }
  if (!inferred)
    return target;
  DimExpr total = llm::product(from);
  if (rest.isConstant(0) ||
      (rest.constant() && total.constant() && *total.constant() % *rest.constant() != 0))
    n.fail("cannot reshape " + llm::formatDims(from) + " to " + llm::formatDims(target));
  else
    target[*inferred] = DimExpr::floorDiv(total, rest);
  return target;
}

/// A new shape that is computed at run time: the declared one, in which one size may
/// follow from the others.
static Dims runtimeReshape(Node &n) {
  std::optional<Symbols::Declared> declared = n.declaredDims(0);
  Dims target;
  for (size_t i = 0; declared && i < declared->size(); ++i)
    target.push_back((*declared)[i].value_or(-1));
  bool isKnown = declared && llvm::count(*declared, std::nullopt) <= 1;
  return isKnown ? resolveReshape(n, n.dims(n.input(0)), target, /*allowZero=*/true)
                 : n.declaredShape(0, "shapes");
}

static void reshapeOp(Node &n) {
  if (!n.known(n.input(1)))
    return n.setOutput(n.reshape(n.input(0), runtimeReshape(n)));
  Dims target = n.knownInts(1, "shapes");
  target = resolveReshape(n, n.dims(n.input(0)), target, n.intAttr("allowzero", 0) != 0);
  n.setOutput(n.reshape(n.input(0), target));
}

/// Axes from the attribute, or from input 1 since opset 13.
static SmallVector<int64_t> axesOf(Node &n, bool &given) {
  given = n.hasAttribute("axes") || n.input(1);
  return n.input(1) ? n.constantInts(1, "axes") : n.intsAttr("axes");
}

/// Whether the axes are computed at run time; then the result is the operand in the
/// declared shape.
static bool hasRuntimeAxes(Node &n) { return n.input(1) && !n.known(n.input(1)); }

static void squeezeOp(Node &n) {
  if (hasRuntimeAxes(n))
    return n.setOutput(n.reshape(n.input(0), n.declaredShape(0, "axes")));
  bool given = false;
  Dims dims = n.dims(n.input(0)), result;
  SmallVector<bool> dropped(dims.size(), false);
  for (int64_t value : axesOf(n, given)) {
    int64_t axis = n.axis(value, dims.size());
    if (n.failed())
      return;
    if (DimExpr::equal(dims[axis], 1) == false)
      return n.fail("dimension " + Twine(axis) + " of " + llm::formatDims(dims) + " is not 1");
    dropped[axis] = true;
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!given && !dims[i].constant())
      return n.fail("not supported: squeezing every 1 of " + llm::formatDims(dims));
    if (!(given ? dropped[i] : dims[i].isConstant(1)))
      result.push_back(dims[i]);
  }
  n.setOutput(n.reshape(n.input(0), result));
}

static void unsqueezeOp(Node &n) {
  if (hasRuntimeAxes(n))
    return n.setOutput(n.reshape(n.input(0), n.declaredShape(0, "axes")));
  bool given = false;
  SmallVector<int64_t> axes = axesOf(n, given);
  if (!given)
    return n.fail("needs axes");
  Dims dims = n.dims(n.input(0)), result;
  int64_t rank = dims.size() + axes.size();
  SmallVector<bool> isNew(rank, false);
  for (int64_t value : axes) {
    int64_t axis = n.axis(value, rank);
    if (isNew[axis])
      return n.fail("axis " + Twine(value) + " is given twice");
    isNew[axis] = true;
  }
  if (n.failed())
    return;
  auto next = dims.begin();
  for (bool added : isNew)
    result.push_back(added ? DimExpr(1) : *next++);
  n.setOutput(n.reshape(n.input(0), result));
}

static void flattenOp(Node &n) {
  Dims dims = n.dims(n.input(0));
  int64_t rank = dims.size(), axis = n.intAttr("axis", 1);
  if (axis < -rank || axis > rank)
    return n.fail("axis " + Twine(axis) + " is outside a tensor of rank " + Twine(rank));
  axis = axis < 0 ? axis + rank : axis;
  ArrayRef<DimExpr> all(dims);
  n.setOutput(n.reshape(n.input(0),
                        {llm::product(all.take_front(axis)), llm::product(all.drop_front(axis))}));
}

static void expandOp(Node &n) {
  Dims target = shapeOperand(n, 1);
  std::optional<Dims> shape = llm::broadcastDims(n.dims(n.input(0)), target);
  if (!n.failed() && !shape)
    return n.fail("cannot expand " + llm::formatDims(n.dims(n.input(0))) + " to " +
                  llm::formatDims(target));
  if (!n.failed())
    n.setOutput(n.broadcast(n.input(0), *shape));
}

/// The one number in an operand.
static std::optional<llm::Ratio> knownNumber(Node &n, int input) {
  Value value = n.input(input);
  bool isOne = value && llm::product(n.dims(value)).isConstant(1);
  return isOne ? llm::getElement(value, Dims(n.rank(value), 0)) : std::nullopt;
}

/// The one number in a constant operand of floats.
static std::optional<double> constantNumber(Node &n, int input) {
  auto constant = n.input(input).getDefiningOp<llm::ConstantOp>();
  auto dense = constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue()) : nullptr;
  if (!dense || dense.getNumElements() != 1)
    return std::nullopt;
  APFloat value = *dense.begin();
  bool lossy = false;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return value.convertToDouble();
}

/// How many numbers a range of floats has: of constants, or of sizes.
static std::optional<DimExpr> floatRangeCount(Node &n) {
  std::optional<double> start = constantNumber(n, 0), limit = constantNumber(n, 1);
  std::optional<double> step = constantNumber(n, 2);
  if (start && limit && step) {
    double count = *step == 0 ? -1 : std::ceil((*limit - *start) / *step);
    if (*step == 0 || !(count < double(n.symbols.maxElements)))
      n.fail("a range from " + std::to_string(*start) + " to " + std::to_string(*limit) +
             " in steps of " + std::to_string(*step));
    return DimExpr(int64_t(std::max(count, 0.0)));
  }
  std::optional<llm::Ratio> first = knownNumber(n, 0), end = knownNumber(n, 1);
  std::optional<llm::Ratio> stride = knownNumber(n, 2);
  std::optional<int64_t> steps = stride ? stride->numerator.constant() : std::nullopt;
  if (!first || !end || !steps || *steps == 0)
    return std::nullopt;
  DimExpr span = end->numerator * first->denominator - first->numerator * end->denominator;
  DimExpr scaled = span * stride->denominator * (*steps < 0 ? -1 : 1);
  DimExpr length = DimExpr(first->denominator) * end->denominator * std::abs(*steps);
  return DimExpr::max(DimExpr::ceilDiv(scaled, length), 0);
}

/// start + i * step, computed at run time.
static void computedRange(Node &n, const DimExpr &count) {
  Value index = n.cast(n.iota(count), n.elementTypeOf(n.input(0)));
  Value steps = n.binary(BinaryKind::mul, index, n.element(n.input(2)));
  n.setOutput(n.binary(BinaryKind::add, n.element(n.input(0)), steps));
}

/// How many integers a range in steps of 1 has whose limit is a count; nullopt where
/// the limit has no known bound.
static std::optional<DimExpr> countedRange(Node &n) {
  Type type = n.elementTypeOf(n.input(0));
  std::optional<Dims> step = n.known(n.input(2));
  if (!isa<IntegerType>(type) || !step || step->size() != 1 || !step->front().isConstant(1))
    return std::nullopt;
  Value count = n.binary(BinaryKind::sub, n.element(n.input(1)), n.element(n.input(0)));
  std::optional<DimExpr> bound = count ? upperBound(count) : std::nullopt;
  return bound ? std::optional(n.defineSize(count, DimExpr::max(*bound, 0))) : std::nullopt;
}

static void rangeOp(Node &n) {
  Type type = n.elementTypeOf(n.input(0));
  if (!isa<IntegerType>(type))
    if (std::optional<DimExpr> count = floatRangeCount(n))
      return computedRange(n, *count);
  std::optional<Dims> start = n.known(n.input(0)), limit = n.known(n.input(1));
  std::optional<Dims> step = n.known(n.input(2));
  if (!start || !limit || !step) {
    if (std::optional<DimExpr> count = countedRange(n))
      return computedRange(n, *count);
    Dims shape = n.declaredShape(0, "bounds of a range");
    return n.failed() ? void() : computedRange(n, shape.size() == 1 ? shape[0] : DimExpr(0));
  }
  if (!n.failed() && (start->size() != 1 || limit->size() != 1 || step->size() != 1))
    n.fail("a bound is not one number");
  if (n.failed())
    return;
  DimExpr span = limit->front() - start->front(), delta = step->front();
  std::optional<int64_t> constantStep = delta.constant();
  if (!constantStep || *constantStep == 0)
    return n.fail("not supported: a range with step " + delta.str());
  DimExpr count =
      *constantStep > 0 ? DimExpr::ceilDiv(span, delta) : DimExpr::ceilDiv(-span, -delta);
  count = DimExpr::max(count, 0);
  n.setOutput(n.make<llm::IotaOp>(llm::makeTensorType(count, type), start->front().str(),
                                  delta.str(), uint64_t(0)));
}

/// Ones on the diagonal column - row = k.
static void eyeLikeOp(Node &n) {
  Dims dims = n.dims(n.input(0));
  Type type = n.elementTypeOf(n.input(0));
  if (n.hasAttribute("dtype"))
    type = elementType(n.builder.getContext(), int(n.intAttr("dtype", 0)));
  if (dims.size() != 2 || !type)
    return n.fail(type ? "needs a matrix, found " + llm::formatDims(dims)
                       : "not supported: data type " + dataTypeName(int(n.intAttr("dtype", 0))));
  Value difference = n.binary(BinaryKind::sub, n.iota(dims[1], 1, 2), n.iota(dims[0], 0, 2));
  n.setOutput(
      n.cast(n.compare(llm::ComparePredicate::eq, difference, double(n.intAttr("k", 0))), type));
}

void llmc::importer::addShapeOps(OpTable &t) {
  t.add("", "Shape", 1, {shapeOp, 1, 1, 1, "start end"});
  t.add("", "Size", 1, {sizeOp, 1, 1, 1});
  t.add("", "Constant", 1,
        {constantOp, 0, 0, 1, "value value_float value_floats value_int value_ints",
         "strings, sparse values"});
  t.add("", "ConstantOfShape", 9, {constantOfShapeOp, 1, 1, 1, "value"});
  t.add("", "Reshape", 5, {reshapeOp, 2, 2, 1, "allowzero"});
  t.add("", "Squeeze", 1, {squeezeOp, 1, 1, 1, "axes"});
  t.add("", "Squeeze", 13, {squeezeOp, 1, 2, 1});
  t.add("", "Unsqueeze", 1, {unsqueezeOp, 1, 1, 1, "axes"});
  t.add("", "Unsqueeze", 13, {unsqueezeOp, 2, 2, 1});
  t.add("", "Flatten", 1, {flattenOp, 1, 1, 1, "axis"});
  t.add("", "Expand", 8, {expandOp, 2, 2, 1});
  t.add("", "EyeLike", 9, {eyeLikeOp, 1, 1, 1, "dtype k"});
  t.add("", "Range", 11, {rangeOp, 3, 3, 1});
}
