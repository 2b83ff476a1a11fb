//===- Emitter.cpp - builds llm operations with checked, symbolic types
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"
#include "llmc/Dialect/LLM/IR/SizeFolds.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

void Emitter::fail(const Twine &message) {
  if (hasFailed)
    return;
  hasFailed = true;
  emitError(loc) << messagePrefix() << message;
}

Type Emitter::elementTypeOf(Value value) const {
  return value ? mlir::cast<RankedTensorType>(value.getType()).getElementType() : Type();
}

void Emitter::requireEqual(const DimExpr &a, const DimExpr &b, const Twine &what) {
  if (!hasFailed && !symbols.unify(a, b))
    fail(what + ": " + a.str() + " is not " + b.str());
}

Operation *Emitter::createInferred(InferFn infer, OperationState &state) {
  if (llvm::is_contained(state.operands, Value()))
    fail("an input is missing");
  if (hasFailed)
    return nullptr;
  std::string message;
  LogicalResult result = failure();
  SmallVector<Type> types;
  {
    ScopedDiagnosticHandler handler(builder.getContext(), [&](Diagnostic &diagnostic) {
      message = diagnostic.str();
      return success();
    });
    result = infer(builder.getContext(), loc, state.operands,
                   state.attributes.getDictionary(builder.getContext()), state.getRawProperties(),
                   state.regions, types);
  }
  if (mlir::failed(result))
    fail(message);
  for (Type type : types)
    if (hasFailed || !checkSize(mlir::cast<RankedTensorType>(type)))
      return nullptr;
  if (hasFailed)
    return nullptr;
  state.types.assign(types.begin(), types.end());
  return builder.create(state);
}

bool Emitter::checkSize(RankedTensorType type) {
  int64_t count = 1;
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size))
      continue;
    // Beside a 0, too: strides are products of the other sizes.
    if (size < 0 || __builtin_mul_overflow(count, std::max<int64_t>(size, 1), &count) ||
        count > symbols.maxElements) {
      fail("gives dimensions without sense: " + llm::formatDims(llm::getDims(type)));
      return false;
    }
  }
  return true;
}

Value Emitter::finish(Operation *op) {
  if (std::optional<Dims> elements = llm::foldSizes(op)) {
    auto type = mlir::cast<RankedTensorType>(op->getResult(0).getType());
    if (Value value = llm::materializeSizes(builder, loc, *elements, type)) {
      op->erase();
      return value;
    }
  }
  SmallVector<Value> folded;
  if (succeeded(builder.tryFold(op, folded)) && !folded.empty()) {
    op->erase();
    return folded[0];
  }
  return op->getResult(0);
}

/// Sizes that broadcasting pairs up are equal, but for those that are 1 and a
/// symbol beside a number, which may be 1 when the module runs.
void Emitter::unifyBroadcast(ArrayRef<Value> values) {
  if (hasFailed)
    return;
  for (size_t i = 0; i < values.size(); ++i)
    for (size_t j = i + 1; j < values.size(); ++j)
      for (int64_t back = 1; back <= std::min(rank(values[i]), rank(values[j])); ++back) {
        // Read again each time: unify rewrites types.
        Dims a = dims(values[i]), b = dims(values[j]);
        const DimExpr &x = a[a.size() - back], &y = b[b.size() - back];
        if (!x.constant() && !y.constant())
          symbols.unify(x, y);
      }
}

Value Emitter::unary(UnaryKind kind, Value x) { return infer<llm::UnaryOp>(kind, x); }

Value Emitter::binary(BinaryKind kind, Value a, Value b) {
  unifyBroadcast({a, b});
  return infer<llm::BinaryOp>(kind, a, b);
}

Value Emitter::compare(llm::ComparePredicate predicate, Value a, Value b) {
  unifyBroadcast({a, b});
  return infer<llm::CompareOp>(predicate, a, b);
}

Value Emitter::binary(BinaryKind kind, Value a, double b) {
  return hasFailed ? Value() : binary(kind, a, scalar(b, elementTypeOf(a)));
}

Value Emitter::compare(llm::ComparePredicate predicate, Value a, double b) {
  return hasFailed ? Value() : compare(predicate, a, scalar(b, elementTypeOf(a)));
}

Value Emitter::select(Value condition, Value a, Value b) {
  unifyBroadcast({condition, a, b});
  return infer<llm::SelectOp>(condition, a, b);
}

Value Emitter::cast(Value x, Type element) {
  if (hasFailed || elementTypeOf(x) == element)
    return hasFailed ? Value() : x;
  return make<llm::CastOp>(llm::makeTensorType(dims(x), element), x);
}

Value Emitter::reshape(Value x, ArrayRef<DimExpr> shape) {
  if (hasFailed)
    return {};
  DimExpr from = llm::product(dims(x)), to = llm::product(shape);
  if (DimExpr::equal(from, to) == false)
    fail("cannot reshape " + llm::formatDims(dims(x)) + " to " + llm::formatDims(shape));
  if (hasFailed)
    return {};
  auto type = llm::makeTensorType(shape, elementTypeOf(x));
  if (!checkSize(type))
    return {};
  // Constants keep their bytes (and so stay recognisable as tied weights).
  if (auto source = x.getDefiningOp<llm::ConstantOp>(); source && type.hasStaticShape()) {
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(source.getValue()))
      return constant(DenseResourceElementsAttr::get(type, resource.getRawHandle()));
    if (auto dense = dyn_cast<DenseElementsAttr>(source.getValue()))
      return constant(dense.reshape(type));
  }
  return make<llm::ReshapeOp>(type, x);
}

Value Emitter::broadcast(Value x, ArrayRef<DimExpr> shape) {
  if (hasFailed)
    return {};
  std::optional<Dims> result = llm::broadcastDims(dims(x), shape);
  auto isUnequal = [](const auto &pair) {
    return DimExpr::equal(std::get<0>(pair), std::get<1>(pair)) == false;
  };
  if (!result || result->size() != shape.size() ||
      llvm::any_of(llvm::zip(*result, shape), isUnequal))
    fail("cannot broadcast " + llm::formatDims(dims(x)) + " to " + llm::formatDims(shape));
  return make<llm::BroadcastOp>(llm::makeTensorType(shape, elementTypeOf(x)), x);
}

Value Emitter::transpose(Value x, ArrayRef<int64_t> permutation) {
  return infer<llm::TransposeOp>(x, permutation);
}

Value Emitter::matmul(Value a, Value b) {
  if (hasFailed)
    return {};
  if (rank(a) >= 2 && rank(b) >= 2) {
    requireEqual(dims(a).back(), dims(b)[rank(b) - 2],
                 "contracts " + llm::formatDims(dims(a)) + " with " + llm::formatDims(dims(b)));
    for (int64_t back = 3; back <= std::min(rank(a), rank(b)); ++back) {
      Dims x = dims(a), y = dims(b);
      const DimExpr &i = x[x.size() - back], &j = y[y.size() - back];
      if (!i.constant() && !j.constant())
        symbols.unify(i, j);
    }
  }
  return infer<llm::MatmulOp>(a, b);
}

Value Emitter::concat(int64_t axis, ArrayRef<Value> inputs) {
  if (hasFailed)
    return {};
  for (Value input : inputs.drop_front()) {
    if (rank(input) != rank(inputs[0]))
      break; // inference reports it
    for (int64_t i = 0; i < rank(input); ++i)
      if (i != axis)
        requireEqual(dims(inputs[0])[i], dims(input)[i],
                     "concatenates " + llm::formatDims(dims(inputs[0])) + " and " +
                         llm::formatDims(dims(input)));
  }
  if (inputs.size() == 1)
    return hasFailed ? Value() : inputs[0];
  return infer<llm::ConcatOp>(uint64_t(axis), inputs);
}

Value Emitter::reduce(llm::ReduceKind kind, Value x, ArrayRef<int64_t> axes, bool keepdims) {
  return infer<llm::ReduceOp>(kind, x, axes, keepdims);
}

Value Emitter::slice(Value x, int64_t axis, const DimExpr &start, const DimExpr &count) {
  if (hasFailed)
    return {};
  Dims starts(rank(x), 0), result = dims(x);
  SmallVector<int64_t> steps(rank(x), 1);
  if (DimExpr::less(start, 0) == true || DimExpr::less(result[axis], start + count) == true) {
    fail("takes " + count.str() + " elements from " + start.str() + " on of " +
         llm::formatDims(result));
    return {};
  }
  starts[axis] = start;
  result[axis] = count;
  return make<llm::SliceOp>(llm::makeTensorType(result, elementTypeOf(x)), x,
                            llm::makeExprs(builder.getContext(), starts), steps);
}

Value Emitter::gather(Value x, int64_t axis, Value indices) {
  return infer<llm::GatherOp>(uint64_t(axis), x, indices);
}

Value Emitter::iota(const DimExpr &count, int64_t axis, int64_t rank) {
  Dims shape(rank, 1);
  shape[axis] = count;
  return reshape(iota(count), shape);
}

Value Emitter::iota(const DimExpr &count) {
  auto type = llm::makeTensorType(count, builder.getI64Type());
  return make<llm::IotaOp>(type, "0", "1", uint64_t(0));
}

Value Emitter::constant(ElementsAttr value) {
  if (hasFailed)
    return {};
  return llm::ConstantOp::create(builder, loc, value);
}

Value Emitter::scalar(double value, Type element) {
  if (hasFailed)
    return {};
  auto type = RankedTensorType::get({}, element);
  if (isa<IntegerType>(element) && !(value >= -0x1p63 && value < 0x1p63)) {
    fail(llvm::formatv("{0} is needed as an integer", value).str());
    return {};
  }
  if (auto integer = dyn_cast<IntegerType>(element))
    return constant(DenseElementsAttr::get(
        type, APInt(64, int64_t(value), true).sextOrTrunc(integer.getWidth())));
  bool lossy = false;
  APFloat rounded(value);
  rounded.convert(mlir::cast<FloatType>(element).getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &lossy);
  return constant(DenseElementsAttr::get(type, rounded));
}

Value Emitter::sizes(ArrayRef<DimExpr> values, Type element, bool isScalar) {
  if (hasFailed)
    return {};
  SmallVector<int64_t> shape;
  if (!isScalar)
    shape.push_back(values.size());
  return llm::materializeSizes(builder, loc, values, RankedTensorType::get(shape, element));
}

Value Emitter::size(const DimExpr &value) { return sizes(value, builder.getI64Type(), true); }

Value Emitter::element(Value list, int64_t i) {
  if (hasFailed)
    return {};
  if (rank(list) == 1 && !dims(list)[0].isConstant(1))
    list = slice(list, 0, i, 1);
  return reshape(list, {});
}

DimExpr Emitter::defineSize(Value value, const DimExpr &bound) {
  if (hasFailed)
    return 0;
  if (std::optional<Dims> elements = known(value); elements && elements->size() == 1)
    return elements->front();
  auto type = mlir::cast<RankedTensorType>(value.getType());
  if (!type.hasStaticShape() || type.getNumElements() != 1 ||
      !(type.getElementType().isInteger(32) || type.getElementType().isInteger(64))) {
    fail("takes a size from " + llm::formatDims(dims(value)) +
         ", expected one element of i32 or i64");
    return 0;
  }
  DimExpr size = symbols.defineSymbol();
  llm::DefineSizeOp::create(builder, loc, *size.asSymbol(), bound.str(), value);
  return size;
}

std::optional<Dims> Emitter::known(Value value) const {
  // Without elements there is nothing to know.
  if (value && llm::product(dims(value)).isConstant(0) && isa<IntegerType>(elementTypeOf(value)))
    return Dims();
  std::optional<Dims> ints = value ? llm::getKnownInts(value) : std::nullopt;
  if (ints)
    for (DimExpr &number : *ints)
      number = symbols.uncut(number);
  return ints;
}
