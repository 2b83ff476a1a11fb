//===- Frame.h - what an operation's evaluation sees
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Private to lib/Reference: access to evaluated operands, result shapes, index
// arithmetic, and the declarations of one function per operation.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_REFERENCE_FRAME_H
#define LLMC_LIB_REFERENCE_FRAME_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Reference/Evaluator.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <algorithm>
#include <array>

namespace llmc::reference {

using mlir::FailureOr;

/// One operation under evaluation.
class OpFrame {
public:
  OpFrame(Evaluator &evaluator, mlir::Operation *op) : evaluator(evaluator), op(op) {}

  const Tensor &operator[](mlir::Value operand) const {
    return evaluator.values.find(operand)->second;
  }
  std::optional<int64_t> evaluate(const DimExpr &expr) const { return evaluator.evaluate(expr); }
  /// The result type's sizes under the current symbols.
  FailureOr<Shape> resultShape() const;
  FailureOr<Tensor> value(mlir::Value value) const { return evaluator.evaluate(value); }
  llvm::LogicalResult fail(const llvm::Twine &text) const;

private:
  Evaluator &evaluator;
  mlir::Operation *op;
};

using Index = llvm::ArrayRef<int64_t>;

/// Calls `visit` for every index of `shape`, last dimension fastest.
void forEachIndex(llvm::ArrayRef<int64_t> shape, llvm::function_ref<void(Index)> visit);
/// The row-major position of `index`.
int64_t offsetOf(llvm::ArrayRef<int64_t> shape, Index index);
/// The position in a tensor of `shape` that broadcasts to `index`'s shape.
int64_t broadcastOffset(llvm::ArrayRef<int64_t> shape, Index index);
/// Calls `visit(target, offsets)` for every element of `shape` in row-major order: its
/// position, and that of the element of each of `operands` that broadcasts to it.
template <size_t N, typename Visit>
void forEachBroadcast(llvm::ArrayRef<int64_t> shape, const std::array<const Tensor *, N> &operands,
                      Visit visit) {
  int64_t columns = shape.empty() ? 1 : shape.back(), target = 0;
  Shape rows(shape);
  if (!rows.empty())
    rows.back() = std::min<int64_t>(columns, 1);
  forEachIndex(rows, [&](Index row) {
    std::array<int64_t, N> offsets, steps;
    for (size_t k = 0; k < N; ++k) {
      llvm::ArrayRef<int64_t> own = operands[k]->shape();
      offsets[k] = broadcastOffset(own, row);
      steps[k] = !own.empty() && own.back() != 1;
    }
    for (int64_t column = 0; column < columns; ++column) {
      visit(target++, offsets);
      for (size_t k = 0; k < N; ++k)
        offsets[k] += steps[k];
    }
  });
}

/// The numpy broadcast of two shapes; fails where they conflict.
FailureOr<Shape> broadcastShapes(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);
/// Whether the broadcast of `shape` and `target` is `target`.
bool broadcastsTo(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> target);

/// A reduction under way: starts as the result of no elements.
class Accumulator {
public:
  Accumulator(llm::ReduceKind kind, mlir::Type element);
  void add(const Tensor &tensor, int64_t index);
  /// `count` is the number of elements, for a mean.
  void store(Tensor &tensor, int64_t index, int64_t count = 1) const;

private:
  llm::ReduceKind kind;
  double real;
  int64_t integer;
  bool isUnsigned;
};

// One per operation; values are in Evaluator.cpp, families in files of their own.
FailureOr<Tensor> evaluateOp(llm::UnaryOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::BinaryOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::CompareOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::SelectOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::CastOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::BitcastOp op, const OpFrame &frame);

FailureOr<Tensor> evaluateOp(llm::ReshapeOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::BroadcastOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::TransposeOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::SliceOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::ConcatOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::GatherOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::GatherNDOp op, const OpFrame &frame);

FailureOr<Tensor> evaluateOp(llm::GatherElementsOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::ScatterElementsOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::ScatterNDOp op, const OpFrame &frame);

FailureOr<Tensor> evaluateOp(llm::CumulativeOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::TopKIndicesOp op, const OpFrame &frame);

FailureOr<Tensor> evaluateOp(llm::ConvOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::WindowReduceOp op, const OpFrame &frame);

FailureOr<Tensor> evaluateOp(llm::ReduceOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::SoftmaxOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::MatmulOp op, const OpFrame &frame);

FailureOr<Tensor> evaluateOp(llm::LinearOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::ExpertLinearOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::EmbeddingOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::QuantizeInputOp op, const OpFrame &frame);
/// The f32 values that the bytes of an `llm.quantize_input` stand for.
Tensor dequantizeInput(const Tensor &bytes, int64_t columns, int64_t groupSize);

FailureOr<Tensor> evaluateOp(llm::RMSNormOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::LayerNormOp op, const OpFrame &frame);

FailureOr<Tensor> evaluateOp(llm::RotaryOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::AttentionOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::KVAppendOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::KVEvictOp op, const OpFrame &frame);

FailureOr<Tensor> evaluateOp(llm::NonZeroOp op, const OpFrame &frame);
FailureOr<Tensor> evaluateOp(llm::CausalConvOp op, const OpFrame &frame);
/// Output and state.
FailureOr<llvm::SmallVector<Tensor>> evaluateOp(llm::LinearAttentionOp op, const OpFrame &frame);

} // namespace llmc::reference

#endif // LLMC_LIB_REFERENCE_FRAME_H
