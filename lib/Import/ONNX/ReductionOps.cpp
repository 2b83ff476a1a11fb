//===- ReductionOps.cpp - reductions and softmax
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "RuntimeAxes.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;
using llm::ReduceKind;

/// The input reduced over axes, none for its elementwise part alone; they stay with
/// size 1 where `keepdims`.
using Reduction = llvm::function_ref<Value(ArrayRef<int64_t> axes, bool keepdims)>;

/// The sets of axes that turn the shape of `x` into the declared one. Dimensions of
/// size 1 are left out: to reduce them or not is the same.
static SmallVector<SmallVector<int64_t>> fittingAxes(Node &n, ArrayRef<DimExpr> from,
                                                     ArrayRef<DimExpr> to, bool keepdims) {
  constexpr size_t kMaxDims = 10;
  SmallVector<int64_t> wide;
  for (auto [i, dim] : llvm::enumerate(from))
    if (!dim.isConstant(1))
      wide.push_back(int64_t(i));
  if (wide.size() > kMaxDims)
    n.fail("not supported: axes that are computed at run time for rank " + Twine(from.size()));
  SmallVector<SmallVector<int64_t>> result;
  for (uint64_t set = 0; !n.failed() && set < (uint64_t(1) << wide.size()); ++set) {
    Dims reduced(from), kept, expected;
    SmallVector<int64_t> axes;
    for (auto [bit, axis] : llvm::enumerate(wide))
      if (set >> bit & 1) {
        axes.push_back(axis);
        reduced[axis] = 1;
      }
    auto isWide = [](const DimExpr &dim) { return !dim.isConstant(1); };
    auto compare = [](const DimExpr &a, const DimExpr &b) { return DimExpr::equal(a, b) != false; };
    if (keepdims) {
      kept = reduced;
      expected.assign(to.begin(), to.end());
    } else {
      llvm::copy_if(reduced, std::back_inserter(kept), isWide);
      llvm::copy_if(to, std::back_inserter(expected), isWide);
    }
    if (llvm::equal(kept, expected, compare))
      result.push_back(axes);
  }
  return result;
}

/// Reduces by axes that are computed at run time: those that the declared shape of the
/// output allows, and where there are several, the one that the operand names.
static Value reduceAtRuntimeAxes(Node &n, Reduction reduce, bool keepdims) {
  Dims from = n.dims(n.input(0)), to = n.declaredShape(0, "axes");
  SmallVector<SmallVector<int64_t>> sets =
      n.failed() ? SmallVector<SmallVector<int64_t>>() : fittingAxes(n, from, to, keepdims);
  if (!n.failed() && sets.empty())
    n.fail("no axes turn " + llm::formatDims(from) + " into the declared " + llm::formatDims(to));
  Value result;
  for (auto [i, axes] : llvm::enumerate(sets)) {
    Value reduced = n.reshape(reduce(axes, true), to);
    if (i == 0) {
      result = reduced;
      continue;
    }
    Value chosen = n.scalar(1, n.builder.getI1Type());
    for (auto [axis, dim] : llvm::enumerate(from)) {
      if (dim.isConstant(1))
        continue;
      Value named = namesAxis(n, n.input(1), int64_t(axis), from.size());
      if (!llvm::is_contained(axes, int64_t(axis)))
        named = n.unary(UnaryKind::logical_not, named);
      chosen = n.binary(BinaryKind::logical_and, chosen, named);
    }
    result = n.select(chosen, reduced, result);
  }
  return result;
}

static Value withoutAxes(Node &n, Value reduced, ArrayRef<int64_t> axes) {
  Dims shape;
  for (auto [i, dim] : llvm::enumerate(n.dims(reduced)))
    if (!llvm::is_contained(axes, int64_t(i)))
      shape.push_back(dim);
  return n.reshape(reduced, shape);
}

/// A node's reduction over the axes of its attribute or operand.
static void reduceBy(Node &n, Reduction reduce) {
  int64_t rank = n.rank(n.input(0));
  bool keepdims = n.intAttr("keepdims", 1) != 0;
  if (n.input(1) && !n.known(n.input(1)))
    return n.setOutput(reduceAtRuntimeAxes(n, reduce, keepdims));
  SmallVector<int64_t> axes = n.input(1) ? n.constantInts(1, "axes") : n.intsAttr("axes");
  for (int64_t &axis : axes)
    axis = n.axis(axis, rank);
  llvm::sort(axes);
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    n.fail("an axis is given twice");
  if (axes.empty() && n.intAttr("noop_with_empty_axes", 0) == 0)
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  n.setOutput(n.failed() ? Value() : reduce(axes, keepdims));
}

static Value reduced(Node &n, ReduceKind kind, Value x, ArrayRef<int64_t> axes, bool keepdims) {
  return axes.empty() ? x : n.reduce(kind, x, axes, keepdims);
}

template <ReduceKind kind> static void reduceOp(Node &n) {
  reduceBy(n, [&](ArrayRef<int64_t> axes, bool keepdims) {
    return reduced(n, kind, n.input(0), axes, keepdims);
  });
}

/// Of booleans, since opset 20: in bytes, whose least value is false and greatest true.
template <ReduceKind kind> static void reduceExtremeOp(Node &n) {
  Type type = n.elementTypeOf(n.input(0));
  if (!type.isInteger(1))
    return reduceOp<kind>(n);
  Value x = n.cast(n.input(0), n.builder.getIntegerType(8, /*isSigned=*/false));
  reduceBy(n, [&](ArrayRef<int64_t> axes, bool keepdims) {
    return n.cast(reduced(n, kind, x, axes, keepdims), type);
  });
}

static Value sumOfSquares(Node &n, Value x, ArrayRef<int64_t> axes, bool keepdims) {
  return reduced(n, ReduceKind::sum, n.binary(BinaryKind::mul, x, x), axes, keepdims);
}

static void reduceSumSquareOp(Node &n) {
  reduceBy(n, [&](ArrayRef<int64_t> axes, bool keepdims) {
    return sumOfSquares(n, n.input(0), axes, keepdims);
  });
}

static void reduceL1Op(Node &n) {
  reduceBy(n, [&](ArrayRef<int64_t> axes, bool keepdims) {
    return reduced(n, ReduceKind::sum, n.unary(UnaryKind::abs, n.input(0)), axes, keepdims);
  });
}

static void reduceL2Op(Node &n) {
  reduceBy(n, [&](ArrayRef<int64_t> axes, bool keepdims) {
    return n.unary(UnaryKind::sqrt, sumOfSquares(n, n.input(0), axes, keepdims));
  });
}

static void reduceLogSumOp(Node &n) {
  reduceBy(n, [&](ArrayRef<int64_t> axes, bool keepdims) {
    return n.unary(UnaryKind::log, reduced(n, ReduceKind::sum, n.input(0), axes, keepdims));
  });
}

/// max + log(sum(exp(x - max))), with 0 for a maximum that is infinite.
static void reduceLogSumExpOp(Node &n) {
  reduceBy(n, [&](ArrayRef<int64_t> axes, bool keepdims) {
    Value x = n.input(0), max = reduced(n, ReduceKind::max, x, axes, true);
    max = n.select(n.unary(UnaryKind::is_inf, max), n.scalar(0, n.elementTypeOf(x)), max);
    Value terms = n.unary(UnaryKind::exp, n.binary(BinaryKind::sub, x, max));
    Value sum = reduced(n, ReduceKind::sum, terms, axes, true);
    Value result = n.binary(BinaryKind::add, n.unary(UnaryKind::log, sum), max);
    return keepdims ? result : withoutAxes(n, result, axes);
  });
}

/// Before opset 13 the axes from `axis` on are one: a softmax over a matrix.
static Value softmaxOf(Node &n) {
  Value x = n.input(0);
  Dims dims = n.dims(x);
  int64_t axis = n.axis(n.intAttr("axis", n.opset() < 13 ? 1 : -1), dims.size());
  int64_t last = int64_t(dims.size()) - 1;
  if (n.failed() || axis == last)
    return n.infer<llm::SoftmaxOp>(uint64_t(axis), x);
  if (n.opset() >= 13) { // the back end has it along the last dimension
    SmallVector<int64_t> swap = llvm::to_vector(llvm::seq<int64_t>(0, last + 1));
    std::swap(swap[axis], swap[last]);
    Value moved = n.infer<llm::SoftmaxOp>(uint64_t(last), n.transpose(x, swap));
    return n.transpose(moved, swap);
  }
  ArrayRef<DimExpr> all(dims);
  Value matrix =
      n.reshape(x, {llm::product(all.take_front(axis)), llm::product(all.drop_front(axis))});
  return n.reshape(n.infer<llm::SoftmaxOp>(uint64_t(1), matrix), dims);
}

static void softmaxOp(Node &n) { n.setOutput(softmaxOf(n)); }

/// x - max - log(sum(exp(x - max))), stable where log(softmax) is not.
static void logSoftmaxOp(Node &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x), first = n.axis(n.intAttr("axis", n.opset() < 13 ? 1 : -1), rank);
  SmallVector<int64_t> axes{first};
  for (int64_t i = first + 1; n.opset() < 13 && i < rank; ++i)
    axes.push_back(i);
  Value shifted = n.binary(BinaryKind::sub, x, n.reduce(ReduceKind::max, x, axes, true));
  Value sum = n.reduce(ReduceKind::sum, n.unary(UnaryKind::exp, shifted), axes, true);
  n.setOutput(n.binary(BinaryKind::sub, shifted, n.unary(UnaryKind::log, sum)));
}

/// CumSum and CumProd, whose axis may be computed at run time.
template <llm::CumulativeKind kind> static void cumulativeOp(Node &n) {
  Value x = n.input(0);
  bool exclusive = n.intAttr("exclusive", 0) != 0, reverse = n.intAttr("reverse", 0) != 0;
  n.setOutput(atRuntimeAxis(n, 1, n.rank(x), [&](int64_t axis) {
    return n.infer<llm::CumulativeOp>(kind, uint64_t(axis), x, exclusive, reverse);
  }));
}

void llmc::importer::addReductionOps(OpTable &t) {
  auto add = [&](StringRef name, int64_t inputSince, Handler handler) {
    t.add("", name, 1, {handler, 1, 1, 1, "axes keepdims"});
    t.add("", name, inputSince, {handler, 1, 2, 1, "keepdims noop_with_empty_axes"});
  };
  add("ReduceSum", 13, reduceOp<ReduceKind::sum>);
  add("ReduceMean", 18, reduceOp<ReduceKind::mean>);
  add("ReduceMax", 18, reduceExtremeOp<ReduceKind::max>);
  add("ReduceMin", 18, reduceExtremeOp<ReduceKind::min>);
  add("ReduceProd", 18, reduceOp<ReduceKind::prod>);
  add("ReduceSumSquare", 18, reduceSumSquareOp);
  add("ReduceL1", 18, reduceL1Op);
  add("ReduceL2", 18, reduceL2Op);
  add("ReduceLogSum", 18, reduceLogSumOp);
  add("ReduceLogSumExp", 18, reduceLogSumExpOp);
  t.add("", "Softmax", 1, {softmaxOp, 1, 1, 1, "axis"});
  t.add("", "CumSum", 11, {cumulativeOp<llm::CumulativeKind::sum>, 2, 2, 1, "exclusive reverse"});
  t.add("", "CumProd", 26, {cumulativeOp<llm::CumulativeKind::prod>, 2, 2, 1, "exclusive reverse"});
  t.add("", "LogSoftmax", 1, {logSoftmaxOp, 1, 1, 1, "axis"});
}
