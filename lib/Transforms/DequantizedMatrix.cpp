//===- DequantizedMatrix.cpp - constant matrices of few bits --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "DequantizedMatrix.h"
#include "Matchers.h"
#include "QuantizedConstant.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

static Value skipReshapes(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getInput();
  return value;
}

/// The numbers of `(bytes >> [0, b, ..]) & (2^b - 1)`, of a stored constant's bytes: the same
/// data as elements of b bits. Null for others.
static ElementsAttr packedConstant(Value value) {
  BinaryOp masked = matchBinary(value, BinaryKind::bitwise_and);
  BinaryOp shifted = masked ? matchBinary(masked.getLhs(), BinaryKind::shift_right) : BinaryOp();
  auto bytes = shifted ? skipReshapes(shifted.getLhs()).getDefiningOp<ConstantOp>() : ConstantOp();
  auto data =
      bytes ? dyn_cast<DenseResourceElementsAttr>(bytes.getValue()) : DenseResourceElementsAttr();
  if (!data || !data.getShapedType().getElementType().isUnsignedInteger(8) ||
      getDims(shifted.getLhs()).empty() || !getDims(shifted.getLhs()).back().isConstant(1))
    return {};
  std::optional<reference::Tensor> mask = evaluateConstant(masked.getRhs()),
                                   shifts = evaluateConstant(shifted.getRhs());
  if (!mask || !shifts || mask->numElements() != 1 || shifts->rank() != 1)
    return {};
  const int64_t bits = mask->getInt(0) == 15 ? 4 : mask->getInt(0) == 3 ? 2 : 0;
  if (!bits || shifts->numElements() != 8 / bits)
    return {};
  for (int64_t i = 0; i < 8 / bits; ++i)
    if (shifts->getInt(i) != i * bits)
      return {};
  Type element = IntegerType::get(value.getContext(), unsigned(bits), IntegerType::Unsigned);
  auto type = RankedTensorType::get(cast<RankedTensorType>(value.getType()).getShape(), element);
  return DenseResourceElementsAttr::get(type, data.getRawHandle());
}

/// The integer constant behind a cast to float and reshapes; null for others.
static ElementsAttr integerConstant(Value value) {
  auto cast = value.getDefiningOp<CastOp>();
  if (!cast)
    return {};
  Value source = skipReshapes(cast.getInput());
  auto constant = source.getDefiningOp<ConstantOp>();
  if (!constant)
    return packedConstant(source);
  auto type = dyn_cast<IntegerType>(elementTypeOf(constant));
  return type && llvm::is_contained({2u, 4u, 8u}, type.getWidth()) ? constant.getValue()
                                                                   : ElementsAttr();
}

std::optional<DequantizedMatrix> llmc::matchDequantized(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  bool isStack = type.getRank() == 3;
  if ((type.getRank() != 2 && !isStack) || !type.hasStaticShape() || !type.getElementType().isF32())
    return std::nullopt;
  DequantizedMatrix matrix;
  if (isStack)
    matrix.count = type.getDimSize(0);
  matrix.rows = type.getShape().drop_back().back();
  matrix.columns = type.getShape().back();
  if (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getInput();
  Value scale, zeroPoint;
  bool matches = matchEitherOrder(value, BinaryKind::mul, [&](Value numbers, Value factor) {
    scale = factor;
    zeroPoint = {};
    if (auto difference = matchBinary(numbers, BinaryKind::sub)) {
      zeroPoint = difference.getRhs();
      numbers = difference.getLhs();
    }
    matrix.data = integerConstant(numbers);
    matrix.loc = numbers.getLoc();
    // The product must not be wider than the numbers.
    return matrix.data && numbers.getType() == value.getType();
  });
  auto inner = dyn_cast<RankedTensorType>(value.getType());
  if (!matches || !inner.hasStaticShape())
    return std::nullopt;
  matrix.shape.assign(inner.getShape().begin(), inner.getShape().end());
  std::optional<reference::Tensor> scales = evaluateConstant(scale);
  if (!scales)
    return std::nullopt;
  matrix.scale = *scales;
  if (zeroPoint && !(matrix.zeroPoint = evaluateConstant(zeroPoint)))
    return std::nullopt;
  return matrix;
}

int64_t llmc::kernelGroupSize(int64_t block) {
  for (int64_t size : {256, 128, 64, 32, 16})
    if (block % size == 0)
      return size;
  return 0;
}

/// Inputs per group such that parameters are constant in each; `kAxis` of a matrix has
/// the inputs. 0 where they are not constant over any size that kernels take.
static int64_t groupSizeOf(const DequantizedMatrix &matrix, int64_t kAxis) {
  int64_t inputs = kAxis == 0 ? matrix.rows : matrix.columns;
  int64_t outputs = kAxis == 0 ? matrix.columns : matrix.rows;
  ArrayRef<int64_t> shape = matrix.shape;
  if (matrix.count && (shape.size() < 3 || shape[0] != *matrix.count))
    return 0;
  size_t lead = matrix.count ? 1 : 0;
  ArrayRef<int64_t> own = shape.drop_front(lead);
  bool isSplit = own.size() == 3;
  if (own.size() != 2 && !isSplit)
    return 0;
  // In a split matrix [.., groups, block, ..] the block's dimension comes after k's.
  int64_t constantAxis = int64_t(lead) + (isSplit ? kAxis + 1 : kAxis);
  if (isSplit && (own[kAxis] * own[kAxis + 1] != inputs || own[kAxis == 0 ? 2 : 0] != outputs))
    return 0;
  auto varies = [&](const reference::Tensor &tensor) {
    int64_t axis = constantAxis - (int64_t(shape.size()) - tensor.rank());
    return axis >= 0 && tensor.dim(axis) != 1;
  };
  if (varies(matrix.scale) || (matrix.zeroPoint && varies(*matrix.zeroPoint)))
    return 0;
  if (int64_t size = kernelGroupSize(isSplit ? own[kAxis + 1] : inputs))
    return size;
  // A last group that is not full.
  return isSplit ? 0 : 32;
}

/// Element of a parameter that broadcasts to `shape`, at a position of the data.
static int64_t parameterIndex(ArrayRef<int64_t> shape, const reference::Tensor &parameter,
                              int64_t position) {
  int64_t result = 0, stride = 1;
  for (int64_t d = int64_t(shape.size()) - 1; d >= 0; --d) {
    int64_t coordinate = position % shape[d];
    position /= shape[d];
    int64_t axis = d - (int64_t(shape.size()) - parameter.rank());
    if (axis < 0)
      break;
    if (parameter.dim(axis) != 1)
      result += coordinate * stride;
    stride *= parameter.dim(axis);
  }
  return result;
}

namespace {

/// Writes one matrix after the other; an output is a row of numbers, scales and zero points.
class WeightWriter {
public:
  WeightWriter(DequantizedMatrix &matrix, const IntegerData &data, int64_t kAxis, int64_t groupSize)
      : matrix(matrix), data(data), kAxis(kAxis), groupSize(groupSize),
        inputs(kAxis == 0 ? matrix.rows : matrix.columns),
        outputs(kAxis == 0 ? matrix.columns : matrix.rows), count(matrix.count.value_or(1)),
        groups((inputs + groupSize - 1) / groupSize), bits(data.bits()),
        zeroRowBytes((groups * bits + 7) / 8),
        shift(data.isSigned() ? int64_t(1) << (bits - 1) : 0) {}

  /// Fails where a zero point is no number of the weight's bits.
  LogicalResult collectParameters() {
    scales.resize(count * outputs * groups);
    zeros.resize(count * outputs * zeroRowBytes);
    int64_t middle = int64_t(1) << (bits - 1);
    for (int64_t row = 0; row < count * outputs; ++row)
      for (int64_t g = 0; g < groups; ++g) {
        int64_t first = position(row / outputs, row % outputs, g * groupSize);
        scales[row * groups + g] =
            float(matrix.scale.getFloat(parameterIndex(matrix.shape, matrix.scale, first)));
        double zero = 0;
        if (matrix.zeroPoint)
          zero = matrix.zeroPoint->getFloat(parameterIndex(matrix.shape, *matrix.zeroPoint, first));
        int64_t moved = int64_t(zero) + shift;
        if (double(moved) != zero + double(shift) || moved < 0 || moved >= 2 * middle)
          return failure();
        hasZeroPoints |= moved != middle;
        zeros[row * zeroRowBytes + g * bits / 8] |= uint8_t(moved << (g * bits % 8));
      }
    return success();
  }

  GroupedWeight write(OpBuilder &builder) {
    Type ui8 = builder.getIntegerType(8, /*isSigned=*/false);
    int64_t blob = groupSize * bits / 8;
    GroupedWeight result{{}, {}, {}, bits, groupSize, inputs};
    result.weight = make(builder, {groups, blob}, ui8,
                         [&](MutableArrayRef<char> bytes) { writeNumbers(bytes, groups * blob); });
    result.scales = make(builder, {groups}, builder.getF32Type(), [&](MutableArrayRef<char> bytes) {
      memcpy(bytes.data(), scales.data(), bytes.size());
    });
    if (hasZeroPoints)
      result.zeroPoints = make(builder, {zeroRowBytes}, ui8, [&](MutableArrayRef<char> bytes) {
        memcpy(bytes.data(), zeros.data(), bytes.size());
      });
    return result;
  }

private:
  int64_t position(int64_t e, int64_t n, int64_t k) const {
    int64_t within = kAxis == 0 ? k * matrix.columns + n : n * matrix.columns + k;
    return e * matrix.rows * matrix.columns + within;
  }

  /// `[count,] outputs` of `row` each.
  Value make(OpBuilder &builder, ArrayRef<int64_t> row, Type element,
             llvm::function_ref<void(MutableArrayRef<char>)> fill) {
    SmallVector<int64_t> shape;
    if (matrix.count)
      shape.push_back(count);
    shape.push_back(outputs);
    shape.append(row.begin(), row.end());
    return makeHeapConstant(builder, matrix.loc, RankedTensorType::get(shape, element), fill);
  }

  /// Signed numbers and their zero points move up by half the range.
  void writeNumbers(MutableArrayRef<char> bytes, int64_t rowBytes) {
    // Some outputs at a time: both sides stay in cache whichever is contiguous.
    constexpr int64_t tile = 64;
    for (int64_t e = 0; e < count; ++e)
      for (int64_t n0 = 0; n0 < outputs; n0 += tile)
        for (int64_t k = 0; k < inputs; ++k)
          for (int64_t n = n0; n < std::min(n0 + tile, outputs); ++n) {
            uint8_t number = uint8_t(data.at(position(e, n, k)) + shift);
            bytes[(e * outputs + n) * rowBytes + k * bits / 8] |= char(number << (k * bits % 8));
          }
  }

  DequantizedMatrix &matrix;
  const IntegerData &data;
  int64_t kAxis, groupSize, inputs, outputs, count, groups, bits, zeroRowBytes, shift;
  std::vector<float> scales;
  std::vector<uint8_t> zeros;
  bool hasZeroPoints = false;
};

} // namespace

std::optional<GroupedWeight> llmc::layOut(OpBuilder &builder, DequantizedMatrix &matrix,
                                          bool transposed) {
  int64_t kAxis = transposed ? 1 : 0, groupSize = groupSizeOf(matrix, kAxis);
  std::optional<IntegerData> data = IntegerData::get(matrix.data);
  if (!groupSize || !data)
    return std::nullopt;
  WeightWriter writer(matrix, *data, kAxis, groupSize);
  if (failed(writer.collectParameters()))
    return std::nullopt;
  return writer.write(builder);
}
