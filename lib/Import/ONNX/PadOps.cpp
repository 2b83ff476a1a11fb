//===- PadOps.cpp - elements around a tensor
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "RuntimeAxes.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// The value around constant padding.
static Value fillValue(Node &n) {
  if (n.input(2))
    return n.element(n.input(2));
  return n.scalar(n.floatAttr("value", 0), n.elementTypeOf(n.input(0)));
}

/// Constant padding by known sizes: concatenation, and slices where they are negative.
static Value concatFill(Node &n, Value x, int64_t axis, const DimExpr &before,
                        const DimExpr &after) {
  SmallVector<Value> parts;
  for (const DimExpr *count : {&before, &after}) {
    if (!n.failed() && !count->constant() && !count->provablyNonNegative())
      n.fail("not supported: padding by " + count->str() + ", which may be negative");
    bool isFirst = count == &before;
    if (!isFirst)
      parts.push_back(x);
    int64_t dropped = std::max<int64_t>(0, -count->constant().value_or(0));
    if (dropped > 0 && !n.failed()) {
      Value &kept = isFirst ? x : parts.back();
      kept = n.slice(kept, axis, isFirst ? dropped : 0, n.dims(kept)[axis] - DimExpr(dropped));
    }
    if (n.failed() || dropped > 0 || count->isConstant(0))
      continue;
    Dims shape = n.dims(x);
    shape[axis] = *count;
    parts.push_back(n.broadcast(fillValue(n), shape));
  }
  return n.concat(axis, parts);
}

/// Which element of a dimension of `size` a position outside it repeats.
static Value repeatedIndex(Node &n, StringRef mode, Value position, const DimExpr &size) {
  Value last = n.size(size - 1), zero = n.size(0);
  if (mode == "wrap")
    return n.binary(BinaryKind::mod, position, n.size(size));
  if (mode != "reflect") // "edge"; a constant is put over what this reads
    return n.binary(BinaryKind::max, n.binary(BinaryKind::min, position, last), zero);
  // Up and down again in 2 (size - 1) steps; a single element has no way to go.
  Value period = n.binary(BinaryKind::max, n.size((size - 1) * 2), n.size(1));
  Value phase = n.binary(BinaryKind::mod, position, period);
  return n.binary(BinaryKind::min, phase, n.binary(BinaryKind::sub, period, phase));
}

/// `count` elements of `axis` from position -before on.
static Value padByIndex(Node &n, StringRef mode, Value x, int64_t axis, Value before,
                        const DimExpr &count) {
  DimExpr size = n.dims(x)[axis];
  Value position = n.binary(BinaryKind::sub, n.iota(count), before);
  Value result = n.gather(x, axis, repeatedIndex(n, mode, position, size));
  if (mode != "constant" || n.failed())
    return result;
  Value inside =
      n.binary(BinaryKind::logical_and, n.compare(llm::ComparePredicate::ge, position, 0),
               n.compare(llm::ComparePredicate::lt, position, n.size(size)));
  Dims shape(n.rank(x), 1);
  shape[axis] = count;
  return n.select(n.reshape(inside, shape), result, fillValue(n));
}

/// Pads that are computed at run time; the declared shape says how many there are.
static void padAtRuntime(Node &n, StringRef mode) {
  Value x = n.input(0), pads = n.input(1);
  int64_t rank = n.rank(x);
  Dims shape = n.declaredShape(0, "pads");
  std::optional<int64_t> length = n.rank(pads) == 1 ? n.dims(pads)[0].constant() : std::nullopt;
  if (!n.failed() && (!length || *length % 2 || int64_t(shape.size()) != rank))
    n.fail("pads " + llm::formatDims(n.dims(pads)) + " turn " + llm::formatDims(n.dims(x)) +
           " into the declared " + llm::formatDims(shape));
  if (n.failed())
    return;
  Value begins = n.slice(pads, 0, 0, *length / 2);
  for (int64_t axis = 0; axis < rank && !n.failed(); ++axis)
    x = padByIndex(n, mode, x, axis, entryOfAxis(n, begins, n.input(3), axis, rank, n.size(0)),
                   shape[axis]);
  n.setOutput(x);
}

static void padOp(Node &n) {
  std::string mode = n.stringAttr("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    return n.fail("not supported: mode '" + mode + "'");
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  Dims pads;
  if (n.input(1)) {
    if (!n.known(n.input(1)) || (n.input(3) && !n.known(n.input(3))))
      return padAtRuntime(n, mode);
    pads = n.knownInts(1, "pads");
  } else {
    for (int64_t pad : n.intsAttr("pads"))
      pads.push_back(pad);
  }
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (n.input(3))
    axes = n.constantInts(3, "axes");
  if (!n.failed() && pads.size() != 2 * axes.size())
    n.fail("pads have " + Twine(pads.size()) + " entries for " + Twine(axes.size()) + " axes");
  for (size_t i = 0; i < axes.size() && !n.failed(); ++i) {
    int64_t axis = n.axis(axes[i], rank);
    const DimExpr &before = pads[i], &after = pads[axes.size() + i];
    if (n.failed() || (before.isConstant(0) && after.isConstant(0)))
      continue;
    if (mode == "constant")
      x = concatFill(n, x, axis, before, after);
    else
      x = padByIndex(n, mode, x, axis, n.size(before), n.dims(x)[axis] + before + after);
  }
  n.setOutput(x);
}

/// Crops or pads the middle of each axis to a size that is known or declared.
static void centerCropPadOp(Node &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  SmallVector<int64_t> axes =
      n.hasAttribute("axes") ? n.intsAttr("axes") : llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::optional<Dims> sizes = n.known(n.input(1));
  Dims declared = sizes ? Dims() : n.declaredShape(0, "shapes");
  if (!n.failed() && (sizes ? sizes->size() != axes.size() : int64_t(declared.size()) != rank))
    n.fail("the new shape has another number of dimensions than there are axes");
  for (size_t i = 0; i < axes.size() && !n.failed(); ++i) {
    int64_t axis = n.axis(axes[i], rank);
    if (n.failed())
      return;
    DimExpr from = n.dims(x)[axis], to = sizes ? (*sizes)[i] : declared[axis];
    std::optional<int64_t> grown = (to - from).constant();
    if (!grown)
      return n.fail("not supported: from size " + from.str() + " to " + to.str());
    int64_t before = std::abs(*grown) / 2;
    if (*grown < 0)
      x = n.slice(x, axis, before, to);
    else if (*grown > 0)
      x = concatFill(n, x, axis, before, *grown - before);
  }
  n.setOutput(x);
}

void llmc::importer::addPadOps(OpTable &t) {
  t.add("", "Pad", 2, {padOp, 1, 1, 1, "mode pads value"});
  t.add("", "Pad", 11, {padOp, 2, 4, 1, "mode"});
  t.add("", "CenterCropPad", 18,
        {centerCropPadOp, 2, 2, 1, "axes", "symbolic sizes whose difference is not constant"});
}
