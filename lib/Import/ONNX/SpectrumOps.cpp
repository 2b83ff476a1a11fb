//===- SpectrumOps.cpp - Fourier transforms, windows, mel bands
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What audio front ends are exported with. A transform is a product with the matrix of
// its roots of unity; a long one is two shorter ones with factors between them
// (J. W. Cooley and J. W. Tukey, "An Algorithm for the Machine Calculation of Complex
// Fourier Series", 1965). Complex numbers are pairs in a last dimension of 2.
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "Tensors.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

static constexpr double kPi = 3.14159265358979323846;

/// A transform is made of two where its matrix would have more elements than this: those of
/// a frame of 512 real samples, one-sided, have 131,584.
static constexpr int64_t kMaxMatrix = int64_t(1) << 18;
/// Larger matrices, of long prime lengths, are computed when the model runs.
static constexpr int64_t kMaxConstant = int64_t(1) << 22;

//===----------------------------------------------------------------------===//
// Fourier transforms
//===----------------------------------------------------------------------===//

namespace {

/// A transform of the second last dimension of [.., length, 1 or 2].
class Fourier {
public:
  Fourier(Node &n, bool isInverse) : n(n), isInverse(isInverse) {}

  /// The first `count` of `length` results: [.., count, 2].
  Value transform(Value x, const DimExpr &length, const DimExpr &count);
  /// `length` real results [.., length, 1] of the spectrum's first length / 2 + 1 elements.
  Value toReal(Value x, const DimExpr &length);

private:
  struct Roots {
    Value cosine, sine; ///< [rows, columns]; the sine with the direction's sign
  };
  Roots roots(const DimExpr &rows, const DimExpr &columns, const DimExpr &length, Type element);
  Roots computedRoots(const DimExpr &rows, const DimExpr &columns, const DimExpr &length);
  Value direct(Value x, const DimExpr &length, const DimExpr &count);
  Value factored(Value x, int64_t first, int64_t second);
  Value times(Value x, Roots factors);
  Value f64(Value x) { return n.cast(x, n.builder.getF64Type()); }

  Node &n;
  bool isInverse;
};

} // namespace

/// A constant of rounded elements, `element(i)` at position i in row-major order.
static Value table(Node &n, ArrayRef<int64_t> shape, Type type,
                   llvm::function_ref<double(int64_t)> element) {
  if (n.failed())
    return {};
  auto tensor = RankedTensorType::get(shape, type);
  const llvm::fltSemantics &semantics = cast<FloatType>(type).getFloatSemantics();
  std::vector<APFloat> values;
  values.reserve(size_t(tensor.getNumElements()));
  for (int64_t i = 0; i < tensor.getNumElements(); ++i) {
    bool losesInfo = false;
    values.emplace_back(element(i));
    values.back().convert(semantics, APFloat::rmNearestTiesToEven, &losesInfo);
  }
  return n.constant(DenseElementsAttr::get(tensor, values));
}

/// Cosine and sine of the angles 2 pi (row * column mod length) / length.
Fourier::Roots Fourier::roots(const DimExpr &rows, const DimExpr &columns, const DimExpr &length,
                              Type element) {
  std::optional<int64_t> height = rows.constant(), width = columns.constant();
  std::optional<int64_t> steps = length.constant();
  if (!height || !width || !steps || *steps < 1 || *width < 1 || *height > kMaxConstant / *width) {
    Roots computed = computedRoots(rows, columns, length);
    return {n.cast(computed.cosine, element), n.cast(computed.sine, element)};
  }
  double step = 2 * kPi / double(*steps), sign = isInverse ? 1 : -1;
  auto angle = [&](int64_t i) { return step * double(i / *width * (i % *width) % *steps); };
  return {
      table(n, {*height, *width}, element, [&](int64_t i) { return std::cos(angle(i)); }),
      table(n, {*height, *width}, element, [&](int64_t i) { return sign * std::sin(angle(i)); })};
}

/// The same of sizes that are known when the model runs.
Fourier::Roots Fourier::computedRoots(const DimExpr &rows, const DimExpr &columns,
                                      const DimExpr &length) {
  Value turns = n.binary(BinaryKind::mul, n.iota(rows, 0, 2), n.iota(columns, 1, 2));
  turns = n.binary(BinaryKind::mod, turns, n.size(length));
  Value angle = n.binary(BinaryKind::div, n.binary(BinaryKind::mul, f64(turns), 2 * kPi),
                         f64(n.size(length)));
  Value sine = n.unary(UnaryKind::sin, angle);
  return {n.unary(UnaryKind::cos, angle), isInverse ? sine : n.unary(UnaryKind::neg, sine)};
}

/// The real or imaginary parts of pairs: [.., length].
static Value partOf(Node &n, Value x, int64_t part) {
  Dims shape = n.dims(x);
  if (n.failed())
    return {};
  int64_t last = int64_t(shape.size()) - 1;
  shape.pop_back();
  return n.reshape(n.slice(x, last, part, 1), shape);
}

/// Pairs of real and imaginary parts.
static Value pairOf(Node &n, Value real, Value imaginary) {
  Dims shape = n.dims(real);
  if (n.failed())
    return {};
  shape.push_back(1);
  return n.concat(int64_t(shape.size()) - 1, {n.reshape(real, shape), n.reshape(imaginary, shape)});
}

Value Fourier::direct(Value x, const DimExpr &length, const DimExpr &count) {
  Roots factors = roots(length, count, length, n.elementTypeOf(x));
  Value real = partOf(n, x, 0);
  Value newReal = n.matmul(real, factors.cosine), newImaginary = n.matmul(real, factors.sine);
  if (!n.failed() && !n.dims(x).back().isConstant(1)) {
    Value imaginary = partOf(n, x, 1);
    newReal = n.binary(BinaryKind::sub, newReal, n.matmul(imaginary, factors.sine));
    newImaginary = n.binary(BinaryKind::add, newImaginary, n.matmul(imaginary, factors.cosine));
  }
  return pairOf(n, newReal, newImaginary);
}

/// Pairs times factors that broadcast to all but the last dimension.
Value Fourier::times(Value x, Roots factors) {
  Value real = partOf(n, x, 0), imaginary = partOf(n, x, 1);
  auto mul = [&](Value a, Value b) { return n.binary(BinaryKind::mul, a, b); };
  Value newReal =
      n.binary(BinaryKind::sub, mul(real, factors.cosine), mul(imaginary, factors.sine));
  Value newImaginary =
      n.binary(BinaryKind::add, mul(real, factors.sine), mul(imaginary, factors.cosine));
  return pairOf(n, newReal, newImaginary);
}

/// With length = first * second, element second * i + j and result first * l + k: over i,
/// times the roots of j * k, over j.
Value Fourier::factored(Value x, int64_t first, int64_t second) {
  Dims leading = n.dims(x);
  if (n.failed())
    return {};
  DimExpr parts = leading.back();
  leading.truncate(leading.size() - 2);
  int64_t rank = int64_t(leading.size());
  auto shaped = [&](ArrayRef<DimExpr> sizes) {
    Dims shape(leading);
    shape.append(sizes.begin(), sizes.end());
    return shape;
  };
  SmallVector<int64_t> swap = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  swap.append({rank + 1, rank, rank + 2});
  Value split = n.transpose(n.reshape(x, shaped({first, second, parts})), swap);
  Value inner = transform(split, first, first); // [.., second j, first k, 2]
  Roots between = roots(second, first, first * second, n.elementTypeOf(x));
  inner = n.transpose(times(inner, between), swap);
  Value outer = transform(inner, second, second); // [.., first k, second l, 2]
  return n.reshape(n.transpose(outer, swap), shaped({first * second, 2}));
}

Value Fourier::transform(Value x, const DimExpr &length, const DimExpr &count) {
  std::optional<int64_t> steps = length.constant(), results = count.constant();
  if (n.failed())
    return {};
  if (steps && results && *steps > 1) {
    int64_t first = int64_t(std::sqrt(double(*steps)));
    while (*steps % first)
      --first;
    if (first > 1 && *steps > kMaxMatrix / *results)
      return n.slice(factored(x, first, *steps / first), n.rank(x) - 2, 0, count);
  }
  return direct(x, length, count);
}

Value Fourier::toReal(Value x, const DimExpr &length) {
  DimExpr count = DimExpr::floorDiv(length, 2) + 1;
  Type element = n.elementTypeOf(x);
  Roots factors = roots(count, length, length, element);
  // Elements inside stand for their conjugates, too.
  Value twice = n.binary(BinaryKind::mul, n.iota(count), 2.0);
  Value isBorder =
      n.compare(llm::ComparePredicate::eq, n.binary(BinaryKind::mod, twice, n.size(length)), 0.0);
  Value weight = n.select(isBorder, n.scalar(1, element), n.scalar(2, element));
  auto product = [&](int64_t part, Value matrix) {
    return n.matmul(n.binary(BinaryKind::mul, partOf(n, x, part), weight), matrix);
  };
  Value y = n.binary(BinaryKind::sub, product(0, factors.cosine), product(1, factors.sine));
  Dims shape = n.dims(y);
  shape.push_back(1);
  return n.reshape(y, shape);
}

/// `x` cut or filled with zeros to `count` elements of `axis`.
static Value resizeTo(Node &n, Value x, int64_t axis, const DimExpr &count) {
  Dims shape = n.dims(x);
  if (n.failed() || DimExpr::equal(shape[axis], count) == true)
    return x;
  if (DimExpr::less(count, shape[axis]) == true)
    return n.slice(x, axis, 0, count);
  if (DimExpr::less(shape[axis], count) == true) {
    shape[axis] = count - shape[axis];
    return n.concat(axis, {x, n.broadcast(n.scalar(0, n.elementTypeOf(x)), shape)});
  }
  n.fail("not supported: " + count.str() + " elements of a signal of " + shape[axis].str() +
         ", which may be fewer or more");
  return {};
}

/// The one element of an integer operand as a size.
static DimExpr sizeOperand(Node &n, int input, StringRef what) {
  Dims values = n.knownInts(input, what);
  if (n.failed())
    return 0;
  if (values.size() != 1)
    n.fail((what + " is one number").str());
  return n.failed() ? DimExpr(0) : values[0];
}

/// Whether the last dimension holds complex numbers; fails where it holds neither kind.
static bool isComplex(Node &n, Value x) {
  Dims shape = n.dims(x);
  if (!n.failed() && !isa<FloatType>(n.elementTypeOf(x)))
    n.fail("a signal of integers; it is of a float type");
  if (!n.failed() &&
      (shape.size() < 2 || !(shape.back().isConstant(1) || shape.back().isConstant(2))))
    n.fail("a signal of shape " + llm::formatDims(shape) +
           "; its last dimension is 1 of a real one, 2 of a complex one");
  return !n.failed() && shape.back().isConstant(2);
}

static void dftOp(Node &n) {
  Value x = n.input(0);
  bool isInverse = n.intAttr("inverse", 0) != 0, isOneSided = n.intAttr("onesided", 0) != 0;
  int64_t rank = n.rank(x), axis = n.opset() < 20 ? n.intAttr("axis", 1) : -2;
  if (n.hasInput(2)) {
    SmallVector<int64_t> given = n.constantInts(2, "the axis");
    if (given.size() == 1)
      axis = given[0];
    else
      n.fail("the axis is one number");
  }
  bool isPairs = isComplex(n, x);
  axis = n.axis(axis, rank);
  if (n.failed())
    return;
  if (axis == rank - 1)
    return n.fail("axis " + Twine(axis) + " holds the parts of complex numbers");
  if (isOneSided && isInverse != isPairs)
    return n.fail(isInverse ? "the inverse of a one-sided spectrum takes complex numbers"
                            : "a one-sided spectrum is of a real signal");
  SmallVector<int64_t> toBack = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(toBack[axis], toBack[rank - 2]);
  x = n.transpose(x, toBack);
  DimExpr length = n.dims(x)[rank - 2];
  bool isToReal = isOneSided && isInverse;
  if (n.hasInput(1))
    length = sizeOperand(n, 1, "the length of the transform");
  else if (isToReal)
    length = (length - 1) * 2;
  if (!n.failed() && !length.provablyPositive() && length.constant())
    n.fail("a transform of " + length.str() + " elements");
  DimExpr half = DimExpr::floorDiv(length, 2) + 1;
  x = resizeTo(n, x, rank - 2, isToReal ? half : length);
  Fourier fourier(n, isInverse);
  Value y = isToReal ? fourier.toReal(x, length)
                     : fourier.transform(x, length, isOneSided ? half : length);
  if (isInverse && !n.failed())
    y = n.binary(BinaryKind::div, y, n.cast(n.size(length), n.elementTypeOf(y)));
  n.setOutput(n.transpose(y, toBack));
}

/// Frames of the signal, times the window, each transformed.
static void stftOp(Node &n) {
  Value signal = n.input(0), window = n.input(2);
  bool isOneSided = n.intAttr("onesided", 1) != 0, isPairs = isComplex(n, signal);
  DimExpr step = sizeOperand(n, 1, "the step between frames");
  Dims shape = n.dims(signal);
  if (!n.failed() && (shape.size() != 3 || (window && n.rank(window) != 1)))
    n.fail("needs a signal of rank 3 and a window of rank 1, found " + llm::formatDims(shape) +
           (window ? " and " + llm::formatDims(n.dims(window)) : ""));
  if (n.failed())
    return;
  if (isOneSided && isPairs)
    return n.fail("a one-sided spectrum is of a real signal");
  DimExpr length = window ? n.dims(window)[0] : shape[1];
  if (n.hasInput(3)) {
    length = sizeOperand(n, 3, "the length of a frame");
    if (window)
      n.requireEqual(n.dims(window)[0], length, "length of the window against that of a frame");
  }
  if (n.failed())
    return;
  if (!step.provablyPositive() || !length.provablyPositive())
    return n.fail("frames of " + length.str() + " elements, " + step.str() +
                  " apart; both must be 1 at least");
  DimExpr frames = DimExpr::floorDiv(shape[1] - length, step) + 1;
  if (frames.constant() && *frames.constant() < 1)
    return n.fail("a frame of " + length.str() + " elements of a signal of " + shape[1].str());
  Value starts = n.binary(BinaryKind::mul, n.iota(frames, 0, 2), n.size(step));
  Value positions = n.binary(BinaryKind::add, starts, n.iota(length, 1, 2));
  Value cut = n.gather(signal, 1, n.reshape(positions, {frames * length}));
  cut = n.reshape(cut, {shape[0], frames, length, shape[2]});
  if (window)
    cut = n.binary(BinaryKind::mul, cut, n.reshape(window, {length, 1}));
  DimExpr count = isOneSided ? DimExpr::floorDiv(length, 2) + 1 : length;
  n.setOutput(Fourier(n, /*isInverse=*/false).transform(cut, length, count));
}

//===----------------------------------------------------------------------===//
// Windows and mel bands
//===----------------------------------------------------------------------===//

/// The type that `output_datatype` names; f32 where it is absent.
static Type outputType(Node &n) {
  int64_t number = n.intAttr("output_datatype", 1);
  Type type = elementType(n.builder.getContext(), int(number));
  if (!type && !n.failed())
    n.fail("output_datatype is " + Twine(number) + ", which is not supported");
  return type;
}

/// a0 - a1 cos(x) + a2 cos(2 x) over one period.
static void windowOp(Node &n, double a0, double a1, double a2) {
  Type type = outputType(n), f64 = n.builder.getF64Type();
  std::optional<Dims> known = n.known(n.input(0));
  Dims shape = known ? *known : n.declaredShape(0, "sizes");
  if (!n.failed() && shape.size() != 1)
    n.fail("the size of a window is one number");
  if (n.failed())
    return;
  DimExpr period = shape[0] - (n.intAttr("periodic", 1) ? 0 : 1);
  // One element has no period; it is a0 - a1 + a2.
  Value divisor = n.cast(n.size(DimExpr::max(period, 1)), f64);
  Value angle = n.binary(BinaryKind::mul, n.cast(n.iota(shape[0]), f64), 2 * kPi);
  angle = n.binary(BinaryKind::div, angle, divisor);
  auto term = [&](double multiple, double factor) {
    Value x = n.binary(BinaryKind::mul, angle, multiple);
    return n.binary(BinaryKind::mul, n.unary(UnaryKind::cos, x), factor);
  };
  Value window = n.binary(BinaryKind::add, term(1, -a1), a0);
  if (a2 != 0)
    window = n.binary(BinaryKind::add, window, term(2, a2));
  n.setOutput(n.cast(window, type));
}
static void hannWindowOp(Node &n) { windowOp(n, 0.5, 0.5, 0); }
static void hammingWindowOp(Node &n) { windowOp(n, 25.0 / 46, 21.0 / 46, 0); }
static void blackmanWindowOp(Node &n) { windowOp(n, 0.42, 0.5, 0.08); }

/// Triangles over the spectrum's elements, their corners evenly spaced on the mel scale.
static void melWeightMatrixOp(Node &n) {
  Type type = outputType(n), f64 = n.builder.getF64Type();
  auto sizeOf = [&](int input) -> std::optional<DimExpr> {
    std::optional<Dims> known = n.known(n.input(input));
    return known && known->size() == 1 ? std::optional(known->front()) : std::nullopt;
  };
  std::optional<DimExpr> numBands = sizeOf(0), length = sizeOf(1);
  Dims shape; // [elements of the spectrum, bands]
  if (numBands && length)
    shape = {DimExpr::floorDiv(*length, 2) + 1, *numBands};
  else
    shape = n.declaredShape(0, "sizes");
  if (!n.failed() && shape.size() != 2)
    n.fail("a result of " + Twine(shape.size()) + " dimensions; it has 2");
  if (n.failed())
    return;
  const DimExpr &bands = shape[1];
  auto binary = [&](BinaryKind kind, Value a, Value b) { return n.binary(kind, a, b); };
  auto scalarOf = [&](int input) { return n.cast(n.element(n.input(input)), f64); };
  auto toMel = [&](Value hertz) {
    Value x = n.binary(BinaryKind::add, n.binary(BinaryKind::div, hertz, 700.0), 1.0);
    return n.binary(BinaryKind::mul, n.unary(UnaryKind::log, x), 2595 / std::log(10.0));
  };
  Value low = toMel(scalarOf(3)), high = toMel(scalarOf(4));
  // [bands + 2]: the spectrum's element at each corner.
  Value step =
      binary(BinaryKind::div, binary(BinaryKind::sub, high, low), n.cast(n.size(bands + 2), f64));
  Value mel =
      binary(BinaryKind::add, binary(BinaryKind::mul, n.cast(n.iota(bands + 2), f64), step), low);
  Value power = n.unary(UnaryKind::exp, n.binary(BinaryKind::mul, mel, std::log(10.0) / 2595));
  Value hertz = n.binary(BinaryKind::mul, n.binary(BinaryKind::add, power, -1.0), 700.0);
  Value scaled = binary(BinaryKind::mul, hertz, n.binary(BinaryKind::add, scalarOf(1), 1.0));
  Value corners = n.unary(UnaryKind::floor, binary(BinaryKind::div, scaled, scalarOf(2)));

  Value left = n.slice(corners, 0, 0, bands), center = n.slice(corners, 0, 1, bands),
        right = n.slice(corners, 0, 2, bands);
  Value at = n.cast(n.iota(shape[0], 0, 2), f64);
  using llm::ComparePredicate;
  auto both = [&](Value a, Value b) { return n.binary(BinaryKind::logical_and, a, b); };
  auto slope = [&](Value rise, Value run) { // no division by the zero that is not taken
    return binary(BinaryKind::div, rise, n.binary(BinaryKind::max, run, n.scalar(1, f64)));
  };
  Value zero = n.scalar(0, f64);
  Value rising =
      n.select(n.compare(ComparePredicate::eq, left, center), n.scalar(1, f64),
               slope(binary(BinaryKind::sub, at, left), binary(BinaryKind::sub, center, left)));
  Value falling = slope(binary(BinaryKind::sub, right, at), binary(BinaryKind::sub, right, center));
  Value isRising =
      both(n.compare(ComparePredicate::ge, at, left), n.compare(ComparePredicate::le, at, center));
  Value isFalling =
      both(n.compare(ComparePredicate::ge, at, center), n.compare(ComparePredicate::lt, at, right));
  n.setOutput(n.cast(n.select(isFalling, falling, n.select(isRising, rising, zero)), type));
}

void importer::addSpectrumOps(OpTable &t) {
  constexpr const char *limits = "axes and lengths that data decides";
  t.add("", "DFT", 17, {dftOp, 1, 2, 1, "axis inverse onesided", limits});
  t.add("", "DFT", 20, {dftOp, 1, 3, 1, "inverse onesided", limits});
  t.add("", "STFT", 17, {stftOp, 2, 4, 1, "onesided", "steps and lengths that data decides"});
  constexpr const char *windowAttributes = "output_datatype periodic";
  constexpr const char *undeclared = "sizes that data decides and the model does not declare";
  t.add("", "HannWindow", 17, {hannWindowOp, 1, 1, 1, windowAttributes, undeclared});
  t.add("", "HammingWindow", 17, {hammingWindowOp, 1, 1, 1, windowAttributes, undeclared});
  t.add("", "BlackmanWindow", 17, {blackmanWindowOp, 1, 1, 1, windowAttributes, undeclared});
  t.add("", "MelWeightMatrix", 17, {melWeightMatrixOp, 5, 5, 1, "output_datatype", undeclared});
}
