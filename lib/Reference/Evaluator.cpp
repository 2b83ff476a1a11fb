//===- Evaluator.cpp - walks the backward slice of a value
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Reference/Evaluator.h"
#include "Frame.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

static std::string formatShape(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "[";
  llvm::interleaveComma(shape, stream);
  stream << "]";
  return text;
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

void forEachIndex(ArrayRef<int64_t> shape, llvm::function_ref<void(Index)> visit) {
  if (llvm::is_contained(shape, 0))
    return;
  Shape index(shape.size(), 0);
  while (true) {
    visit(index);
    int64_t dim = int64_t(shape.size()) - 1;
    for (; dim >= 0 && ++index[dim] == shape[dim]; --dim)
      index[dim] = 0;
    if (dim < 0)
      return;
  }
}

int64_t offsetOf(ArrayRef<int64_t> shape, Index index) {
  int64_t offset = 0;
  for (auto [size, position] : llvm::zip_equal(shape, index))
    offset = offset * size + position;
  return offset;
}

int64_t broadcastOffset(ArrayRef<int64_t> shape, Index index) {
  int64_t offset = 0;
  for (auto [size, position] : llvm::zip_equal(shape, index.take_back(shape.size())))
    offset = offset * size + (size == 1 ? 0 : position);
  return offset;
}

FailureOr<Shape> broadcastShapes(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  Shape result(a);
  for (size_t i = 0; i < b.size(); ++i) {
    int64_t &size = result[a.size() - b.size() + i];
    if (size != b[i] && size != 1 && b[i] != 1)
      return failure();
    if (size == 1)
      size = b[i];
  }
  return result;
}

bool broadcastsTo(ArrayRef<int64_t> shape, ArrayRef<int64_t> target) {
  FailureOr<Shape> result = broadcastShapes(shape, target);
  return succeeded(result) && ArrayRef(*result) == target;
}

//===----------------------------------------------------------------------===//
// Operations that give values
//===----------------------------------------------------------------------===//

LogicalResult OpFrame::fail(const Twine &text) const {
  return evaluator.fail(op->getName().getStringRef() + ": " + text);
}

FailureOr<Shape> OpFrame::resultShape() const {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  Shape shape;
  for (const DimExpr &dim : getDims(type)) {
    std::optional<int64_t> size = evaluator.evaluate(dim);
    if (!size)
      return fail(Twine("the size '") + dim.str() + "' has no value");
    if (*size < 0)
      return fail(Twine("the size '") + dim.str() + "' is " + Twine(*size));
    shape.push_back(*size);
  }
  return shape;
}

static FailureOr<Tensor> evaluateOp(ConstantOp op, const OpFrame &frame) {
  FailureOr<Tensor> tensor = Tensor::fromAttr(op.getValue());
  if (failed(tensor))
    return frame.fail("elements cannot be read");
  return tensor;
}

static FailureOr<Tensor> evaluateOp(DimValuesOp op, const OpFrame &frame) {
  auto type = cast<RankedTensorType>(op.getType());
  Tensor result(type.getElementType(), type.getShape());
  for (auto [index, expr] : llvm::enumerate(parseExprs(op.getExprs()))) {
    std::optional<int64_t> value = frame.evaluate(expr);
    if (!value)
      return frame.fail(Twine("'") + expr.str() + "' has no value");
    result.setInt(index, *value);
  }
  return result;
}

static FailureOr<Tensor> evaluateOp(IotaOp op, const OpFrame &frame) {
  auto value = [&](StringRef text) {
    std::optional<DimExpr> expr = DimExpr::parse(text);
    return expr ? frame.evaluate(*expr) : std::nullopt;
  };
  std::optional<int64_t> start = value(op.getStart()), step = value(op.getStep());
  FailureOr<Shape> shape = frame.resultShape();
  if (failed(shape))
    return failure();
  if (!start || !step)
    return frame.fail(Twine("start '") + op.getStart() + "' or step '" + op.getStep() +
                      "' has no value");
  Tensor result(cast<RankedTensorType>(op.getType()).getElementType(), *shape);
  forEachIndex(*shape, [&](Index index) {
    result.setInt(offsetOf(*shape, index), *start + *step * index[op.getDim()]);
  });
  return result;
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

LogicalResult Evaluator::fail(const Twine &text) {
  errorText = text.str();
  return failure();
}

std::optional<int64_t> Evaluator::evaluate(const DimExpr &expr) const {
  return expr.evaluate([&](const std::string &name) -> std::optional<int64_t> {
    auto found = symbols.find(name);
    return found == symbols.end() ? std::nullopt : std::optional(found->second);
  });
}

/// The only symbol of `expr` without a value, where there is just one.
static std::optional<std::string> soleUnknown(const DimExpr &expr, const SymbolValues &symbols) {
  std::optional<std::string> unknown;
  bool several = false;
  expr.forEachSymbol([&](const std::string &name) {
    if (symbols.contains(name) || unknown == name)
      return;
    several |= unknown.has_value();
    unknown = name;
  });
  return several ? std::nullopt : unknown;
}

LogicalResult Evaluator::bindSymbols(RankedTensorType type, ArrayRef<int64_t> shape) {
  if (type.getRank() != int64_t(shape.size()))
    return fail("rank " + Twine(shape.size()) + " for rank " + Twine(type.getRank()));
  for (auto [dim, size] : llvm::zip_equal(getDims(type), shape)) {
    if (std::optional<int64_t> known = evaluate(dim)) {
      if (*known != size)
        return fail("size " + Twine(size) + " where '" + dim.str() + "' is " + Twine(*known));
      continue;
    }
    std::optional<std::string> name = soleUnknown(dim, symbols);
    if (!name || StringRef(*name).starts_with("unknown."))
      continue;
    // dim = a * name + b, read off at name = 0 and 1, checked at the solution.
    symbols[*name] = 0;
    std::optional<int64_t> atZero = evaluate(dim);
    symbols[*name] = 1;
    std::optional<int64_t> atOne = evaluate(dim);
    symbols.erase(*name);
    if (!atZero || !atOne || *atZero == *atOne)
      continue;
    symbols[*name] = (size - *atZero) / (*atOne - *atZero);
    if (evaluate(dim) != size)
      symbols.erase(*name);
  }
  return success();
}

FailureOr<Tensor> Evaluator::evaluate(Value value) {
  // Depth first without recursion: models are thousands of operations deep.
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    Value next = pending.back();
    if (values.count(next)) {
      pending.pop_back();
      continue;
    }
    Operation *op = next.getDefiningOp();
    if (!op)
      return fail("argument " + Twine(cast<BlockArgument>(next).getArgNumber()) + " is not bound");
    size_t before = pending.size();
    for (Value operand : op->getOperands())
      if (!values.count(operand))
        pending.push_back(operand);
    if (pending.size() == before && failed(evaluateOp(op)))
      return failure();
  }
  return values.find(value)->second;
}

FailureOr<SmallVector<Tensor>> Evaluator::run(func::FuncOp function, ArrayRef<Tensor> arguments) {
  if (function.isExternal() || function.getNumArguments() != arguments.size())
    return fail("the function takes " + Twine(function.getNumArguments()) + " arguments, not " +
                Twine(arguments.size()));
  for (auto [argument, tensor] : llvm::zip_equal(function.getArguments(), arguments)) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || type.getElementType() != tensor.elementType())
      return fail("argument " + Twine(argument.getArgNumber()) + " has another element type");
    bind(argument, tensor);
  }
  // Twice: `past + seq` may come before the argument that tells `past`.
  for (int round = 0; round < 2; ++round)
    for (auto [argument, tensor] : llvm::zip_equal(function.getArguments(), arguments))
      if (failed(bindSymbols(cast<RankedTensorType>(argument.getType()), tensor.shape())))
        return fail("argument " + Twine(argument.getArgNumber()) + ": " + errorText);
  for (auto size : function.getOps<DefineSizeOp>())
    if (failed(define(size)))
      return failure();
  SmallVector<Tensor> results;
  for (Value value : function.front().getTerminator()->getOperands()) {
    FailureOr<Tensor> result = evaluate(value);
    if (failed(result))
      return failure();
    results.push_back(std::move(*result));
  }
  return results;
}

LogicalResult Evaluator::define(DefineSizeOp op) {
  OpFrame frame(*this, op);
  FailureOr<Tensor> value = evaluate(op.getValue());
  if (failed(value))
    return failure();
  std::optional<DimExpr> bound = DimExpr::parse(op.getBound());
  std::optional<int64_t> limit = bound ? evaluate(*bound) : std::nullopt;
  if (value->numElements() != 1 || !limit)
    return frame.fail(Twine("the bound '") + op.getBound() + "' has no value");
  symbols[op.getSymbol()] = std::max<int64_t>(0, std::min(value->getInt(0), *limit));
  return success();
}

LogicalResult Evaluator::runIteration(LoopOp op, int64_t iteration,
                                      SmallVectorImpl<Tensor> &given) {
  if (failed(spend(op.getBody().front().getTerminator()))) // an iteration may do nothing else
    return failure();
  symbols[op.getIndex()] = iteration;
  Block &body = op.getBody().front();
  for (Operation &inside : body)
    for (Value result : inside.getResults())
      values.erase(result);
  given.clear();
  for (Value value : body.getTerminator()->getOperands()) {
    FailureOr<Tensor> tensor = evaluate(value);
    if (failed(tensor))
      return failure();
    given.push_back(std::move(*tensor));
  }
  return success();
}

LogicalResult Evaluator::run(LoopOp op) {
  OpFrame frame(*this, op);
  std::optional<DimExpr> expr = DimExpr::parse(op.getTrip());
  std::optional<int64_t> trip = expr ? evaluate(*expr) : std::nullopt;
  if (!trip)
    return frame.fail(Twine("the trip count '") + op.getTrip() + "' has no value");
  unsigned numCarried = op.getNumCarried();
  SmallVector<Tensor> results;
  for (auto [operand, argument] : llvm::zip_equal(op.getOperands(), op.getBody().getArguments()))
    values[argument] = Tensor(frame[operand]);
  for (Value initial : op.getInitial())
    results.push_back(frame[initial]);
  for (Value stack : op.getResults().drop_front(numCarried)) {
    auto type = cast<RankedTensorType>(stack.getType());
    Shape shape;
    for (const DimExpr &dim : getDims(type)) {
      std::optional<int64_t> size = evaluate(dim);
      if (!size)
        return frame.fail(Twine("the size '") + dim.str() + "' has no value");
      shape.push_back(std::max<int64_t>(0, *size));
    }
    results.push_back(Tensor(type.getElementType(), shape));
  }
  Dims positions = parseExprs(op.getPositions());
  SmallVector<Tensor> given;
  for (int64_t i = 0; i < *trip; ++i) {
    if (failed(runIteration(op, i, given)))
      return failure();
    for (unsigned k = 0; k < given.size(); ++k) {
      if (k < numCarried) {
        values[op.getBody().getArgument(k)] = given[k];
        results[k] = std::move(given[k]);
        continue;
      }
      int64_t count = given[k].numElements(), rows = results[k].dim(0);
      int64_t row = evaluate(positions[k - numCarried]).value_or(-1);
      if (row < 0 || row >= rows || count * rows != results[k].numElements())
        return frame.fail("iteration " + Twine(i) + " writes row " + Twine(row) + " of " +
                          formatShape(results[k].shape()));
      for (int64_t e = 0; e < count; ++e)
        results[k].copyElement(row * count + e, given[k], e);
    }
  }
  symbols.erase(op.getIndex());
  for (auto [value, tensor] : llvm::zip_equal(op.getResults(), results))
    if (failed(record(value, std::move(tensor))))
      return failure();
  return success();
}

LogicalResult Evaluator::spend(Operation *op) {
  constexpr uint64_t kLeast = 64; // looking at an operation takes as long as so many elements
  uint64_t count = kLeast;
  for (Value result : op->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type || isa<ConstantOp>(op)) // there already
      continue;
    uint64_t elements = 1;
    for (const DimExpr &dim : getDims(type))
      elements = llvm::SaturatingMultiply<uint64_t>(
          elements, std::max<int64_t>(0, evaluate(dim).value_or(1)));
    count = llvm::SaturatingAdd(count, elements);
  }
  if (count > uint64_t(elementsLeft))
    return OpFrame(*this, op).fail("more elements than there is time for");
  elementsLeft -= count;
  return success();
}

LogicalResult Evaluator::evaluateOp(Operation *op) {
  OpFrame frame(*this, op);
  if (failed(spend(op)))
    return failure();
  if (auto loop = dyn_cast<LoopOp>(op))
    return run(loop);
  if (auto branch = dyn_cast<IfOp>(op)) {
    const Tensor &condition = frame[branch.getCondition()];
    if (condition.numElements() != 1)
      return frame.fail("a condition of " + Twine(condition.numElements()) + " elements");
    Region &region = condition.getBool(0) ? branch.getThenRegion() : branch.getElseRegion();
    for (auto [result, yielded] :
         llvm::zip_equal(op->getResults(), region.front().getTerminator()->getOperands())) {
      FailureOr<Tensor> value = evaluate(yielded);
      if (failed(value))
        return failure();
      values[result] = *value;
    }
    return success();
  }
  if (auto attention = dyn_cast<LinearAttentionOp>(op)) {
    FailureOr<SmallVector<Tensor>> results = reference::evaluateOp(attention, frame);
    if (failed(results))
      return failure();
    for (auto [value, tensor] : llvm::zip_equal(op->getResults(), *results))
      if (failed(record(value, std::move(tensor))))
        return failure();
    return success();
  }
  FailureOr<Tensor> result =
      llvm::TypeSwitch<Operation *, FailureOr<Tensor>>(op)
          .Case<ConstantOp, DimValuesOp, IotaOp, UnaryOp, BinaryOp, CompareOp, SelectOp, CastOp,
                BitcastOp, ReshapeOp, BroadcastOp, TransposeOp, SliceOp, ConcatOp, GatherOp,
                GatherNDOp, GatherElementsOp, ScatterElementsOp, ScatterNDOp, CumulativeOp,
                TopKIndicesOp, ConvOp, WindowReduceOp, ReduceOp, SoftmaxOp, MatmulOp, LinearOp,
                ExpertLinearOp, EmbeddingOp, QuantizeInputOp, RMSNormOp, LayerNormOp, RotaryOp,
                AttentionOp, KVAppendOp, KVEvictOp, NonZeroOp, CausalConvOp>(
              [&](auto typed) { return reference::evaluateOp(typed, frame); })
          .Default([&](Operation *) { return frame.fail("has no reference semantics"); });
  return failed(result) ? failure() : record(op->getResult(0), std::move(*result));
}

/// The type is a promise that later phases rely on: holds it to the values.
LogicalResult Evaluator::record(Value value, Tensor tensor) {
  OpFrame frame(*this, value.getDefiningOp());
  auto type = cast<RankedTensorType>(value.getType());
  assert(tensor.elementType() == type.getElementType() && "element type differs from the result's");
  bool agrees = type.getRank() == tensor.rank();
  for (int64_t i = 0; agrees && i < type.getRank(); ++i)
    agrees = evaluate(getDims(type)[i]).value_or(tensor.dim(i)) == tensor.dim(i);
  if (!agrees)
    return frame.fail(Twine("gives shape ") + formatShape(tensor.shape()) +
                      " where its type says " + formatDims(getDims(type)));
  values[value] = std::move(tensor);
  return success();
}

} // namespace llmc::reference
