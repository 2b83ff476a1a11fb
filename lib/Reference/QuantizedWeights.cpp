//===- QuantizedWeights.cpp - reference semantics of linear, expert_linear, embedding
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Frame.h"

using namespace mlir;
using namespace llmc::llm;

namespace llmc::reference {

namespace {
/// Rows of n-bit values in groups with a scale each, low bits first. Zero
/// points are packed the same way per row, or one float per group.
struct GroupedRows {
  const Tensor &data;
  const Tensor &scales;
  const Tensor *zeroPoints;
  int64_t bits, groupSize, groups, rowBytes;

  int64_t field(const Tensor &packed, int64_t firstByte, int64_t index) const {
    int64_t value = 0;
    for (int64_t bit = 0; bit < bits; ++bit) {
      int64_t position = index * bits + bit;
      value |= (packed.getInt(firstByte + position / 8) >> (position % 8) & 1) << bit;
    }
    return value;
  }

  double zeroPoint(int64_t row, int64_t group) const {
    if (!zeroPoints)
      return double(int64_t(1) << (bits - 1));
    if (zeroPoints->isFloat())
      return zeroPoints->getFloat(row * groups + group);
    return field(*zeroPoints, row * ((groups * bits + 7) / 8), group);
  }

  /// Groups start at a byte: `bits * groupSize` is a multiple of 8.
  double at(int64_t row, int64_t column) const {
    int64_t group = column / groupSize;
    int64_t firstByte = row * rowBytes + group * (bits * groupSize / 8);
    double quantized = field(data, firstByte, column % groupSize);
    return (quantized - zeroPoint(row, group)) * scales.getFloat(row * groups + group);
  }
};
} // namespace

template <typename Op>
static FailureOr<GroupedRows> groupedRows(Op op, Value data, int64_t numRows, int64_t columns,
                                          const OpFrame &frame) {
  const Tensor &packed = frame[data];
  const Tensor &scales = frame[op.getScales()];
  GroupedRows rows{packed, scales, nullptr, int64_t(*op.getBits()), int64_t(*op.getGroupSize()),
                   0,      0};
  rows.groups = (columns + rows.groupSize - 1) / rows.groupSize;
  rows.rowBytes = numRows ? packed.numElements() / numRows : 0;
  if (op.getZeroPoints())
    rows.zeroPoints = &frame[op.getZeroPoints()];
  int64_t zeroPointsPerRow = rows.zeroPoints && !rows.zeroPoints->isFloat()
                                 ? (rows.groups * rows.bits + 7) / 8
                                 : rows.groups;
  bool fits = rows.rowBytes * 8 >= columns * rows.bits && rows.bits * rows.groupSize % 8 == 0 &&
              scales.numElements() == numRows * rows.groups &&
              (!rows.zeroPoints || rows.zeroPoints->numElements() >= numRows * zeroPointsPerRow);
  if (!fits)
    return frame.fail("packed weights, scales and zero points do not fit together");
  return rows;
}

FailureOr<Tensor> evaluateOp(LinearOp op, const OpFrame &frame) {
  if (op.getPacked())
    return frame.fail("packed weights are of the target's layout and have no reference semantics");
  Tensor input = frame[op.getInput()];
  const Tensor &weight = frame[op.getWeight()];
  if (op.getBits() && !input.isFloat())
    input = dequantizeInput(input, *op.getColumns(), *op.getGroupSize());
  int64_t depth = input.shape().back();
  std::optional<GroupedRows> grouped;
  int64_t columns = weight.dim(op.getTransposed() || op.getBits() ? 0 : 1);
  if (op.getBits()) {
    FailureOr<GroupedRows> rows =
        groupedRows(op, op.getWeight(), weight.dim(0), *op.getColumns(), frame);
    if (failed(rows))
      return failure();
    grouped.emplace(*rows);
  }
  if (depth != (grouped ? int64_t(*op.getColumns()) : weight.dim(op.getTransposed() ? 1 : 0)))
    return frame.fail("the input's last dimension is not the weight's");
  auto weightAt = [&](int64_t k, int64_t n) {
    if (grouped)
      return grouped->at(n, k);
    return weight.getFloat(op.getTransposed() ? n * depth + k : k * columns + n);
  };
  const Tensor *bias = op.getBias() ? &frame[op.getBias()] : nullptr;

  Shape shape(input.shape());
  shape.back() = columns;
  // Products of 8-bit integers are exact in double; setFloat keeps the low bits.
  Tensor result(cast<RankedTensorType>(op.getType()).getElementType(), shape);
  int64_t rows = depth ? input.numElements() / depth : columns ? result.numElements() / columns : 0;
  for (int64_t n = 0; n < columns; ++n) {
    std::vector<double> column;
    for (int64_t k = 0; k < depth; ++k)
      column.push_back(weightAt(k, n));
    for (int64_t row = 0; row < rows; ++row) {
      double sum = bias ? bias->getFloat(n) : 0;
      for (int64_t k = 0; k < depth; ++k)
        sum += input.getFloat(row * depth + k) * column[k];
      result.setFloat(row * columns + n, sum);
    }
  }
  return result;
}

FailureOr<Tensor> evaluateOp(ExpertLinearOp op, const OpFrame &frame) {
  const Tensor &input = frame[op.getInput()], &ids = frame[op.getIds()];
  const Tensor &weight = frame[op.getWeight()];
  const Tensor *bias = op.getBias() ? &frame[op.getBias()] : nullptr;
  bool isTransposed = op.getTransposed() || op.getBits();
  int64_t experts = weight.dim(0), outputs = weight.dim(isTransposed ? 1 : 2);
  int64_t depth = op.getBits() ? int64_t(*op.getColumns()) : weight.dim(isTransposed ? 2 : 1);
  std::optional<GroupedRows> grouped;
  if (op.getBits()) {
    FailureOr<GroupedRows> rows = groupedRows(op, op.getWeight(), experts * outputs, depth, frame);
    if (failed(rows))
      return failure();
    grouped.emplace(*rows);
  }
  // Without a dimension of choices, all choices of a token read the token's row.
  int64_t choices = input.rank() == ids.rank() ? ids.shape().back() : 1;
  if (input.shape().back() != depth || experts == 0 ||
      input.numElements() * choices != ids.numElements() * depth)
    return frame.fail("input, ids and weight do not fit together");
  auto weightAt = [&](int64_t e, int64_t k, int64_t n) {
    if (grouped)
      return grouped->at(e * outputs + n, k);
    return weight.getFloat(isTransposed ? (e * outputs + n) * depth + k
                                        : (e * depth + k) * outputs + n);
  };

  Shape shape(ids.shape());
  shape.push_back(outputs);
  Tensor result(input.elementType(), shape);
  for (int64_t row = 0; row < ids.numElements(); ++row) {
    int64_t e = std::clamp<int64_t>(ids.getInt(row), 0, experts - 1);
    for (int64_t n = 0; n < outputs; ++n) {
      double sum = bias ? bias->getFloat(e * outputs + n) : 0;
      for (int64_t k = 0; k < depth; ++k)
        sum += input.getFloat(row / choices * depth + k) * weightAt(e, k, n);
      result.setFloat(row * outputs + n, sum);
    }
  }
  return result;
}

FailureOr<Tensor> evaluateOp(EmbeddingOp op, const OpFrame &frame) {
  if (op.getPacked())
    return frame.fail("packed tables have no reference");
  const Tensor &table = frame[op.getTable()], &ids = frame[op.getIds()];
  int64_t width = op.getBits() ? int64_t(*op.getWidth()) : table.dim(1);
  std::optional<GroupedRows> grouped;
  if (op.getBits()) {
    FailureOr<GroupedRows> rows = groupedRows(op, op.getTable(), table.dim(0), width, frame);
    if (failed(rows))
      return failure();
    grouped.emplace(*rows);
  }
  if (table.dim(0) == 0 && ids.numElements())
    return frame.fail("reads from an empty table");
  Shape shape(ids.shape());
  shape.push_back(width);
  Tensor result(cast<RankedTensorType>(op.getType()).getElementType(), shape);
  for (int64_t i = 0; i < ids.numElements(); ++i) {
    int64_t row = std::clamp<int64_t>(ids.getInt(i), 0, table.dim(0) - 1);
    for (int64_t c = 0; c < width; ++c)
      result.setFloat(i * width + c,
                      grouped ? grouped->at(row, c) : table.getFloat(row * width + c));
  }
  return result;
}

} // namespace llmc::reference
