//===- Contraction.cpp - linear and matmul kernels
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

/// Rows of one tile: the input block stays in L2 while weight panels stream.
static constexpr int64_t kTileRows = 128;
/// Tiles along the outputs: enough for every core to take some, few enough that
/// taking one costs nothing against its work.
static constexpr int64_t kColumnTiles = 16;
static constexpr int64_t kMaxUnitsPerTile = 8;
/// Up to which a microkernel reads several streams of weights.
static constexpr int64_t kFewRows = 4;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

Value KernelBuilder::makeScratch(int64_t count) {
  if (overwritten.empty())
    return {};
  return LLVM::AllocaOp::create(builder, loc, output.getType(), builder.getF32Type(),
                                index.constant(count), /*alignment=*/64);
}

KernelBuilder::ProductPlace KernelBuilder::productPlace(const OutputBlock &block, Value scratch) {
  if (scratch)
    return {scratch, block.columns, /*isBeside=*/true};
  Value first = index.add(index.mul(block.row0, block.stride), block.column0);
  return {offsetPointer(output, first, builder.getF32Type()), block.stride, /*isBeside=*/false};
}

void KernelBuilder::emitEpilogue(Value anchor, Value root, Value bias, const OutputBlock &block,
                                 const ProductPlace &product, Value biasRow) {
  if (root == anchor && !bias && !product.isBeside)
    return;
  Dims dims = getDims(root);
  Type type = cast<RankedTensorType>(root.getType()).getElementType();
  auto &[row0, rows, column0, columns, stride] = block;
  emitter.loop(row0, index.add(row0, rows), [&](Value row) {
    Indices indices = index.delinearize(row, ArrayRef(dims).drop_back());
    indices.push_back(Value());
    Value base = index.mul(row, stride);
    emitter.loop(column0, index.add(column0, columns), [&](Value column) {
      indices.back() = column;
      position = index.add(base, column);
      emitter.bindSource(anchor, [&](ArrayRef<Value>) {
        Value from = position, pointer = output;
        if (product.isBeside) {
          pointer = product.pointer;
          from = index.add(index.mul(index.sub(row, row0), product.stride),
                           index.sub(column, column0));
        }
        Value raw =
            emitter.load(pointer, from, cast<RankedTensorType>(anchor.getType()).getElementType());
        if (!bias)
          return raw;
        Indices at{column};
        if (biasRow)
          at.insert(at.begin(), biasRow);
        return Value(arith::AddFOp::create(builder, loc, raw, emitter.element(bias, at)));
      });
      emitter.store(output, position, type, emitter.element(root, indices));
    });
  });
}

Microkernel KernelBuilder::panelKernel(Type element) {
  assert((element.isF32() || element.isF16() || element.isBF16()) &&
         "linear's verifier takes no other weights for inputs of f32");
  return element.isF16()    ? Microkernel::LinearF32F16F32
         : element.isBF16() ? Microkernel::LinearF32BF16F32
                            : Microkernel::LinearF32F32F32;
}

LogicalResult KernelBuilder::lowerLinear(LinearOp linear, Value root) {
  std::optional<RowMatrix> matrix = getRowMatrix(linear.getInput());
  if (!pointers.contains(linear.getWeight()))
    return linear.emitError("weight is not a constant of the model");
  if (!matrix)
    return linear.emitError("input is not a matrix in memory");
  bool isPacked = linear.getBits().has_value();
  auto weightType = cast<RankedTensorType>(linear.getWeight().getType());
  Type inputElement = cast<RankedTensorType>(linear.getInput().getType()).getElementType();
  bool isIntegral = !isPacked && weightType.getElementType().isInteger(8);
  bool isInt8 = isPacked && inputElement.isUnsignedInteger(8);
  if (!isIntegral && failed(requireF32(linear, {linear.getResult(), root})))
    return failure();
  if (isIntegral &&
      (!inputElement.isUnsignedInteger(8) || !weightType.getElementType().isSignlessInteger(8)))
    return linear.emitError("the CPU back end multiplies ui8 inputs by i8 weights, found ")
           << inputElement << " by " << weightType.getElementType();
  int64_t bits = linear.getBits().value_or(8);
  if (isPacked && !llvm::is_contained({2, 4, 8}, bits))
    return linear.emitError("the CPU back end has no kernel for ") << bits << "-bit weights";
  int64_t n = weightType.getDimSize(isPacked || linear.getTransposed() ? 0 : 1);
  int64_t k = isPacked ? int64_t(*linear.getColumns())
                       : weightType.getDimSize(linear.getTransposed() ? 1 : 0);

  bool isRowBlocks = isPacked || isIntegral;
  static_assert(rowBlockNBits == rowBlockI8);
  int64_t panel = isRowBlocks ? rowBlockNBits : panelWidthF32(target.level);
  // Four row blocks are one unit: the microkernel streams as many at once.
  int64_t unit = isRowBlocks ? 4 * panel : panel;
  int64_t units = std::clamp<int64_t>(ceilDiv(ceilDiv(n, unit), kColumnTiles), 1, kMaxUnitsPerTile);
  int64_t tileColumns = units * unit;
  int64_t columnTiles = ceilDiv(n, tileColumns);
  DimExpr rowTiles = DimExpr::ceilDiv(matrix->rows, kTileRows);
  tiles = rowTiles * columnTiles;

  // Neighbouring tiles share their weights.
  Value rowTile = index.remainder(tile, index.size(rowTiles));
  Value columnTile = index.divide(tile, index.size(rowTiles));
  Value row0 = index.mul(rowTile, index.constant(kTileRows));
  Value rows = clipped(row0, kTileRows, index.size(matrix->rows));
  Value column0 = index.mul(columnTile, index.constant(tileColumns));
  Value columns = clipped(column0, tileColumns, index.constant(n));

  Value outStride = rowStride(index.constant(n));
  Value input = pointers[matrix->root], weight = pointers[linear.getWeight()];
  Value depth = index.constant(k);
  Value stride = index.size(matrix->rowStride);
  Value start = index.add(index.size(matrix->offset), index.mul(row0, stride));
  auto emitBlock = [&](const OutputBlock &out, Value scratch) {
    auto &[row0, rows, column0, columns, rowsApart] = out;
    ProductPlace product = productPlace(out, scratch);
    Value c = product.pointer, ldc = product.stride;
    if (isIntegral) {
      Value block = index.divide(column0, index.constant(panel));
      Value packed = offsetBytes(weight, index.mul(block, index.constant(rowBlockBytesI8(k))));
      emitter.call(symbolOf(Microkernel::LinearU8I8I32), Type(),
                   {offsetBytes(input, start), stride, packed, c, ldc, rows, depth, columns});
    } else if (!isPacked) {
      Type element = weightType.getElementType();
      Value panels = offsetPointer(weight, index.mul(column0, depth), element);
      Value a = offsetPointer(input, start, builder.getF32Type());
      emitter.call(symbolOf(panelKernel(element)), Type(),
                   {a, stride, panels, c, ldc, rows, depth, columns});
    } else {
      int64_t group = *linear.getGroupSize();
      bool hasZeroPoints = *linear.getPacked();
      Value block = index.divide(column0, index.constant(panel));
      Value packed = offsetBytes(
          weight,
          index.mul(block, index.constant(rowBlockBytesNBits(bits, k, group, hasZeroPoints))));
      Value groupSize = index.constant(group), zeroPoints = index.constant(hasZeroPoints);
      if (isInt8) {
        // One row of llm.quantize_input: q, scales, sums.
        QuantizedRow layout(k, group);
        Value q = offsetBytes(input, start);
        Value scales = offsetBytes(q, index.constant(layout.scales));
        Value sums = offsetBytes(q, index.constant(layout.sums));
        Value words = index.divide(stride, index.constant(4));
        emitter.call(symbolOf(bits == 8 ? Microkernel::LinearI8I8F32 : Microkernel::LinearI8I4F32),
                     Type(),
                     {q, stride, scales, sums, words, packed, c, ldc, rows, depth, columns,
                      groupSize, zeroPoints});
      } else {
        Value a = offsetPointer(input, start, builder.getF32Type());
        emitter.call(
            symbolOf(bits == 8 ? Microkernel::LinearF32I8F32 : Microkernel::LinearF32I4F32), Type(),
            {a, stride, packed, c, ldc, rows, depth, columns, groupSize, zeroPoints});
      }
    }
    emitEpilogue(linear.getResult(), root, linear.getBias(), out, product);
  };
  if (overwritten.empty()) {
    emitBlock({row0, rows, column0, columns, outStride}, Value());
    return success();
  }
  // Products go through a scratch of at most 32 KiB. For few rows microkernels stream
  // several units of weights at once; for many they take one after another anyway.
  Value scratch = makeScratch(std::max(kTileRows * unit, kFewRows * tileColumns));
  Value hasFewRows = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle, rows,
                                           index.constant(kFewRows));
  Value blockColumns = arith::SelectOp::create(builder, loc, hasFewRows,
                                               index.constant(tileColumns), index.constant(unit));
  Value blocks =
      index.divide(index.add(columns, index.sub(blockColumns, index.constant(1))), blockColumns);
  emitter.loop(index.constant(0), blocks, [&](Value i) {
    Value done = index.mul(i, blockColumns);
    Value count = index.min(blockColumns, index.sub(columns, done));
    emitBlock({row0, rows, index.add(column0, done), count, outStride}, scratch);
  });
  return success();
}

LogicalResult KernelBuilder::lowerMatmul(MatmulOp matmul, Value root) {
  if (failed(requireF32(matmul, {matmul.getLhs(), matmul.getRhs(), root})))
    return failure();
  std::optional<StridedView> lhs = getStridedView(matmul.getLhs());
  std::optional<StridedView> rhs = getStridedView(matmul.getRhs());
  if (!lhs || !rhs || !pointers.contains(lhs->root) || !pointers.contains(rhs->root))
    return matmul.emitError("operands are not in memory");
  constexpr int64_t tileRows = 64, tileColumns = 256;
  Dims dims = getDims(matmul.getResult());
  size_t rank = dims.size();
  ArrayRef<DimExpr> batch = ArrayRef(dims).drop_back(2);
  const DimExpr &m = dims[rank - 2], &n = dims[rank - 1];
  DimExpr rowTiles = DimExpr::ceilDiv(m, tileRows), columnTiles = DimExpr::ceilDiv(n, tileColumns);
  Dims grid(batch.begin(), batch.end());
  grid.append({columnTiles, rowTiles});
  tiles = product(grid);

  Indices at = index.delinearize(tile, grid);
  Value row0 = index.mul(at[rank - 1], index.constant(tileRows));
  Value column0 = index.mul(at[rank - 2], index.constant(tileColumns));
  Value rows = clipped(row0, tileRows, index.size(m));
  Value columns = clipped(column0, tileColumns, index.size(n));
  auto base = [&](const StridedView &view) {
    Value offset = index.size(view.offset);
    size_t skip = rank - view.dims.size();
    for (size_t d = 0; d + 2 < view.dims.size(); ++d)
      if (!view.dims[d].isConstant(1))
        offset = index.add(offset, index.mul(at[skip + d], index.size(view.strides[d])));
    return offset;
  };
  auto stride = [&](const StridedView &view, size_t fromEnd) {
    return index.size(view.strides[view.strides.size() - fromEnd]);
  };
  Type f32 = builder.getF32Type();
  Value lda = stride(*lhs, 2);
  Value a = offsetPointer(pointers[lhs->root], index.add(base(*lhs), index.mul(row0, lda)), f32);
  Value bks = stride(*rhs, 2), bns = stride(*rhs, 1);
  Value b = offsetPointer(pointers[rhs->root], index.add(base(*rhs), index.mul(column0, bns)), f32);
  Value outStride = rowStride(index.size(n));
  Value matrixRow = index.add(
      index.mul(index.linearize(ArrayRef(at).take_front(rank - 2), batch), index.size(m)), row0);
  OutputBlock out = {matrixRow, rows, column0, columns, outStride};
  ProductPlace product = productPlace(out, Value());
  Value depth = index.size(getDims(matmul.getLhs()).back());
  emitter.call(symbolOf(Microkernel::MatmulF32F32F32), Type(),
               {a, lda, b, bks, bns, product.pointer, product.stride, rows, depth, columns});
  emitEpilogue(matmul.getResult(), root, Value(), out, product);
  return success();
}

/// Matrices of other types than f32: a row of the result accumulates in memory, so that
/// the inner loop runs over its columns.
LogicalResult KernelBuilder::lowerMatmulRows(MatmulOp matmul) {
  Dims dims = getDims(matmul.getResult()), lhs = getDims(matmul.getLhs());
  Dims rhs = getDims(matmul.getRhs());
  Type type = matmul.getType().getElementType();
  bool isWhole = type.isF64() || (isa<IntegerType>(type) && type.getIntOrFloatBitWidth() >= 8);
  if (!isWhole)
    return matmul.emitError("the CPU back end has no llm.matmul of ") << type;
  size_t rank = dims.size();
  Dims outer(dims.begin(), dims.end() - 1);
  DimExpr rows = product(outer);
  int64_t tileRows = rowsPerTile(dims.back() * lhs.back());
  tiles = DimExpr::ceilDiv(rows, tileRows);
  Value begin = index.mul(tile, index.constant(tileRows));
  Value end = index.add(begin, clipped(begin, tileRows, index.size(rows)));
  Value width = index.size(dims.back());
  Value zero = isa<FloatType>(type)
                   ? emitter.floatConstant(type, 0)
                   : emitter.integerConstant(ElementEmitter::registerType(type), 0);
  // The matrix of an operand for a place in the result's leading dimensions.
  auto leading = [&](ArrayRef<Value> at, const Dims &operand) {
    Indices result;
    size_t skip = rank - operand.size();
    for (size_t d = 0; d + 2 < operand.size(); ++d)
      result.push_back(operand[d].isConstant(1) ? index.constant(0) : at[skip + d]);
    return result;
  };
  emitter.loop(begin, end, [&](Value row) {
    Indices at = index.delinearize(row, outer);
    Value base = index.mul(row, width);
    emitter.loop(index.constant(0), width,
                 [&](Value column) { emitter.store(output, index.add(base, column), type, zero); });
    emitter.loop(index.constant(0), index.size(lhs.back()), [&](Value k) {
      Indices left = leading(at, lhs), right = leading(at, rhs);
      left.append({at[rank - 2], k});
      Value factor = emitter.element(matmul.getLhs(), left);
      emitter.loop(index.constant(0), width, [&](Value column) {
        Indices source(right);
        source.append({k, column});
        Value product = emitter.binary(BinaryKind::mul, factor,
                                       emitter.element(matmul.getRhs(), source), false);
        Value position = index.add(base, column);
        Value sum = emitter.load(output, position, type);
        emitter.store(output, position, type, emitter.binary(BinaryKind::add, sum, product, false));
      });
    });
  });
  return success();
}
