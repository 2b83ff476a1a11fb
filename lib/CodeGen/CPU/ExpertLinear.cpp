//===- ExpertLinear.cpp - products with a matrix chosen per row
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows are choices of tokens. A tile is all rows of one expert and a block of outputs.
// The rows are copied side by side, so that the microkernel of `llm.linear` reads the
// expert's matrix, which starts at a multiple of one packed matrix's size, for many of
// them at once; their products go back from there. How rows are grouped changes no bit.
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Inputs that are copied side by side: what a core's cache holds beside the weights, and
/// a worker's stack.
static constexpr int64_t kGatheredBytes = 256 * 1024;
/// Rows up to which a microkernel gains by more of them.
static constexpr int64_t kMaxGatheredRows = 64;
/// Columns of products beside the output, for several rows.
static constexpr int64_t kBlockColumns = 128;
/// Tiles along the outputs: with one token's choices as many as those of a linear layer.
static constexpr int64_t kColumnTiles = 16, kMinColumnTiles = 4;

LogicalResult KernelBuilder::lowerExpertLinear(ExpertLinearOp linear, Value root) {
  std::optional<RowMatrix> matrix = getRowMatrix(linear.getInput());
  Value idsPointer = memoryOf(linear.getIds());
  if (!pointers.contains(linear.getWeight()))
    return linear.emitError("weight is not a constant of the model");
  if (!matrix)
    return linear.emitError("input is not a matrix in memory");
  if (!idsPointer)
    return linear.emitError("ids are not in memory");
  if (failed(requireF32(linear, {linear.getInput(), linear.getResult(), root})))
    return failure();
  bool isPacked = linear.getBits().has_value();
  if (isPacked && (!llvm::is_contained({2, 4, 8}, int64_t(*linear.getBits())) ||
                   !llvm::is_contained({16, 32, 64, 128, 256}, int64_t(*linear.getGroupSize()))))
    return linear.emitError("the CPU back end has no kernel for ")
           << *linear.getBits() << "-bit weights of experts in groups of "
           << *linear.getGroupSize();
  auto weightType = cast<RankedTensorType>(linear.getWeight().getType());
  int64_t experts = weightType.getDimSize(0);
  int64_t n = weightType.getDimSize(isPacked || linear.getTransposed() ? 1 : 2);
  int64_t k = isPacked ? int64_t(*linear.getColumns())
                       : weightType.getDimSize(linear.getTransposed() ? 2 : 1);

  int64_t panel = isPacked ? rowBlockNBits : panelWidthF32(target.level);
  int64_t unit = isPacked ? 4 * panel : panel; // see lowerLinear
  Dims ids = getDims(linear.getIds());
  int64_t perToken = ids.empty() ? 1 : std::max<int64_t>(1, ids.back().constant().value_or(1));
  int64_t wanted = std::max(kMinColumnTiles, kColumnTiles / perToken);
  int64_t tileColumns = std::max<int64_t>(1, ceilDiv(ceilDiv(n, unit), wanted)) * unit;
  int64_t columnTiles = ceilDiv(n, tileColumns);
  int64_t rowBytes = int64_t(sizeof(float)) * std::max<int64_t>(k, 1);
  int64_t most = std::clamp<int64_t>(kGatheredBytes / rowBytes, 1, kMaxGatheredRows);
  DimExpr numRows = product(ids);
  // Slots of experts, see Microkernels/expert_rows.
  tiles = DimExpr::min(numRows, experts) * columnTiles;

  Value slot = index.divide(tile, index.constant(columnTiles));
  Value column0 =
      index.mul(index.remainder(tile, index.constant(columnTiles)), index.constant(tileColumns));
  Value columns = clipped(column0, tileColumns, index.constant(n));
  bool hasChoices = getDims(linear.getInput()).size() > ids.size();
  Value choices = index.size(hasChoices || ids.empty() ? DimExpr(1) : ids.back());
  Value outStride = rowStride(index.constant(n)), depth = index.constant(k),
        zero = index.constant(0), one = index.constant(1);
  Value weight = pointers[linear.getWeight()], stride = index.size(matrix->rowStride);
  Value input =
      offsetPointer(pointers[matrix->root], index.size(matrix->offset), builder.getF32Type());

  auto allocate = [&](Type type, int64_t count) -> Value {
    return LLVM::AllocaOp::create(builder, loc, output.getType(), type, index.constant(count),
                                  /*alignment=*/64);
  };
  Value rows = allocate(builder.getI64Type(), most);
  Value gathered = allocate(builder.getF32Type(), most > 1 ? most * k : 1);
  Value products = allocate(builder.getF32Type(), std::max(most * kBlockColumns, tileColumns));
  auto listRows = [&](Value skip) {
    bool isWide = cast<RankedTensorType>(linear.getIds().getType()).getElementType().isInteger(64);
    return emitter.call(isWide ? "llmc_uk_expert_rows_i64" : "llmc_uk_expert_rows_i32",
                        builder.getI64Type(),
                        {idsPointer, index.size(numRows), index.constant(experts), slot, skip, rows,
                         index.constant(most)});
  };
  auto emitProduct = [&](Value a, Value expert, Value column, Value m, Value count) {
    if (isPacked) {
      int64_t bits = *linear.getBits(), group = *linear.getGroupSize();
      bool hasZeroPoints = bool(linear.getZeroPoints());
      int64_t blockBytes = rowBlockBytesNBits(bits, k, group, hasZeroPoints);
      Value first = index.add(index.mul(expert, index.constant(ceilDiv(n, panel))),
                              index.divide(column, index.constant(panel)));
      Value packed = offsetBytes(weight, index.mul(first, index.constant(blockBytes)));
      emitter.call(symbolOf(bits == 8 ? Microkernel::LinearF32I8F32 : Microkernel::LinearF32I4F32),
                   Type(),
                   {a, depth, packed, products, count, m, depth, count, index.constant(group),
                    index.constant(hasZeroPoints)});
      return;
    }
    Type element = weightType.getElementType();
    Value first = index.mul(expert, index.constant(ceilDiv(n, panel) * panel));
    Value panels = offsetPointer(weight, index.mul(index.add(first, column), depth), element);
    emitter.call(symbolOf(panelKernel(element)), Type(),
                 {a, depth, panels, products, count, m, depth, count});
  };

  Value all = listRows(zero);
  Value blocks = index.divide(index.add(all, index.constant(most - 1)), index.constant(most));
  emitter.loop(zero, blocks, [&](Value block) {
    Value m = index.min(listRows(index.mul(block, index.constant(most))), index.constant(most));
    Value first = emitter.load(rows, zero, builder.getI64Type());
    Value expert = emitter.element(linear.getIds(), index.delinearize(first, ids));
    if (expert.getType() != builder.getI64Type())
      expert = arith::ExtSIOp::create(builder, loc, builder.getI64Type(), expert);
    expert = index.max(index.min(expert, index.constant(experts - 1)), zero);
    // One row is read where it is.
    Value isOne = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, m, one);
    Value single =
        offsetPointer(input, index.mul(index.divide(first, choices), stride), builder.getF32Type());
    Value a = arith::SelectOp::create(builder, loc, isOne, single, gathered);
    Value copied = arith::SelectOp::create(builder, loc, isOne, zero, m);
    emitter.call("llmc_uk_gather_rows", Type(),
                 {input, stride, rows, copied, choices, depth, gathered});
    // One row's weights are streams, as many at once as the microkernel takes.
    Value width = arith::SelectOp::create(builder, loc, isOne, index.constant(tileColumns),
                                          index.constant(std::min(kBlockColumns, tileColumns)));
    Value parts = index.divide(index.add(columns, index.sub(width, one)), width);
    emitter.loop(zero, parts, [&](Value part) {
      Value done = index.mul(part, width), column = index.add(column0, done);
      Value count = index.min(width, index.sub(columns, done));
      emitProduct(a, expert, column, m, count);
      emitter.loop(zero, m, [&](Value i) {
        Value row = emitter.load(rows, i, builder.getI64Type());
        Value product = offsetPointer(products, index.mul(i, count), builder.getF32Type());
        emitEpilogue(linear.getResult(), root, linear.getBias(),
                     {row, one, column, count, outStride}, {product, count, /*isBeside=*/true},
                     expert);
      });
    });
  });
  return success();
}
