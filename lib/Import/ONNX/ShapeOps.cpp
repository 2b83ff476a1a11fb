//===- ShapeOps.cpp - sizes as data, and other shapes for the same data
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "Scope.h"

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

static void constantOfShapeOp(Node &n) {
  Dims shape = n.knownInts(0, "shapes");
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

static void reshapeOp(Node &n) {
  Dims target = n.knownInts(1, "shapes");
  if (n.failed())
    return;
  target = resolveReshape(n, n.dims(n.input(0)), target, n.intAttr("allowzero", 0) != 0);
  n.setOutput(n.reshape(n.input(0), target));
}

/// Axes from the attribute, or from input 1 since opset 13.
static SmallVector<int64_t> axesOf(Node &n, bool &given) {
  given = n.hasAttribute("axes") || n.input(1);
  return n.input(1) ? n.constantInts(1, "axes") : n.intsAttr("axes");
}

static void squeezeOp(Node &n) {
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
  Dims target = n.knownInts(1, "shapes");
  std::optional<Dims> shape = llm::broadcastDims(n.dims(n.input(0)), target);
  if (!n.failed() && !shape)
    return n.fail("cannot expand " + llm::formatDims(n.dims(n.input(0))) + " to " +
                  llm::formatDims(target));
  if (!n.failed())
    n.setOutput(n.broadcast(n.input(0), *shape));
}

static void rangeOp(Node &n) {
  Type type = n.elementTypeOf(n.input(0));
  if (!isa<IntegerType>(type)) {
    // A constant float range has so few uses that only whole steps are known.
    return n.fail("not supported: a range of type other than integer");
  }
  Dims start = n.knownInts(0, "bounds of a range"), limit = n.knownInts(1, "bounds of a range");
  Dims step = n.knownInts(2, "steps of a range");
  if (!n.failed() && (start.size() != 1 || limit.size() != 1 || step.size() != 1))
    n.fail("a bound is not one number");
  if (n.failed())
    return;
  DimExpr span = limit[0] - start[0], delta = step[0];
  std::optional<int64_t> constantStep = delta.constant();
  if (!constantStep || *constantStep == 0)
    return n.fail("not supported: a range with step " + delta.str());
  DimExpr count =
      *constantStep > 0 ? DimExpr::ceilDiv(span, delta) : DimExpr::ceilDiv(-span, -delta);
  count = DimExpr::max(count, 0);
  n.setOutput(n.make<llm::IotaOp>(llm::makeTensorType(count, type), start[0].str(), delta.str(),
                                  uint64_t(0)));
}

void llmc::importer::addShapeOps(OpTable &t) {
  t.add("", "Shape", 1, {shapeOp, 1, 1, 1, "start end"});
  t.add("", "Size", 1, {sizeOp, 1, 1, 1});
  t.add("", "Constant", 1,
        {constantOp, 0, 0, 1, "value value_float value_floats value_int value_ints"});
  t.add("", "ConstantOfShape", 9, {constantOfShapeOp, 1, 1, 1, "value"});
  t.add("", "Reshape", 5, {reshapeOp, 2, 2, 1, "allowzero"});
  t.add("", "Squeeze", 1, {squeezeOp, 1, 1, 1, "axes"});
  t.add("", "Squeeze", 13, {squeezeOp, 1, 2, 1});
  t.add("", "Unsqueeze", 1, {unsqueezeOp, 1, 1, 1, "axes"});
  t.add("", "Unsqueeze", 13, {unsqueezeOp, 2, 2, 1});
  t.add("", "Flatten", 1, {flattenOp, 1, 1, 1, "axis"});
  t.add("", "Expand", 8, {expandOp, 2, 2, 1});
  t.add("", "Range", 11, {rangeOp, 3, 3, 1});
}
