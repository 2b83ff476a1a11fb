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
// and parameters of grouped weights get the form that kernels take.
//
// A matrix that has to change its layout is copied to the heap; its pages in the
// model file are not needed again.
//
//===----------------------------------------------------------------------===//
#include "DequantizedMatrix.h"
#include "ExpertMatrices.h"
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
    if (!matrix || matrix->count)
      return rewriter.notifyMatchFailure(op, "the right operand is no dequantised constant");
    std::optional<GroupedWeight> weight =
        layOut(rewriter, *matrix, /*transposed=*/transpose != nullptr);
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

} // namespace

//===----------------------------------------------------------------------===//
// Parameters of grouped weights
//===----------------------------------------------------------------------===//

/// `zeros` as rows of `groups` packed numbers, `[outer.., row bytes]` of ui8; null where one is
/// no number of the weight's bits.
static Value packZeroPoints(OpBuilder &builder, Location loc, const std::vector<double> &zeros,
                            ArrayRef<int64_t> outer, int64_t groups, int64_t bits) {
  int64_t rowBytes = (groups * bits + 7) / 8;
  for (double zero : zeros)
    if (!(zero >= 0 && zero < double(1 << bits) && zero == double(int(zero))))
      return {};
  SmallVector<int64_t> shape(outer);
  shape.push_back(rowBytes);
  auto type = RankedTensorType::get(shape, builder.getIntegerType(8, /*isSigned=*/false));
  return makeHeapConstant(builder, loc, type, [&](MutableArrayRef<char> bytes) {
    for (auto [i, zero] : llvm::enumerate(zeros)) {
      int64_t row = int64_t(i) / groups, bit = int64_t(i) % groups * bits;
      bytes[row * rowBytes + bit / 8] |= char(int(zero) << (bit % 8));
    }
  });
}

namespace {

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
    if (zeros->numElements() != outputs * groups)
      return rewriter.notifyMatchFailure(op, "not a zero point per group");
    std::vector<double> numbers(outputs * groups);
    for (auto [i, number] : llvm::enumerate(numbers))
      number = zeros->getFloat(i);
    if (Value packed = packZeroPoints(rewriter, op.getZeroPoints().getLoc(), numbers, {outputs},
                                      groups, *op.getBits())) {
      rewriter.modifyOpInPlace(op, [&] { op.getZeroPointsMutable().assign(packed); });
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

/// Experts' weights in groups of other sizes than kernels take, as a scale per output makes
/// them: smaller groups with equal parameters, the last perhaps not full.
struct RegroupExperts : OpRewritePattern<ExpertLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ExpertLinearOp op, PatternRewriter &rewriter) const override {
    if (!op.getBits())
      return rewriter.notifyMatchFailure(op, "no weights of few bits");
    const int64_t given = *op.getGroupSize(), bits = *op.getBits(), columns = *op.getColumns();
    Value zeroPoints = op.getZeroPoints();
    bool isTaken = given <= 256 && given > 0 && kernelGroupSize(given) == given;
    if (isTaken && !(zeroPoints && isa<FloatType>(elementTypeOf(zeroPoints))))
      return rewriter.notifyMatchFailure(op, "kernels take these groups");
    auto type = cast<RankedTensorType>(op.getWeight().getType());
    std::optional<reference::Tensor> scales = evaluateConstant(op.getScales()), zeros;
    if (!type.hasStaticShape() || given <= 0 || !scales ||
        (zeroPoints && !(zeros = evaluateConstant(zeroPoints))))
      return rewriter.notifyMatchFailure(op, "the parameters are no constants");
    const int64_t experts = type.getDimSize(0), outputs = type.getDimSize(1),
                  oldGroups = type.getDimSize(2), rows = experts * outputs;
    int64_t size = kernelGroupSize(given);
    if (!size && oldGroups == 1 && columns <= given)
      size = 32;
    if (!size || scales->numElements() != rows * oldGroups || given * bits % 8 != 0 ||
        type.getDimSize(3) != given * bits / 8 || columns > oldGroups * given)
      return rewriter.notifyMatchFailure(op, "groups that cannot be divided");
    const int64_t groups = (oldGroups * given + size - 1) / size;
    const int64_t zeroRowBytes = (oldGroups * bits + 7) / 8;
    if (zeros && zeros->numElements() != rows * (zeros->isFloat() ? oldGroups : zeroRowBytes))
      return rewriter.notifyMatchFailure(op, "the zero points do not fit");

    auto oldGroup = [&](int64_t group) { return group * size / given; };
    auto zeroOf = [&](int64_t row, int64_t group) -> double {
      if (zeros->isFloat())
        return zeros->getFloat(row * oldGroups + group);
      int64_t bit = group * bits;
      return double(zeros->getInt(row * zeroRowBytes + bit / 8) >> (bit % 8) & ((1 << bits) - 1));
    };
    Value newZeros;
    if (zeros) {
      std::vector<double> numbers(rows * groups);
      for (int64_t i = 0; i < rows * groups; ++i)
        numbers[i] = zeroOf(i / groups, oldGroup(i % groups));
      newZeros =
          packZeroPoints(rewriter, zeroPoints.getLoc(), numbers, {experts, outputs}, groups, bits);
      if (!newZeros)
        return rewriter.notifyMatchFailure(op, "a zero point that the bits do not hold");
    }
    Value weight = regroup(rewriter, op.getWeight(), {experts, outputs, groups, size * bits / 8},
                           type.getDimSize(3));
    if (!weight)
      return rewriter.notifyMatchFailure(op, "the weight is no constant");
    auto scaleType = RankedTensorType::get({experts, outputs, groups}, rewriter.getF32Type());
    Value newScales = makeHeapConstant(
        rewriter, op.getScales().getLoc(), scaleType, [&](MutableArrayRef<char> bytes) {
          for (int64_t i = 0; i < rows * groups; ++i) {
            float scale = float(scales->getFloat(i / groups * oldGroups + oldGroup(i % groups)));
            memcpy(bytes.data() + i * sizeof(float), &scale, sizeof(float));
          }
        });
    rewriter.replaceOpWithNewOp<ExpertLinearOp>(
        op, op.getType(), op.getInput(), op.getIds(), weight, newScales, newZeros, op.getBias(),
        UnitAttr(), op.getBitsAttr(), rewriter.getI64IntegerAttr(size), op.getColumnsAttr());
    return success();
  }

private:
  /// The constant's rows in a shape of as many or more bytes each; null for others.
  static Value regroup(PatternRewriter &rewriter, Value weight, ArrayRef<int64_t> shape,
                       int64_t groupBytes) {
    auto old = cast<RankedTensorType>(weight.getType());
    int64_t rowBytes = old.getDimSize(2) * groupBytes, newRowBytes = shape[2] * shape[3];
    if (rowBytes == newRowBytes)
      return reshapeConstant(rewriter, weight, SmallVector<DimExpr>(shape.begin(), shape.end()));
    auto constant = weight.getDefiningOp<ConstantOp>();
    std::optional<IntegerData> data =
        constant ? IntegerData::get(constant.getValue()) : std::nullopt;
    if (!data || data->bits() != 8)
      return {};
    return makeHeapConstant(rewriter, weight.getLoc(),
                            RankedTensorType::get(shape, old.getElementType()),
                            [&](MutableArrayRef<char> bytes) {
                              for (int64_t row = 0; row < shape[0] * shape[1]; ++row)
                                for (int64_t i = 0; i < rowBytes; ++i)
                                  bytes[row * newRowBytes + i] = char(data->at(row * rowBytes + i));
                            });
  }
};

struct RecognizeQuantizedLinear
    : llmc::impl::RecognizeQuantizedLinearBase<RecognizeQuantizedLinear> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DequantizedMatmul, IntegerMatmul, FloatZeroPoints, RegroupExperts>(&getContext());
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
