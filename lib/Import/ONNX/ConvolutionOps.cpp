//===- ConvolutionOps.cpp - convolutions and pools
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "OpTable.h"
#include "Quantization.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;
using llm::ReduceKind;

namespace {
/// How a window moves over the spatial dimensions.
struct Window {
  SmallVector<int64_t> sizes, strides, dilations;
  SmallVector<int64_t> pads; ///< all begins, then all ends
  /// Elements past the end that `ceil_mode` adds to `pads`, per dimension.
  SmallVector<int64_t> overhang;
};
} // namespace

/// What strides, dilations and pads are at most: a product of two is a number.
static constexpr int64_t kMaxStep = int64_t(1) << 30;

/// An attribute with an entry per dimension; `missing` where it is absent.
static SmallVector<int64_t> perDimension(Node &n, StringRef name, size_t count, int64_t missing) {
  SmallVector<int64_t> values = n.intsAttr(name);
  if (values.empty())
    values.assign(count, missing);
  if (!n.failed() && values.size() != count)
    n.fail(name + " has " + Twine(values.size()) + " entries, expected " + Twine(count));
  for (int64_t value : values)
    if (!n.failed() && (value < -kMaxStep || value > kMaxStep))
      n.fail(name + " of " + Twine(value) + " make no sense");
  return values;
}

/// Pads such that the result has ceil(size / stride) positions.
static void padToSame(Node &n, ArrayRef<DimExpr> spatial, bool upper, Window &window) {
  size_t rank = spatial.size();
  window.pads.assign(2 * rank, 0);
  for (size_t i = 0; i < rank && !n.failed(); ++i) {
    std::optional<int64_t> size = spatial[i].constant();
    int64_t reach = window.dilations[i] * (window.sizes[i] - 1) + 1, stride = window.strides[i];
    if (!size && stride != 1)
      return n.fail("not supported: auto_pad with strides over a size that is not constant");
    int64_t last = size ? ((*size + stride - 1) / stride - 1) * stride - *size : -1;
    int64_t total = std::max<int64_t>(0, last + reach);
    window.pads[i] = upper ? total / 2 : total - total / 2;
    window.pads[rank + i] = total - window.pads[i];
  }
}

/// The window of a node's attributes over `spatial`.
static Window readWindow(Node &n, ArrayRef<int64_t> sizes, ArrayRef<DimExpr> spatial) {
  size_t rank = sizes.size();
  Window window;
  window.sizes.assign(sizes.begin(), sizes.end());
  window.strides = perDimension(n, "strides", rank, 1);
  window.dilations = perDimension(n, "dilations", rank, 1);
  window.pads = perDimension(n, "pads", 2 * rank, 0);
  window.overhang.assign(rank, 0);
  std::string mode = n.stringAttr("auto_pad", "NOTSET");
  for (size_t i = 0; i < rank && !n.failed(); ++i)
    if (window.strides[i] < 1 || window.dilations[i] < 1 || sizes[i] < 1 || sizes[i] > kMaxStep)
      n.fail("window, strides and dilations must be positive, and below 2^30");
  if (spatial.size() != rank)
    n.fail("a window of " + Twine(rank) + " dimensions over " + llm::formatDims(spatial));
  if (n.failed())
    return window;
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER")
    padToSame(n, spatial, mode == "SAME_UPPER", window);
  else if (mode == "VALID")
    window.pads.assign(2 * rank, 0);
  else if (mode != "NOTSET")
    n.fail("not supported: auto_pad '" + mode + "'");
  if (n.intAttr("ceil_mode", 0) == 0 || (mode != "NOTSET" && mode != "VALID"))
    return window;
  for (size_t i = 0; i < rank && !n.failed(); ++i) {
    std::optional<int64_t> size = spatial[i].constant();
    if (!size)
      return n.fail("not supported: ceil_mode over a size that is not constant"), window;
    int64_t room = *size + window.pads[i] + window.pads[rank + i] -
                   window.dilations[i] * (window.sizes[i] - 1) - 1;
    int64_t rest = room < 0 ? 0 : room % window.strides[i];
    // A window must not start in the padding behind the end.
    int64_t start = (room / window.strides[i] + 1) * window.strides[i];
    if (rest == 0 || start >= *size + window.pads[i])
      continue;
    window.overhang[i] = window.strides[i] - rest;
    window.pads[rank + i] += window.overhang[i];
  }
  return window;
}

/// The constant sizes behind the first two dimensions of a kernel.
static SmallVector<int64_t> kernelShape(Node &n, Value weight) {
  SmallVector<int64_t> shape;
  Dims dims = n.dims(weight);
  if (!n.failed() && dims.size() < 3)
    n.fail("needs a kernel of rank 3 or more, found " + llm::formatDims(dims));
  for (size_t i = 2; i < dims.size() && !n.failed(); ++i) {
    if (!dims[i].constant())
      n.fail("not supported: a kernel of shape " + llm::formatDims(dims));
    shape.push_back(dims[i].constant().value_or(1));
  }
  if (n.hasAttribute("kernel_shape") && n.intsAttr("kernel_shape") != shape)
    n.fail("kernel_shape is not that of the kernel " + llm::formatDims(dims));
  return shape;
}

static Value conv(Node &n, Value x, Value weight, Value bias, const Window &window,
                  int64_t groups) {
  if (n.failed())
    return {};
  n.symbols.addPositive(n.dims(x)); // there is something to go over
  return n.infer<llm::ConvOp>(x, weight, bias, window.strides, window.dilations, window.pads,
                              uint64_t(groups));
}

Value llmc::importer::convolution(Node &n) {
  Dims dims = n.dims(n.input(0));
  SmallVector<int64_t> sizes = kernelShape(n, n.input(1));
  if (!n.failed() && dims.size() < 3)
    n.fail("needs an input of rank 3 or more, found " + llm::formatDims(dims));
  if (n.failed())
    return {};
  Window window = readWindow(n, sizes, ArrayRef(dims).drop_front(2));
  return conv(n, n.input(0), n.input(1), n.input(2), window, n.intAttr("group", 1));
}

static void convOp(Node &n) { n.setOutput(convolution(n)); }

/// A parameter of the whole kernel, or one per output channel.
static Value perChannel(Node &n, Value parameter, int64_t rank) {
  if (!parameter || n.failed())
    return parameter;
  Dims shape;
  if (!llm::product(n.dims(parameter)).isConstant(1)) {
    shape.assign(rank, 1);
    shape[0] = n.dims(parameter)[0];
  }
  return n.reshape(parameter, shape);
}

/// Inputs and kernel without their zero points, exactly in i32.
static Value integerConv(Node &n, Value x, Value weight, Value xZeroPoint, Value wZeroPoint,
                         Value bias) {
  Type i32 = n.builder.getI32Type();
  auto widen = [&](Value value, Value zeroPoint) {
    Value wide = n.cast(value, i32);
    return zeroPoint ? n.binary(BinaryKind::sub, wide, n.cast(zeroPoint, i32)) : wide;
  };
  Dims dims = n.dims(x);
  SmallVector<int64_t> sizes = kernelShape(n, weight);
  if (n.failed() || dims.size() < 3) {
    n.fail("needs an input of rank 3 or more, found " + llm::formatDims(dims));
    return {};
  }
  Window window = readWindow(n, sizes, ArrayRef(dims).drop_front(2));
  int64_t rank = n.rank(weight);
  Value input = widen(x, perChannel(n, xZeroPoint, 0));
  Value kernel = widen(weight, perChannel(n, wZeroPoint, rank));
  return conv(n, input, kernel, bias, window, n.intAttr("group", 1));
}

static void convIntegerOp(Node &n) {
  if (n.input(2) && !llm::product(n.dims(n.input(2))).isConstant(1))
    return n.fail("not supported: a zero point of the input of more than one element");
  n.setOutput(integerConv(n, n.input(0), n.input(1), n.input(2), n.input(3), Value()));
}

/// Inputs: x, its scale and zero point, the same of w and of y, bias.
static void qlinearConvOp(Node &n) {
  for (int i : {1, 2, 6, 7})
    if (!llm::product(n.dims(n.input(i))).isConstant(1))
      return n.fail("not supported: input " + Twine(i) + " of more than one element");
  Value sum = integerConv(n, n.input(0), n.input(3), n.input(2), n.input(5), n.input(8));
  int64_t rank = n.rank(n.input(3));
  // Channels of the kernel are the second dimension of the result.
  Value weightScale = perChannel(n, n.input(4), rank - 1);
  Value scale = n.binary(BinaryKind::mul, perChannel(n, n.input(1), 0), weightScale);
  Type f32 = n.builder.getF32Type();
  Value y = n.binary(BinaryKind::mul, n.cast(sum, f32), scale);
  if (!n.failed())
    n.setOutput(quantize(n, y, {n.input(6), n.input(7)}, f32, n.elementTypeOf(n.input(7))));
}

/// x with `stride - 1` zeros between the elements of `axis`.
static Value spread(Node &n, Value x, int64_t axis, int64_t stride) {
  Dims dims = n.dims(x), shape = dims, zeros;
  if (n.failed() || stride == 1)
    return x;
  shape.insert(shape.begin() + axis + 1, 1);
  zeros = shape;
  zeros[axis + 1] = stride - 1;
  Value fill = n.broadcast(n.scalar(0, n.elementTypeOf(x)), zeros);
  Value wide = n.concat(axis + 1, {n.reshape(x, shape), fill});
  DimExpr size = dims[axis] * DimExpr(stride);
  dims[axis] = size;
  return n.slice(n.reshape(wide, dims), axis, 0, size - DimExpr(stride - 1));
}

/// `[C, M / groups, K..]` of a transposed convolution as `[M, C / groups, K..]`, with the
/// kernel's elements in reverse.
static Value flippedKernel(Node &n, Value weight, int64_t groups) {
  Dims dims = n.dims(weight), split = dims, result = dims, starts(dims.size(), 0);
  if (n.failed())
    return {};
  split[0] = DimExpr::floorDiv(dims[0], groups);
  split.insert(split.begin(), groups);
  SmallVector<int64_t> swap = llvm::to_vector(llvm::seq<int64_t>(0, split.size()));
  std::swap(swap[1], swap[2]);
  result[0] = dims[1] * DimExpr(groups);
  result[1] = split[1];
  Value kernel = n.reshape(n.transpose(n.reshape(weight, split), swap), result);
  SmallVector<int64_t> steps(dims.size(), 1);
  for (size_t i = 2; i < dims.size(); ++i) {
    starts[i] = result[i] - 1;
    steps[i] = -1;
  }
  return n.make<llm::SliceOp>(llm::makeTensorType(result, n.elementTypeOf(weight)), kernel,
                              llm::makeExprs(n.builder.getContext(), starts), steps);
}

/// A convolution of the spread input with the flipped kernel: pads p become reach - p.
static void convTransposeOp(Node &n) {
  Value x = n.input(0);
  Dims dims = n.dims(x);
  SmallVector<int64_t> sizes = kernelShape(n, n.input(1));
  int64_t groups = n.intAttr("group", 1);
  size_t rank = sizes.size();
  SmallVector<int64_t> strides = perDimension(n, "strides", rank, 1);
  Window window;
  window.strides.assign(rank, 1);
  window.dilations = perDimension(n, "dilations", rank, 1);
  window.pads = perDimension(n, "pads", 2 * rank, 0);
  SmallVector<int64_t> extra = perDimension(n, "output_padding", rank, 0);
  SmallVector<int64_t> shape = n.intsAttr("output_shape");
  std::string mode = n.stringAttr("auto_pad", "NOTSET");
  auto isStep = [](int64_t value) { return value >= 1 && value <= kMaxStep; };
  if (!n.failed() && (!llvm::all_of(strides, isStep) || !llvm::all_of(window.dilations, isStep) ||
                      !llvm::all_of(sizes, isStep)))
    n.fail("kernel, strides and dilations must be positive, and below 2^30");
  for (int64_t size : shape)
    if (!n.failed() && (size < 0 || size > kMaxStep))
      n.fail("output_shape of " + Twine(size) + " makes no sense");
  if (!n.failed() && (dims.size() != rank + 2 || groups < 1))
    n.fail("a kernel of " + Twine(rank) + " dimensions over " + llm::formatDims(dims));
  if (shape.size() == rank + 2)
    shape.erase(shape.begin(), shape.begin() + 2);
  for (size_t i = 0; i < rank && !n.failed(); ++i) {
    int64_t reach = window.dilations[i] * (sizes[i] - 1);
    if (!shape.empty() || mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      std::optional<int64_t> size = dims[i + 2].constant();
      if (!size || *size > kMaxStep || (!shape.empty() && shape.size() != rank))
        return n.fail("not supported: this output_shape or auto_pad for " + llm::formatDims(dims));
      int64_t wanted = shape.empty() ? *size * strides[i] : shape[i];
      int64_t total = strides[i] * (*size - 1) + extra[i] + reach + 1 - wanted;
      // A result larger than the elements reach ends in zeros.
      extra[i] += std::max<int64_t>(0, -total);
      total = std::max<int64_t>(0, total);
      bool upper = mode == "SAME_UPPER";
      window.pads[i] = upper ? total / 2 : total - total / 2;
      window.pads[rank + i] = total - window.pads[i];
    } else if (mode == "VALID") {
      window.pads[i] = window.pads[rank + i] = 0;
    } else if (mode != "NOTSET") {
      return n.fail("not supported: auto_pad '" + mode + "'");
    }
    window.pads[i] = reach - window.pads[i];
    window.pads[rank + i] = reach - window.pads[rank + i] + extra[i];
    x = spread(n, x, int64_t(i) + 2, strides[i]);
  }
  n.setOutput(conv(n, x, flippedKernel(n, n.input(1), groups), n.input(2), window, groups));
}

/// The columns of a convolution added up where they overlap, padding cut off.
static void col2ImOp(Node &n) {
  Dims image = n.knownInts(1, "the shape of the image"), block = n.knownInts(2, "the block shape");
  Dims columns = n.dims(n.input(0));
  size_t rank = image.size();
  if (!n.failed() && (columns.size() != 3 || rank == 0 || block.size() != rank))
    n.fail("columns " + llm::formatDims(columns) + " of blocks " + llm::formatDims(block) +
           " for an image " + llm::formatDims(image));
  SmallVector<int64_t> strides = perDimension(n, "strides", rank, 1);
  SmallVector<int64_t> dilations = perDimension(n, "dilations", rank, 1);
  SmallVector<int64_t> pads = perDimension(n, "pads", 2 * rank, 0);
  auto isAtLeast = [&](int64_t least) { return [=](int64_t value) { return value >= least; }; };
  if (!n.failed() && !(llvm::all_of(strides, isAtLeast(1)) && llvm::all_of(pads, isAtLeast(0)) &&
                       llvm::all_of(dilations, isAtLeast(1))))
    n.fail("strides and dilations are positive, pads not negative");
  if (n.failed())
    return;
  // Where each element of [blocks' elements.., positions..] goes in the padded image.
  Dims padded;
  DimExpr perBlock = 1, positions = 1;
  Value target;
  for (size_t i = 0; i < rank; ++i) {
    padded.push_back(image[i] + pads[i] + pads[rank + i]);
    DimExpr reach = (block[i] - 1) * dilations[i];
    DimExpr count = DimExpr::floorDiv(padded[i] - reach - 1, strides[i]) + 1;
    auto steps = [&](const DimExpr &size, size_t dimension, int64_t step) {
      Value at = n.iota(size, int64_t(dimension), int64_t(2 * rank));
      return n.binary(BinaryKind::mul, at, n.size(step));
    };
    Value at = n.binary(BinaryKind::add, steps(block[i], i, dilations[i]),
                        steps(count, rank + i, strides[i]));
    target =
        target ? n.binary(BinaryKind::add, n.binary(BinaryKind::mul, target, n.size(padded[i])), at)
               : at;
    perBlock = perBlock * block[i];
    positions = positions * count;
  }
  n.requireEqual(columns[2], positions, "positions of the blocks in the image");
  if (n.failed())
    return;
  DimExpr channels = DimExpr::floorDiv(columns[1], perBlock), moved = perBlock * positions;
  n.requireEqual(columns[1], channels * perBlock, "channels times elements of a block");
  Value updates = n.reshape(n.input(0), {columns[0], channels, moved});
  Value zeros = n.broadcast(n.scalar(0, n.elementTypeOf(n.input(0))),
                            {llm::product(padded), columns[0], channels});
  Value sum = n.infer<llm::ScatterNDOp>(llm::ScatterKind::add, zeros, n.reshape(target, {moved, 1}),
                                        n.transpose(updates, {2, 0, 1}));
  Dims shape{columns[0], channels};
  shape.append(padded);
  Value result = n.reshape(n.transpose(sum, {1, 2, 0}), shape);
  for (size_t i = 0; i < rank; ++i)
    result = n.slice(result, int64_t(i) + 2, pads[i], image[i]);
  n.setOutput(result);
}

static Value windowReduce(Node &n, ReduceKind kind, Value x, const Window &window) {
  return n.infer<llm::WindowReduceOp>(kind, x, window.sizes, window.strides, window.dilations,
                                      window.pads);
}

/// The window of a pool's attributes.
static Window poolWindow(Node &n, Value x) {
  Dims dims = n.dims(x);
  if (dims.size() < 3)
    n.fail("needs rank 3 or more, found " + llm::formatDims(dims));
  return n.failed() ? Window()
                    : readWindow(n, n.intsAttr("kernel_shape"), ArrayRef(dims).drop_front(2));
}

/// How many elements of the input, or with `pads` of the padded one too, each window holds.
static Value elementCount(Node &n, Value x, const Window &window, bool withPads) {
  Dims shape = n.dims(x);
  shape[0] = shape[1] = 1;
  Window counted = window;
  for (size_t i = 0; i < window.sizes.size() && withPads; ++i) {
    int64_t &end = counted.pads[window.sizes.size() + i];
    shape[i + 2] = shape[i + 2] + DimExpr(counted.pads[i] + end - window.overhang[i]);
    counted.pads[i] = 0;
    end = window.overhang[i];
  }
  Value ones = n.broadcast(n.scalar(1, n.elementTypeOf(x)), shape);
  return windowReduce(n, ReduceKind::sum, ones, counted);
}

static void averagePoolOp(Node &n) {
  Value x = n.input(0);
  Window window = poolWindow(n, x);
  if (n.failed())
    return;
  Value count = elementCount(n, x, window, n.intAttr("count_include_pad", 0) != 0);
  n.setOutput(n.binary(BinaryKind::div, windowReduce(n, ReduceKind::sum, x, window), count));
}

/// |x|^p, summed, to the power of 1 / p.
static Value lpNorm(Node &n, Value x, llvm::function_ref<Value(Value)> sum) {
  int64_t p = n.intAttr("p", 2);
  Value powers = n.unary(UnaryKind::abs, x);
  if (p == 1)
    return sum(powers);
  if (p == 2)
    return n.unary(UnaryKind::sqrt, sum(n.binary(BinaryKind::mul, x, x)));
  return n.binary(BinaryKind::pow, sum(n.binary(BinaryKind::pow, powers, double(p))),
                  1.0 / double(p));
}

static void lpPoolOp(Node &n) {
  Window window = poolWindow(n, n.input(0));
  if (!n.failed())
    n.setOutput(lpNorm(n, n.input(0),
                       [&](Value x) { return windowReduce(n, ReduceKind::sum, x, window); }));
}

/// Where each window's largest element is: among the window's elements in order the
/// first one equal to the maximum, as an index into the whole tensor.
static Value maxPositions(Node &n, Value x, Value max, const Window &window) {
  Dims dims = n.dims(x), result = n.dims(max);
  constexpr int64_t kMaxElements = 128;
  int64_t rank = int64_t(window.sizes.size()), total = 1;
  for (int64_t size : window.sizes)
    if (total <= kMaxElements)
      total *= size;
  if (total > kMaxElements)
    n.fail("not supported: the indices of a pool over more than " + Twine(kMaxElements) +
           " elements");
  bool columns = n.intAttr("storage_order", 0) != 0;
  Dims weights(dims.size(), 1);
  for (int64_t i = rank - 2; i >= 0; --i)
    weights[i + 2] = weights[i + 3] * dims[i + 3];
  if (columns)
    for (int64_t i = 0; i < rank; ++i)
      weights[i + 2] = i == 0 ? DimExpr(1) : weights[i + 1] * dims[i + 1];
  weights[1] = llm::product(ArrayRef(dims).drop_front(2));
  weights[0] = weights[1] * dims[1];
  Value position;
  for (int64_t at = total - 1; at >= 0 && !n.failed(); --at) {
    Value source = x, index = n.size(0), inside = n.scalar(1, n.builder.getI1Type());
    for (int64_t i = -2, rest = at, inner = total; i < rank; ++i) {
      int64_t axis = i + 2;
      Value coordinate = n.iota(result[axis]);
      if (i >= 0) {
        inner /= window.sizes[i];
        int64_t offset = rest / inner * window.dilations[i] - window.pads[i];
        rest %= inner;
        coordinate = n.binary(BinaryKind::add,
                              n.binary(BinaryKind::mul, coordinate, double(window.strides[i])),
                              double(offset));
        Value last = n.size(dims[axis] - 1);
        Value clamped = n.binary(BinaryKind::max, n.binary(BinaryKind::min, coordinate, last), 0);
        source = n.gather(source, axis, clamped);
      }
      Dims shape(dims.size(), 1);
      shape[axis] = result[axis];
      Value wide = n.reshape(coordinate, shape);
      if (i >= 0) {
        Value fits =
            n.binary(BinaryKind::logical_and, n.compare(llm::ComparePredicate::ge, wide, 0),
                     n.compare(llm::ComparePredicate::lt, wide, n.size(dims[axis])));
        inside = n.binary(BinaryKind::logical_and, inside, fits);
      }
      index =
          n.binary(BinaryKind::add, index, n.binary(BinaryKind::mul, wide, n.size(weights[axis])));
    }
    Value isMax = n.binary(BinaryKind::logical_and, inside,
                           n.compare(llm::ComparePredicate::eq, source, max));
    position = position ? n.select(isMax, index, position) : n.broadcast(index, result);
  }
  return position;
}

static void maxPoolOp(Node &n) {
  Window window = poolWindow(n, n.input(0));
  if (n.failed())
    return;
  Value max = windowReduce(n, ReduceKind::max, n.input(0), window);
  n.setOutput(0, max);
  if (n.hasOutput(1))
    n.setOutput(1, maxPositions(n, n.input(0), max, window));
}

/// All dimensions behind the first two.
static SmallVector<int64_t> spatialAxes(Node &n, Value x) {
  return llvm::to_vector(llvm::seq<int64_t>(2, std::max<int64_t>(2, n.rank(x))));
}

template <ReduceKind kind> static void globalPoolOp(Node &n) {
  n.setOutput(n.reduce(kind, n.input(0), spatialAxes(n, n.input(0)), true));
}

static void globalLpPoolOp(Node &n) {
  n.setOutput(lpNorm(n, n.input(0), [&](Value x) {
    return n.reduce(ReduceKind::sum, x, spatialAxes(n, x), true);
  }));
}

/// x divided by its norm along `axis`; 0 where that is 0.
static void lpNormalizationOp(Node &n) {
  Value x = n.input(0);
  int64_t axis = n.axis(n.intAttr("axis", -1), n.rank(x));
  Value norm = lpNorm(n, x, [&](Value y) { return n.reduce(ReduceKind::sum, y, {axis}, true); });
  Value isZero = n.compare(llm::ComparePredicate::eq, norm, 0);
  Value zero = n.failed() ? Value() : n.scalar(0, n.elementTypeOf(x));
  n.setOutput(n.select(isZero, zero, n.binary(BinaryKind::div, x, norm)));
}

void llmc::importer::addConvolutionOps(OpTable &t) {
  constexpr StringRef kConv = "auto_pad dilations group kernel_shape pads strides";
  t.add("", "Conv", 1,
        {convOp, 2, 3, 1, kConv,
         "kernels whose sizes are not constant; auto_pad with strides over sizes that are not "
         "constant"});
  t.add("", "ConvInteger", 10, {convIntegerOp, 2, 4, 1, kConv});
  t.add("", "QLinearConv", 10, {qlinearConvOp, 8, 9, 1, kConv});
  t.add("", "ConvTranspose", 1,
        {convTransposeOp, 2, 3, 1,
         "auto_pad dilations group kernel_shape output_padding output_shape pads strides"});
  t.add("", "Col2Im", 18,
        {col2ImOp, 3, 3, 1, "dilations pads strides", "shapes that data decides"});
  t.add("", "AveragePool", 1,
        {averagePoolOp, 1, 1, 1,
         "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides",
         "ceil_mode over sizes that are not constant"});
  t.add(
      "", "MaxPool", 1,
      {maxPoolOp, 1, 1, 2, "auto_pad ceil_mode dilations kernel_shape pads storage_order strides"});
  t.add("", "LpPool", 2,
        {lpPoolOp, 1, 1, 1, "auto_pad ceil_mode dilations kernel_shape p pads strides",
         "ceil_mode over sizes that are not constant"});
  t.add("", "GlobalAveragePool", 1, {globalPoolOp<ReduceKind::mean>, 1, 1, 1});
  t.add("", "GlobalMaxPool", 1, {globalPoolOp<ReduceKind::max>, 1, 1, 1});
  t.add("", "GlobalLpPool", 2, {globalLpPoolOp, 1, 1, 1, "p"});
  t.add("", "LpNormalization", 1, {lpNormalizationOp, 1, 1, 1, "axis p"});
}
