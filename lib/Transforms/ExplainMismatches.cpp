//===- ExplainMismatches.cpp - why a pattern was not recognised
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "AttentionPattern.h"
#include "DenseExperts.h"
#include "ExpertSums.h"
#include "Matchers.h"
#include "RecurrencePattern.h"
#include "llmc/Analysis/ModelStructure.h"
#include "llmc/Transforms/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace llmc {
#define GEN_PASS_DEF_EXPLAINMISMATCHES
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

/// The first user of `value`, through at most `depth` operations for which `passes`
/// holds, that `accepts` takes.
static Operation *findUser(Value value, int depth, llvm::function_ref<bool(Operation *)> accepts,
                           llvm::function_ref<bool(Operation *)> passes) {
  for (Operation *user : value.getUsers()) {
    if (accepts(user))
      return user;
    if (depth > 0 && user->getNumResults() == 1 && passes(user))
      if (Operation *found = findUser(user->getResult(0), depth - 1, accepts, passes))
        return found;
  }
  return nullptr;
}

/// Whether a product of activations may be among what `scores` were made of by arithmetic
/// and movement. Without one they are a gate, or the kernel of a convolution.
static bool mayComeFromProduct(Value scores) {
  constexpr size_t kMaxValues = 200;
  llvm::SetVector<Value> values;
  values.insert(scores);
  for (size_t i = 0; i < std::min(values.size(), kMaxValues); ++i) {
    Operation *op = values[i].getDefiningOp();
    if (!op ? isa<FloatType>(elementTypeOf(values[i])) : isa<MatmulOp>(op))
      return true;
    if (isa_and_nonnull<BinaryOp, UnaryOp, SelectOp, CastOp, ReshapeOp, TransposeOp, SliceOp,
                        ConcatOp, BroadcastOp, GatherOp, GatherNDOp, GatherElementsOp, ReduceOp,
                        ScatterNDOp, ScatterElementsOp>(op))
      for (Value operand : op->getOperands())
        if (isa<RankedTensorType>(operand.getType()))
          values.insert(operand);
  }
  return false;
}

/// softmax(..) v that did not become attention.
static std::string explainSoftmax(SoftmaxOp softmax) {
  if (!mayComeFromProduct(softmax.getInput()))
    return "";
  Operation *product =
      findUser(softmax.getResult(), 6, llvm::IsaPred<MatmulOp>,
               llvm::IsaPred<CastOp, SliceOp, ReshapeOp, SelectOp, TransposeOp, BroadcastOp>);
  if (!product) {
    // A router's softmax weighs no values.
    Operation *distant = findUser(softmax.getResult(), 12, llvm::IsaPred<MatmulOp>,
                                  llvm::IsaPred<CastOp, ReshapeOp, BinaryOp, UnaryOp, SelectOp>);
    if (!distant || getDims(softmax.getResult()).size() != 4)
      return "";
    auto isArithmetic = llvm::IsaPred<BinaryOp>;
    Operation *between =
        findUser(softmax.getResult(), 3, isArithmetic, llvm::IsaPred<CastOp, ReshapeOp, SelectOp>);
    return between == nullptr ? ""
                              : "attention: the probabilities pass through arithmetic before they "
                                "weigh the values";
  }
  std::string reason;
  if (matchAttention(cast<MatmulOp>(product), reason))
    reason = "it matches now; recognition ran before a later pass made it match";
  return "attention: " + reason;
}

/// Whether all that is done with `size` is to take the larger of it and a number.
static bool isBoundedBelow(Value size) {
  return !size.use_empty() && llvm::all_of(size.getUsers(), [](Operation *user) {
    auto larger = dyn_cast<BinaryOp>(user);
    return larger && larger.getKind() == BinaryKind::max &&
           (matchSplat(larger.getLhs()) || matchSplat(larger.getRhs()));
  });
}

/// Whether something computed is multiplied with `root`, or divided by it.
static bool scalesSomething(Value root) {
  auto isProduct = [](Operation *op) {
    auto binary = dyn_cast<BinaryOp>(op);
    return binary && (binary.getKind() == BinaryKind::mul || binary.getKind() == BinaryKind::div);
  };
  auto isOfConstant = [&](Operation *op) {
    return isProduct(op) && llvm::any_of(op->getOperands(), isConstant);
  };
  return findUser(
      root, 4, [&](Operation *op) { return isProduct(op) && !isOfConstant(op); },
      [&](Operation *op) { return isOfConstant(op) || isa<CastOp, UnaryOp>(op); });
}

/// x / sqrt(mean(x^2) + epsilon) and (x - mean(x)) / .. that did not become a norm.
static std::string explainMean(ReduceOp reduce) {
  bool isSquare = false;
  if (Operation *producer = reduce.getInput().getDefiningOp()) {
    auto binary = dyn_cast<BinaryOp>(producer);
    isSquare =
        binary && ((binary.getKind() == BinaryKind::mul && binary.getLhs() == binary.getRhs()) ||
                   (binary.getKind() == BinaryKind::pow && isSplatOf(binary.getRhs(), 2)));
  }
  bool isMean = reduce.getKind() == ReduceKind::mean || reduce.getKind() == ReduceKind::sum;
  auto isRoot = [](Operation *op) {
    auto unary = dyn_cast<UnaryOp>(op);
    return unary && (unary.getKind() == UnaryKind::sqrt || unary.getKind() == UnaryKind::rsqrt);
  };
  Operation *root = findUser(reduce.getResult(), 3, isRoot, llvm::IsaPred<BinaryOp, CastOp>);
  if (!isMean || !isSquare || !root)
    return "";
  // Norms of groups, of instances over time and of weights have several dimensions, or one
  // that is not constant; a norm that a constant bounds from below is a division by a length;
  // a deviation that is added is a bound.
  Dims dims = getDims(reduce.getInput());
  if (reduce.getAxes().size() != 1 || !dims[reduce.getAxes()[0]].constant() ||
      isBoundedBelow(reduce.getResult()) || isBoundedBelow(root->getResult(0)) ||
      !scalesSomething(root->getResult(0)))
    return "";
  if (reduce.getAxes()[0] + 1 != int64_t(dims.size()))
    return "rms_norm: the mean is over dimension " + std::to_string(reduce.getAxes()[0]) + " of " +
           formatDims(dims) + ", not the last";
  if (!reduce.getKeepdims())
    return "rms_norm: the mean drops its dimension";
  Operation *first = *reduce->user_begin();
  if (!isRoot(first) && !isa<BinaryOp>(first))
    return "rms_norm: " + first->getName().getStringRef().str() + " stands before the root";
  return "rms_norm: the root does not scale what was squared";
}

/// A negated part before another part, which did not become a rotary embedding.
static std::string explainNegation(UnaryOp neg) {
  if (neg.getKind() != UnaryKind::neg || !neg.getInput().getDefiningOp<SliceOp>())
    return "";
  Operation *joined =
      findUser(neg.getResult(), 1, llvm::IsaPred<ConcatOp>, llvm::IsaPred<ReshapeOp>);
  if (!joined)
    return "";
  Value turned = joined->getResult(0);
  auto isProduct = [](Operation *op) {
    auto binary = dyn_cast<BinaryOp>(op);
    return binary && binary.getKind() == BinaryKind::mul;
  };
  Operation *product = findUser(turned, 2, isProduct, llvm::IsaPred<ReshapeOp, CastOp>);
  if (!product)
    return "rotary: the turned halves are not multiplied by a table";
  auto isSum = [](Operation *op) {
    auto binary = dyn_cast<BinaryOp>(op);
    return binary && binary.getKind() == BinaryKind::add;
  };
  if (!findUser(product->getResult(0), 1, isSum, llvm::IsaPred<CastOp>))
    return "rotary: x * cos is not added to the turned halves times sin";
  if (getDims(product->getResult(0)).size() != 4)
    return "rotary: the input has " + std::to_string(getDims(product->getResult(0)).size()) +
           " dimensions, not 4";
  return "rotary: the tables are not provably two equal halves or pairs, one row per position";
}

/// A product with matrices that ids choose, which did not become expert_linear.
static std::string explainGathered(MatmulOp matmul) {
  for (bool isLeft : {false, true}) {
    Value matrices = isLeft ? matmul.getLhs() : matmul.getRhs();
    Value rows = isLeft ? matmul.getRhs() : matmul.getLhs();
    while (Operation *op = matrices.getDefiningOp()) {
      if (!isa<CastOp, TransposeOp, ReshapeOp>(op))
        break;
      matrices = op->getOperand(0);
    }
    auto gather = matrices.getDefiningOp<GatherOp>();
    if (!gather || getDims(gather.getInput()).size() != 3)
      continue;
    if (!isConstant(gather.getInput()))
      return "expert_linear: the gathered matrices are computed when the model runs";
    return "expert_linear: not one row per chosen matrix, but " + formatDims(getDims(rows)) +
           " for " + formatDims(getDims(gather.getIndices()));
  }
  return "";
}

static std::string explainMatmul(MatmulOp matmul) {
  if (std::string reason = explainGathered(matmul); !reason.empty())
    return reason;
  Value weight = matmul.getRhs();
  while (Operation *op = weight.getDefiningOp()) {
    if (!isa<CastOp, TransposeOp, ReshapeOp>(op))
      break;
    weight = op->getOperand(0);
  }
  if (!weight.getDefiningOp<ConstantOp>() || getDims(matmul.getRhs()).size() != 2)
    return "";
  if (weight != matmul.getRhs() && isa<CastOp>(matmul.getRhs().getDefiningOp()))
    return "linear: the weight is converted from " + [&] {
      std::string text;
      llvm::raw_string_ostream(text) << elementTypeOf(weight);
      return text;
    }() + " when the model runs";
  return "linear: the constant matrix is neither as it is nor transposed";
}

namespace {
struct ExplainMismatches : llmc::impl::ExplainMismatchesBase<ExplainMismatches> {
  void runOnOperation() override {
    auto mark = [&](Operation *op, llvm::StringRef text) {
      op->setAttr(kMismatchAttr, StringAttr::get(&getContext(), text));
    };
    if (getOperation().isDeclaration())
      return;
    explainRecurrences(getOperation(), [&](Operation *op, StringRef reason) {
      mark(op, ("linear_attention: " + reason).str());
    });
    explainExpertSums(getOperation(), [&](Operation *op, StringRef reason) {
      mark(op, ("expert_linear: " + reason).str());
    });
    explainDenseExperts(getOperation(), [&](Operation *op, StringRef reason) {
      mark(op, ("expert_linear: " + reason).str());
    });
    getOperation().walk([&](Operation *op) {
      std::string text;
      if (auto softmax = dyn_cast<SoftmaxOp>(op))
        text = explainSoftmax(softmax);
      else if (auto reduce = dyn_cast<ReduceOp>(op))
        text = explainMean(reduce);
      else if (auto unary = dyn_cast<UnaryOp>(op))
        text = explainNegation(unary);
      else if (auto matmul = dyn_cast<MatmulOp>(op))
        text = explainMatmul(matmul);
      if (!text.empty())
        mark(op, text);
    });
  }
};
} // namespace
