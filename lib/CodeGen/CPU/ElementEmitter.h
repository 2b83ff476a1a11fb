//===- ElementEmitter.h - one element of a kernel's value as scalar code
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inside a kernel, a value that is not in memory is a function of its indices.
// The emitter writes that function: elementwise operations apply to the same
// element of their operands, data movement maps the indices, reductions become a
// loop. The loops around it belong to the kernel's lowering; LLVM vectorises them.
//
// Floats narrower than f32 are f32 in registers and rounded where an operation's result
// has that type; elements of less than a byte take one in memory.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_CODEGEN_CPU_ELEMENTEMITTER_H
#define LLMC_LIB_CODEGEN_CPU_ELEMENTEMITTER_H

#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace llmc::cpu {

/// Indices of an element, i64 each.
using Indices = llvm::SmallVector<mlir::Value, 4>;

/// i64 arithmetic that folds constants while it emits.
class IndexEmitter {
public:
  IndexEmitter(mlir::OpBuilder &builder, mlir::Location loc,
               const llvm::StringMap<mlir::Value> &symbols)
      : builder(builder), loc(loc), symbols(symbols) {}

  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  /// Operands are not negative, the divisor not zero.
  mlir::Value divide(mlir::Value a, mlir::Value b);
  mlir::Value remainder(mlir::Value a, mlir::Value b);
  mlir::Value floorDivide(mlir::Value a, mlir::Value b);
  mlir::Value size(const DimExpr &expr);
  static std::optional<int64_t> known(mlir::Value value);

  /// Row-major position of an element.
  mlir::Value linearize(llvm::ArrayRef<mlir::Value> indices, llvm::ArrayRef<DimExpr> dims);
  Indices delinearize(mlir::Value position, llvm::ArrayRef<DimExpr> dims);

  mlir::OpBuilder &builder;
  mlir::Location loc;

private:
  const llvm::StringMap<mlir::Value> &symbols;
};

class ElementEmitter {
public:
  ElementEmitter(IndexEmitter &index) : index(index), builder(index.builder), loc(index.loc) {}

  /// `value` lies row-major at `pointer`.
  void bindBuffer(mlir::Value value, mlir::Value pointer) { buffers[value] = pointer; }
  /// `value`'s elements come from `element` instead of its defining operation.
  using Source = std::function<mlir::Value(llvm::ArrayRef<mlir::Value>)>;
  void bindSource(mlir::Value value, Source source) { sources[value] = std::move(source); }

  /// The element at `indices`, in its register type.
  mlir::Value element(mlir::Value value, llvm::ArrayRef<mlir::Value> indices);
  /// Whether the element at `indices` is true or not zero.
  mlir::Value isNonZero(mlir::Value value, llvm::ArrayRef<mlir::Value> indices);
  /// Reads or writes element number `position` of memory at `pointer`.
  mlir::Value load(mlir::Value pointer, mlir::Value position, mlir::Type elementType);
  void store(mlir::Value pointer, mlir::Value position, mlir::Type elementType, mlir::Value scalar);

  /// `for i in [0, count)` with an accumulator.
  mlir::Value reduceLoop(mlir::Value count, mlir::Value init,
                         llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> body);
  /// `lanes` neighbours at a time, added as a tree in the end, in `chains` taken in turn,
  /// added one after another.
  struct PartialSums {
    int32_t lanes, chains;
  };
  /// Neighbouring terms; a register of AVX-512.
  static constexpr PartialSums kNeighbours = {16, 1};
  /// Terms whose elements lie apart.
  static constexpr PartialSums kApart = {1, 4};
  /// `init` + sum of `term(i)` for i in [0, count), floats, in an order that is the same for
  /// every processor (decision 13).
  mlir::Value sum(mlir::Value count, mlir::Value init, PartialSums parts,
                  llvm::function_ref<mlir::Value(mlir::Value)> term);
  void loop(mlir::Value begin, mlir::Value end, llvm::function_ref<void(mlir::Value)> body);

  static mlir::Type registerType(mlir::Type elementType);
  /// For arithmetic; i1 counts as unsigned.
  static bool isUnsigned(mlir::Type elementType);
  mlir::Value floatConstant(mlir::Type type, double value);
  mlir::Value integerConstant(mlir::Type type, int64_t value);
  /// A call of `llmc_uk_math_<name>_f32` or `_f64`, by the arguments' type.
  mlir::Value math(llvm::StringRef name, mlir::ValueRange arguments);
  /// Microkernel and math functions that were called, with their types.
  mlir::Value call(llvm::StringRef symbol, mlir::Type result, mlir::ValueRange arguments);

  /// Applies `kind` to scalars in register type; used by reductions, too.
  mlir::Value binary(llm::BinaryKind kind, mlir::Value a, mlir::Value b, bool isUnsigned);

  /// How a reduction combines, and what it starts from.
  std::pair<llm::BinaryKind, mlir::Value> reduction(llm::ReduceKind kind, mlir::Type elementType);
  /// A scalar in the register type of `from` as one of `to`.
  mlir::Value convert(mlir::Value scalar, mlir::Type from, mlir::Type to, bool saturate = true);

private:
  /// Sum of `term(i)` for i in [0, count), a multiple of lanes times chains.
  mlir::Value partialSums(mlir::Value count, mlir::Type type, PartialSums parts,
                          llvm::function_ref<mlir::Value(mlir::Value)> term);
  mlir::Value unary(llm::UnaryKind kind, mlir::Value x);
  mlir::Value integerUnary(llm::UnaryKind kind, mlir::Value x, mlir::Type elementType);
  mlir::Value integerBinary(llm::BinaryKind kind, mlir::Value a, mlir::Value b, bool isUnsigned);
  mlir::Value fromMemory(mlir::Value value, mlir::Type elementType);
  mlir::Value toMemory(mlir::Value scalar, mlir::Type elementType);
  mlir::Value roundToBF16(mlir::Value scalar);
  mlir::Value roundTo(mlir::Value scalar, mlir::Type to, bool saturate);
  mlir::Value floatToInteger(mlir::Value scalar, mlir::Type to);
  mlir::Value bitcast(mlir::Value scalar, mlir::Type from, mlir::Type to);
  mlir::Value pow(mlir::Value x, mlir::Value y);
  mlir::Value compare(llm::ComparePredicate predicate, mlir::Value a, mlir::Value b,
                      bool isUnsigned);
  mlir::Value splat(mlir::DenseElementsAttr elements);
  mlir::Value choose(mlir::Value condition, mlir::Type type, llvm::function_ref<mlir::Value()> then,
                     llvm::function_ref<mlir::Value()> otherwise);
  /// Indices of a broadcast operand.
  Indices broadcastIndices(llvm::ArrayRef<mlir::Value> indices, llvm::ArrayRef<DimExpr> dims);
  mlir::Value clampIndex(mlir::Value scalar, mlir::Value size);

  mlir::Value emit(mlir::Operation *op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitReshape(llm::ReshapeOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitConcat(llm::ConcatOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitGather(llm::GatherOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitGatherND(llm::GatherNDOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitGatherElements(llm::GatherElementsOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitDimValues(llm::DimValuesOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitReduce(llm::ReduceOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitEmbedding(llm::EmbeddingOp op, llvm::ArrayRef<mlir::Value> indices);
  /// The element of a table that is in the row blocks of an n-bit linear.
  mlir::Value packedElement(llm::EmbeddingOp op, mlir::Value row, mlir::Value column);
  mlir::Value emitRotary(llm::RotaryOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitKVAppend(llm::KVAppendOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitKVEvict(llm::KVEvictOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value emitCausalConv(llm::CausalConvOp op, llvm::ArrayRef<mlir::Value> indices);

  IndexEmitter &index;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  llvm::DenseMap<mlir::Value, mlir::Value> buffers;
  llvm::DenseMap<mlir::Value, Source> sources;
};

} // namespace llmc::cpu

#endif // LLMC_LIB_CODEGEN_CPU_ELEMENTEMITTER_H
