//===- IndexingOps.cpp - reading at computed places
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

static Value indices(Node &n, Value value) {
  Type type = n.elementTypeOf(value);
  return type && !type.isInteger(32) && !type.isInteger(64) ? n.cast(value, n.builder.getI64Type())
                                                            : value;
}

static void gatherOp(Node &n) {
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(n.input(0)));
  n.setOutput(n.infer<llm::GatherOp>(uint64_t(axis), n.input(0), indices(n, n.input(1))));
}

static void gatherNDOp(Node &n) {
  int64_t batch = n.intAttr("batch_dims", 0);
  Dims input = n.dims(n.input(0)), at = n.dims(n.input(1));
  for (int64_t i = 0; i < batch && i < int64_t(std::min(input.size(), at.size())); ++i)
    n.requireEqual(input[i], at[i], "batch dimension " + Twine(i));
  n.setOutput(n.infer<llm::GatherNDOp>(uint64_t(batch), n.input(0), indices(n, n.input(1))));
}

static void gatherElementsOp(Node &n) {
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(n.input(0)));
  n.setOutput(n.infer<llm::GatherElementsOp>(uint64_t(axis), n.input(0), indices(n, n.input(1))));
}

/// What an element that is written twice becomes.
static llm::ScatterKind scatterKind(Node &n) {
  std::string reduction = n.stringAttr("reduction", "none");
  std::optional<llm::ScatterKind> kind =
      llm::symbolizeScatterKind(reduction == "none" ? "replace" : reduction);
  if (!kind)
    n.fail("not supported: reduction '" + reduction + "'");
  return kind.value_or(llm::ScatterKind::replace);
}

static void scatterElementsOp(Node &n) {
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(n.input(0)));
  llm::ScatterKind kind = scatterKind(n);
  n.setOutput(n.infer<llm::ScatterElementsOp>(kind, uint64_t(axis), n.input(0),
                                              indices(n, n.input(1)), n.input(2)));
}

static void scatterNDOp(Node &n) {
  llm::ScatterKind kind = scatterKind(n);
  n.setOutput(n.infer<llm::ScatterNDOp>(kind, n.input(0), indices(n, n.input(1)), n.input(2)));
}

/// The positions of the `count` largest or smallest elements along `axis`.
static Value topIndices(Node &n, Value x, int64_t axis, const DimExpr &count, bool largest) {
  return n.infer<llm::TopKIndicesOp>(uint64_t(axis), x, StringRef(count.str()), largest);
}

/// The size that the model declares for a dimension of an output.
static std::optional<DimExpr> declaredSize(Node &n, int output, int64_t axis) {
  std::optional<Symbols::Declared> declared = n.declaredDims(output);
  return declared && axis < int64_t(declared->size()) ? (*declared)[axis] : std::nullopt;
}

/// The indices of the elements that are not zero, one row each, as many as `declared` or
/// as data decides.
static Value nonZeroRows(Node &n, Value x, std::optional<DimExpr> declared) {
  Value isSet = n.cast(x, n.builder.getI1Type());
  Dims dims = n.dims(x);
  DimExpr count = declared.value_or(DimExpr());
  if (!declared && !n.failed()) {
    SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, dims.size()));
    Value total = n.reduce(llm::ReduceKind::sum, n.asI64(isSet), axes, false);
    count = n.defineSize(total, llm::product(dims));
  }
  return n.make<llm::NonZeroOp>(
      llm::makeTensorType({count, int64_t(dims.size())}, n.builder.getI64Type()), isSet);
}

/// A column per element that is not zero.
static void nonZeroOp(Node &n) {
  Value x = n.input(0);
  if (n.rank(x) == 0)
    x = n.reshape(x, {1});
  n.setOutput(n.transpose(nonZeroRows(n, x, declaredSize(n, 0, 1)), {1, 0}));
}

/// The slices of `axis` (or elements of all) at which a condition holds.
static void compressOp(Node &n) {
  Value x = n.input(0);
  bool isFlat = !n.hasAttribute("axis");
  int64_t axis = isFlat ? 0 : n.axis(n.intAttr("axis", 0), n.rank(x));
  if (n.rank(n.input(1)) != 1)
    n.fail("the condition has shape " + llm::formatDims(n.dims(n.input(1))) + ", expected 1-D");
  if (isFlat)
    x = n.reshape(x, {llm::product(n.dims(x))});
  Value rows = n.failed() ? Value() : nonZeroRows(n, n.input(1), declaredSize(n, 0, axis));
  n.setOutput(n.gather(x, axis, n.reshape(rows, n.failed() ? Dims() : Dims{n.dims(rows)[0]})));
}

/// How many elements TopK gives: an attribute before opset 10, an input since; where
/// that is computed at run time, what the output is declared to have or data decides.
static DimExpr topCount(Node &n, int64_t axis) {
  if (!n.input(1))
    return n.intAttr("k", 1);
  std::optional<Dims> known = n.known(n.input(1));
  if (known && known->size() != 1)
    n.fail("k is not one number");
  if (known)
    return n.failed() ? DimExpr() : known->front();
  std::optional<DimExpr> declared = declaredSize(n, 0, axis);
  return declared ? *declared : n.defineSize(n.element(n.input(1)), n.dims(n.input(0))[axis]);
}

static void topKOp(Node &n) {
  Value x = n.input(0);
  int64_t axis = n.axis(n.intAttr("axis", -1), n.rank(x));
  DimExpr count = n.failed() ? DimExpr() : topCount(n, axis);
  Value at = topIndices(n, x, axis, count, n.intAttr("largest", 1) != 0);
  n.setOutput(0, n.infer<llm::GatherElementsOp>(uint64_t(axis), x, at));
  n.setOutput(1, at);
}

/// The position of the largest or smallest element; of equal ones the first, or with
/// `last` the last, which is the first seen from the end.
static Value extremeIndex(Node &n, Value x, int64_t axis, bool largest, bool last) {
  if (!last || n.failed())
    return topIndices(n, x, axis, 1, largest);
  Dims dims = n.dims(x), starts(dims.size(), 0);
  DimExpr end = dims[axis] - 1;
  SmallVector<int64_t> steps(dims.size(), 1);
  starts[axis] = end;
  steps[axis] = -1;
  Value reversed = n.make<llm::SliceOp>(cast<RankedTensorType>(x.getType()), x,
                                        llm::makeExprs(n.builder.getContext(), starts), steps);
  return n.binary(BinaryKind::sub, n.size(end), topIndices(n, reversed, axis, 1, largest));
}

template <bool largest> static void argExtremeOp(Node &n) {
  Value x = n.input(0);
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(x));
  if (n.failed())
    return;
  Value at = extremeIndex(n, x, axis, largest, n.intAttr("select_last_index", 0) != 0);
  if (n.intAttr("keepdims", 1) != 0)
    return n.setOutput(at);
  Dims shape = n.dims(x);
  shape.erase(shape.begin() + axis);
  n.setOutput(n.reshape(at, shape));
}

/// 1 at the first largest element of each line, 0 elsewhere. Before opset 13 the axes
/// from `axis` on are one line.
static void hardmaxOp(Node &n) {
  Value x = n.input(0);
  Dims dims = n.dims(x);
  int64_t axis = n.axis(n.intAttr("axis", n.opset() < 13 ? 1 : -1), dims.size());
  if (n.failed())
    return;
  if (n.opset() < 13) {
    ArrayRef<DimExpr> all(dims);
    x = n.reshape(x, {llm::product(all.take_front(axis)), llm::product(all.drop_front(axis))});
    axis = 1;
  }
  Value position = n.iota(n.dims(x)[axis], axis, n.rank(x));
  Value hit = n.compare(llm::ComparePredicate::eq, position,
                        extremeIndex(n, x, axis, /*largest=*/true, /*last=*/false));
  n.setOutput(n.reshape(n.cast(hit, n.elementTypeOf(x)), dims));
}

/// The number of classes: known, or what the output is declared to have.
static DimExpr classCount(Node &n, int64_t axis) {
  if (std::optional<Dims> depth = n.known(n.input(1))) {
    if (depth->size() == 1)
      return depth->front();
    n.fail("the depth is not one number");
  }
  if (auto constant = n.input(1).getDefiningOp<llm::ConstantOp>())
    if (auto dense = dyn_cast<DenseFPElementsAttr>(constant.getValue());
        dense && dense.getNumElements() == 1)
      return int64_t((*dense.begin()).convertToDouble());
  Dims shape = n.declaredShape(0, "depths");
  return axis < int64_t(shape.size()) ? shape[axis] : DimExpr();
}

/// values[1] where the class is the index, values[0] elsewhere.
static void oneHotOp(Node &n) {
  Value at = n.asI64(n.input(0));
  int64_t rank = n.rank(at), axis = n.axis(n.intAttr("axis", -1), rank + 1);
  DimExpr depth = n.failed() ? DimExpr() : classCount(n, axis);
  if (n.failed())
    return;
  Dims wide = n.dims(at);
  wide.insert(wide.begin() + axis, 1);
  Value index = n.reshape(at, wide);
  // Negative indices count from the end.
  Value negative = n.compare(llm::ComparePredicate::lt, index, 0);
  Value wrapped = n.binary(BinaryKind::add, index, n.size(depth));
  index = n.select(negative, wrapped, index);
  Value hit = n.compare(llm::ComparePredicate::eq, index, n.iota(depth, axis, rank + 1));
  n.setOutput(n.select(hit, n.element(n.input(2), 1), n.element(n.input(2), 0)));
}

void llmc::importer::addIndexingOps(OpTable &t) {
  t.add("", "Gather", 1, {gatherOp, 2, 2, 1, "axis"});
  t.add("", "GatherND", 11, {gatherNDOp, 2, 2, 1, "batch_dims"});
  t.add("", "GatherElements", 11, {gatherElementsOp, 2, 2, 1, "axis"});
  t.add("", "Scatter", 9, {scatterElementsOp, 3, 3, 1, "axis"});
  t.add("", "ScatterElements", 11, {scatterElementsOp, 3, 3, 1, "axis reduction"});
  t.add("", "ScatterND", 11, {scatterNDOp, 3, 3, 1, "reduction"});
  t.add("", "NonZero", 9, {nonZeroOp, 1, 1, 1});
  t.add("", "Compress", 9, {compressOp, 2, 2, 1, "axis"});
  t.add("", "TopK", 1, {topKOp, 1, 1, 2, "axis k"});
  t.add("", "TopK", 10, {topKOp, 2, 2, 2, "axis largest sorted"});
  t.add("", "ArgMax", 1, {argExtremeOp<true>, 1, 1, 1, "axis keepdims select_last_index"});
  t.add("", "ArgMin", 1, {argExtremeOp<false>, 1, 1, 1, "axis keepdims select_last_index"});
  t.add("", "Hardmax", 1, {hardmaxOp, 1, 1, 1, "axis"});
  t.add("", "OneHot", 9, {oneHotOp, 3, 3, 1, "axis"});
}
