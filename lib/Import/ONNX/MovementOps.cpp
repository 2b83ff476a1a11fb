//===- MovementOps.cpp - data under other coordinates
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

static void concatOp(Node &n) {
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(n.input(0)));
  SmallVector<Value> inputs;
  for (int i = 0; i < n.numInputs(); ++i)
    inputs.push_back(n.input(i));
  n.setOutput(n.concat(axis, inputs));
}

static void transposeOp(Node &n) {
  SmallVector<int64_t> permutation = n.intsAttr("perm");
  if (!n.hasAttribute("perm"))
    for (int64_t i = n.rank(n.input(0)); i-- > 0;)
      permutation.push_back(i);
  SmallVector<int64_t> sorted(permutation);
  llvm::sort(sorted);
  if (sorted != llvm::to_vector(llvm::seq<int64_t>(0, n.rank(n.input(0)))))
    return n.fail("perm is not a permutation of the " + Twine(n.rank(n.input(0))) +
                  " dimensions of its input");
  n.setOutput(n.transpose(n.input(0), permutation));
}

/// Sizes of parts that are computed at run time: as declared, or as data decides. The
/// last part is the rest, so that together they are the whole for sure.
static Dims runtimePartSizes(Node &n, int64_t axis, const DimExpr &size) {
  Dims parts;
  DimExpr rest = size;
  int64_t count = n.numOutputs();
  if (n.rank(n.input(1)) != 1 || !n.dims(n.input(1))[0].isConstant(count))
    n.fail("splits into " + llm::formatDims(n.dims(n.input(1))) + " parts for " + Twine(count) +
           " outputs");
  for (int64_t i = 0; i < count && !n.failed(); ++i) {
    std::optional<Symbols::Declared> declared = n.declaredDims(int(i));
    if (declared && int64_t(declared->size()) != n.rank(n.input(0)))
      n.fail("output " + Twine(i) + " is declared with rank " + Twine(declared->size()));
    else if (declared && (*declared)[axis])
      parts.push_back(*(*declared)[axis]);
    else if (i == count - 1)
      parts.push_back(rest);
    else
      parts.push_back(n.defineSize(n.element(n.input(1), i), rest));
    rest = n.failed() ? rest : rest - parts.back();
  }
  return parts;
}

/// Sizes of the parts: given, or as equal as possible with a smaller last one.
static Dims partSizes(Node &n, int64_t axis, const DimExpr &size) {
  Dims parts;
  if (n.input(1))
    return n.known(n.input(1)) ? n.knownInts(1, "sizes of a split")
                               : runtimePartSizes(n, axis, size);
  for (int64_t part : n.intsAttr("split"))
    parts.push_back(part);
  if (!parts.empty())
    return parts;
  int64_t count = n.intAttr("num_outputs", n.numOutputs());
  if (count != n.numOutputs() || count < 1) {
    n.fail("splits into " + Twine(count) + " parts for " + Twine(n.numOutputs()) + " outputs");
    return {};
  }
  DimExpr part = DimExpr::ceilDiv(size, count);
  for (int64_t i = 0; i + 1 < count; ++i)
    parts.push_back(part);
  parts.push_back(size - part * DimExpr(count - 1));
  return parts;
}

static void splitOp(Node &n) {
  Value x = n.input(0);
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(x));
  if (n.failed())
    return;
  DimExpr size = n.dims(x)[axis], start = 0, total = 0;
  Dims parts = partSizes(n, axis, size);
  if (!n.failed() && int(parts.size()) != n.numOutputs())
    n.fail("splits into " + Twine(parts.size()) + " parts for " + Twine(n.numOutputs()) +
           " outputs");
  for (const DimExpr &part : parts)
    total = total + part;
  n.requireEqual(total, size, "parts of a split");
  for (auto [i, part] : llvm::enumerate(parts)) {
    if (n.failed())
      return;
    n.setOutput(int(i), n.slice(x, axis, start, part));
    start = start + part;
  }
}

namespace {
/// One dimension of ONNX Slice: where it starts inside, and how many elements.
struct SliceRange {
  DimExpr start, count;
};
} // namespace

/// A bound counted from the front: negative ones count from the end. Sizes are
/// taken to be at least 1, so that `-size` means "from the end".
static std::optional<DimExpr> fromFront(const DimExpr &bound, const DimExpr &size) {
  DimExpr::Interval range = bound.bounds();
  if (range.lower >= 0)
    return bound;
  if (range.upper <= 0)
    return bound + size;
  // A difference of sizes, such as total - window: the exporter has checked it.
  return std::nullopt;
}

static DimExpr clampSize(const DimExpr &value, const DimExpr &low, const DimExpr &high) {
  return DimExpr::max(DimExpr::min(value, high), low);
}

static std::optional<SliceRange> resolveSlice(const DimExpr &size, const DimExpr &start,
                                              const DimExpr &end, int64_t step) {
  // ONNX's "to the end" is any number beyond the largest size.
  constexpr int64_t kFar = int64_t(1) << 31;
  auto isFar = [](const DimExpr &e, bool up) {
    std::optional<int64_t> value = e.constant();
    return value && (up ? *value >= kFar - 1 : *value <= -(kFar - 1));
  };
  bool forward = step > 0;
  std::optional<DimExpr> first = fromFront(start, size), last = fromFront(end, size);
  if (isFar(end, true))
    last = size;
  else if (isFar(end, false))
    last = forward ? DimExpr(0) : DimExpr(-1);
  if (isFar(start, true))
    first = size;
  if (!first || !last)
    return std::nullopt;
  std::optional<int64_t> fromEnd = start.constant();
  if (step == 1 && *last == size && fromEnd && *fromEnd < 0 && !isFar(start, false))
    return SliceRange{DimExpr::max(*first, 0), DimExpr::min(size, -*fromEnd)};
  if (forward) {
    *first = clampSize(*first, 0, size);
    *last = clampSize(*last, 0, size);
    return SliceRange{*first, DimExpr::max(DimExpr::ceilDiv(*last - *first, step), 0)};
  }
  *first = clampSize(*first, 0, size - 1);
  *last = clampSize(*last, -1, size - 1);
  return SliceRange{*first, DimExpr::max(DimExpr::ceilDiv(*first - *last, -step), 0)};
}

/// Input `index`, or the attribute of opsets before 10.
static Dims sliceList(Node &n, int index, StringRef attribute) {
  if (n.input(index))
    return n.knownInts(index, "bounds of a slice");
  Dims result;
  for (int64_t value : n.intsAttr(attribute))
    result.push_back(value);
  return result;
}

/// Input `index` or the attribute of opsets before 10, as a list of i64.
static Value sliceOperand(Node &n, int index, StringRef attribute) {
  if (n.input(index) || !n.hasAttribute(attribute))
    return n.input(index);
  Dims values;
  for (int64_t value : n.intsAttr(attribute))
    values.push_back(value);
  return n.sizes(values, n.builder.getI64Type());
}

namespace {
/// Slice with bounds that are computed at run time: reads at computed indices.
class RuntimeSlice {
public:
  explicit RuntimeSlice(Node &n)
      : n(n), rank(n.rank(n.input(0))), starts(sliceOperand(n, 1, "starts")),
        ends(sliceOperand(n, 2, "ends")), axes(sliceOperand(n, 3, "axes")), steps(n.input(4)),
        knownAxes(n.known(axes)) {}
  void run();

private:
  Value entry(Value list, int64_t axis, Value missing) {
    return entryOfAxis(n, list, axes, axis, rank, missing);
  }
  Value clamp(Value x, Value low, Value high) {
    return n.binary(BinaryKind::max, n.binary(BinaryKind::min, x, high), low);
  }
  Value fromFront(Value bound, Value size) {
    return n.select(n.compare(llm::ComparePredicate::lt, bound, 0),
                    n.binary(BinaryKind::add, bound, size), bound);
  }
  bool mayBeSliced(int64_t axis);
  DimExpr count(Value start, Value size, Value step, int64_t axis, const DimExpr &bound);
  Value alongAxis(Value x, int64_t axis);

  Node &n;
  int64_t rank;
  Value starts, ends, axes, steps;
  std::optional<Dims> knownAxes;
};
} // namespace

bool RuntimeSlice::mayBeSliced(int64_t axis) {
  if (!axes)
    return axis < n.dims(starts)[0].constant().value_or(0);
  return !knownAxes || llvm::any_of(*knownAxes, [&](const DimExpr &known) {
    return known.isConstant(axis) || known.isConstant(axis - rank);
  });
}

/// How many elements of an axis: as the output is declared, or as data decides.
DimExpr RuntimeSlice::count(Value start, Value size, Value step, int64_t axis,
                            const DimExpr &bound) {
  std::optional<Symbols::Declared> declared = n.declaredDims(0);
  if (declared && int64_t(declared->size()) == rank && (*declared)[axis])
    return *(*declared)[axis];
  if (!knownAxes && axes) {
    n.declaredShape(0, "axes of a slice");
    return {};
  }
  Value forward = n.compare(llm::ComparePredicate::gt, step, 0);
  Value zero = n.size(0), last = n.binary(BinaryKind::sub, size, 1);
  Value end = fromFront(entry(ends, axis, size), size);
  Value above = n.binary(BinaryKind::sub, clamp(end, zero, size), start);
  // "-1 - size" and below mean that a backward slice takes the first element too.
  Value below = n.binary(BinaryKind::sub, start, clamp(end, n.size(-1), last));
  Value span = n.select(forward, above, below), stride = n.unary(UnaryKind::abs, step);
  Value steps =
      n.binary(BinaryKind::div,
               n.binary(BinaryKind::sub, n.binary(BinaryKind::add, span, stride), 1), stride);
  return n.defineSize(n.binary(BinaryKind::max, steps, zero), bound);
}

Value RuntimeSlice::alongAxis(Value x, int64_t axis) {
  if (n.failed())
    return {};
  DimExpr bound = n.dims(x)[axis];
  Value zero = n.size(0), size = n.size(bound), last = n.binary(BinaryKind::sub, size, 1);
  Value step = steps ? entry(steps, axis, n.size(1)) : n.size(1);
  Value backward = n.compare(llm::ComparePredicate::lt, step, 0);
  Value start = fromFront(entry(starts, axis, n.select(backward, last, zero)), size);
  start = clamp(start, zero, n.select(backward, last, size));
  DimExpr length = count(start, size, step, axis, bound);
  if (n.failed())
    return {};
  Value index = n.binary(BinaryKind::mul, n.iota(length), step);
  return n.gather(x, axis, n.binary(BinaryKind::add, index, start));
}

void RuntimeSlice::run() {
  if (!n.failed() && (n.rank(starts) != 1 || !n.dims(starts)[0].constant()))
    n.fail("not supported: a list of starts of shape " + llm::formatDims(n.dims(starts)));
  Value x = n.input(0);
  for (int64_t axis = 0; axis < rank && !n.failed(); ++axis)
    if (mayBeSliced(axis))
      x = alongAxis(x, axis);
  n.setOutput(x);
}

static void sliceAtRuntime(Node &n) { RuntimeSlice(n).run(); }

static void sliceOp(Node &n) {
  Value x = n.input(0);
  for (int i = 1; i < n.numInputs(); ++i)
    if (n.input(i) && !n.known(n.input(i)))
      return sliceAtRuntime(n);
  Dims starts = sliceList(n, 1, "starts"), ends = sliceList(n, 2, "ends");
  Dims axes = sliceList(n, 3, "axes"), steps = sliceList(n, 4, "steps");
  if (!n.failed() &&
      (starts.size() != ends.size() || (!axes.empty() && axes.size() != starts.size()) ||
       (!steps.empty() && steps.size() != starts.size())))
    n.fail("starts, ends, axes and steps differ in length");
  Dims dims = n.dims(x), from(dims.size(), 0), counts = dims;
  SmallVector<int64_t> strides(dims.size(), 1);
  for (size_t i = 0; i < starts.size() && !n.failed(); ++i) {
    std::optional<int64_t> axis = axes.empty() ? int64_t(i) : axes[i].constant();
    std::optional<int64_t> step = steps.empty() ? 1 : steps[i].constant();
    if (step == 0)
      return n.fail("a step of a slice is 0");
    if (!axis || !step)
      return sliceAtRuntime(n);
    // A step beyond any size takes one element, as the largest step does.
    step = std::clamp<int64_t>(*step, -(int64_t(1) << 40), int64_t(1) << 40);
    int64_t at = n.axis(*axis, dims.size());
    if (n.failed())
      return;
    auto range = resolveSlice(dims[at], starts[i], ends[i], *step);
    if (!range) // bounds of unknown sign
      return sliceAtRuntime(n);
    // Two sizes that are not known to be the same are taken to be so where they meet: one
    // that is 1 has to be known.
    if (n.symbols.isAlwaysOne(range->count))
      range = SliceRange{dims[at].isConstant(1) ? DimExpr(0) : range->start, 1};
    from[at] = range->start;
    counts[at] = range->count;
    strides[at] = *step;
  }
  if (n.failed())
    return;
  n.setOutput(n.make<llm::SliceOp>(llm::makeTensorType(counts, n.elementTypeOf(x)), x,
                                   llm::makeExprs(n.builder.getContext(), from), strides));
}

/// Tile as broadcast: [a, b] becomes [1, a, 1, b] -> [r, a, s, b] -> [ra, sb].
static void tileOp(Node &n) {
  Dims dims = n.dims(n.input(0)), repeats;
  if (n.known(n.input(1))) {
    repeats = n.knownInts(1, "repeats");
  } else { // as many as the declared result needs
    for (auto [wide, dim] : llvm::zip(n.declaredShape(0, "repeats"), dims))
      repeats.push_back(dim.isConstant(0) ? DimExpr(1) : DimExpr::floorDiv(wide, dim));
  }
  if (!n.failed() && repeats.size() != dims.size())
    n.fail("repeats have " + Twine(repeats.size()) + " entries for rank " + Twine(dims.size()));
  if (n.failed())
    return;
  Dims split, wide, result;
  for (auto [dim, repeat] : llvm::zip(dims, repeats)) {
    split.append({DimExpr(1), dim});
    wide.append({repeat, dim});
    result.push_back(repeat * dim);
  }
  n.setOutput(n.reshape(n.broadcast(n.reshape(n.input(0), split), wide), result));
}

/// Keeps what is above (or below) diagonal k: column - row >= k (<= k).
static void triluOp(Node &n) {
  Value x = n.input(0);
  Dims dims = n.dims(x);
  if (dims.size() < 2)
    return n.fail("needs a matrix, found " + llm::formatDims(dims));
  const DimExpr &rows = dims[dims.size() - 2], &columns = dims.back();
  Value row = n.reshape(n.iota(rows), {rows, 1}), column = n.iota(columns);
  Value difference = n.binary(BinaryKind::sub, column, row);
  Value bound = n.input(1) ? n.asI64(n.element(n.input(1))) : n.size(0);
  bool upper = n.intAttr("upper", 1) != 0;
  Value keep =
      n.compare(upper ? llm::ComparePredicate::ge : llm::ComparePredicate::le, difference, bound);
  n.setOutput(n.select(keep, x, n.scalar(0, n.elementTypeOf(x))));
}

void llmc::importer::addMovementOps(OpTable &t) {
  t.add("", "Concat", 4, {concatOp, 1, kVariadic, 1, "axis"});
  t.add("", "Transpose", 1, {transposeOp, 1, 1, 1, "perm"});
  t.add("", "Split", 2, {splitOp, 1, 1, kVariadic, "axis split"});
  t.add("", "Split", 13, {splitOp, 1, 2, kVariadic, "axis"});
  t.add("", "Split", 18, {splitOp, 1, 2, kVariadic, "axis num_outputs"});
  t.add("", "Slice", 1, {sliceOp, 1, 1, 1, "starts ends axes"});
  t.add("", "Slice", 10, {sliceOp, 3, 5, 1});
  t.add("", "Tile", 6, {tileOp, 2, 2, 1});
  t.add("", "Trilu", 14, {triluOp, 1, 2, 1, "upper"});
}
