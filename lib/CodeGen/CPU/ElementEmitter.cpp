//===- ElementEmitter.cpp - memory, control flow and elementwise scalars
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ElementEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

static constexpr auto kContract = arith::FastMathFlags::contract;

//===----------------------------------------------------------------------===//
// Types and memory
//===----------------------------------------------------------------------===//

Type ElementEmitter::registerType(Type elementType) {
  if (elementType.isF16() || elementType.isBF16())
    return Float32Type::get(elementType.getContext());
  if (auto integer = dyn_cast<IntegerType>(elementType))
    return IntegerType::get(elementType.getContext(), integer.getWidth());
  return elementType;
}

/// The type in memory: i1 is a byte, integers are signless.
static Type memoryType(Type elementType) {
  if (auto integer = dyn_cast<IntegerType>(elementType))
    return IntegerType::get(elementType.getContext(), std::max(8u, integer.getWidth()));
  return elementType;
}

static Value elementPointer(OpBuilder &builder, Location loc, Value pointer, Value position,
                            Type type) {
  return LLVM::GEPOp::create(builder, loc, pointer.getType(), type, pointer,
                             ArrayRef<LLVM::GEPArg>{position}, LLVM::GEPNoWrapFlags::inbounds);
}

Value ElementEmitter::load(Value pointer, Value position, Type elementType) {
  Type type = memoryType(elementType);
  Value address = elementPointer(builder, loc, pointer, position, type);
  unsigned alignment = std::max(1u, type.getIntOrFloatBitWidth() / 8);
  Value value = LLVM::LoadOp::create(builder, loc, type, address, alignment);
  if (elementType.isInteger(1))
    return arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::ne, value,
        arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(type, 0)));
  Type wide = registerType(elementType);
  return wide == type ? value : arith::ExtFOp::create(builder, loc, wide, value);
}

void ElementEmitter::store(Value pointer, Value position, Type elementType, Value scalar) {
  Type type = memoryType(elementType);
  if (elementType.isInteger(1))
    scalar = arith::ExtUIOp::create(builder, loc, type, scalar);
  else if (isa<FloatType>(type) && scalar.getType() != type)
    scalar = arith::TruncFOp::create(builder, loc, type, scalar);
  unsigned alignment = std::max(1u, type.getIntOrFloatBitWidth() / 8);
  LLVM::StoreOp::create(builder, loc, scalar, elementPointer(builder, loc, pointer, position, type),
                        alignment);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

void ElementEmitter::loop(Value begin, Value end, llvm::function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(builder, loc, begin, end, index.constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

Value ElementEmitter::reduceLoop(Value count, Value init,
                                 llvm::function_ref<Value(Value, Value)> body) {
  auto loop = scf::ForOp::create(builder, loc, index.constant(0), count, index.constant(1), init);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value next = body(loop.getInductionVar(), loop.getRegionIterArgs().front());
  scf::YieldOp::create(builder, loc, next);
  return loop.getResult(0);
}

Value ElementEmitter::choose(Value condition, Type type, llvm::function_ref<Value()> then,
                             llvm::function_ref<Value()> otherwise) {
  auto choice = scf::IfOp::create(builder, loc, type, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(builder, loc, then());
  builder.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(builder, loc, otherwise());
  return choice.getResult(0);
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value ElementEmitter::floatConstant(Type type, double value) {
  return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(type, value));
}

Value ElementEmitter::call(StringRef symbol, Type result, ValueRange arguments) {
  auto module = builder.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  Type returned = result ? result : LLVM::LLVMVoidType::get(builder.getContext());
  auto type = LLVM::LLVMFunctionType::get(returned, llvm::to_vector(arguments.getTypes()));
  if (!module.lookupSymbol(symbol)) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    LLVM::LLVMFuncOp::create(top, loc, symbol, type);
  }
  auto call = LLVM::CallOp::create(builder, loc, type, symbol, arguments);
  return result ? call.getResult() : Value();
}

Value ElementEmitter::math(StringRef name, ValueRange arguments) {
  Type f32 = builder.getF32Type();
  Type type = arguments.front().getType();
  SmallVector<Value> narrow;
  for (Value argument : arguments)
    narrow.push_back(type == f32 ? argument
                                 : Value(arith::TruncFOp::create(builder, loc, f32, argument)));
  Value result = call(("llmc_uk_math_" + name + "_f32").str(), f32, narrow);
  return type == f32 ? result : Value(arith::ExtFOp::create(builder, loc, type, result));
}

Value ElementEmitter::pow(Value x, Value y) {
  if (auto constant = y.getDefiningOp<arith::ConstantOp>())
    if (auto exponent = dyn_cast<FloatAttr>(constant.getValue())) {
      double value = exponent.getValueAsDouble();
      auto square = [&](Value v) {
        return Value(arith::MulFOp::create(builder, loc, v, v, kContract));
      };
      if (value == 2.0)
        return square(x);
      if (value == 3.0)
        return arith::MulFOp::create(builder, loc, square(x), x, kContract);
      if (value == 4.0)
        return square(square(x));
    }
  return math("pow", {x, y});
}

Value ElementEmitter::unary(UnaryOp op, Value x) {
  Type type = x.getType();
  bool isFloat = isa<FloatType>(type);
  auto f = [&](double value) { return floatConstant(type, value); };
  auto mul = [&](Value a, Value b) {
    return Value(arith::MulFOp::create(builder, loc, a, b, kContract));
  };
  auto add = [&](Value a, Value b) {
    return Value(arith::AddFOp::create(builder, loc, a, b, kContract));
  };
  auto div = [&](Value a, Value b) { return Value(arith::DivFOp::create(builder, loc, a, b)); };
  auto integer = [&](int64_t value) {
    return Value(arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(type, value)));
  };
  switch (op.getKind()) {
  case UnaryKind::abs:
    if (!isFloat)
      return arith::MaxSIOp::create(builder, loc, x,
                                    arith::SubIOp::create(builder, loc, integer(0), x));
    return LLVM::FAbsOp::create(builder, loc, x);
  case UnaryKind::neg:
    if (!isFloat)
      return arith::SubIOp::create(builder, loc, integer(0), x);
    return arith::NegFOp::create(builder, loc, x);
  case UnaryKind::exp:
    return math("exp", x);
  case UnaryKind::log:
    return math("log", x);
  case UnaryKind::sqrt:
    return LLVM::SqrtOp::create(builder, loc, x);
  case UnaryKind::rsqrt:
    return div(f(1.0), LLVM::SqrtOp::create(builder, loc, x));
  case UnaryKind::reciprocal:
    return div(f(1.0), x);
  case UnaryKind::sin:
    return math("sin", x);
  case UnaryKind::cos:
    return math("cos", x);
  case UnaryKind::tanh:
    return math("tanh", x);
  case UnaryKind::erf:
    return math("erf", x);
  case UnaryKind::sigmoid:
    return math("sigmoid", x);
  case UnaryKind::silu:
    return mul(x, math("sigmoid", x));
  case UnaryKind::gelu_erf:
    return mul(mul(x, f(0.5)), add(f(1.0), math("erf", mul(x, f(0.70710678118654752)))));
  case UnaryKind::gelu_tanh: {
    Value cube = mul(mul(x, x), x);
    Value inner = mul(f(0.79788456080286536), add(x, mul(f(0.044715), cube)));
    return mul(mul(x, f(0.5)), add(f(1.0), math("tanh", inner)));
  }
  case UnaryKind::relu:
    if (!isFloat)
      return arith::MaxSIOp::create(builder, loc, x, integer(0));
    return arith::MaximumFOp::create(builder, loc, x, f(0.0));
  case UnaryKind::floor:
    return LLVM::FFloorOp::create(builder, loc, x);
  case UnaryKind::ceil:
    return LLVM::FCeilOp::create(builder, loc, x);
  case UnaryKind::round:
    return LLVM::RoundEvenOp::create(builder, loc, x);
  case UnaryKind::sign: {
    if (!isFloat) {
      Value upper = arith::MinSIOp::create(builder, loc, x, integer(1));
      return arith::MaxSIOp::create(builder, loc, upper, integer(-1));
    }
    Value positive = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, x, f(0.0));
    Value negative = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, x, f(0.0));
    Value low = arith::SelectOp::create(builder, loc, negative, f(-1.0), f(0.0));
    Value result = arith::SelectOp::create(builder, loc, positive, f(1.0), low);
    Value isNaN = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO, x, x);
    return arith::SelectOp::create(builder, loc, isNaN, x, result);
  }
  case UnaryKind::logical_not:
    return arith::XOrIOp::create(builder, loc, x, integer(1));
  case UnaryKind::is_nan:
    return arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO, x, x);
  case UnaryKind::is_inf: {
    Value magnitude = LLVM::FAbsOp::create(builder, loc, x);
    return arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, magnitude,
                                 f(std::numeric_limits<double>::infinity()));
  }
  case UnaryKind::softplus: {
    // max(x, 0) + log1p(exp(-|x|)) neither overflows nor loses small results.
    Value magnitude = LLVM::FAbsOp::create(builder, loc, x);
    Value tail = math("log1p", math("exp", Value(arith::NegFOp::create(builder, loc, magnitude))));
    return add(arith::MaximumFOp::create(builder, loc, x, f(0.0)), tail);
  }
  }
  llvm_unreachable("unknown unary kind");
}

Value ElementEmitter::binary(BinaryKind kind, Value a, Value b, bool isUnsigned) {
  Type type = a.getType();
  bool isFloat = isa<FloatType>(type);
  auto integer = [&](int64_t value) {
    return Value(arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(type, value)));
  };
  // Division by zero must not trap; ONNX leaves the result open.
  auto divisor = [&] {
    Value isZero = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, b, integer(0));
    return Value(arith::SelectOp::create(builder, loc, isZero, integer(1), b));
  };
  switch (kind) {
  case BinaryKind::add:
    return isFloat ? Value(arith::AddFOp::create(builder, loc, a, b, kContract))
                   : Value(arith::AddIOp::create(builder, loc, a, b));
  case BinaryKind::sub:
    return isFloat ? Value(arith::SubFOp::create(builder, loc, a, b, kContract))
                   : Value(arith::SubIOp::create(builder, loc, a, b));
  case BinaryKind::mul:
    return isFloat ? Value(arith::MulFOp::create(builder, loc, a, b, kContract))
                   : Value(arith::MulIOp::create(builder, loc, a, b));
  case BinaryKind::div:
    if (isFloat)
      return arith::DivFOp::create(builder, loc, a, b);
    return isUnsigned ? Value(arith::DivUIOp::create(builder, loc, a, divisor()))
                      : Value(arith::DivSIOp::create(builder, loc, a, divisor()));
  case BinaryKind::fmod:
    if (isFloat)
      return arith::RemFOp::create(builder, loc, a, b);
    return isUnsigned ? Value(arith::RemUIOp::create(builder, loc, a, divisor()))
                      : Value(arith::RemSIOp::create(builder, loc, a, divisor()));
  case BinaryKind::mod: {
    if (isFloat) {
      Value quotient =
          LLVM::FFloorOp::create(builder, loc, arith::DivFOp::create(builder, loc, a, b));
      return arith::SubFOp::create(builder, loc, a,
                                   arith::MulFOp::create(builder, loc, quotient, b));
    }
    Value safe = divisor();
    if (isUnsigned)
      return arith::RemUIOp::create(builder, loc, a, safe);
    Value quotient = arith::FloorDivSIOp::create(builder, loc, a, safe);
    return arith::SubIOp::create(builder, loc, a,
                                 arith::MulIOp::create(builder, loc, quotient, safe));
  }
  case BinaryKind::pow: {
    if (isFloat)
      return pow(a, b);
    Type f32 = builder.getF32Type();
    Value result = pow(arith::SIToFPOp::create(builder, loc, f32, a),
                       arith::SIToFPOp::create(builder, loc, f32, b));
    return arith::FPToSIOp::create(builder, loc, type, result);
  }
  case BinaryKind::max:
    if (isFloat)
      return arith::MaximumFOp::create(builder, loc, a, b);
    return isUnsigned ? Value(arith::MaxUIOp::create(builder, loc, a, b))
                      : Value(arith::MaxSIOp::create(builder, loc, a, b));
  case BinaryKind::min:
    if (isFloat)
      return arith::MinimumFOp::create(builder, loc, a, b);
    return isUnsigned ? Value(arith::MinUIOp::create(builder, loc, a, b))
                      : Value(arith::MinSIOp::create(builder, loc, a, b));
  case BinaryKind::logical_and:
    return arith::AndIOp::create(builder, loc, a, b);
  case BinaryKind::logical_or:
    return arith::OrIOp::create(builder, loc, a, b);
  case BinaryKind::logical_xor:
    return arith::XOrIOp::create(builder, loc, a, b);
  }
  llvm_unreachable("unknown binary kind");
}

Value ElementEmitter::compare(ComparePredicate predicate, Value a, Value b, bool isUnsigned) {
  if (isa<FloatType>(a.getType())) {
    static constexpr arith::CmpFPredicate table[] = {
        arith::CmpFPredicate::OEQ, arith::CmpFPredicate::UNE, arith::CmpFPredicate::OLT,
        arith::CmpFPredicate::OLE, arith::CmpFPredicate::OGT, arith::CmpFPredicate::OGE};
    return arith::CmpFOp::create(builder, loc, table[int(predicate)], a, b);
  }
  static constexpr arith::CmpIPredicate signedTable[] = {
      arith::CmpIPredicate::eq,  arith::CmpIPredicate::ne,  arith::CmpIPredicate::slt,
      arith::CmpIPredicate::sle, arith::CmpIPredicate::sgt, arith::CmpIPredicate::sge};
  static constexpr arith::CmpIPredicate unsignedTable[] = {
      arith::CmpIPredicate::eq,  arith::CmpIPredicate::ne,  arith::CmpIPredicate::ult,
      arith::CmpIPredicate::ule, arith::CmpIPredicate::ugt, arith::CmpIPredicate::uge};
  auto chosen = (isUnsigned ? unsignedTable : signedTable)[int(predicate)];
  return arith::CmpIOp::create(builder, loc, chosen, a, b);
}

Value ElementEmitter::convert(Value scalar, Type from, Type to) {
  Type source = scalar.getType(), target = registerType(to);
  bool fromUnsigned = from.isUnsignedInteger() || from.isInteger(1);
  if (to.isInteger(1)) {
    if (source.isInteger(1))
      return scalar;
    Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(source));
    return compare(ComparePredicate::ne, scalar, zero, false);
  }
  if (isa<FloatType>(source) && isa<FloatType>(target)) {
    if (to.isF16() || to.isBF16()) {
      if (from == to)
        return scalar;
      Value rounded = arith::TruncFOp::create(builder, loc, to, scalar);
      return arith::ExtFOp::create(builder, loc, target, rounded);
    }
    if (source == target)
      return scalar;
    return source.getIntOrFloatBitWidth() < target.getIntOrFloatBitWidth()
               ? Value(arith::ExtFOp::create(builder, loc, target, scalar))
               : Value(arith::TruncFOp::create(builder, loc, target, scalar));
  }
  if (isa<FloatType>(source))
    // Saturating: out-of-range values must not be poison.
    return LLVM::CallIntrinsicOp::create(builder, loc, target,
                                         builder.getStringAttr(to.isUnsignedInteger()
                                                                   ? "llvm.fptoui.sat"
                                                                   : "llvm.fptosi.sat"),
                                         ValueRange{scalar})
        .getResult(0);
  if (isa<FloatType>(target)) {
    Value result = fromUnsigned ? Value(arith::UIToFPOp::create(builder, loc, target, scalar))
                                : Value(arith::SIToFPOp::create(builder, loc, target, scalar));
    return to.isF16() || to.isBF16() ? convert(result, target, to) : result;
  }
  unsigned sourceBits = source.getIntOrFloatBitWidth();
  unsigned targetBits = target.getIntOrFloatBitWidth();
  if (sourceBits == targetBits)
    return scalar;
  if (sourceBits > targetBits)
    return arith::TruncIOp::create(builder, loc, target, scalar);
  return fromUnsigned ? Value(arith::ExtUIOp::create(builder, loc, target, scalar))
                      : Value(arith::ExtSIOp::create(builder, loc, target, scalar));
}

Value ElementEmitter::splat(DenseElementsAttr elements) {
  Type element = elements.getElementType();
  Type type = registerType(element);
  if (isa<FloatType>(element))
    return floatConstant(type, elements.getSplatValue<APFloat>().convertToDouble());
  APInt value = elements.getSplatValue<APInt>();
  return arith::ConstantOp::create(builder, loc, IntegerAttr::get(type, value));
}

//===----------------------------------------------------------------------===//
// Elementwise operations
//===----------------------------------------------------------------------===//

Indices ElementEmitter::broadcastIndices(ArrayRef<Value> indices, ArrayRef<DimExpr> dims) {
  Indices result;
  size_t skip = indices.size() - dims.size();
  for (size_t d = 0; d < dims.size(); ++d)
    result.push_back(dims[d].isConstant(1) ? index.constant(0) : indices[skip + d]);
  return result;
}

Value ElementEmitter::element(Value value, ArrayRef<Value> indices) {
  if (auto it = sources.find(value); it != sources.end())
    return it->second(indices);
  if (auto it = buffers.find(value); it != buffers.end())
    return load(it->second, index.linearize(indices, getDims(value)),
                cast<RankedTensorType>(value.getType()).getElementType());
  return emit(value.getDefiningOp(), indices);
}

Value ElementEmitter::emit(Operation *op, ArrayRef<Value> indices) {
  auto elementType = [](Value v) { return cast<RankedTensorType>(v.getType()).getElementType(); };
  auto operand = [&](Value v) { return element(v, broadcastIndices(indices, getDims(v))); };
  // A result in half precision is rounded like a store would.
  auto rounded = [&](Value scalar) {
    Type type = elementType(op->getResult(0));
    return type.isF16() || type.isBF16() ? convert(scalar, scalar.getType(), type) : scalar;
  };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case(
          [&](ConstantOp constant) { return splat(cast<DenseElementsAttr>(constant.getValue())); })
      .Case([&](UnaryOp unaryOp) { return rounded(unary(unaryOp, operand(unaryOp.getInput()))); })
      .Case([&](BinaryOp binaryOp) {
        bool isUnsigned = elementType(binaryOp.getLhs()).isUnsignedInteger() ||
                          elementType(binaryOp.getLhs()).isInteger(1);
        Value lhs = operand(binaryOp.getLhs()), rhs = operand(binaryOp.getRhs());
        return rounded(binary(binaryOp.getKind(), lhs, rhs, isUnsigned));
      })
      .Case([&](CompareOp compareOp) {
        bool isUnsigned = elementType(compareOp.getLhs()).isUnsignedInteger() ||
                          elementType(compareOp.getLhs()).isInteger(1);
        Value lhs = operand(compareOp.getLhs()), rhs = operand(compareOp.getRhs());
        return compare(compareOp.getPredicate(), lhs, rhs, isUnsigned);
      })
      .Case([&](SelectOp select) {
        Value condition = operand(select.getCondition());
        Value lhs = operand(select.getLhs()), rhs = operand(select.getRhs());
        return Value(arith::SelectOp::create(builder, loc, condition, lhs, rhs));
      })
      .Case([&](CastOp castOp) {
        return convert(operand(castOp.getInput()), elementType(castOp.getInput()),
                       elementType(castOp.getResult()));
      })
      .Case([&](BroadcastOp broadcast) { return operand(broadcast.getInput()); })
      .Case([&](ReshapeOp reshape) { return emitReshape(reshape, indices); })
      .Case([&](TransposeOp transpose) {
        Indices source(indices.size());
        for (auto [result, axis] : llvm::enumerate(transpose.getPermutation()))
          source[axis] = indices[result];
        return element(transpose.getInput(), source);
      })
      .Case([&](SliceOp slice) {
        Indices source;
        for (auto [d, start] : llvm::enumerate(parseExprs(slice.getStarts())))
          source.push_back(index.add(index.size(start),
                                     index.mul(indices[d], index.constant(slice.getSteps()[d]))));
        return element(slice.getInput(), source);
      })
      .Case([&](IotaOp iota) {
        Value position = index.add(
            index.size(*DimExpr::parse(iota.getStart())),
            index.mul(index.size(*DimExpr::parse(iota.getStep())), indices[iota.getDim()]));
        return convert(position, builder.getI64Type(), elementType(iota.getResult()));
      })
      .Case([&](ConcatOp concat) { return emitConcat(concat, indices); })
      .Case([&](GatherOp gather) { return emitGather(gather, indices); })
      .Case([&](GatherNDOp gather) { return emitGatherND(gather, indices); })
      .Case([&](DimValuesOp sizes) { return emitDimValues(sizes, indices); })
      .Case([&](ReduceOp reduce) { return emitReduce(reduce, indices); })
      .Case([&](EmbeddingOp embedding) { return rounded(emitEmbedding(embedding, indices)); })
      .Case([&](RotaryOp rotary) { return rounded(emitRotary(rotary, indices)); })
      .Case([&](KVAppendOp append) { return emitKVAppend(append, indices); })
      .Default([](Operation *) -> Value {
        llvm_unreachable("partitioning puts such an operation at a kernel's root only");
      });
}
