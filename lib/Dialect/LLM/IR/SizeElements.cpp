//===- SizeElements.cpp - single elements of computed tensors
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters take a size out of a tensor whose other elements are not known, or
// whose length is symbolic: range(seq)[-1] + 1; or compute it in floats:
// ceil(height / 2.0). Each rule maps an element to those it is made of.
//
//===----------------------------------------------------------------------===//
#include "SizeArithmetic.h"
#include "llmc/Dialect/LLM/IR/SizeFolds.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <numeric>

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

using Element = std::optional<Ratio>;

/// Larger denominators are roundings of other numbers, as of 0.1.
static constexpr int64_t kMaxDenominator = 1 << 16;

static Element makeRatio(const DimExpr &numerator, int64_t denominator) {
  int64_t common = denominator;
  for (const DimExpr::Term &term : numerator.terms())
    common = std::gcd(common, term.coefficient);
  if (denominator / common > kMaxDenominator)
    return std::nullopt;
  return Ratio{DimExpr::floorDiv(numerator, common), denominator / common};
}

static Element ofDouble(double value) {
  double numerator = value * double(kMaxDenominator);
  if (!(std::abs(numerator) < 0x1p62) || numerator != std::floor(numerator))
    return std::nullopt;
  return makeRatio(int64_t(numerator), kMaxDenominator);
}

static Element integer(std::optional<DimExpr> value) {
  return value ? Element(Ratio{*value}) : std::nullopt;
}

static Type elementTypeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

static std::optional<double> asDouble(const Ratio &a) {
  std::optional<int64_t> numerator = a.numerator.constant();
  return numerator ? std::optional(double(*numerator) / double(a.denominator)) : std::nullopt;
}

static Element unaryRatio(UnaryKind kind, const Ratio &a) {
  switch (kind) {
  case UnaryKind::floor:
    return Ratio{DimExpr::floorDiv(a.numerator, a.denominator)};
  case UnaryKind::ceil:
    return Ratio{DimExpr::ceilDiv(a.numerator, a.denominator)};
  case UnaryKind::neg:
    return Ratio{-a.numerator, a.denominator};
  case UnaryKind::relu:
    return makeRatio(DimExpr::max(a.numerator, 0), a.denominator);
  case UnaryKind::sqrt: {
    std::optional<double> value = asDouble(a);
    return value ? ofDouble(std::sqrt(*value)) : std::nullopt;
  }
  default:
    return a.denominator == 1 ? integer(applyUnary(kind, a.numerator)) : std::nullopt;
  }
}

static Element binaryRatio(BinaryKind kind, const Ratio &a, const Ratio &b) {
  // Denominators are bounded, so that their product is far from overflow.
  int64_t common = a.denominator * b.denominator;
  DimExpr x = a.numerator * b.denominator, y = b.numerator * a.denominator;
  switch (kind) {
  case BinaryKind::add:
    return makeRatio(x + y, common);
  case BinaryKind::sub:
    return makeRatio(x - y, common);
  case BinaryKind::max:
    return makeRatio(DimExpr::max(x, y), common);
  case BinaryKind::min:
    return makeRatio(DimExpr::min(x, y), common);
  case BinaryKind::mul:
    return makeRatio(a.numerator * b.numerator, common);
  case BinaryKind::div: {
    std::optional<int64_t> divisor = y.constant();
    if (!divisor || *divisor == 0 || std::abs(*divisor) > kMaxDenominator * kMaxDenominator)
      return std::nullopt;
    return makeRatio(*divisor < 0 ? -x : x, std::abs(*divisor));
  }
  case BinaryKind::pow: {
    std::optional<double> base = asDouble(a), exponent = asDouble(b);
    return base && exponent ? ofDouble(std::pow(*base, *exponent)) : std::nullopt;
  }
  default:
    return std::nullopt;
  }
}

/// A float as an integer, which drops what is behind the point.
static Element truncated(const Ratio &a) {
  if (a.denominator == 1)
    return a;
  if (a.numerator.provablyNonNegative())
    return Ratio{DimExpr::floorDiv(a.numerator, a.denominator)};
  return std::nullopt;
}

namespace {

class ElementFinder {
public:
  Element find(Value value, Dims index);

private:
  Element ofConstant(ConstantOp op, const Dims &index);
  Element ofReshape(ReshapeOp op, const Dims &index);
  Element ofBroadcast(Value operand, const Dims &index);
  Element ofSlice(SliceOp op, Dims index);
  Element ofConcat(ConcatOp op, Dims index);
  Element ofGather(GatherOp op, const Dims &index);
  Element ofCast(CastOp op, const Dims &index);
  Element ofUnary(UnaryOp op, const Dims &index);
  Element ofBinary(BinaryOp op, const Dims &index);
  Element ofSelect(SelectOp op, const Dims &index);

  /// Size arithmetic takes a few dozen operations; a longer walk leads nowhere.
  int stepsLeft = 128;
};

} // namespace

/// The row-major position of a constant index.
static std::optional<int64_t> linearPosition(const Dims &index, const Dims &dims) {
  int64_t position = 0;
  for (auto [at, size] : llvm::zip_equal(index, dims)) {
    std::optional<int64_t> i = at.constant(), length = size.constant();
    if (!i || !length || *i < 0 || *i >= *length)
      return std::nullopt;
    position = position * *length + *i;
  }
  return position;
}

Element ElementFinder::ofConstant(ConstantOp op, const Dims &index) {
  std::optional<int64_t> position = linearPosition(index, getDims(op.getResult()));
  auto elements = dyn_cast<DenseFPElementsAttr>(op.getValue());
  if (!position || !elements)
    return std::nullopt;
  APFloat value = elements.getValues<APFloat>()[*position];
  bool lossy = false;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return ofDouble(value.convertToDouble());
}

Element ElementFinder::ofReshape(ReshapeOp op, const Dims &index) {
  Dims from = getDims(op.getInput()), to = getDims(op.getResult()), source(from.size(), 0);
  // Where only dimensions of 1 come and go, the others keep their indices.
  size_t next = 0;
  for (auto [at, size] : llvm::zip_equal(index, to)) {
    if (size.isConstant(1))
      continue;
    while (next < from.size() && from[next].isConstant(1))
      ++next;
    if (next == from.size() || from[next] != size)
      return std::nullopt;
    source[next++] = at;
  }
  while (next < from.size() && from[next].isConstant(1))
    ++next;
  return next == from.size() ? find(op.getInput(), source) : std::nullopt;
}

Element ElementFinder::ofBroadcast(Value operand, const Dims &index) {
  Dims dims = getDims(operand), source(dims.size(), 0);
  for (size_t i = 0; i < dims.size(); ++i)
    if (!dims[i].isConstant(1))
      source[i] = index[index.size() - dims.size() + i];
  return find(operand, source);
}

Element ElementFinder::ofSlice(SliceOp op, Dims index) {
  for (auto [at, start, step] : llvm::zip_equal(index, parseExprs(op.getStarts()), op.getSteps()))
    at = start + at * step;
  return find(op.getInput(), index);
}

Element ElementFinder::ofConcat(ConcatOp op, Dims index) {
  DimExpr &at = index[op.getAxis()];
  for (Value input : op.getInputs()) {
    DimExpr size = getDims(input)[op.getAxis()];
    if (DimExpr::less(at, size) == true)
      return find(input, index);
    if (DimExpr::less(at, size) != false)
      return std::nullopt;
    at = at - size;
  }
  return std::nullopt;
}

Element ElementFinder::ofGather(GatherOp op, const Dims &index) {
  size_t axis = op.getAxis(), indexRank = getDims(op.getIndices()).size();
  ArrayRef<DimExpr> all(index);
  ArrayRef<DimExpr> chosen = all.slice(axis, indexRank);
  Element at = find(op.getIndices(), Dims(chosen.begin(), chosen.end()));
  if (!at || !at->integer())
    return std::nullopt;
  DimExpr position = at->numerator;
  if (position.bounds().upper < 0)
    position = position + getDims(op.getInput())[axis];
  else if (!position.provablyNonNegative())
    return std::nullopt;
  Dims source(all.begin(), all.begin() + axis);
  source.push_back(position);
  source.append(all.begin() + axis + indexRank, all.end());
  return find(op.getInput(), source);
}

Element ElementFinder::ofCast(CastOp op, const Dims &index) {
  Type from = elementTypeOf(op.getInput()), to = elementTypeOf(op.getResult());
  bool isNarrow = (isa<FloatType>(to) && to.getIntOrFloatBitWidth() < 32) || to.isInteger(1);
  Element input = isNarrow ? std::nullopt : find(op.getInput(), index);
  if (!input || isa<FloatType>(to))
    return input;
  Element whole = isa<FloatType>(from) ? truncated(*input) : input;
  Type source = isa<FloatType>(from) ? IntegerType::get(to.getContext(), 64) : from;
  return whole ? integer(applyCast(whole->numerator, source, to)) : std::nullopt;
}

Element ElementFinder::ofUnary(UnaryOp op, const Dims &index) {
  Element input = find(op.getInput(), index);
  if (!input)
    return std::nullopt;
  return isa<FloatType>(elementTypeOf(op.getResult()))
             ? unaryRatio(op.getKind(), *input)
             : integer(applyUnary(op.getKind(), input->numerator));
}

Element ElementFinder::ofBinary(BinaryOp op, const Dims &index) {
  Element lhs = ofBroadcast(op.getLhs(), index);
  Element rhs = lhs ? ofBroadcast(op.getRhs(), index) : std::nullopt;
  if (!rhs)
    return std::nullopt;
  return isa<FloatType>(elementTypeOf(op.getResult()))
             ? binaryRatio(op.getKind(), *lhs, *rhs)
             : integer(applyBinary(op.getKind(), lhs->numerator, rhs->numerator));
}

Element ElementFinder::ofSelect(SelectOp op, const Dims &index) {
  Element condition = ofBroadcast(op.getCondition(), index);
  std::optional<int64_t> choice = condition ? condition->numerator.constant() : std::nullopt;
  return choice ? ofBroadcast(*choice ? op.getLhs() : op.getRhs(), index) : std::nullopt;
}

Element ElementFinder::find(Value value, Dims index) {
  Operation *op = value.getDefiningOp();
  if (!op || --stepsLeft < 0)
    return std::nullopt;
  if (isa<IntegerType>(elementTypeOf(value)))
    if (std::optional<Dims> known = getKnownInts(value)) {
      std::optional<int64_t> position = linearPosition(index, getDims(value));
      return position ? Element(Ratio{(*known)[*position]}) : std::nullopt;
    }
  return TypeSwitch<Operation *, Element>(op)
      .Case([&](ConstantOp constant) { return ofConstant(constant, index); })
      .Case([&](IotaOp iota) {
        return Ratio{*DimExpr::parse(iota.getStart()) +
                     *DimExpr::parse(iota.getStep()) * index[iota.getDim()]};
      })
      .Case([&](ReshapeOp reshape) { return ofReshape(reshape, index); })
      .Case([&](BroadcastOp broadcast) { return ofBroadcast(broadcast.getInput(), index); })
      .Case([&](SliceOp slice) { return ofSlice(slice, index); })
      .Case([&](ConcatOp concat) { return ofConcat(concat, index); })
      .Case([&](GatherOp gather) { return ofGather(gather, index); })
      .Case([&](CastOp convert) { return ofCast(convert, index); })
      .Case([&](UnaryOp unary) { return ofUnary(unary, index); })
      .Case([&](BinaryOp binary) { return ofBinary(binary, index); })
      .Case([&](SelectOp select) { return ofSelect(select, index); })
      .Default([](Operation *) -> Element { return std::nullopt; });
}

std::optional<Ratio> llm::getElement(Value value, Dims index) {
  return ElementFinder().find(value, std::move(index));
}
