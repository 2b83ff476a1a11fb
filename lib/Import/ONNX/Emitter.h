//===- Emitter.h - builds llm operations with checked, symbolic types
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the handlers write IR with. After the first failure every call gives a
// null value, so that a handler reads without checks between its steps.
// Integer operations on known sizes fold while they are made.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_EMITTER_H
#define LLMC_LIB_IMPORT_ONNX_EMITTER_H

#include "Symbols.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"

namespace llmc::importer {

using llm::BinaryKind;
using llm::Dims;
using llm::UnaryKind;
using mlir::Value;

class Emitter {
public:
  Emitter(mlir::OpBuilder &builder, mlir::Location loc, Symbols &symbols)
      : builder(builder), loc(loc), symbols(symbols) {}
  virtual ~Emitter() = default;

  /// Reports once; later calls are ignored.
  void fail(const llvm::Twine &message);
  /// The problem is reported already, below this node.
  void failQuietly() { hasFailed = true; }
  bool failed() const { return hasFailed; }

  mlir::Type elementTypeOf(Value value) const;
  Dims dims(Value value) const { return value ? llm::getDims(value) : Dims(); }
  int64_t rank(Value value) const { return int64_t(dims(value).size()); }
  /// Fails, naming `what`, where the two sizes cannot be equal.
  void requireEqual(const DimExpr &a, const DimExpr &b, const llvm::Twine &what);

  /// An operation whose type follows from its operands.
  template <typename Op, typename... Args> Value infer(Args &&...args) {
    if (hasFailed)
      return {};
    mlir::OperationState state(loc, Op::getOperationName());
    Op::build(builder, state, builder.getNoneType(), std::forward<Args>(args)...);
    mlir::Operation *op = createInferred(Op::inferReturnTypes, state);
    return op ? finish(op) : Value();
  }
  /// The same for an operation of two results.
  template <typename Op, typename... Args> std::pair<Value, Value> inferPair(Args &&...args) {
    if (hasFailed)
      return {};
    mlir::OperationState state(loc, Op::getOperationName());
    mlir::Type none = builder.getNoneType();
    Op::build(builder, state, none, none, std::forward<Args>(args)...);
    mlir::Operation *op = createInferred(Op::inferReturnTypes, state);
    return op ? std::pair<Value, Value>(op->getResult(0), op->getResult(1))
              : std::pair<Value, Value>();
  }
  /// An operation with a given type.
  template <typename Op, typename... Args> Value make(mlir::RankedTensorType type, Args &&...args) {
    if (hasFailed || !checkSize(type))
      return {};
    return finish(Op::create(builder, loc, type, std::forward<Args>(args)...));
  }

  Value unary(UnaryKind kind, Value x);
  Value binary(BinaryKind kind, Value a, Value b);
  Value compare(llm::ComparePredicate predicate, Value a, Value b);
  /// With a constant, rounded to the element type of `a`.
  Value binary(BinaryKind kind, Value a, double b);
  Value compare(llm::ComparePredicate predicate, Value a, double b);
  Value select(Value condition, Value a, Value b);
  Value cast(Value x, mlir::Type element);
  Value reshape(Value x, llvm::ArrayRef<DimExpr> shape);
  Value broadcast(Value x, llvm::ArrayRef<DimExpr> shape);
  Value transpose(Value x, llvm::ArrayRef<int64_t> permutation);
  Value matmul(Value a, Value b);
  Value concat(int64_t axis, llvm::ArrayRef<Value> inputs);
  Value reduce(llm::ReduceKind kind, Value x, llvm::ArrayRef<int64_t> axes, bool keepdims);
  /// `count` elements of `axis` from `start`.
  Value slice(Value x, int64_t axis, const DimExpr &start, const DimExpr &count);
  /// The elements of `axis` at the indices of a 1-D tensor.
  Value gather(Value x, int64_t axis, Value indices);
  /// 0, 1, .. along a new 1-D i64 tensor.
  Value iota(const DimExpr &count);
  /// 0, 1, .. along dimension `axis` of `rank`, the others being 1.
  Value iota(const DimExpr &count, int64_t axis, int64_t rank);

  Value constant(mlir::ElementsAttr value);
  /// A rank-0 constant of `element`, rounded to it.
  Value scalar(double value, mlir::Type element);
  /// Sizes as i64 data of rank 1 (or 0).
  Value sizes(llvm::ArrayRef<DimExpr> values, mlir::Type element, bool isScalar = false);
  /// One size or integer of rank 0.
  Value size(const DimExpr &value);
  /// Element i of a 1-D (or the one of any) tensor, with rank 0.
  Value element(Value list, int64_t i = 0);
  /// An integer tensor as i64.
  Value asI64(Value x) { return cast(x, builder.getI64Type()); }
  /// The size that the one element of an integer tensor says, at most `bound`: a new
  /// symbol, unless the element is known.
  DimExpr defineSize(Value value, const DimExpr &bound);
  /// The known elements of an integer tensor, or nullopt.
  std::optional<Dims> known(Value value) const;

  mlir::OpBuilder &builder;
  mlir::Location loc;
  Symbols &symbols;

protected:
  /// "node 'x' (Op, opset 13): ", before every message.
  virtual std::string messagePrefix() const { return ""; }

private:
  using InferFn = llvm::LogicalResult (*)(mlir::MLIRContext *, std::optional<mlir::Location>,
                                          mlir::ValueRange, mlir::DictionaryAttr,
                                          mlir::OpaqueProperties, mlir::RegionRange,
                                          llvm::SmallVectorImpl<mlir::Type> &);
  /// The operation with the types that `infer` finds; reports and gives null where it
  /// finds none.
  mlir::Operation *createInferred(InferFn infer, mlir::OperationState &state);
  /// Fails for sizes that are negative or together too large to be meant.
  bool checkSize(mlir::RankedTensorType type);
  /// Folds what is known and gives the value to use.
  Value finish(mlir::Operation *op);
  void unifyBroadcast(llvm::ArrayRef<Value> values);

  bool hasFailed = false;
};

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_EMITTER_H
