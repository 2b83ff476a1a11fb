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

//===----------------------------------------------------------------------===//
// Types and memory
//===----------------------------------------------------------------------===//

/// The name that math functions have for a float type of at most 8 bits; empty for others.
static StringRef smallFloatName(Type type) {
  return llvm::TypeSwitch<Type, StringRef>(type)
      .Case([](Float8E4M3FNType) { return "f8e4m3fn"; })
      .Case([](Float8E4M3FNUZType) { return "f8e4m3fnuz"; })
      .Case([](Float8E5M2Type) { return "f8e5m2"; })
      .Case([](Float8E5M2FNUZType) { return "f8e5m2fnuz"; })
      .Case([](Float8E8M0FNUType) { return "f8e8m0fnu"; })
      .Case([](Float4E2M1FNType) { return "f4e2m1fn"; })
      .Default([](Type) { return ""; });
}

/// Floats that are f32 in registers.
static bool isNarrowFloat(Type type) {
  return isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 32;
}

Type ElementEmitter::registerType(Type elementType) {
  if (isNarrowFloat(elementType))
    return Float32Type::get(elementType.getContext());
  if (auto integer = dyn_cast<IntegerType>(elementType))
    return IntegerType::get(elementType.getContext(), integer.getWidth());
  return elementType;
}

bool ElementEmitter::isUnsigned(Type elementType) {
  return elementType.isUnsignedInteger() || elementType.isInteger(1);
}

/// The type in memory: elements of less than a byte take one, integers are signless, and
/// floats that the target cannot convert are their bits.
static Type memoryType(Type elementType) {
  unsigned bits = std::max(8u, elementType.getIntOrFloatBitWidth());
  if (isa<IntegerType>(elementType) || elementType.isBF16() || !smallFloatName(elementType).empty())
    return IntegerType::get(elementType.getContext(), bits);
  return elementType;
}

static Value elementPointer(OpBuilder &builder, Location loc, Value pointer, Value position,
                            Type type) {
  return LLVM::GEPOp::create(builder, loc, pointer.getType(), type, pointer,
                             ArrayRef<LLVM::GEPArg>{position}, LLVM::GEPNoWrapFlags::inbounds);
}

Value ElementEmitter::integerConstant(Type type, int64_t value) {
  return arith::ConstantOp::create(
      builder, loc,
      IntegerAttr::get(type, APInt(type.getIntOrFloatBitWidth(), value, /*isSigned=*/true,
                                   /*implicitTrunc=*/true)));
}

Value ElementEmitter::fromMemory(Value value, Type elementType) {
  Type type = registerType(elementType), i32 = builder.getI32Type();
  if (isa<FloatType>(value.getType()))
    return value.getType() == type ? value : arith::ExtFOp::create(builder, loc, type, value);
  if (elementType.isInteger(1))
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value,
                                 integerConstant(value.getType(), 0));
  if (isa<IntegerType>(elementType))
    return value.getType() == type ? value : arith::TruncIOp::create(builder, loc, type, value);
  Value bits = arith::ExtUIOp::create(builder, loc, i32, value);
  if (elementType.isBF16()) {
    bits = arith::ShLIOp::create(builder, loc, bits, integerConstant(i32, 16));
    return arith::BitcastOp::create(builder, loc, type, bits);
  }
  return call(("llmc_uk_math_decode_" + smallFloatName(elementType) + "_f32").str(), type, bits);
}

Value ElementEmitter::toMemory(Value scalar, Type elementType) {
  Type type = memoryType(elementType), i32 = builder.getI32Type();
  if (isa<FloatType>(type))
    return scalar.getType() == type ? scalar : arith::TruncFOp::create(builder, loc, type, scalar);
  if (isa<IntegerType>(elementType)) {
    if (scalar.getType() == type)
      return scalar;
    return isUnsigned(elementType) ? Value(arith::ExtUIOp::create(builder, loc, type, scalar))
                                   : Value(arith::ExtSIOp::create(builder, loc, type, scalar));
  }
  Value bits;
  if (elementType.isBF16()) {
    bits = arith::BitcastOp::create(builder, loc, i32, roundToBF16(scalar));
    bits = arith::ShRUIOp::create(builder, loc, bits, integerConstant(i32, 16));
  } else {
    bits = call(("llmc_uk_math_encode_" + smallFloatName(elementType) + "_f32").str(), i32,
                {scalar, integerConstant(i32, 0)});
  }
  return arith::TruncIOp::create(builder, loc, type, bits);
}

/// By integer arithmetic: without AVX512-BF16 LLVM would call a library function.
Value ElementEmitter::roundToBF16(Value scalar) {
  Type i32 = builder.getI32Type();
  auto c = [&](int64_t value) { return integerConstant(i32, value); };
  Value bits = arith::BitcastOp::create(builder, loc, i32, scalar);
  Value odd =
      arith::AndIOp::create(builder, loc, arith::ShRUIOp::create(builder, loc, bits, c(16)), c(1));
  Value rounded = arith::AddIOp::create(builder, loc, bits,
                                        arith::AddIOp::create(builder, loc, odd, c(0x7fff)));
  Value isNaN = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO, scalar, scalar);
  Value quiet = arith::OrIOp::create(builder, loc, bits, c(0x400000));
  Value chosen = arith::SelectOp::create(builder, loc, isNaN, quiet, rounded);
  Value kept = arith::AndIOp::create(builder, loc, chosen, c(int32_t(0xffff0000)));
  return arith::BitcastOp::create(builder, loc, scalar.getType(), kept);
}

Value ElementEmitter::load(Value pointer, Value position, Type elementType) {
  Type type = memoryType(elementType);
  Value address = elementPointer(builder, loc, pointer, position, type);
  unsigned alignment = std::max(1u, type.getIntOrFloatBitWidth() / 8);
  return fromMemory(LLVM::LoadOp::create(builder, loc, type, address, alignment), elementType);
}

void ElementEmitter::store(Value pointer, Value position, Type elementType, Value scalar) {
  Type type = memoryType(elementType);
  scalar = toMemory(scalar, elementType);
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

/// The vectoriser takes a width that is asked for, on every processor: wider vectors are
/// cut, and the sum of the lanes halves them down to one.
Value ElementEmitter::partialSums(Value count, Type type, PartialSums parts,
                                  llvm::function_ref<Value(Value)> term) {
  Value result = reduceLoop(count, floatConstant(type, 0.0), [&](Value i, Value partial) -> Value {
    return arith::AddFOp::create(builder, loc, partial, term(i), arith::FastMathFlags::reassoc);
  });
  MLIRContext *context = builder.getContext();
  auto no = builder.getBoolAttr(false), yes = builder.getBoolAttr(true);
  auto vectors = LLVM::LoopVectorizeAttr::get(context, /*disable=*/no, {}, {},
                                              builder.getI32IntegerAttr(parts.lanes), {}, {}, {});
  auto copies = LLVM::LoopInterleaveAttr::get(context, builder.getI32IntegerAttr(parts.chains));
  // Unrolled before, it would be summed in an order of the processor's.
  auto unroll = LLVM::LoopUnrollAttr::get(context, /*disable=*/yes, {}, {}, {}, {}, {}, {});
  result.getDefiningOp()->setAttr(
      "loop_annotation", LLVM::LoopAnnotationAttr::get(context, {}, vectors, copies, unroll, {}, {},
                                                       {}, {}, {}, {}, {}, {}, {}, {}, {}));
  return result;
}

Value ElementEmitter::sum(Value count, Value init, PartialSums parts,
                          llvm::function_ref<Value(Value)> term) {
  int64_t terms = parts.lanes * parts.chains;
  auto masked = [&](int64_t bits) -> Value {
    if (std::optional<int64_t> known = IndexEmitter::known(count))
      return index.constant(*known & bits);
    return arith::AndIOp::create(builder, loc, count, index.constant(bits));
  };
  Value whole = masked(-terms), rest = masked(terms - 1), total = init;
  if (IndexEmitter::known(whole) != 0)
    total =
        arith::AddFOp::create(builder, loc, total, partialSums(whole, init.getType(), parts, term));
  if (IndexEmitter::known(rest) == 0)
    return total;
  return reduceLoop(rest, total, [&](Value i, Value partial) -> Value {
    return arith::AddFOp::create(builder, loc, partial, term(index.add(whole, i)));
  });
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
  Type type = arguments.front().getType();
  return call(("llmc_uk_math_" + name + (type.isF64() ? "_f64" : "_f32")).str(), type, arguments);
}

Value ElementEmitter::pow(Value x, Value y) {
  if (auto constant = y.getDefiningOp<arith::ConstantOp>())
    if (auto exponent = dyn_cast<FloatAttr>(constant.getValue())) {
      double value = exponent.getValueAsDouble();
      auto square = [&](Value v) { return Value(arith::MulFOp::create(builder, loc, v, v)); };
      if (value == 2.0)
        return square(x);
      if (value == 3.0)
        return arith::MulFOp::create(builder, loc, square(x), x);
      if (value == 4.0)
        return square(square(x));
    }
  return math("pow", {x, y});
}

/// Kinds that give an integer for integers by integer arithmetic; the others go
/// through double, as in the reference.
Value ElementEmitter::integerUnary(UnaryKind kind, Value x, Type elementType) {
  Type type = x.getType();
  Value zero = integerConstant(type, 0);
  bool isWithoutSign = isUnsigned(elementType);
  switch (kind) {
  case UnaryKind::abs:
    return isWithoutSign ? x
                         : Value(arith::MaxSIOp::create(
                               builder, loc, x, arith::SubIOp::create(builder, loc, zero, x)));
  case UnaryKind::neg:
    return arith::SubIOp::create(builder, loc, zero, x);
  case UnaryKind::relu:
    return isWithoutSign ? x : Value(arith::MaxSIOp::create(builder, loc, x, zero));
  case UnaryKind::sign: {
    Value one = integerConstant(type, 1);
    if (isWithoutSign)
      return arith::MinUIOp::create(builder, loc, x, one);
    return arith::MaxSIOp::create(builder, loc, arith::MinSIOp::create(builder, loc, x, one),
                                  integerConstant(type, -1));
  }
  case UnaryKind::logical_not: {
    Value isZero = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, x, zero);
    return type.isInteger(1) ? isZero : arith::ExtUIOp::create(builder, loc, type, isZero);
  }
  case UnaryKind::bitwise_not:
    return arith::XOrIOp::create(builder, loc, x, integerConstant(type, -1));
  case UnaryKind::floor:
  case UnaryKind::ceil:
  case UnaryKind::round:
    return x;
  case UnaryKind::is_nan:
  case UnaryKind::is_inf:
    return integerConstant(builder.getI1Type(), 0);
  default: {
    Type f64 = builder.getF64Type();
    return convert(unary(kind, convert(x, elementType, f64)), f64, elementType);
  }
  }
}

Value ElementEmitter::unary(UnaryKind kind, Value x) {
  Type type = x.getType();
  auto f = [&](double value) { return floatConstant(type, value); };
  auto mul = [&](Value a, Value b) { return Value(arith::MulFOp::create(builder, loc, a, b)); };
  auto add = [&](Value a, Value b) { return Value(arith::AddFOp::create(builder, loc, a, b)); };
  auto div = [&](Value a, Value b) { return Value(arith::DivFOp::create(builder, loc, a, b)); };
  switch (kind) {
  case UnaryKind::abs:
    return LLVM::FAbsOp::create(builder, loc, x);
  case UnaryKind::neg:
    return arith::NegFOp::create(builder, loc, x);
  case UnaryKind::exp:
  case UnaryKind::log:
  case UnaryKind::sin:
  case UnaryKind::cos:
  case UnaryKind::tan:
  case UnaryKind::asin:
  case UnaryKind::acos:
  case UnaryKind::atan:
  case UnaryKind::sinh:
  case UnaryKind::cosh:
  case UnaryKind::tanh:
  case UnaryKind::asinh:
  case UnaryKind::acosh:
  case UnaryKind::atanh:
  case UnaryKind::erf:
  case UnaryKind::sigmoid:
    return math(stringifyUnaryKind(kind), x);
  case UnaryKind::sqrt:
    return LLVM::SqrtOp::create(builder, loc, x);
  case UnaryKind::rsqrt:
    return div(f(1.0), LLVM::SqrtOp::create(builder, loc, x));
  case UnaryKind::reciprocal:
    return div(f(1.0), x);
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
    return arith::MaximumFOp::create(builder, loc, x, f(0.0));
  case UnaryKind::floor:
    return LLVM::FFloorOp::create(builder, loc, x);
  case UnaryKind::ceil:
    return LLVM::FCeilOp::create(builder, loc, x);
  case UnaryKind::round:
    return LLVM::RoundEvenOp::create(builder, loc, x);
  case UnaryKind::sign: {
    Value positive = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, x, f(0.0));
    Value negative = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, x, f(0.0));
    Value low = arith::SelectOp::create(builder, loc, negative, f(-1.0), f(0.0));
    Value result = arith::SelectOp::create(builder, loc, positive, f(1.0), low);
    Value isNaN = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO, x, x);
    return arith::SelectOp::create(builder, loc, isNaN, x, result);
  }
  case UnaryKind::logical_not: {
    Value isZero = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, x, f(0.0));
    return arith::SelectOp::create(builder, loc, isZero, f(1.0), f(0.0));
  }
  case UnaryKind::bitwise_not:
    break; // integers only
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
  llvm_unreachable("unknown unary kind of floats");
}

Value ElementEmitter::binary(BinaryKind kind, Value a, Value b, bool isUnsigned) {
  if (!isa<FloatType>(a.getType()))
    return integerBinary(kind, a, b, isUnsigned);
  auto zero = [&] { return floatConstant(a.getType(), 0.0); };
  auto isTrue = [&](Value x) {
    return Value(arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNE, x, zero()));
  };
  auto logical = [&](BinaryKind operation) {
    Value result = integerBinary(operation, isTrue(a), isTrue(b), /*isUnsigned=*/true);
    return Value(arith::UIToFPOp::create(builder, loc, a.getType(), result));
  };
  switch (kind) {
  case BinaryKind::add:
    return arith::AddFOp::create(builder, loc, a, b);
  case BinaryKind::sub:
    return arith::SubFOp::create(builder, loc, a, b);
  case BinaryKind::mul:
    return arith::MulFOp::create(builder, loc, a, b);
  case BinaryKind::div:
    return arith::DivFOp::create(builder, loc, a, b);
  case BinaryKind::fmod:
    return math("fmod", {a, b});
  case BinaryKind::mod: {
    Value rest = math("fmod", {a, b});
    auto isNegative = [&](Value x) {
      return Value(arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, x, zero()));
    };
    Value differ = arith::XOrIOp::create(builder, loc, isNegative(rest), isNegative(b));
    Value moves = arith::AndIOp::create(builder, loc, differ, isTrue(rest));
    Value moved = arith::AddFOp::create(builder, loc, rest, b);
    return arith::SelectOp::create(builder, loc, moves, moved, rest);
  }
  case BinaryKind::pow:
    return pow(a, b);
  case BinaryKind::max:
    return arith::MaximumFOp::create(builder, loc, a, b);
  case BinaryKind::min:
    return arith::MinimumFOp::create(builder, loc, a, b);
  case BinaryKind::logical_and:
  case BinaryKind::logical_or:
  case BinaryKind::logical_xor:
    return logical(kind);
  case BinaryKind::bitwise_and:
  case BinaryKind::bitwise_or:
  case BinaryKind::bitwise_xor:
  case BinaryKind::shift_left:
  case BinaryKind::shift_right:
    break;
  }
  llvm_unreachable("a binary kind of integers only");
}

Value ElementEmitter::integerBinary(BinaryKind kind, Value a, Value b, bool isUnsigned) {
  Type type = a.getType();
  Value zero = integerConstant(type, 0);
  auto equals = [&](Value x, int64_t value) {
    return Value(arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, x,
                                       integerConstant(type, value)));
  };
  auto select = [&](Value condition, Value x, Value y) {
    return Value(arith::SelectOp::create(builder, loc, condition, x, y));
  };
  // The processor traps where the divisor is 0, or -1 for the smallest number.
  auto safeDivisor = [&] {
    Value unsafe = equals(b, 0);
    if (!isUnsigned && !type.isInteger(1))
      unsafe = arith::OrIOp::create(builder, loc, unsafe, equals(b, -1));
    return select(unsafe, integerConstant(type, 1), b);
  };
  auto logical = [&](auto combine) {
    if (type.isInteger(1))
      return Value(combine(a, b));
    auto isTrue = [&](Value x) {
      return Value(arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, x, zero));
    };
    return Value(arith::ExtUIOp::create(builder, loc, type, combine(isTrue(a), isTrue(b))));
  };
  auto bitwiseAnd = [&](Value x, Value y) { return arith::AndIOp::create(builder, loc, x, y); };
  auto bitwiseOr = [&](Value x, Value y) { return arith::OrIOp::create(builder, loc, x, y); };
  auto bitwiseXor = [&](Value x, Value y) { return arith::XOrIOp::create(builder, loc, x, y); };
  auto shifted = [&](auto shift) {
    Value width = integerConstant(type, type.getIntOrFloatBitWidth());
    Value inside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, b, width);
    return select(inside, shift(a, select(inside, b, zero)), zero);
  };
  switch (kind) {
  case BinaryKind::add:
    return arith::AddIOp::create(builder, loc, a, b);
  case BinaryKind::sub:
    return arith::SubIOp::create(builder, loc, a, b);
  case BinaryKind::mul:
    return arith::MulIOp::create(builder, loc, a, b);
  case BinaryKind::div: {
    Value safe = safeDivisor();
    Value quotient = isUnsigned ? Value(arith::DivUIOp::create(builder, loc, a, safe))
                                : Value(arith::DivSIOp::create(builder, loc, a, safe));
    if (!isUnsigned)
      quotient = select(equals(b, -1), arith::SubIOp::create(builder, loc, zero, a), quotient);
    return select(equals(b, 0), zero, quotient);
  }
  case BinaryKind::fmod:
  case BinaryKind::mod: {
    Value safe = safeDivisor();
    if (isUnsigned)
      return arith::RemUIOp::create(builder, loc, a, safe);
    Value rest = arith::RemSIOp::create(builder, loc, a, safe);
    if (kind == BinaryKind::fmod)
      return rest;
    auto isNegative = [&](Value x) {
      return Value(arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, x, zero));
    };
    Value differ = arith::XOrIOp::create(builder, loc, isNegative(rest), isNegative(b));
    Value moves = arith::AndIOp::create(
        builder, loc, differ,
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, rest, zero));
    return select(moves, arith::AddIOp::create(builder, loc, rest, b), rest);
  }
  case BinaryKind::pow: {
    Type i64 = builder.getI64Type();
    auto wide = [&](Value x) {
      if (x.getType() == i64)
        return x;
      return isUnsigned ? Value(arith::ExtUIOp::create(builder, loc, i64, x))
                        : Value(arith::ExtSIOp::create(builder, loc, i64, x));
    };
    Value result = call("llmc_uk_math_pow_i64", i64, {wide(a), wide(b)});
    return type == i64 ? result : arith::TruncIOp::create(builder, loc, type, result);
  }
  case BinaryKind::max:
    return isUnsigned ? Value(arith::MaxUIOp::create(builder, loc, a, b))
                      : Value(arith::MaxSIOp::create(builder, loc, a, b));
  case BinaryKind::min:
    return isUnsigned ? Value(arith::MinUIOp::create(builder, loc, a, b))
                      : Value(arith::MinSIOp::create(builder, loc, a, b));
  case BinaryKind::logical_and:
    return logical(bitwiseAnd);
  case BinaryKind::logical_or:
    return logical(bitwiseOr);
  case BinaryKind::logical_xor:
    return logical(bitwiseXor);
  case BinaryKind::bitwise_and:
    return bitwiseAnd(a, b);
  case BinaryKind::bitwise_or:
    return bitwiseOr(a, b);
  case BinaryKind::bitwise_xor:
    return bitwiseXor(a, b);
  case BinaryKind::shift_left:
    return shifted([&](Value x, Value y) { return arith::ShLIOp::create(builder, loc, x, y); });
  case BinaryKind::shift_right:
    return shifted([&](Value x, Value y) { return arith::ShRUIOp::create(builder, loc, x, y); });
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

/// An f32 rounded to `to`, which has fewer bits.
Value ElementEmitter::roundTo(Value scalar, Type to, bool saturate) {
  if (to.isBF16())
    return roundToBF16(scalar);
  if (to.isF16()) {
    Value narrow = arith::TruncFOp::create(builder, loc, to, scalar);
    return arith::ExtFOp::create(builder, loc, scalar.getType(), narrow);
  }
  std::string name = smallFloatName(to).str();
  Type i32 = builder.getI32Type();
  Value code =
      call("llmc_uk_math_encode_" + name + "_f32", i32, {scalar, integerConstant(i32, saturate)});
  return call("llmc_uk_math_decode_" + name + "_f32", scalar.getType(), code);
}

/// Truncates; what 32 bits (64 for wider types) do not hold saturates, NaN becomes 0, and
/// narrower types keep the low bits.
Value ElementEmitter::floatToInteger(Value scalar, Type to) {
  auto call = [&](StringRef intrinsic, Type type) {
    return LLVM::CallIntrinsicOp::create(builder, loc, type, builder.getStringAttr(intrinsic),
                                         ValueRange{scalar})
        .getResult(0);
  };
  unsigned width = to.getIntOrFloatBitWidth();
  bool isWide = width > 32 || (width == 32 && to.isUnsignedInteger());
  Type carrier = isWide ? builder.getI64Type() : builder.getI32Type();
  Value result = call("llvm.fptosi.sat", carrier);
  if (to.isUnsignedInteger(64)) {
    Value isLarge = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGE, scalar,
                                          floatConstant(scalar.getType(), 9223372036854775808.0));
    result =
        arith::SelectOp::create(builder, loc, isLarge, call("llvm.fptoui.sat", carrier), result);
  }
  Type type = registerType(to);
  return type == carrier ? result : arith::TruncIOp::create(builder, loc, type, result);
}

Value ElementEmitter::convert(Value scalar, Type from, Type to, bool saturate) {
  Type source = scalar.getType(), target = registerType(to);
  if (to.isInteger(1)) {
    if (source.isInteger(1))
      return scalar;
    Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(source));
    return compare(ComparePredicate::ne, scalar, zero, false);
  }
  if (isa<FloatType>(source) && isa<FloatType>(target)) {
    Value result = scalar;
    if (source.getIntOrFloatBitWidth() < target.getIntOrFloatBitWidth())
      result = arith::ExtFOp::create(builder, loc, target, scalar);
    else if (source != target)
      result = arith::TruncFOp::create(builder, loc, target, scalar);
    return isNarrowFloat(to) && from != to ? roundTo(result, to, saturate) : result;
  }
  if (isa<FloatType>(source))
    return floatToInteger(scalar, to);
  if (isa<FloatType>(target)) {
    Value result = isUnsigned(from) ? Value(arith::UIToFPOp::create(builder, loc, target, scalar))
                                    : Value(arith::SIToFPOp::create(builder, loc, target, scalar));
    return isNarrowFloat(to) ? roundTo(result, to, saturate) : result;
  }
  unsigned sourceBits = source.getIntOrFloatBitWidth();
  unsigned targetBits = target.getIntOrFloatBitWidth();
  if (sourceBits == targetBits)
    return scalar;
  if (sourceBits > targetBits)
    return arith::TruncIOp::create(builder, loc, target, scalar);
  return isUnsigned(from) ? Value(arith::ExtUIOp::create(builder, loc, target, scalar))
                          : Value(arith::ExtSIOp::create(builder, loc, target, scalar));
}

/// The bits of an element read as another type of as many.
Value ElementEmitter::bitcast(Value scalar, Type from, Type to) {
  if (from == to)
    return scalar;
  Value memory = toMemory(scalar, from);
  Type type = memoryType(to);
  if (memory.getType() != type)
    memory = arith::BitcastOp::create(builder, loc, type, memory);
  return fromMemory(memory, to);
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
  // A result of a narrow type is rounded like a store would.
  auto rounded = [&](Value scalar) {
    Type type = elementType(op->getResult(0));
    return isNarrowFloat(type) ? roundTo(scalar, type, /*saturate=*/false) : scalar;
  };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case(
          [&](ConstantOp constant) { return splat(cast<DenseElementsAttr>(constant.getValue())); })
      .Case([&](UnaryOp unaryOp) {
        Value x = operand(unaryOp.getInput());
        if (isa<IntegerType>(x.getType()))
          return integerUnary(unaryOp.getKind(), x, elementType(unaryOp.getInput()));
        return rounded(unary(unaryOp.getKind(), x));
      })
      .Case([&](BinaryOp binaryOp) {
        Value lhs = operand(binaryOp.getLhs()), rhs = operand(binaryOp.getRhs());
        return rounded(
            binary(binaryOp.getKind(), lhs, rhs, isUnsigned(elementType(binaryOp.getLhs()))));
      })
      .Case([&](CompareOp compareOp) {
        Value lhs = operand(compareOp.getLhs()), rhs = operand(compareOp.getRhs());
        return compare(compareOp.getPredicate(), lhs, rhs,
                       isUnsigned(elementType(compareOp.getLhs())));
      })
      .Case([&](SelectOp select) {
        Value condition = operand(select.getCondition());
        Value lhs = operand(select.getLhs()), rhs = operand(select.getRhs());
        return Value(arith::SelectOp::create(builder, loc, condition, lhs, rhs));
      })
      .Case([&](CastOp castOp) {
        return convert(operand(castOp.getInput()), elementType(castOp.getInput()),
                       elementType(castOp.getResult()), castOp.getSaturate());
      })
      .Case([&](BitcastOp bitcastOp) {
        return bitcast(operand(bitcastOp.getInput()), elementType(bitcastOp.getInput()),
                       elementType(bitcastOp.getResult()));
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
      .Case([&](GatherElementsOp gather) { return emitGatherElements(gather, indices); })
      .Case([&](DimValuesOp sizes) { return emitDimValues(sizes, indices); })
      .Case([&](ReduceOp reduce) { return rounded(emitReduce(reduce, indices)); })
      .Case([&](EmbeddingOp embedding) { return rounded(emitEmbedding(embedding, indices)); })
      .Case([&](RotaryOp rotary) { return rounded(emitRotary(rotary, indices)); })
      .Case([&](KVAppendOp append) { return emitKVAppend(append, indices); })
      .Case([&](KVEvictOp evict) { return emitKVEvict(evict, indices); })
      .Case([&](CausalConvOp conv) { return rounded(emitCausalConv(conv, indices)); })
      .Default([](Operation *) -> Value {
        llvm_unreachable("partitioning puts such an operation at a kernel's root only");
      });
}
