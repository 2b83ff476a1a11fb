//===- GridOps.cpp - sampling at points of a grid
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

namespace {
/// Shorthands for arithmetic in f32 (or in i64, of indices).
struct Arithmetic {
  Node &n;
  Value add(Value a, Value b) { return n.binary(BinaryKind::add, a, b); }
  Value add(Value a, double b) { return n.binary(BinaryKind::add, a, b); }
  Value sub(Value a, Value b) { return n.binary(BinaryKind::sub, a, b); }
  Value mul(Value a, Value b) { return n.binary(BinaryKind::mul, a, b); }
  Value mul(Value a, double b) { return n.binary(BinaryKind::mul, a, b); }
  Value div(Value a, Value b) { return n.binary(BinaryKind::div, a, b); }
  Value min(Value a, Value b) { return n.binary(BinaryKind::min, a, b); }
  Value max(Value a, Value b) { return n.binary(BinaryKind::max, a, b); }
  Value negate(Value a) { return n.unary(UnaryKind::neg, a); }
  Value floor(Value a) { return n.unary(UnaryKind::floor, a); }
  Value asFloat(Value a) { return n.cast(a, n.builder.getF32Type()); }
  Value size(const DimExpr &value) { return asFloat(n.size(value)); }
};
} // namespace

/// theta applied to the coordinates of every output pixel, each in -1 .. 1.
static void affineGridOp(Node &n) {
  Value theta = n.input(0);
  bool corners = n.intAttr("align_corners", 0) != 0;
  std::optional<Dims> known = n.known(n.input(1));
  Dims spatial;
  if (known) {
    spatial.assign(known->begin() + std::min<size_t>(2, known->size()), known->end());
  } else {
    Dims shape = n.declaredShape(0, "sizes");
    if (shape.size() >= 2)
      spatial.assign(shape.begin() + 1, shape.end() - 1);
  }
  size_t rank = spatial.size();
  if (!n.failed() && (n.rank(theta) != 3 || rank < 2 || rank > 3))
    n.fail("theta " + llm::formatDims(n.dims(theta)) + " for " + Twine(rank) + " dimensions");
  if (n.failed())
    return;
  Arithmetic a{n};
  Dims wide(spatial);
  wide.push_back(1);
  SmallVector<Value> columns;
  for (size_t i = rank; i-- > 0;) { // x first
    Value at = a.asFloat(n.iota(spatial[i])), size = a.size(spatial[i]);
    Value line;
    if (!corners)
      line = a.add(a.div(a.add(a.mul(at, 2), 1), size), -1);
    else if (spatial[i].isConstant(1))
      line = a.mul(at, 0.0);
    else
      line = a.add(a.div(a.mul(at, 2), a.add(size, -1)), -1);
    Dims shape(rank + 1, 1);
    shape[i] = spatial[i];
    columns.push_back(n.broadcast(n.reshape(line, shape), wide));
  }
  columns.push_back(n.broadcast(n.scalar(1, n.builder.getF32Type()), wide));
  Value points =
      n.reshape(n.concat(int64_t(rank), columns), {llm::product(spatial), int64_t(rank + 1)});
  Value moved = n.matmul(n.cast(points, n.elementTypeOf(theta)), n.transpose(theta, {0, 2, 1}));
  Dims result{n.dims(theta)[0]};
  result.append(spatial);
  result.push_back(int64_t(rank));
  n.setOutput(n.reshape(moved, result));
}

namespace {

class GridSample {
public:
  explicit GridSample(Node &n) : n(n), a{n} {}
  void run();

private:
  /// One tap along one dimension: positions [N, points], and their weights.
  struct Tap {
    Value index, weight; ///< i64 before padding; f32 or null for 1
  };
  Value reflect(Value x, size_t dim);
  Value position(size_t dim);
  SmallVector<Tap> taps(Value at);
  Value sample(ArrayRef<Tap> tuple);

  Node &n;
  Arithmetic a;
  std::string mode, padding;
  bool corners = false;
  Dims spatial;
  Value image, grid; ///< [N, spatial.., C] and [N, points, rank], f32
};

} // namespace

/// x folded back into the image at both its borders.
Value GridSample::reflect(Value x, size_t dim) {
  double low = corners ? 0 : -0.5;
  Value range = a.max(corners ? a.add(a.size(spatial[dim]), -1) : a.size(spatial[dim]),
                      n.scalar(1e-30, n.builder.getF32Type()));
  Value period = a.mul(range, 2), from = a.add(x, -low);
  Value phase = a.sub(from, a.mul(a.floor(a.div(from, period)), period));
  return a.add(a.min(phase, a.sub(period, phase)), low);
}

/// Where the points lie along a dimension, in pixels.
Value GridSample::position(size_t dim) {
  size_t rank = spatial.size();
  Dims shape = n.dims(grid);
  if (n.failed())
    return {};
  shape.pop_back();
  // The grid has x, which is the last dimension, first.
  Value at = n.reshape(n.slice(grid, 2, int64_t(rank - 1 - dim), 1), shape);
  Value size = a.size(spatial[dim]);
  if (corners)
    at = a.mul(a.mul(a.add(at, 1), 0.5), a.add(size, -1));
  else
    at = a.mul(a.add(a.mul(a.add(at, 1), size), -1), 0.5);
  if (padding == "border")
    at = a.max(a.min(at, a.add(size, -1)), n.scalar(0, n.builder.getF32Type()));
  return padding == "reflection" ? reflect(at, dim) : at;
}

SmallVector<GridSample::Tap> GridSample::taps(Value at) {
  if (mode == "nearest")
    return {{n.asI64(n.unary(UnaryKind::round, at)), Value()}};
  Value base = a.floor(at), first = n.asI64(base), part = a.sub(at, base);
  Value rest = a.add(a.negate(part), 1);
  if (mode == "linear")
    return {{first, rest}, {a.add(first, 1), part}};
  constexpr double c = -0.75; // Keys 1981, as ONNX fixes it
  auto outer = [&](Value d) {
    return a.add(a.mul(a.add(a.mul(a.add(a.mul(d, c), -5 * c), d), 8 * c), d), -4 * c);
  };
  auto inner = [&](Value d) {
    return a.add(a.mul(a.add(a.mul(d, c + 2), -(c + 3)), a.mul(d, d)), 1);
  };
  return {{a.add(first, -1), outer(a.add(part, 1))},
          {first, inner(part)},
          {a.add(first, 1), inner(rest)},
          {a.add(first, 2), outer(a.add(rest, 1))}};
}

/// The pixels at one tap per dimension, times the weights: [N, points, C].
Value GridSample::sample(ArrayRef<Tap> tuple) {
  SmallVector<Value> columns;
  Value weight, inside;
  Dims column = n.dims(grid);
  if (n.failed())
    return {};
  column.back() = 1;
  for (auto [dim, tap] : llvm::enumerate(tuple)) {
    Value index = tap.index, last = n.size(spatial[dim] - 1);
    if (padding == "zeros") {
      Value fits = n.binary(BinaryKind::logical_and, n.compare(llm::ComparePredicate::ge, index, 0),
                            n.compare(llm::ComparePredicate::le, index, last));
      inside = inside ? n.binary(BinaryKind::logical_and, inside, fits) : fits;
    } else if (padding == "reflection") {
      index = n.asI64(reflect(a.asFloat(index), dim));
    }
    columns.push_back(n.reshape(a.max(a.min(index, last), n.size(0)), column));
    if (tap.weight)
      weight = weight ? a.mul(weight, tap.weight) : tap.weight;
  }
  Value pixels = n.infer<llm::GatherNDOp>(uint64_t(1), image, n.concat(2, columns));
  if (weight)
    pixels = a.mul(pixels, n.reshape(weight, column));
  if (inside)
    pixels = n.select(n.reshape(inside, column), pixels, n.scalar(0, n.builder.getF32Type()));
  return pixels;
}

void GridSample::run() {
  mode = n.stringAttr("mode", "linear");
  padding = n.stringAttr("padding_mode", "zeros");
  corners = n.intAttr("align_corners", 0) != 0;
  if (mode == "bilinear" || mode == "bicubic") // names before opset 20
    mode = mode.substr(2) == "linear" ? "linear" : "cubic";
  if (mode != "nearest" && mode != "linear" && mode != "cubic")
    n.fail("not supported: mode '" + mode + "'");
  if (padding != "zeros" && padding != "border" && padding != "reflection")
    n.fail("not supported: padding_mode '" + padding + "'");
  Dims input = n.dims(n.input(0)), points = n.dims(n.input(1));
  if (!n.failed() && (input.size() < 3 || points.size() != input.size() ||
                      !points.back().isConstant(int64_t(input.size()) - 2)))
    n.fail("a grid " + llm::formatDims(points) + " over " + llm::formatDims(input));
  if (n.failed())
    return;
  spatial.assign(input.begin() + 2, input.end());
  int64_t rank = int64_t(spatial.size());
  SmallVector<int64_t> channelsLast{0}, channelsFirst{0, rank + 1};
  for (int64_t i = 0; i < rank; ++i) {
    channelsLast.push_back(i + 2);
    channelsFirst.push_back(i + 1);
  }
  channelsLast.push_back(1);
  image = n.transpose(a.asFloat(n.input(0)), channelsLast);
  Dims flat{points[0], llm::product(ArrayRef(points).drop_front().drop_back()), rank};
  grid = n.reshape(a.asFloat(n.input(1)), flat);
  // Every combination of one tap per dimension.
  SmallVector<SmallVector<Tap>> perDim;
  size_t combinations = 1;
  for (int64_t dim = 0; dim < rank; ++dim) {
    perDim.push_back(taps(position(size_t(dim))));
    combinations *= perDim.back().size();
  }
  Value sum;
  for (size_t i = 0; i < combinations && !n.failed(); ++i) {
    SmallVector<Tap> tuple;
    for (size_t dim = 0, rest = i; dim < perDim.size(); rest /= perDim[dim].size(), ++dim)
      tuple.push_back(perDim[dim][rest % perDim[dim].size()]);
    Value part = sample(tuple);
    sum = sum ? a.add(sum, part) : part;
  }
  Dims result(ArrayRef<DimExpr>(points).drop_back());
  result.push_back(input[1]);
  n.setOutput(
      n.cast(n.transpose(n.reshape(sum, result), channelsFirst), n.elementTypeOf(n.input(0))));
}

static void gridSampleOp(Node &n) { GridSample(n).run(); }

void llmc::importer::addGridOps(OpTable &t) {
  t.add("", "AffineGrid", 20, {affineGridOp, 2, 2, 1, "align_corners"});
  t.add("", "GridSample", 16, {gridSampleOp, 2, 2, 1, "align_corners mode padding_mode"});
}
