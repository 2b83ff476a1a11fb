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
#include "DequantizedMatrix.h"
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
