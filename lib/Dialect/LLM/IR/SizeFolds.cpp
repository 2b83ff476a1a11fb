//===- SizeFolds.cpp - arithmetic on symbolic sizes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each rule maps a linear result index to operand elements. Rules give up
// rather than assume: a quotient needs operands of known sign, a comparison a
// proof.
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/SizeFolds.h"
#include "SizeArithmetic.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace llmc::llm {
namespace {

constexpr int64_t kMaxElements = 4096;
/// Symbols in more than one dimension are pads by axis; more of them are positions.
constexpr int64_t kMaxMatrixElements = 16;
using Shape = SmallVector<int64_t, 4>;

struct Known {
  Dims elements;
  Shape shape;
  const DimExpr &at(ArrayRef<int64_t> index) const {
    int64_t linear = 0;
    for (auto [i, size] : llvm::zip(index, shape))
      linear = linear * size + i;
    return elements[linear];
  }
};

std::optional<Known> known(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  std::optional<Dims> elements = getKnownInts(value);
  if (!elements || !type.hasStaticShape())
    return std::nullopt;
  return Known{std::move(*elements), Shape(type.getShape())};
}

/// Row-major coordinates of `linear` in `shape`.
Shape delinearize(int64_t linear, ArrayRef<int64_t> shape) {
  Shape index(shape.size());
  for (int64_t i = int64_t(shape.size()) - 1; i >= 0; --i) {
    index[i] = linear % shape[i];
    linear /= shape[i];
  }
  return index;
}

/// The element of an operand that broadcasting puts at a result index.
const DimExpr &broadcastElement(const Known &operand, ArrayRef<int64_t> index) {
  Shape own(index.take_back(operand.shape.size()));
  for (auto [i, size] : llvm::zip(own, operand.shape))
    if (size == 1)
      i = 0;
  return operand.at(own);
}

/// Row-major traversal of `shape`, each element given by `element`, which may
/// give up.
template <typename Fn> std::optional<Dims> generate(ArrayRef<int64_t> shape, Fn element) {
  Dims result;
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  for (int64_t i = 0; i < count; ++i) {
    std::optional<DimExpr> value = element(delinearize(i, shape));
    if (!value)
      return std::nullopt;
    result.push_back(std::move(*value));
  }
  return result;
}

std::optional<Dims> foldGather(GatherOp op, ArrayRef<int64_t> shape) {
  auto input = known(op.getInput()), indices = known(op.getIndices());
  if (!input || !indices)
    return std::nullopt;
  int64_t axis = op.getAxis(), indexRank = indices->shape.size();
  return generate(shape, [&](ArrayRef<int64_t> index) -> std::optional<DimExpr> {
    std::optional<int64_t> at = indices->at(index.slice(axis, indexRank)).constant();
    int64_t size = input->shape[axis];
    if (!at || *at < -size || *at >= size)
      return std::nullopt;
    Shape source(index.take_front(axis));
    source.push_back(*at < 0 ? *at + size : *at);
    source.append(index.begin() + axis + indexRank, index.end());
    return input->at(source);
  });
}

std::optional<Dims> foldSlice(SliceOp op, ArrayRef<int64_t> shape) {
  auto input = known(op.getInput());
  if (!input)
    return std::nullopt;
  Dims starts = parseExprs(op.getStarts());
  return generate(shape, [&](ArrayRef<int64_t> index) -> std::optional<DimExpr> {
    Shape source;
    for (size_t i = 0; i < index.size(); ++i) {
      std::optional<int64_t> start = starts[i].constant();
      int64_t at = start ? *start + index[i] * op.getSteps()[i] : -1;
      if (at < 0 || at >= input->shape[i])
        return std::nullopt;
      source.push_back(at);
    }
    return input->at(source);
  });
}

std::optional<Dims> foldConcat(ConcatOp op, ArrayRef<int64_t> shape) {
  SmallVector<Known> inputs;
  for (Value value : op.getInputs()) {
    auto input = known(value);
    if (!input)
      return std::nullopt;
    inputs.push_back(std::move(*input));
  }
  return generate(shape, [&](ArrayRef<int64_t> index) -> std::optional<DimExpr> {
    Shape source(index);
    for (const Known &input : inputs) {
      if (source[op.getAxis()] < input.shape[op.getAxis()])
        return input.at(source);
      source[op.getAxis()] -= input.shape[op.getAxis()];
    }
    return std::nullopt;
  });
}

std::optional<Dims> foldReduce(ReduceOp op, ArrayRef<int64_t> shape) {
  auto input = known(op.getInput());
  // Only a reduction of everything: shape arithmetic has no other.
  if (!input || op.getAxes().size() != input->shape.size() || input->elements.empty())
    return std::nullopt;
  DimExpr result = input->elements[0];
  for (const DimExpr &element : ArrayRef(input->elements).drop_front()) {
    switch (op.getKind()) {
    case ReduceKind::sum:
      result = result + element;
      break;
    case ReduceKind::prod:
      result = result * element;
      break;
    case ReduceKind::max:
      result = DimExpr::max(result, element);
      break;
    case ReduceKind::min:
      result = DimExpr::min(result, element);
      break;
    case ReduceKind::mean:
      return std::nullopt;
    }
  }
  return Dims{result};
}

std::optional<Dims> foldSelect(SelectOp op, ArrayRef<int64_t> shape) {
  auto condition = known(op.getCondition());
  auto lhs = known(op.getLhs()), rhs = known(op.getRhs());
  if (!condition || (!lhs && !rhs))
    return std::nullopt;
  return generate(shape, [&](ArrayRef<int64_t> index) -> std::optional<DimExpr> {
    std::optional<int64_t> choice = broadcastElement(*condition, index).constant();
    const std::optional<Known> &chosen = choice && *choice ? lhs : rhs;
    if (!choice || !chosen)
      return std::nullopt;
    return broadcastElement(*chosen, index);
  });
}

std::optional<Dims> foldIota(IotaOp op, ArrayRef<int64_t> shape) {
  DimExpr start = *DimExpr::parse(op.getStart()), step = *DimExpr::parse(op.getStep());
  return generate(shape, [&](ArrayRef<int64_t> index) -> std::optional<DimExpr> {
    return start + step * DimExpr(index[op.getDim()]);
  });
}

/// Operations whose result is the operand's elements rearranged by `source`.
template <typename Fn>
std::optional<Dims> rearrange(Value operand, ArrayRef<int64_t> shape, Fn source) {
  auto input = known(operand);
  if (!input)
    return std::nullopt;
  return generate(shape, [&](ArrayRef<int64_t> index) -> std::optional<DimExpr> {
    return source(*input, index);
  });
}

std::optional<Dims> foldElementwise(Operation *op, ArrayRef<int64_t> shape) {
  SmallVector<Known> operands;
  for (Value value : op->getOperands()) {
    auto operand = known(value);
    if (!operand)
      return std::nullopt;
    operands.push_back(std::move(*operand));
  }
  auto elementType = [](Value v) { return cast<RankedTensorType>(v.getType()).getElementType(); };
  return generate(shape, [&](ArrayRef<int64_t> index) -> std::optional<DimExpr> {
    const DimExpr &a = broadcastElement(operands[0], index);
    if (auto unary = dyn_cast<UnaryOp>(op))
      return applyUnary(unary.getKind(), a);
    if (isa<CastOp>(op))
      return applyCast(a, elementType(op->getOperand(0)), elementType(op->getResult(0)));
    const DimExpr &b = broadcastElement(operands[1], index);
    if (auto binary = dyn_cast<BinaryOp>(op))
      return applyBinary(binary.getKind(), a, b);
    return applyCompare(cast<CompareOp>(op).getPredicate(), a, b);
  });
}

/// The elements of a result one by one, where operands are known in part only.
std::optional<Dims> foldByElement(Operation *op, ArrayRef<int64_t> shape) {
  constexpr int64_t kMaxFoldedElements = 16;
  if (cast<RankedTensorType>(op->getResult(0).getType()).getNumElements() > kMaxFoldedElements)
    return std::nullopt;
  return generate(shape, [&](ArrayRef<int64_t> index) -> std::optional<DimExpr> {
    std::optional<Ratio> element = getElement(op->getResult(0), Dims(index.begin(), index.end()));
    return element ? element->integer() : std::nullopt;
  });
}

/// What an operation gives, in numbers that may end at infinity.
std::optional<Dims> foldSaturating(Operation *op) {
  if (op->getNumResults() != 1)
    return std::nullopt;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || !type.hasStaticShape() || !type.getElementType().isInteger() ||
      type.getNumElements() > kMaxElements)
    return std::nullopt;
  ArrayRef<int64_t> shape = type.getShape();
  using Result = std::optional<Dims>;
  Result result =
      TypeSwitch<Operation *, Result>(op)
          .Case<UnaryOp, CastOp, BinaryOp, CompareOp>(
              [&](auto) { return foldElementwise(op, shape); })
          .Case([&](SelectOp select) { return foldSelect(select, shape); })
          .Case([&](GatherOp gather) { return foldGather(gather, shape); })
          .Case([&](SliceOp slice) { return foldSlice(slice, shape); })
          .Case([&](ConcatOp concat) { return foldConcat(concat, shape); })
          .Case([&](ReduceOp reduce) { return foldReduce(reduce, shape); })
          .Case([&](IotaOp iota) { return foldIota(iota, shape); })
          .Case([&](ReshapeOp reshape) { return getKnownInts(reshape.getInput()); })
          .Case([&](BroadcastOp broadcast) {
            return rearrange(broadcast.getInput(), shape, broadcastElement);
          })
          .Case([&](TransposeOp transpose) {
            return rearrange(transpose.getInput(), shape,
                             [&](const Known &input, ArrayRef<int64_t> index) {
                               Shape source(index.size());
                               for (auto [i, axis] : llvm::enumerate(transpose.getPermutation()))
                                 source[axis] = index[i];
                               return input.at(source);
                             });
          })
          .Default([](Operation *) -> Result { return std::nullopt; });
  return result ? result : foldByElement(op, shape);
}

} // namespace

std::optional<Dims> foldSizes(Operation *op) {
  std::optional<Dims> result = foldSaturating(op);
  // Sizes saturate where data wraps around. The largest number may also be meant: it is
  // the end of many a slice.
  bool computes = isa<UnaryOp, BinaryOp, ReduceOp, IotaOp>(op);
  for (const DimExpr &element : result.value_or(Dims()))
    if (element.isConstant(-DimExpr::kInfinity) ||
        (computes && element.isConstant(DimExpr::kInfinity)))
      return std::nullopt;
  return result;
}

Value materializeSizes(OpBuilder &builder, Location loc, ArrayRef<DimExpr> elements,
                       RankedTensorType type) {
  auto integer = cast<IntegerType>(type.getElementType());
  SmallVector<APInt> values;
  for (const DimExpr &element : elements)
    if (std::optional<int64_t> value = element.constant())
      values.push_back(APInt(64, *value, true).sextOrTrunc(integer.getWidth()));
  if (values.size() == elements.size())
    return ConstantOp::create(builder, loc, DenseElementsAttr::get(type, values));
  if (integer.getWidth() < 32 ||
      (type.getRank() > 1 && int64_t(elements.size()) > kMaxMatrixElements))
    return {};
  return DimValuesOp::create(builder, loc, type, makeExprs(builder.getContext(), elements));
}

} // namespace llmc::llm
