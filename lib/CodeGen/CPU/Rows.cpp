//===- Rows.cpp - normalisations, softmax and input quantisation
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

// Inputs that are rounded to 8 bits behind a norm hang on its last bit: decision 13 says why
// norms add in this order and divide by the root.
static constexpr ElementEmitter::PartialSums kNorm = {4, 1};

LogicalResult KernelBuilder::lowerRows(Operation *op) {
  Value input = op->getOperand(0), result = op->getResult(0);
  Dims dims = getDims(result);
  if (auto softmax = dyn_cast<SoftmaxOp>(op); softmax && softmax.getAxis() + 1 != dims.size())
    return op->emitError("the CPU back end computes softmax along the last dimension only");
  Type type = cast<RankedTensorType>(result.getType()).getElementType();
  Type reg = ElementEmitter::registerType(type);
  DimExpr rows = product(ArrayRef(dims).drop_back());
  int64_t tileRows = rowsPerTile(dims.back());
  tiles = DimExpr::ceilDiv(rows, tileRows);
  Value columns = index.size(dims.back()), outStride = rowStride(columns);

  auto f = [&](double value) { return emitter.floatConstant(reg, value); };
  auto mul = [&](Value a, Value b) { return Value(arith::MulFOp::create(builder, loc, a, b)); };
  auto add = [&](Value a, Value b) { return Value(arith::AddFOp::create(builder, loc, a, b)); };
  auto sub = [&](Value a, Value b) { return Value(arith::SubFOp::create(builder, loc, a, b)); };
  auto div = [&](Value a, Value b) { return Value(arith::DivFOp::create(builder, loc, a, b)); };

  Value begin = index.mul(tile, index.constant(tileRows));
  Value end = index.add(begin, clipped(begin, tileRows, index.size(rows)));
  emitter.loop(begin, end, [&](Value row) {
    Indices indices = index.delinearize(row, ArrayRef(dims).drop_back());
    indices.push_back(Value());
    Value base = index.mul(row, outStride);
    auto x = [&](Value column) {
      indices.back() = column;
      position = index.add(base, column);
      return emitter.element(input, indices);
    };
    auto sum = [&](llvm::function_ref<Value(Value)> term) {
      return emitter.sum(columns, f(0.0), isa<SoftmaxOp>(op) ? ElementEmitter::kNeighbours : kNorm,
                         term);
    };
    Value count = arith::SIToFPOp::create(builder, loc, reg, columns);
    std::function<Value(Value)> element;
    if (auto norm = dyn_cast<RMSNormOp>(op)) {
      Value squares = sum([&](Value column) {
        Value value = x(column);
        return mul(value, value);
      });
      Value variance = add(div(squares, count), f(norm.getEpsilon().convertToDouble()));
      Value root = LLVM::SqrtOp::create(builder, loc, variance);
      Value weight = norm.getWeight();
      element = [=, this](Value column) {
        return mul(div(x(column), root), emitter.element(weight, {column}));
      };
    } else if (auto norm = dyn_cast<LayerNormOp>(op)) {
      Value mean = div(sum(x), count);
      Value squares = sum([&](Value column) {
        Value centred = sub(x(column), mean);
        return mul(centred, centred);
      });
      Value variance = add(div(squares, count), f(norm.getEpsilon().convertToDouble()));
      Value root = LLVM::SqrtOp::create(builder, loc, variance);
      Value weight = norm.getWeight(), bias = norm.getBias();
      element = [=, this](Value column) {
        Value weighted = mul(div(sub(x(column), mean), root), emitter.element(weight, {column}));
        return bias ? add(weighted, emitter.element(bias, {column})) : weighted;
      };
    } else {
      double infinity = std::numeric_limits<double>::infinity();
      Value largest = emitter.reduceLoop(columns, f(-infinity), [&](Value column, Value partial) {
        return emitter.binary(BinaryKind::max, partial, x(column), false);
      });
      Value total = sum([&](Value column) { return emitter.math("exp", sub(x(column), largest)); });
      Value scale = div(f(1.0), total);
      element = [=, this](Value column) {
        return mul(emitter.math("exp", sub(x(column), largest)), scale);
      };
    }
    emitter.loop(index.constant(0), columns, [&](Value column) {
      Value value = element(column);
      emitter.store(output, index.add(base, column), type, value);
    });
  });
  return success();
}

LogicalResult KernelBuilder::lowerQuantize(QuantizeInputOp op) {
  std::optional<RowMatrix> matrix = getRowMatrix(op.getInput());
  if (!matrix || failed(requireF32(op, op.getInput())))
    return op.emitError("input is not a matrix in memory");
  int64_t k = *matrix->columns.constant(), group = op.getGroupSize();
  QuantizedRow layout(k, group);
  int64_t tileRows = rowsPerTile(k);
  tiles = DimExpr::ceilDiv(matrix->rows, tileRows);
  Value begin = index.mul(tile, index.constant(tileRows));
  Value rows = clipped(begin, tileRows, index.size(matrix->rows));
  Value stride = index.size(matrix->rowStride);
  Value source = offsetPointer(pointers[matrix->root],
                               index.add(index.size(matrix->offset), index.mul(begin, stride)),
                               builder.getF32Type());
  Value row = offsetBytes(output, index.mul(begin, index.constant(layout.bytes)));
  emitter.call(symbolOf(Microkernel::QuantizeF32I8), Type(),
               {source, stride, row, index.constant(layout.bytes),
                offsetBytes(row, index.constant(layout.scales)),
                offsetBytes(row, index.constant(layout.sums)), index.constant(layout.bytes / 4),
                rows, index.constant(k), index.constant(group)});
  return success();
}
