//===- ImageOps.cpp - grids of pixels: blocks, resizing
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;
using llm::ReduceKind;

namespace {
/// What a node that moves blocks of pixels between depth and place was told.
struct BlockMove {
  Dims dims; ///< [N, C, H, W] of the input.
  int64_t block;
  bool isDepthLast; ///< DCR; else CRD.
};
} // namespace

static std::optional<BlockMove> readBlockMove(Node &n) {
  Dims dims = n.dims(n.input(0));
  int64_t block = n.intAttr("blocksize", 0);
  std::string mode = n.stringAttr("mode", "DCR");
  if (dims.size() != 4 || block <= 0 || block >= (int64_t(1) << 30))
    n.fail("blocks of " + Twine(block) + " pixels of " + llm::formatDims(dims));
  if (mode != "DCR" && mode != "CRD")
    n.fail("mode is '" + mode + "', expected DCR or CRD");
  if (n.failed())
    return std::nullopt;
  return BlockMove{std::move(dims), block, mode == "DCR"};
}

static void depthToSpaceOp(Node &n) {
  std::optional<BlockMove> move = readBlockMove(n);
  if (!move)
    return;
  const DimExpr &batch = move->dims[0], &height = move->dims[2], &width = move->dims[3];
  DimExpr size = move->block;
  DimExpr depth = DimExpr::floorDiv(move->dims[1], move->block * move->block);
  Value split =
      n.reshape(n.input(0), move->isDepthLast ? Dims{batch, size, size, depth, height, width}
                                              : Dims{batch, depth, size, size, height, width});
  Value moved = n.transpose(split, move->isDepthLast ? ArrayRef<int64_t>{0, 3, 4, 1, 5, 2}
                                                     : ArrayRef<int64_t>{0, 1, 4, 2, 5, 3});
  n.setOutput(n.reshape(moved, {batch, depth, height * size, width * size}));
}

static void spaceToDepthOp(Node &n) {
  std::optional<BlockMove> move = readBlockMove(n);
  if (!move)
    return;
  const DimExpr &batch = move->dims[0], &depth = move->dims[1];
  DimExpr size = move->block;
  DimExpr height = DimExpr::floorDiv(move->dims[2], size);
  DimExpr width = DimExpr::floorDiv(move->dims[3], size);
  Value split = n.reshape(n.input(0), {batch, depth, height, size, width, size});
  Value moved = n.transpose(split, move->isDepthLast ? ArrayRef<int64_t>{0, 3, 5, 1, 2, 4}
                                                     : ArrayRef<int64_t>{0, 1, 3, 5, 2, 4});
  n.setOutput(n.reshape(moved, {batch, depth * size * size, height, width}));
}

namespace {

/// How Resize reads one axis.
struct ResizeAxis {
  int64_t axis;
  DimExpr from, to;
  Value scale;      ///< f32 of rank 0
  Value begin, end; ///< of the region in 0 .. 1, for tf_crop_and_resize
};

class Resize {
public:
  explicit Resize(Node &n) : n(n) {}
  void run();

private:
  bool readAttributes();
  SmallVector<int64_t> resizedAxes(int64_t rank);
  std::optional<ResizeAxis> readAxis(int64_t axis, size_t entry, size_t count, Value x);
  Value coordinates(const ResizeAxis &axis);
  Value nearest(Value x, const ResizeAxis &axis, Value at);
  Value weighted(Value x, const ResizeAxis &axis, Value at);
  SmallVector<Value> taps(Value fraction);
  Value add(Value a, Value b) { return n.binary(BinaryKind::add, a, b); }
  Value add(Value a, double b) { return n.binary(BinaryKind::add, a, b); }
  Value sub(Value a, Value b) { return n.binary(BinaryKind::sub, a, b); }
  Value mul(Value a, Value b) { return n.binary(BinaryKind::mul, a, b); }
  Value mul(Value a, double b) { return n.binary(BinaryKind::mul, a, b); }
  Value asFloat(Value x) { return n.cast(x, n.builder.getF32Type()); }

  Node &n;
  std::string mode, transformation, rounding;
  Value roi, scales, sizes;
  bool excludesOutside = false;
};

} // namespace

bool Resize::readAttributes() {
  mode = n.stringAttr("mode", "nearest");
  transformation =
      n.stringAttr("coordinate_transformation_mode", n.opset() < 11 ? "asymmetric" : "half_pixel");
  rounding = n.stringAttr("nearest_mode", n.opset() < 11 ? "floor" : "round_prefer_floor");
  excludesOutside = n.intAttr("exclude_outside", 0) != 0;
  if (mode != "nearest" && mode != "linear" && mode != "cubic")
    n.fail("not supported: mode '" + mode + "'");
  if (n.intAttr("antialias", 0) != 0)
    n.fail("not supported: antialias");
  if (n.stringAttr("keep_aspect_ratio_policy", "stretch") != "stretch" && !n.declaredDims(0))
    n.fail("not supported: keep_aspect_ratio_policy without a declared result");
  auto given = [&](int i) {
    Value operand = n.input(i);
    return operand && !llm::product(n.dims(operand)).isConstant(0) ? operand : Value();
  };
  bool hasRoi = n.opset() >= 11 && n.opType() == "Resize";
  roi = hasRoi ? given(1) : Value();
  scales = given(hasRoi ? 2 : 1);
  sizes = hasRoi ? given(3) : Value();
  if (!scales && !sizes)
    n.fail("needs scales or sizes");
  return !n.failed();
}

/// floor(size * factor); fails where that is no size.
static DimExpr scaledSize(Node &n, int64_t size, double factor) {
  double scaled = std::floor(double(size) * factor);
  if (scaled >= 0 && scaled < double(int64_t(1) << 40))
    return int64_t(scaled);
  n.fail(llvm::formatv("resizes {0} by {1:e}", size, factor).str());
  return 0;
}

/// The constant f32 elements of an operand.
static std::optional<SmallVector<double>> constantFloats(Value value) {
  auto constant = value ? value.getDefiningOp<llm::ConstantOp>() : llm::ConstantOp();
  auto dense = constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue()) : nullptr;
  if (!dense || !dense.getElementType().isF32())
    return std::nullopt;
  SmallVector<double> values;
  for (const APFloat &element : dense)
    values.push_back(element.convertToFloat());
  return values;
}

std::optional<ResizeAxis> Resize::readAxis(int64_t axis, size_t entry, size_t count, Value x) {
  ResizeAxis result{axis, n.dims(x)[axis], {}, {}, {}, {}};
  std::optional<Symbols::Declared> declared = n.declaredDims(0);
  std::optional<Dims> known = n.known(sizes);
  std::optional<SmallVector<double>> factors = constantFloats(scales);
  bool stretches = n.stringAttr("keep_aspect_ratio_policy", "stretch") == "stretch";
  if (known && stretches && entry < known->size())
    result.to = (*known)[entry];
  else if (factors && entry < factors->size() && result.from.constant())
    result.to = scaledSize(n, *result.from.constant(), (*factors)[entry]);
  else if (declared && axis < int64_t(declared->size()) && (*declared)[axis])
    result.to = *(*declared)[axis];
  else
    n.fail("not supported: sizes that are computed at run time, where the model does not declare "
           "the shape of output 0 in sizes of its inputs");
  if (n.failed())
    return std::nullopt;
  if (scales)
    result.scale = asFloat(n.element(scales, int64_t(entry)));
  else // a quotient of sizes
    result.scale =
        n.binary(BinaryKind::div, asFloat(n.size(result.to)), asFloat(n.size(result.from)));
  if (transformation == "tf_crop_and_resize") {
    if (!roi)
      n.fail("needs a region");
    result.begin = asFloat(n.element(roi, int64_t(entry)));
    result.end = asFloat(n.element(roi, int64_t(entry + count)));
  }
  return result;
}

/// Where each result position lies in the input, f32.
Value Resize::coordinates(const ResizeAxis &axis) {
  Value at = asFloat(n.iota(axis.to)), from = asFloat(n.size(axis.from));
  auto divide = [&](Value a, Value b) { return n.binary(BinaryKind::div, a, b); };
  Value halfPixel = add(divide(add(at, 0.5), axis.scale), -0.5);
  if (transformation == "half_pixel")
    return halfPixel;
  if (transformation == "asymmetric")
    return divide(at, axis.scale);
  if (transformation == "pytorch_half_pixel")
    return axis.to.isConstant(1) ? mul(at, 0.0) : halfPixel;
  // The scale may not divide the size: that of the whole result before it was cut.
  Value length = mul(axis.scale, from);
  if (transformation == "half_pixel_symmetric") {
    Value adjustment = divide(asFloat(n.size(axis.to)), length);
    Value centre = mul(from, 0.5);
    Value offset = mul(centre, add(n.unary(UnaryKind::neg, adjustment), 1));
    return add(halfPixel, offset);
  }
  Value last = add(from, -1);
  if (transformation == "align_corners") {
    Value span = n.binary(BinaryKind::max, add(length, -1), 1e-30);
    Value isPoint = n.compare(llm::ComparePredicate::eq, length, 1);
    return n.select(isPoint, mul(at, 0.0), divide(mul(at, last), span));
  }
  if (transformation == "tf_crop_and_resize") {
    Value width = sub(axis.end, axis.begin);
    if (axis.to.isConstant(1))
      return add(mul(at, 0.0), mul(mul(add(axis.begin, axis.end), last), 0.5));
    return add(mul(axis.begin, last), divide(mul(at, mul(width, last)), add(length, -1)));
  }
  n.fail("not supported: coordinate_transformation_mode '" + transformation + "'");
  return {};
}

static Value clampTo(Node &n, Value index, const DimExpr &size) {
  return n.binary(BinaryKind::max, n.binary(BinaryKind::min, index, n.size(size - 1)), 0);
}

Value Resize::nearest(Value x, const ResizeAxis &axis, Value at) {
  Value rounded;
  if (rounding == "floor")
    rounded = n.unary(UnaryKind::floor, at);
  else if (rounding == "ceil")
    rounded = n.unary(UnaryKind::ceil, at);
  else if (rounding == "round_prefer_floor")
    rounded = n.unary(UnaryKind::ceil, add(at, -0.5));
  else if (rounding == "round_prefer_ceil")
    rounded = n.unary(UnaryKind::floor, add(at, 0.5));
  else
    n.fail("not supported: nearest_mode '" + rounding + "'");
  return n.gather(x, axis.axis, clampTo(n, n.asI64(rounded), axis.from));
}

/// The weights of the input elements around each coordinate.
SmallVector<Value> Resize::taps(Value fraction) {
  if (mode == "linear")
    return {add(n.unary(UnaryKind::neg, fraction), 1), fraction};
  // Keys 1981, with the coefficient a for the outer elements.
  double a = n.floatAttr("cubic_coeff_a", -0.75);
  auto outer = [&](Value distance) { // ((a d - 5a) d + 8a) d - 4a
    return add(mul(add(mul(add(mul(distance, a), -5 * a), distance), 8 * a), distance), -4 * a);
  };
  auto inner = [&](Value distance) { // ((a + 2) d - (a + 3)) d^2 + 1
    return add(mul(add(mul(distance, a + 2), -(a + 3)), mul(distance, distance)), 1);
  };
  Value rest = add(n.unary(UnaryKind::neg, fraction), 1);
  return {outer(add(fraction, 1)), inner(fraction), inner(rest), outer(add(rest, 1))};
}

Value Resize::weighted(Value x, const ResizeAxis &axis, Value at) {
  Value base = n.unary(UnaryKind::floor, at), first = n.asI64(base);
  SmallVector<Value> weights = taps(sub(at, base)), indices;
  int64_t before = mode == "linear" ? 0 : 1;
  Value total;
  for (auto [i, weight] : llvm::enumerate(weights)) {
    indices.push_back(add(first, double(int64_t(i) - before)));
    if (!excludesOutside)
      continue;
    Value inside =
        n.binary(BinaryKind::logical_and, n.compare(llm::ComparePredicate::ge, indices[i], 0),
                 n.compare(llm::ComparePredicate::lt, indices[i], n.size(axis.from)));
    weight = n.select(inside, weight, mul(weight, 0.0));
    total = total ? add(total, weight) : weight;
  }
  if (n.failed())
    return {};
  Value result;
  Dims shape(n.rank(x), 1);
  shape[axis.axis] = axis.to;
  for (auto [weight, index] : llvm::zip(weights, indices)) {
    Value share = total ? n.binary(BinaryKind::div, weight, total) : weight;
    Value part = mul(n.gather(x, axis.axis, clampTo(n, index, axis.from)), n.reshape(share, shape));
    result = result ? add(result, part) : part;
  }
  return result;
}

SmallVector<int64_t> Resize::resizedAxes(int64_t rank) {
  if (!n.hasAttribute("axes"))
    return llvm::to_vector(llvm::seq<int64_t>(0, rank));
  SmallVector<int64_t> result = n.intsAttr("axes");
  for (int64_t &axis : result)
    axis = n.axis(axis, rank);
  return result;
}

void Resize::run() {
  if (!readAttributes())
    return;
  Value x = n.input(0);
  Type type = n.elementTypeOf(x);
  SmallVector<int64_t> resized = resizedAxes(n.rank(x));
  Value outside;
  for (auto [entry, axis] : llvm::enumerate(resized)) {
    std::optional<ResizeAxis> way =
        n.failed() ? std::nullopt : readAxis(axis, entry, resized.size(), x);
    if (!way)
      return;
    if (way->from == way->to && transformation != "tf_crop_and_resize")
      continue;
    Value at = coordinates(*way);
    if (n.failed())
      return;
    if (transformation == "tf_crop_and_resize") {
      Dims shape(n.rank(x), 1);
      shape[axis] = way->to;
      Value beyond =
          n.binary(BinaryKind::logical_or, n.compare(llm::ComparePredicate::lt, at, 0),
                   n.compare(llm::ComparePredicate::gt, at, asFloat(n.size(way->from - 1))));
      beyond = n.reshape(beyond, shape);
      outside = outside ? n.binary(BinaryKind::logical_or, outside, beyond) : beyond;
    }
    x = mode == "nearest" ? nearest(x, *way, at) : weighted(asFloat(x), *way, at);
  }
  x = n.cast(x, type);
  if (outside)
    x = n.select(outside, n.scalar(n.floatAttr("extrapolation_value", 0), type), x);
  n.setOutput(x);
}

static void resizeOp(Node &n) { Resize(n).run(); }

/// The first lengths[b] elements of each sequence in reverse.
static void reverseSequenceOp(Node &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x), time = n.axis(n.intAttr("time_axis", 0), rank);
  int64_t batch = n.axis(n.intAttr("batch_axis", 1), rank);
  if (n.failed() || time == batch)
    return n.fail("time_axis and batch_axis are the same");
  Dims dims = n.dims(x), perBatch(rank, 1);
  perBatch[batch] = dims[batch];
  Value length = n.reshape(n.asI64(n.input(1)), perBatch);
  Value at = n.iota(dims[time], time, rank);
  Value mirrored = n.binary(BinaryKind::sub, n.binary(BinaryKind::sub, length, 1), at);
  Value source = n.select(n.compare(llm::ComparePredicate::lt, at, length), mirrored, at);
  n.setOutput(n.infer<llm::GatherElementsOp>(uint64_t(time), x, n.broadcast(source, dims)));
}

void llmc::importer::addImageOps(OpTable &t) {
  t.add("", "DepthToSpace", 1, {depthToSpaceOp, 1, 1, 1, "blocksize mode"});
  t.add("", "SpaceToDepth", 1, {spaceToDepthOp, 1, 1, 1, "blocksize mode"});
  t.add("", "Upsample", 9, {resizeOp, 2, 2, 1, "mode"});
  t.add("", "Resize", 10, {resizeOp, 2, 2, 1, "mode", "antialias"});
  t.add("", "Resize", 11,
        {resizeOp, 1, 4, 1,
         "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside "
         "extrapolation_value keep_aspect_ratio_policy mode nearest_mode",
         "antialias"});
  t.add("", "ReverseSequence", 10, {reverseSequenceOp, 2, 2, 1, "batch_axis time_axis"});
}
