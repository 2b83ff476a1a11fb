//===- ExplainMismatches.cpp - why a pattern was not recognised
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "AttentionPattern.h"
#include "ExpertSums.h"
#include "Matchers.h"
#include "RecurrencePattern.h"
#include "llmc/Analysis/ModelStructure.h"
#include "llmc/Transforms/Passes.h"

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

/// softmax(..) v that did not become attention.
static std::string explainSoftmax(SoftmaxOp softmax) {
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
  Dims dims = getDims(reduce.getInput());
  if (reduce.getAxes().size() != 1)
    return "rms_norm: the mean is over " + std::to_string(reduce.getAxes().size()) + " dimensions";
  if (reduce.getAxes()[0] + 1 != int64_t(dims.size()))
    return "rms_norm: the mean is over dimension " + std::to_string(reduce.getAxes()[0]) + " of " +
           formatDims(dims) + ", not the last";
  if (!reduce.getKeepdims())
    return "rms_norm: the mean drops its dimension";
  if (!dims.back().constant())
    return "rms_norm: the length " + dims.back().str() + " is not constant";
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

static std::string explainMatmul(MatmulOp matmul) {
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
