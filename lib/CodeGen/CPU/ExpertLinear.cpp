//===- ExpertLinear.cpp - products with a matrix chosen per row
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows are choices of tokens. A tile is a few rows and a block of outputs; each row
// calls the microkernel of `llm.linear` on the block of its own expert, which starts
// at a multiple of one packed matrix's size.
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

LogicalResult KernelBuilder::lowerExpertLinear(ExpertLinearOp linear, Value root) {
  // Few rows, so that one token's choices already make work for all threads.
  constexpr int64_t kTileRows = 4, kColumnTiles = 16;
  std::optional<RowMatrix> matrix = getRowMatrix(linear.getInput());
  if (!pointers.contains(linear.getWeight()))
    return linear.emitError("weight is not a constant of the model");
  if (!matrix)
    return linear.emitError("input is not a matrix in memory");
  if (failed(requireF32(linear, {linear.getInput(), linear.getResult(), root})))
    return failure();
  bool isPacked = linear.getBits().has_value();
  if (isPacked && (*linear.getBits() != 4 ||
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
  int64_t tileColumns = std::max<int64_t>(1, ceilDiv(ceilDiv(n, unit), kColumnTiles)) * unit;
  Dims ids = getDims(linear.getIds());
  DimExpr numRows = product(ids);
  DimExpr rowTiles = DimExpr::ceilDiv(numRows, kTileRows);
  tiles = rowTiles * ceilDiv(n, tileColumns);

  Value rowTile = index.remainder(tile, index.size(rowTiles));
  Value columnTile = index.divide(tile, index.size(rowTiles));
  Value row0 = index.mul(rowTile, index.constant(kTileRows));
  Value rows = clipped(row0, kTileRows, index.size(numRows));
  Value column0 = index.mul(columnTile, index.constant(tileColumns));
  Value columns = clipped(column0, tileColumns, index.constant(n));
  bool hasChoices = getDims(linear.getInput()).size() > ids.size();
  Value choices = index.size(hasChoices || ids.empty() ? DimExpr(1) : ids.back());
  Value outStride = rowStride(index.constant(n)), depth = index.constant(k),
        one = index.constant(1);
  Value weight = pointers[linear.getWeight()], stride = index.size(matrix->rowStride);
  int64_t group = isPacked ? int64_t(*linear.getGroupSize()) : 0;
  bool hasZeroPoints = bool(linear.getZeroPoints());

  Value scratch = makeScratch(tileColumns);
  emitter.loop(row0, index.add(row0, rows), [&](Value row) {
    Value expert = emitter.element(linear.getIds(), index.delinearize(row, ids));
    if (expert.getType() != builder.getI64Type())
      expert = arith::ExtSIOp::create(builder, loc, builder.getI64Type(), expert);
    expert = index.max(index.min(expert, index.constant(experts - 1)), index.constant(0));
    Value start =
        index.add(index.size(matrix->offset), index.mul(index.divide(row, choices), stride));
    Value a = offsetPointer(pointers[matrix->root], start, builder.getF32Type());
    OutputBlock block = {row, one, column0, columns, outStride};
    ProductPlace product = productPlace(block, scratch);
    auto &[c, ldc] = product;
    if (isPacked) {
      int64_t blockBytes = rowBlockBytesNBits(4, k, group, hasZeroPoints);
      Value first = index.add(index.mul(expert, index.constant(ceilDiv(n, panel))),
                              index.divide(column0, index.constant(panel)));
      Value packed = offsetBytes(weight, index.mul(first, index.constant(blockBytes)));
      emitter.call(symbolOf(Microkernel::LinearF32I4F32), Type(),
                   {a, stride, packed, c, ldc, one, depth, columns, index.constant(group),
                    index.constant(hasZeroPoints)});
    } else {
      Value first = index.mul(expert, index.constant(ceilDiv(n, panel) * panel));
      Type element = weightType.getElementType();
      Value panels = offsetPointer(weight, index.mul(index.add(first, column0), depth), element);
      emitter.call(symbolOf(panelKernel(element)), Type(),
                   {a, stride, panels, c, ldc, one, depth, columns});
    }
    emitEpilogue(linear.getResult(), root, linear.getBias(), block, product, expert);
  });
  return success();
}
