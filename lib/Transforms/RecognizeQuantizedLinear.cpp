//===- RecognizeQuantizedLinear.cpp - products with quantised constants
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two spellings of products with a constant matrix of few bits become llm.linear:
//
//   matmul(x, (q - zero point) * scale)                  floats
//   matmul(i32(a) - zero point, i32(w) - zero point)     8-bit integers
//
// A matrix that has to change its layout is copied to the heap; its pages in the
// model file are not needed again.
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "QuantizedConstant.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZEQUANTIZEDLINEAR
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

//===----------------------------------------------------------------------===//
// Dequantised matrices
//===----------------------------------------------------------------------===//

namespace {
/// `(q - zero point) * scale` before a reshape to a matrix; the parameters broadcast to
/// the shape of q.
struct DequantizedMatrix {
  ConstantOp data;
  SmallVector<int64_t> shape; ///< of q where the parameters meet it
  reference::Tensor scale;
  std::optional<reference::Tensor> zeroPoint;
  int64_t rows, columns;
};
} // namespace

/// The integer constant behind a cast to float and a reshape.
static ConstantOp integerConstant(Value value) {
  auto cast = value.getDefiningOp<CastOp>();
  if (!cast)
    return {};
  Value source = cast.getInput();
  if (auto reshape = source.getDefiningOp<ReshapeOp>())
    source = reshape.getInput();
  auto constant = source.getDefiningOp<ConstantOp>();
  auto type = constant ? dyn_cast<IntegerType>(elementTypeOf(constant)) : IntegerType();
  return type && (type.getWidth() == 8 || type.getWidth() == 4) ? constant : ConstantOp();
}

static std::optional<DequantizedMatrix> matchDequantized(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() != 2 || !type.hasStaticShape() || !type.getElementType().isF32())
    return std::nullopt;
  DequantizedMatrix matrix;
  matrix.rows = type.getDimSize(0);
  matrix.columns = type.getDimSize(1);
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

/// Inputs per group such that parameters are constant in each; `kAxis` of the matrix has
/// the inputs. 0 where they are not constant over any size that kernels take.
static int64_t groupSizeOf(const DequantizedMatrix &matrix, int64_t kAxis) {
  int64_t inputs = kAxis == 0 ? matrix.rows : matrix.columns;
  bool isSplit = matrix.shape.size() == 3;
  if (matrix.shape.size() != 2 && !isSplit)
    return 0;
  // In a split matrix [.., groups, block, ..] the block's dimension comes after k's.
  int64_t constantAxis = isSplit ? kAxis + 1 : kAxis;
  if (isSplit && (matrix.shape[kAxis] * matrix.shape[kAxis + 1] != inputs ||
                  matrix.shape[kAxis == 0 ? 2 : 0] != (kAxis == 0 ? matrix.columns : matrix.rows)))
    return 0;
  auto varies = [&](const reference::Tensor &tensor) {
    int64_t axis = constantAxis - (int64_t(matrix.shape.size()) - tensor.rank());
    return axis >= 0 && tensor.dim(axis) != 1;
  };
  if (varies(matrix.scale) || (matrix.zeroPoint && varies(*matrix.zeroPoint)))
    return 0;
  int64_t block = isSplit ? matrix.shape[kAxis + 1] : inputs;
  for (int64_t size : {256, 128, 64, 32, 16})
    if (block % size == 0)
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
/// The operands of a grouped n-bit llm.linear.
struct GroupedWeight {
  Value weight, scales, zeroPoints;
  int64_t bits, groupSize, columns;
};
} // namespace

/// Lays the numbers out as [N, groups, blob] with scales and zero points beside.
static std::optional<GroupedWeight> layOut(OpBuilder &builder, DequantizedMatrix &matrix,
                                           int64_t kAxis) {
  int64_t groupSize = groupSizeOf(matrix, kAxis);
  std::optional<IntegerData> data = IntegerData::get(matrix.data.getValue());
  if (!groupSize || !data)
    return std::nullopt;
  int64_t inputs = kAxis == 0 ? matrix.rows : matrix.columns;
  int64_t outputs = kAxis == 0 ? matrix.columns : matrix.rows;
  int64_t bits = data->bits(), groups = (inputs + groupSize - 1) / groupSize;
  int64_t blob = groupSize * bits / 8, rowBytes = groups * blob;
  // Signed numbers and their zero points move up by half the range.
  int64_t shift = data->isSigned() ? int64_t(1) << (bits - 1) : 0;
  int64_t middle = int64_t(1) << (bits - 1);
  auto position = [&](int64_t n, int64_t k) {
    return kAxis == 0 ? k * matrix.columns + n : n * matrix.columns + k;
  };

  int64_t zeroRowBytes = (groups * bits + 7) / 8;
  std::vector<float> scales(outputs * groups);
  std::vector<uint8_t> zeros(outputs * zeroRowBytes);
  bool hasZeroPoints = false;
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t g = 0; g < groups; ++g) {
      int64_t first = position(n, g * groupSize);
      scales[n * groups + g] =
          float(matrix.scale.getFloat(parameterIndex(matrix.shape, matrix.scale, first)));
      double zero = 0;
      if (matrix.zeroPoint)
        zero = matrix.zeroPoint->getFloat(parameterIndex(matrix.shape, *matrix.zeroPoint, first));
      int64_t moved = int64_t(zero) + shift;
      if (double(moved) != zero + double(shift) || moved < 0 || moved >= 2 * middle)
        return std::nullopt;
      hasZeroPoints |= moved != middle;
      zeros[n * zeroRowBytes + g * bits / 8] |= uint8_t(moved << (g * bits % 8));
    }

  Location loc = matrix.data.getLoc();
  Type ui8 = builder.getIntegerType(8, /*isSigned=*/false);
  auto fill = [&](MutableArrayRef<char> bytes) {
    // Some outputs at a time: both sides stay in cache whichever is contiguous.
    constexpr int64_t tile = 64;
    for (int64_t n0 = 0; n0 < outputs; n0 += tile)
      for (int64_t k = 0; k < inputs; ++k)
        for (int64_t n = n0; n < std::min(n0 + tile, outputs); ++n) {
          uint8_t number = uint8_t(data->at(position(n, k)) + shift);
          bytes[n * rowBytes + k * bits / 8] |= char(number << (k * bits % 8));
        }
  };
  GroupedWeight result{{}, {}, {}, bits, groupSize, inputs};
  result.weight =
      makeHeapConstant(builder, loc, RankedTensorType::get({outputs, groups, blob}, ui8), fill);
  result.scales = makeHeapConstant(
      builder, loc, RankedTensorType::get({outputs, groups}, builder.getF32Type()),
      [&](MutableArrayRef<char> bytes) { memcpy(bytes.data(), scales.data(), bytes.size()); });
  if (hasZeroPoints)
    result.zeroPoints = makeHeapConstant(
        builder, loc, RankedTensorType::get({outputs, zeroRowBytes}, ui8),
        [&](MutableArrayRef<char> bytes) { memcpy(bytes.data(), zeros.data(), bytes.size()); });
  return result;
}

namespace {

/// matmul(x, (q - z) * s) -> linear(x, q) scales s zero_points z.
struct DequantizedMatmul : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    Value source = op.getRhs();
    auto transpose = source.getDefiningOp<TransposeOp>();
    if (transpose && transpose.getPermutation() == ArrayRef<int64_t>{1, 0})
      source = transpose.getInput();
    else
      transpose = {};
    std::optional<DequantizedMatrix> matrix = matchDequantized(source);
    if (!matrix)
      return rewriter.notifyMatchFailure(op, "the right operand is no dequantised constant");
    std::optional<GroupedWeight> weight = layOut(rewriter, *matrix, transpose ? 1 : 0);
    if (!weight)
      return rewriter.notifyMatchFailure(op, "the constant's scales are not of groups of inputs");
    Location loc = fuseLocations(op, op.getLhs());
    auto linear = LinearOp::create(
        rewriter, loc, op.getType(), op.getLhs(), weight->weight, weight->scales,
        weight->zeroPoints, /*bias=*/Value(), UnitAttr(), rewriter.getI64IntegerAttr(weight->bits),
        rewriter.getI64IntegerAttr(weight->groupSize), rewriter.getI64IntegerAttr(weight->columns),
        BoolAttr(), ActivationsAttr::get(getContext(), Activations::f32));
    rewriter.replaceOp(op, linear);
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Integer products
//===----------------------------------------------------------------------===//

namespace {
/// `i32(numbers) - zero point`; the zero point may be null.
struct Widened {
  Value numbers, zeroPoint;
};
} // namespace

static std::optional<Widened> matchWidened(Value value) {
  Widened widened;
  if (auto difference = matchBinary(value, BinaryKind::sub)) {
    // The zero point must not widen the shape.
    if (difference.getLhs().getType() != value.getType())
      return std::nullopt;
    widened.zeroPoint = difference.getRhs();
    value = difference.getLhs();
  }
  auto cast = value.getDefiningOp<CastOp>();
  if (!cast || !elementTypeOf(cast.getInput()).isInteger(8))
    return std::nullopt;
  widened.numbers = cast.getInput();
  return widened;
}

/// The weight as i8 and its zero point per output, or nullopt.
static std::optional<std::vector<int64_t>> zeroPointsOf(const Widened &weight, int64_t outputs) {
  if (!weight.zeroPoint)
    return std::vector<int64_t>(outputs, 0);
  std::optional<reference::Tensor> tensor = evaluateConstant(weight.zeroPoint);
  if (!tensor || (tensor->numElements() != 1 &&
                  (tensor->numElements() != outputs || tensor->shape().back() != outputs)))
    return std::nullopt;
  std::vector<int64_t> result(outputs);
  for (int64_t n = 0; n < outputs; ++n)
    result[n] = tensor->getInt(tensor->numElements() == 1 ? 0 : n);
  return result;
}

namespace {

/// With u = ui8 numbers of a, s = i8 numbers of w and their zero points,
///   sum (u - zu)(s - zs) = sum u s - zu * sum (s - zs) - zs * sum u
/// and the second sum is constant.
struct IntegerMatmul : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    Type i32 = rewriter.getI32Type();
    if (elementTypeOf(op.getResult()) != i32)
      return rewriter.notifyMatchFailure(op, "not a product in i32");
    std::optional<Widened> input = matchWidened(op.getLhs()), weight = matchWidened(op.getRhs());
    auto constant = weight ? weight->numbers.getDefiningOp<ConstantOp>() : ConstantOp();
    auto type = constant ? cast<RankedTensorType>(constant.getType()) : RankedTensorType();
    if (!input || !constant || type.getRank() != 2)
      return rewriter.notifyMatchFailure(op, "no 8-bit numbers times an 8-bit constant matrix");
    int64_t inputs = type.getDimSize(0), outputs = type.getDimSize(1);
    std::optional<std::vector<int64_t>> zeroPoints = zeroPointsOf(*weight, outputs);
    std::optional<IntegerData> data = IntegerData::get(constant.getValue());
    if (!zeroPoints || !data)
      return rewriter.notifyMatchFailure(op, "zero points that are not of outputs");

    Location loc = fuseLocations(op, {op.getLhs(), op.getRhs()});
    int64_t shift = data->isSigned() ? 0 : 128;
    if (shift) {
      constant = makeHeapConstant(rewriter, constant.getLoc(),
                                  RankedTensorType::get(type.getShape(), rewriter.getI8Type()),
                                  [&](MutableArrayRef<char> bytes) {
                                    for (auto [i, byte] : llvm::enumerate(bytes))
                                      byte = char(data->at(i) - shift);
                                  });
    }
    std::vector<int32_t> sums(outputs), zeros(outputs);
    bool hasZeroPoints = false;
    for (int64_t k = 0; k < inputs; ++k)
      for (int64_t n = 0; n < outputs; ++n)
        sums[n] += int32_t(data->at(k * outputs + n) - (*zeroPoints)[n]);
    for (int64_t n = 0; n < outputs; ++n) {
      zeros[n] = int32_t((*zeroPoints)[n] - shift);
      hasZeroPoints |= zeros[n] != 0;
    }
    auto vector = [&](ArrayRef<int32_t> values) -> Value {
      return ConstantOp::create(
          rewriter, loc, DenseElementsAttr::get(RankedTensorType::get({outputs}, i32), values));
    };
    auto binary = [&](BinaryKind kind, Value a, Value b) -> Value {
      Dims dims = *broadcastDims(getDims(a), getDims(b));
      return BinaryOp::create(rewriter, loc, makeTensorType(dims, i32), kind, a, b);
    };

    // Signed numbers move up by 128 with their zero point.
    Value numbers = input->numbers, zeroPoint = input->zeroPoint;
    Type ui8 = rewriter.getIntegerType(8, /*isSigned=*/false);
    if (elementTypeOf(numbers) != ui8) {
      Value half = ConstantOp::create(
          rewriter, loc, DenseElementsAttr::get(RankedTensorType::get({}, i32), int32_t(128)));
      Dims dims = getDims(numbers);
      Value wide = CastOp::create(rewriter, loc, makeTensorType(dims, i32), numbers);
      numbers = CastOp::create(rewriter, loc, makeTensorType(dims, ui8),
                               binary(BinaryKind::add, wide, half));
      zeroPoint = zeroPoint ? binary(BinaryKind::add, zeroPoint, half) : half;
    }
    Value product =
        LinearOp::create(rewriter, loc, op.getType(), numbers, constant,
                         /*scales=*/Value(), /*zero_points=*/Value(), /*bias=*/Value(), UnitAttr(),
                         IntegerAttr(), IntegerAttr(), IntegerAttr(), BoolAttr(),
                         ActivationsAttr::get(getContext(), Activations::f32));
    if (zeroPoint)
      product = binary(BinaryKind::sub, product, binary(BinaryKind::mul, zeroPoint, vector(sums)));
    if (hasZeroPoints) {
      Dims dims = getDims(numbers);
      Value wide = CastOp::create(rewriter, loc, makeTensorType(dims, i32), numbers);
      int64_t last = int64_t(dims.size()) - 1;
      dims.back() = 1;
      Value sum = ReduceOp::create(rewriter, loc, makeTensorType(dims, i32), ReduceKind::sum, wide,
                                   ArrayRef<int64_t>{last}, /*keepdims=*/true);
      product = binary(BinaryKind::sub, product, binary(BinaryKind::mul, sum, vector(zeros)));
    }
    rewriter.replaceOp(op, product);
    return success();
  }
};

/// Zero points of floats: packed where they are whole numbers of the weight's bits;
/// otherwise the matrix is spelt out.
struct FloatZeroPoints : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LinearOp op, PatternRewriter &rewriter) const override {
    if (!op.getBits() || !op.getZeroPoints() || !isa<FloatType>(elementTypeOf(op.getZeroPoints())))
      return rewriter.notifyMatchFailure(op, "no zero points of floats");
    std::optional<reference::Tensor> zeros = evaluateConstant(op.getZeroPoints());
    auto weightType = cast<RankedTensorType>(op.getWeight().getType());
    if (!zeros || !weightType.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "the zero points are no constant");
    int64_t outputs = weightType.getDimSize(0), groups = weightType.getDimSize(1);
    int64_t bits = *op.getBits(), rowBytes = (groups * bits + 7) / 8;
    if (zeros->numElements() != outputs * groups)
      return rewriter.notifyMatchFailure(op, "not a zero point per group");
    Type ui8 = rewriter.getIntegerType(8, /*isSigned=*/false);
    std::vector<char> packed(outputs * rowBytes);
    bool isWhole = true;
    for (int64_t i = 0; i < outputs * groups && isWhole; ++i) {
      double zero = zeros->getFloat(i);
      isWhole = zero >= 0 && zero < double(1 << bits) && zero == double(int(zero));
      int64_t bit = i % groups * bits;
      if (isWhole)
        packed[i / groups * rowBytes + bit / 8] |= char(int(zero) << (bit % 8));
    }
    if (isWhole) {
      Value bytes = makeHeapConstant(
          rewriter, op.getZeroPoints().getLoc(), RankedTensorType::get({outputs, rowBytes}, ui8),
          [&](MutableArrayRef<char> data) { memcpy(data.data(), packed.data(), data.size()); });
      rewriter.modifyOpInPlace(op, [&] { op.getZeroPointsMutable().assign(bytes); });
      return success();
    }

    Location loc = op.getLoc();
    auto reshaped = [&](Value value, ArrayRef<int64_t> shape) -> Value {
      auto type = RankedTensorType::get(shape, elementTypeOf(value));
      return value.getType() == type ? value : ReshapeOp::create(rewriter, loc, type, value);
    };
    int64_t columns = *op.getColumns();
    Type element = elementTypeOf(op.getScales());
    Value ids =
        IotaOp::create(rewriter, loc, RankedTensorType::get({outputs}, rewriter.getI64Type()), "0",
                       "1", uint64_t(0));
    Value matrix =
        EmbeddingOp::create(rewriter, loc, RankedTensorType::get({outputs, columns}, element),
                            reshaped(op.getWeight(), {outputs, groups * weightType.getDimSize(2)}),
                            ids, reshaped(op.getScales(), {outputs, groups}),
                            reshaped(op.getZeroPoints(), {outputs, groups}), op.getBitsAttr(),
                            op.getGroupSizeAttr(), op.getColumnsAttr(), /*packed=*/BoolAttr());
    Value transposed =
        TransposeOp::create(rewriter, loc, RankedTensorType::get({columns, outputs}, element),
                            matrix, ArrayRef<int64_t>{1, 0});
    Value product = MatmulOp::create(rewriter, loc, op.getType(), op.getInput(), transposed);
    if (op.getBias())
      product =
          BinaryOp::create(rewriter, loc, op.getType(), BinaryKind::add, product, op.getBias());
    rewriter.replaceOp(op, product);
    return success();
  }
};

struct RecognizeQuantizedLinear
    : llmc::impl::RecognizeQuantizedLinearBase<RecognizeQuantizedLinear> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DequantizedMatmul, IntegerMatmul, FloatZeroPoints>(&getContext());
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
