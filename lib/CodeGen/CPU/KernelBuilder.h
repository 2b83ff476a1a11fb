//===- KernelBuilder.h - state shared by the lowerings of one kernel
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_CODEGEN_CPU_KERNELBUILDER_H
#define LLMC_LIB_CODEGEN_CPU_KERNELBUILDER_H

#include "ElementEmitter.h"
#include "KernelLowering.h"
#include "llmc/Analysis/Layout.h"

namespace llmc::cpu {

using llm::Dims;

/// Rows of one tile of a kernel that walks rows of `columns` elements: a few
/// microseconds of work, so that taking a tile is cheap; 1 where the width is dynamic.
inline int64_t rowsPerTile(const DimExpr &columns) {
  constexpr int64_t kTileElements = 8192;
  int64_t width = columns.constant().value_or(kTileElements);
  return std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, width));
}

/// Where the parts of a row of llm.quantize_input lie, in bytes; q comes first.
struct QuantizedRow {
  int64_t scales, sums, bytes;
  QuantizedRow(int64_t columns, int64_t groupSize) {
    int64_t unit = llm::QuantizeInputOp::unitOf(groupSize), units = (columns + unit - 1) / unit;
    scales = unit * units;
    sums = scales + 4 * units;
    bytes = sums + 4 * units;
  }
};

/// Lowers one kernel; the families are in files of their own.
class KernelBuilder {
public:
  KernelBuilder(exec::KernelOp kernel, mlir::OpBuilder &builder, const KernelTarget &target,
                const llvm::StringMap<mlir::Value> &symbols)
      : kernel(kernel), builder(builder), loc(kernel.getLoc()), target(target),
        index(builder, loc, symbols), emitter(index) {}

  mlir::LogicalResult lower();

  // Bound by lowerKernel before lower().
  llvm::DenseMap<mlir::Value, mlir::Value> pointers; ///< block argument -> ptr
  /// Block arguments in whose place the result lies: their element at `position` is read
  /// from there. They are in no other map.
  llvm::SmallVector<mlir::BlockArgument> overwritten;
  llvm::SmallVector<mlir::Value> outputs; ///< of those yielded values that are tensors
  mlir::Value output;                     ///< the first of them, if any
  mlir::Value blockTable, blockStride, slots, tile;
  DimExpr tiles = 1; ///< result

private:
  // Pointwise.cpp
  mlir::LogicalResult lowerPointwise(mlir::Value root);
  mlir::LogicalResult lowerNonZero(llm::NonZeroOp op);
  // States.cpp
  mlir::LogicalResult lowerStateAppend(llm::StateAppendOp append);
  mlir::LogicalResult lowerStateStore(llm::StateStoreOp store);
  /// Elements of what is loaded from a state come from the state itself.
  void bindStateLoads();
  /// Where a token of a sequence and head lies in a state.
  struct TokenPlace {
    mlir::Value channels; ///< the first, in elements from the state's beginning
    mlir::Value scale;    ///< in f32 from there; null where the state has no scales
  };
  TokenPlace tokenPlace(llm::StateType state, mlir::Value sequence, mlir::Value head,
                        mlir::Value position);
  /// Rounds row `at` of the tokens to int8, by way of `row`, a place for its channels.
  void storeScaled(llm::StateAppendOp append, llvm::ArrayRef<mlir::Value> at,
                   const TokenPlace &place, mlir::Value row);
  /// Where a sequence's tensor begins in a fixed state, in elements.
  mlir::Value slotOffset(llm::StateType state, mlir::Value sequence);
  // Rows.cpp
  mlir::LogicalResult lowerRows(mlir::Operation *op);
  mlir::LogicalResult lowerQuantize(llm::QuantizeInputOp op);
  // Windows.cpp
  mlir::LogicalResult lowerConv(llm::ConvOp op);
  mlir::LogicalResult lowerWindowReduce(llm::WindowReduceOp op);
  // Lines.cpp
  mlir::LogicalResult lowerCumulative(llm::CumulativeOp op);
  mlir::LogicalResult lowerTopK(llm::TopKIndicesOp op);
  mlir::LogicalResult lowerScatterElements(llm::ScatterElementsOp op);
  mlir::LogicalResult lowerScatterND(llm::ScatterNDOp op);
  /// Tiles of lines along `axis`, each of them `work` elements' worth; `body` gets the
  /// line's first index.
  void forEachLine(const Dims &dims, size_t axis, const DimExpr &work,
                   llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)> body);
  void emitIf(mlir::Value condition, llvm::function_ref<void()> body);
  std::pair<mlir::Value, mlir::Value> checkedIndex(mlir::Value scalar, mlir::Value size);
  void combine(llm::ScatterKind kind, mlir::Type type, mlir::Value position, mlir::Value update);
  // Contraction.cpp
  mlir::LogicalResult lowerLinear(llm::LinearOp linear, mlir::Value root);
  /// The microkernel over panels of f32, f16 or bf16.
  static Microkernel panelKernel(mlir::Type element);
  mlir::LogicalResult lowerMatmul(llm::MatmulOp matmul, mlir::Value root);
  mlir::LogicalResult lowerMatmulRows(llm::MatmulOp matmul);
  /// A block [row0, row0 + rows) x [column0, column0 + columns) of an output matrix whose
  /// rows are `stride` elements apart.
  struct OutputBlock {
    mlir::Value row0, rows, column0, columns, stride;
  };
  /// Where a microkernel leaves its product for the epilogue, in elements of 4 bytes: at
  /// the output's place or, where that holds an operand of the epilogue, beside it.
  struct ProductPlace {
    mlir::Value pointer, stride;
    bool isBeside;
  };
  /// A function's place for products of `count` elements; null where they go to the output.
  mlir::Value makeScratch(int64_t count);
  ProductPlace productPlace(const OutputBlock &block, mlir::Value scratch);
  /// Applies bias and the operations between `anchor` and `root` to the block. The bias is
  /// a vector, or row `biasRow` of a matrix.
  void emitEpilogue(mlir::Value anchor, mlir::Value root, mlir::Value bias,
                    const OutputBlock &block, const ProductPlace &product,
                    mlir::Value biasRow = {});
  // ExpertLinear.cpp
  mlir::LogicalResult lowerExpertLinear(llm::ExpertLinearOp linear, mlir::Value root);
  // LinearAttention.cpp
  mlir::LogicalResult lowerLinearAttention(llm::LinearAttentionOp op);
  // Attention.cpp
  mlir::LogicalResult lowerAttention(llm::AttentionOp attention, mlir::Value root);
  mlir::Value storeRounding(llvm::ArrayRef<double> rounding);

  /// The elements of an embedding's table come from panels.
  void bindPanels(mlir::Value table);
  /// Where a value in memory, or a reshape of one, begins; null for others.
  mlir::Value memoryOf(mlir::Value value);
  mlir::Value offsetPointer(mlir::Value pointer, mlir::Value elements, mlir::Type type);
  mlir::Value offsetBytes(mlir::Value pointer, mlir::Value bytes);
  mlir::LogicalResult requireF32(mlir::Operation *op, mlir::ValueRange values);
  /// Elements from one row of the output, of `width` elements, to the next.
  mlir::Value rowStride(mlir::Value width);
  /// min(count, total - begin) where begin < total.
  mlir::Value clipped(mlir::Value begin, int64_t count, mlir::Value total);
  llvm::StringRef symbolOf(Microkernel microkernel) const;

  exec::KernelOp kernel;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  const KernelTarget &target;
  mlir::Value position; ///< in the result's memory, of the element being computed
  IndexEmitter index;
  ElementEmitter emitter;
};

} // namespace llmc::cpu

#endif // LLMC_LIB_CODEGEN_CPU_KERNELBUILDER_H
