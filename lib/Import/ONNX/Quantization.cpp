//===- Quantization.cpp - integers that stand for numbers
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Quantization.h"
#include "OpTable.h"
#include "Tensors.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

//===----------------------------------------------------------------------===//
// Scales and zero points beside the data
//===----------------------------------------------------------------------===//

namespace {
/// Data and parameters in shapes that broadcast.
struct Aligned {
  Value data, scale, zeroPoint;
  Dims shape; ///< of the data before
};
} // namespace

/// Whole tensors and slices along `axis`.
static Value alongAxis(Node &n, Value parameter, int64_t rank, int64_t axis) {
  if (!parameter || n.failed())
    return parameter;
  Dims dims = n.dims(parameter);
  if (llm::product(dims).isConstant(1))
    return n.reshape(parameter, {});
  Dims shape(rank, 1);
  shape[axis] = dims[0];
  return n.reshape(parameter, shape);
}

/// Blocks become a dimension of their own where they fill `axis`; otherwise the
/// parameters are repeated.
static Aligned alignBlocks(Node &n, Value data, const Quantization &how, int64_t axis) {
  Aligned aligned{data, how.scale, how.zeroPoint, n.dims(data)};
  Dims scaleDims = n.dims(how.scale);
  if (how.blockSize < 0 || scaleDims.size() != aligned.shape.size()) {
    n.fail("block_size " + Twine(how.blockSize) + " with a scale of shape " +
           llm::formatDims(scaleDims) + " for data " + llm::formatDims(aligned.shape));
    return aligned;
  }
  for (size_t i = 0; i < scaleDims.size(); ++i)
    n.requireEqual(int64_t(i) == axis ? DimExpr::ceilDiv(aligned.shape[i], how.blockSize)
                                      : aligned.shape[i],
                   scaleDims[i], "dimension " + Twine(i) + " of the data against the scale");
  if (n.failed())
    return aligned;
  bool fills = DimExpr::mod(aligned.shape[axis], how.blockSize).isConstant(0);
  auto place = [&](Value parameter) -> Value {
    if (!parameter)
      return {};
    Dims dims = n.dims(parameter);
    dims.insert(dims.begin() + axis + 1, 1);
    Value separate = n.reshape(parameter, dims);
    if (fills)
      return separate;
    dims[axis + 1] = how.blockSize;
    Value repeated = n.broadcast(separate, dims);
    dims[axis] = dims[axis] * how.blockSize;
    dims.erase(dims.begin() + axis + 1);
    return n.slice(n.reshape(repeated, dims), axis, 0, aligned.shape[axis]);
  };
  aligned.scale = place(how.scale);
  aligned.zeroPoint = place(how.zeroPoint);
  if (fills) {
    Dims split = aligned.shape;
    split[axis] = scaleDims[axis];
    split.insert(split.begin() + axis + 1, how.blockSize);
    aligned.data = n.reshape(data, split);
  }
  return aligned;
}

static Aligned align(Node &n, Value data, const Quantization &how) {
  Aligned aligned{data, how.scale, how.zeroPoint, n.dims(data)};
  if (n.failed())
    return aligned;
  int64_t rank = aligned.shape.size();
  Dims scaleDims = n.dims(how.scale);
  bool isWhole = llm::product(scaleDims).isConstant(1) && !how.blockSize;
  Dims zeroDims = n.dims(how.zeroPoint);
  // The attribute has a default that need not fit where it is not used.
  int64_t axis = isWhole ? 0 : n.axis(how.axis, rank);
  if (how.zeroPoint && !isWhole)
    for (auto [a, b] : llvm::zip(scaleDims, zeroDims))
      n.requireEqual(a, b, "shape of the zero point against the scale");
  if (how.zeroPoint &&
      (isWhole ? !llm::product(zeroDims).isConstant(1) : zeroDims.size() != scaleDims.size()))
    n.fail("the zero point has shape " + llm::formatDims(zeroDims) + ", the scale " +
           llm::formatDims(scaleDims));
  if (n.failed())
    return aligned;
  if (how.blockSize)
    return alignBlocks(n, data, how, axis);
  if (!isWhole && scaleDims.size() != 1) {
    n.fail("a scale of shape " + llm::formatDims(scaleDims) + " without block_size");
    return aligned;
  }
  if (!isWhole)
    n.requireEqual(aligned.shape[axis], scaleDims[0], "size of the axis against the scale");
  aligned.scale = alongAxis(n, how.scale, rank, axis);
  aligned.zeroPoint = alongAxis(n, how.zeroPoint, rank, axis);
  return aligned;
}

//===----------------------------------------------------------------------===//
// The arithmetic
//===----------------------------------------------------------------------===//

Value importer::dequantize(Node &n, Value q, const Quantization &how, Type result) {
  Aligned aligned = align(n, q, how);
  // Differences of at most 16 bits are exact in f32.
  Type f32 = n.builder.getF32Type();
  Value x = n.cast(aligned.data, f32);
  if (aligned.zeroPoint)
    x = n.binary(BinaryKind::sub, x, n.cast(aligned.zeroPoint, f32));
  x = n.binary(BinaryKind::mul, x, n.cast(aligned.scale, f32));
  return n.reshape(n.cast(x, result), aligned.shape);
}

Value importer::unpackBits(Node &n, Value bytes, int64_t bits, const DimExpr &count) {
  if (bits == 8 || n.failed())
    return bytes;
  int64_t perByte = 8 / bits;
  Dims dims = n.dims(bytes);
  Dims wide = dims;
  wide.push_back(1);
  Type ui8 = n.elementTypeOf(bytes);
  SmallVector<uint8_t> shifts;
  for (int64_t i = 0; i < perByte; ++i)
    shifts.push_back(uint8_t(i * bits));
  Value shift = n.constant(
      DenseElementsAttr::get(RankedTensorType::get({perByte}, ui8), ArrayRef<uint8_t>(shifts)));
  Value shifted = n.binary(BinaryKind::shift_right, n.reshape(bytes, wide), shift);
  Value numbers = n.binary(BinaryKind::bitwise_and, shifted, double((1 << bits) - 1));
  dims.back() = dims.back() * perByte;
  return n.slice(n.reshape(numbers, dims), dims.size() - 1, 0, count);
}

/// The value clamped to what `type` holds, converted to it.
static Value saturateTo(Node &n, Value x, Type type) {
  if (n.failed())
    return {};
  unsigned bits = type.getIntOrFloatBitWidth();
  bool isUnsigned = type.isUnsignedInteger();
  double most = double((int64_t(1) << (isUnsigned ? bits : bits - 1)) - 1);
  double least = isUnsigned ? 0 : -most - 1;
  Type element = n.elementTypeOf(x);
  x = n.binary(BinaryKind::max, x, n.scalar(least, element));
  return n.cast(n.binary(BinaryKind::min, x, n.scalar(most, element)), type);
}

Value importer::quantize(Node &n, Value x, const Quantization &how, Type precision, Type result,
                         bool saturate) {
  Aligned aligned = align(n, x, how);
  Type f32 = n.builder.getF32Type();
  Value quotient =
      n.binary(BinaryKind::div, n.cast(aligned.data, precision), n.cast(aligned.scale, precision));
  quotient = n.cast(quotient, f32);
  if (!n.failed() && !result)
    n.fail("needs a zero point, whose type is the result's");
  if (n.failed())
    return {};
  unsigned bits = result.getIntOrFloatBitWidth();
  if (bits < 2 || bits > 16) {
    n.fail("cannot quantise to numbers of " + Twine(bits) + " bits, expected 2 to 16");
    return {};
  }
  if (isa<FloatType>(result)) {
    // The zero point of a float is zero.
    auto type = llm::makeTensorType(n.dims(quotient), result);
    Value rounded = n.make<llm::CastOp>(type, quotient, n.builder.getBoolAttr(saturate));
    return n.reshape(rounded, aligned.shape);
  }
  Value rounded = n.unary(UnaryKind::round, quotient);
  if (aligned.zeroPoint)
    rounded = n.binary(BinaryKind::add, rounded, n.cast(aligned.zeroPoint, f32));
  return n.reshape(saturateTo(n, rounded, result), aligned.shape);
}

DynamicallyQuantized importer::quantizeDynamically(Node &n, Value x) {
  Type ui8 = IntegerType::get(n.builder.getContext(), 8, IntegerType::Unsigned);
  // Rows first: they are reduced side by side.
  auto extreme = [&](llm::ReduceKind kind) {
    int64_t rank = n.rank(x);
    Value rows = rank > 1 ? n.reduce(kind, x, {rank - 1}, false) : x;
    return n.reduce(kind, rows, llvm::to_vector(llvm::seq<int64_t>(0, n.rank(rows))), false);
  };
  Value zero = n.scalar(0, n.elementTypeOf(x));
  Value least = n.binary(BinaryKind::min, extreme(llm::ReduceKind::min), zero);
  Value most = n.binary(BinaryKind::max, extreme(llm::ReduceKind::max), zero);
  Value step = n.binary(BinaryKind::div, n.binary(BinaryKind::sub, most, least), 255.0);
  // Zeros alone have no range; any scale serves them.
  Value scale = n.select(n.compare(llm::ComparePredicate::eq, step, 0.0),
                         n.scalar(1, n.elementTypeOf(x)), step);
  Value origin = n.binary(BinaryKind::sub, zero, n.binary(BinaryKind::div, least, scale));
  Value zeroPoint = saturateTo(n, n.unary(UnaryKind::round, origin), ui8);
  Value data = quantize(n, x, {scale, zeroPoint}, n.elementTypeOf(x), ui8);
  return {data, scale, zeroPoint};
}

//===----------------------------------------------------------------------===//
// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear
//===----------------------------------------------------------------------===//

/// The type that an attribute names; null where it is 0 or absent.
static Type typeAttr(Node &n, StringRef name) {
  int64_t number = n.intAttr(name, 0);
  if (number == 0)
    return {};
  Type type = elementType(n.builder.getContext(), int(number));
  if (!type)
    n.fail(name + " is " + dataTypeName(int(number)) + ", which is not supported");
  return type;
}

static Quantization readQuantization(Node &n) {
  return {n.input(1), n.input(2), n.intAttr("axis", 1), n.intAttr("block_size", 0)};
}

static void quantizeLinearOp(Node &n) {
  Type result = typeAttr(n, "output_dtype"), precision = typeAttr(n, "precision");
  if (n.failed())
    return;
  Type zeroPoint = n.elementTypeOf(n.input(2));
  if (result && zeroPoint && result != zeroPoint)
    return n.fail("output_dtype differs from the zero point's type");
  if (!result)
    result =
        zeroPoint ? zeroPoint : IntegerType::get(n.builder.getContext(), 8, IntegerType::Unsigned);
  if (!precision)
    precision = n.elementTypeOf(n.input(1));
  if (!isa<FloatType>(precision))
    return n.fail("cannot quantise in a precision that is no float");
  n.setOutput(quantize(n, n.input(0), readQuantization(n), precision, result,
                       n.intAttr("saturate", 1) != 0));
}

static void dequantizeLinearOp(Node &n) {
  Type result = typeAttr(n, "output_dtype");
  if (n.failed())
    return;
  if (!result)
    result = n.elementTypeOf(n.input(1));
  if (!isa<FloatType>(result) || !isa<FloatType>(n.elementTypeOf(n.input(1))))
    return n.fail("the scale or the result is not of a float type");
  n.setOutput(dequantize(n, n.input(0), readQuantization(n), result));
}

static void dynamicQuantizeLinearOp(Node &n) {
  DynamicallyQuantized quantized = quantizeDynamically(n, n.input(0));
  n.setOutput(0, quantized.data);
  n.setOutput(1, quantized.scale);
  n.setOutput(2, quantized.zeroPoint);
}

void importer::addQuantizationOps(OpTable &t) {
  constexpr const char *attributes = "axis block_size output_dtype precision saturate";
  for (StringRef domain : {StringRef(""), kMicrosoft}) {
    int64_t since = domain.empty() ? 10 : 1;
    t.add(domain, "QuantizeLinear", since, {quantizeLinearOp, 2, 3, 1, attributes});
    t.add(domain, "DequantizeLinear", since, {dequantizeLinearOp, 2, 3, 1, attributes});
  }
  t.add("", "DynamicQuantizeLinear", 11, {dynamicQuantizeLinearOp, 1, 1, 3});
}
