//===- ModelStructure.cpp - a recognised graph as layers
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/ModelStructure.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

bool LayerStructure::operator==(const LayerStructure &other) const {
  auto same = [](const StructureLine &a, const StructureLine &b) {
    return a.operation == b.operation && a.details == b.details && a.count == b.count;
  };
  return llvm::equal(lines, other.lines, same);
}

//===----------------------------------------------------------------------===//
// Operations as text
//===----------------------------------------------------------------------===//

static bool isNorm(Operation *op) { return isa<RMSNormOp, LayerNormOp>(op); }
static bool isProjection(Operation *op) {
  auto conv = dyn_cast<ConvOp>(op);
  if (!conv)
    return isa<LinearOp, ExpertLinearOp>(op);
  Dims weight = getDims(conv.getWeight());
  return llvm::all_of(ArrayRef(weight).drop_front(2),
                      [](const DimExpr &size) { return size.isConstant(1); });
}

/// Operations through which tokens see each other.
static bool isMixer(Operation *op) {
  if (auto loop = dyn_cast<LoopOp>(op)) // a recurrent layer, rather than some count
    return loop.getBody()
        .walk([](Operation *inside) {
          return isProjection(inside) ? WalkResult::interrupt() : WalkResult::advance();
        })
        .wasInterrupted();
  return isa<AttentionOp, LinearAttentionOp, CausalConvOp>(op);
}

static bool isActivation(Operation *op) {
  auto unary = dyn_cast<UnaryOp>(op);
  if (!unary)
    return false;
  switch (unary.getKind()) {
  case UnaryKind::silu:
  case UnaryKind::gelu_erf:
  case UnaryKind::gelu_tanh:
  case UnaryKind::relu:
  case UnaryKind::sigmoid:
  case UnaryKind::tanh:
  case UnaryKind::softplus:
    return true;
  default:
    return false;
  }
}

/// Operations that models are described with; the others are arithmetic and movement.
static bool isModelOp(Operation *op) {
  return isNorm(op) || isProjection(op) || isMixer(op) || isActivation(op) ||
         isa<EmbeddingOp, RotaryOp, SoftmaxOp, MatmulOp, ConvOp, TopKIndicesOp>(op);
}

static std::string nameOf(Operation *op) {
  if (auto unary = dyn_cast<UnaryOp>(op))
    return stringifyUnaryKind(unary.getKind()).str();
  return op->getName().stripDialect().str();
}

static std::string elementText(Type type) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << cast<RankedTensorType>(type).getElementType();
  return text;
}

template <typename Op> static std::string weightFormat(Op linear) {
  if (!linear.getBits())
    return elementText(linear.getWeight().getType());
  return llvm::formatv("int{0} in groups of {1}", *linear.getBits(), *linear.getGroupSize()).str();
}

static std::string describe(AttentionOp op) {
  Dims query = getDims(op.getQuery());
  auto heads = [](Value value) {
    if (auto state = dyn_cast<StateType>(value.getType()))
      return getDims(state.getToken())[0];
    return getDims(value)[1];
  };
  std::string text = llvm::formatv("{0} heads over {1}, head size {2}", query[1].str(),
                                   heads(op.getKey()).str(), query[3].str());
  if (getDims(op.getResult())[3] != query[3])
    text += ", values of " + getDims(op.getResult())[3].str();
  if (op.getCausal())
    text += ", causal";
  if (op.getWindow())
    text += ", window " + std::to_string(op.getWindow());
  if (op.getSoftcap().convertToDouble() != 0)
    text += llvm::formatv(", softcap {0}", op.getSoftcap().convertToDouble()).str();
  if (op.getSinks())
    text += ", sinks";
  if (op.getSlopes())
    text += ", slopes";
  if (op.getBias())
    text += ", bias " + formatDims(getDims(op.getBias()));
  return text;
}

static std::string detailsOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::string>(op)
      .Case<LinearOp>([](LinearOp linear) {
        bool isPacked = linear.getBits().has_value();
        DimExpr columns = isPacked ? DimExpr(int64_t(*linear.getColumns()))
                                   : getDims(linear.getWeight())[linear.getTransposed() ? 1 : 0];
        return llvm::formatv("{0} -> {1}, {2}{3}", columns.str(),
                             getDims(linear.getResult()).back().str(), weightFormat(linear),
                             linear.getBias() ? ", bias" : "")
            .str();
      })
      .Case<ExpertLinearOp>([](ExpertLinearOp linear) {
        return llvm::formatv("{0} -> {1}, {2} of {3} experts, {4}{5}",
                             getDims(linear.getInput()).back().str(),
                             getDims(linear.getResult()).back().str(),
                             getDims(linear.getIds()).back().str(),
                             getDims(linear.getWeight())[0].str(), weightFormat(linear),
                             linear.getBias() ? ", bias" : "")
            .str();
      })
      .Case<EmbeddingOp>([](EmbeddingOp embedding) {
        return llvm::formatv("{0} rows of {1}, {2}", getDims(embedding.getTable())[0].str(),
                             getDims(embedding.getResult()).back().str(),
                             embedding.getBits()
                                 ? llvm::formatv("int{0}", *embedding.getBits()).str()
                                 : elementText(embedding.getTable().getType()))
            .str();
      })
      .Case<RMSNormOp, LayerNormOp>([](auto norm) {
        std::string text = getDims(norm.getWeight())[0].str() + ", epsilon ";
        llvm::raw_string_ostream(text) << llvm::format("%g", norm.getEpsilon().convertToDouble());
        return text;
      })
      .Case<RotaryOp>([](RotaryOp rotary) {
        return llvm::formatv("{0} of {1} channels{2}", (getDims(rotary.getCos())[2] * 2).str(),
                             getDims(rotary.getInput())[3].str(),
                             rotary.getInterleaved() ? ", interleaved" : "")
            .str();
      })
      .Case<AttentionOp>([](AttentionOp attention) { return describe(attention); })
      .Case<LinearAttentionOp>([](LinearAttentionOp attention) {
        Dims key = getDims(attention.getKey());
        StringRef decay = attention.getRates()   ? ", decay per element"
                          : attention.getDecay() ? ", decay"
                                                 : "";
        return llvm::formatv("{0} heads over {1}, matrices of {2} x {3}{4}{5}",
                             getDims(attention.getQuery())[1].str(), key[1].str(), key[3].str(),
                             getDims(attention.getValue())[3].str(), decay,
                             attention.getDelta() ? ", delta rule" : "")
            .str();
      })
      .Case<CausalConvOp>([](CausalConvOp conv) {
        Dims weight = getDims(conv.getWeight());
        return llvm::formatv("{0} channels, kernel {1}", weight[0].str(), weight[1].str()).str();
      })
      .Case<LoopOp>([](LoopOp loop) { return loop.getTrip().str() + " times"; })
      .Case<MatmulOp>([](MatmulOp matmul) {
        return formatDims(getDims(matmul.getLhs())) + " by " + formatDims(getDims(matmul.getRhs()));
      })
      .Default([](Operation *other) { return formatDims(getDims(other->getResult(0))); });
}

static std::string originOf(Operation *op) {
  Location loc = op->getLoc();
  std::string text;
  loc->walk([&](Location part) {
    if (auto name = dyn_cast<NameLoc>(part)) {
      text = name.getName().str();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return text.empty() ? "an unnamed node" : text;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// Looks through operations that keep the elements.
static Value skipMovement(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<ReshapeOp, TransposeOp, CastOp, QuantizeInputOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// A norm behind a projection, of queries or keys rather than of the residual stream.
static bool isPerHead(Operation *norm) {
  Value input = skipMovement(norm->getOperand(0));
  while (auto slice = input.getDefiningOp<SliceOp>())
    input = skipMovement(slice.getInput());
  Operation *producer = input.getDefiningOp();
  return producer && isProjection(producer);
}

namespace {

class LayerFinder {
public:
  explicit LayerFinder(func::FuncOp func) : block(func.front()) {}
  void run(ModelStructure &result);

private:
  /// Operations that feed `mixer`, back to the norm in front of its projections.
  void collectFeeding(Operation *mixer, int index);
  void collectLogits();
  void addTo(LayerStructure &layer, Operation *op);

  static constexpr int kBefore = -1, kAfter = -2;
  Block &block;
  SmallVector<Operation *> mixers;
  DenseMap<Operation *, int> feeds; ///< the mixer that an operation belongs to; kBefore: several
  DenseMap<Operation *, int> layerOf;
};

} // namespace

/// Looks through sums and products with constants.
static Value skipScaling(Value value) {
  while (auto binary = value.getDefiningOp<BinaryOp>()) {
    auto isConstant = [](Value operand) {
      return skipMovement(operand).getDefiningOp<ConstantOp>() != nullptr;
    };
    if (isConstant(binary.getRhs()))
      value = binary.getLhs();
    else if (isConstant(binary.getLhs()))
      value = binary.getRhs();
    else
      break;
  }
  return value;
}

/// A sum of two computed tensors of one type: where layers that normalise their results
/// rather than their inputs meet. Their norms may be a scale and a shift.
static bool isResidual(Value value) {
  auto sum = skipScaling(value).getDefiningOp<BinaryOp>();
  if (!sum || sum.getKind() != BinaryKind::add || sum.getLhs().getType() != sum.getRhs().getType())
    return false;
  return llvm::all_of(sum.getOperands(), [](Value operand) {
    Operation *op = operand.getDefiningOp();
    return op && !isa<ConstantOp>(op);
  });
}

void LayerFinder::collectFeeding(Operation *mixer, int index) {
  SmallVector<Operation *> pending;
  DenseSet<Operation *> seen;
  auto push = [&](Value value) {
    Operation *op = value.getDefiningOp();
    if (op && !isMixer(op) && seen.insert(op).second)
      pending.push_back(op);
  };
  for (Value operand : mixer->getOperands())
    push(operand);
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val();
    auto [entry, isNew] = feeds.try_emplace(op, index);
    if (!isNew && entry->second != index)
      entry->second = kBefore;
    if (isNorm(op) && !isPerHead(op))
      continue;
    if (isProjection(op)) {
      Value input = skipMovement(op->getOperand(0));
      if (!isResidual(input))
        push(input);
      continue;
    }
    // Tables of rotary embeddings belong to no layer.
    for (Value operand : isa<RotaryOp>(op) ? op->getOperands().take_front(1) : op->getOperands())
      push(operand);
  }
}

/// Looks through what quantises and dequantises.
static Value skipRounding(Value value) {
  while (true) {
    Value inside = skipMovement(skipScaling(value));
    if (auto unary = inside.getDefiningOp<UnaryOp>(); unary && unary.getKind() == UnaryKind::round)
      inside = unary.getInput();
    if (inside == value)
      return value;
    value = inside;
  }
}

/// The projection that ends in `value` through arithmetic with constants, or null.
static Operation *projectionBehind(Value value, int depth = 0) {
  Operation *op = skipRounding(value).getDefiningOp();
  if (!op || isProjection(op) || depth == 4)
    return op && isProjection(op) ? op : nullptr;
  if (!isa<BinaryOp, UnaryOp>(op))
    return nullptr;
  for (Value operand : op->getOperands())
    if (Operation *found = projectionBehind(operand, depth + 1))
      return found;
  return nullptr;
}

/// The last norm and the projection to the vocabulary.
void LayerFinder::collectLogits() {
  for (Value result : block.getTerminator()->getOperands()) {
    Operation *op = projectionBehind(result);
    if (!op || feeds.contains(op))
      continue;
    layerOf[op] = kAfter;
    Operation *producer = skipMovement(op->getOperand(0)).getDefiningOp();
    while (producer && isa<SliceOp, GatherOp, GatherNDOp, BinaryOp, UnaryOp>(producer))
      producer = skipMovement(producer->getOperand(0)).getDefiningOp();
    if (producer && isNorm(producer))
      layerOf[producer] = kAfter;
  }
}

void LayerFinder::addTo(LayerStructure &layer, Operation *op) {
  if (!isModelOp(op))
    return;
  StructureLine line{nameOf(op), detailsOf(op)};
  ++layer.histogram[line.operation];
  for (StructureLine &other : layer.lines)
    if (other.operation == line.operation && other.details == line.details &&
        &other + 1 == layer.lines.data() + layer.lines.size()) {
      ++other.count;
      return;
    }
  layer.lines.push_back(std::move(line));
  if (auto loop = dyn_cast<LoopOp>(op))
    for (Operation &inside : loop.getBody().front())
      addTo(layer, &inside);
}

void LayerFinder::run(ModelStructure &result) {
  for (Operation &op : block)
    if (isMixer(&op))
      mixers.push_back(&op);
  for (auto [index, mixer] : llvm::enumerate(mixers))
    collectFeeding(mixer, int(index));
  collectLogits();

  // The last mixer that an operation depends on.
  DenseMap<Operation *, int> behind;
  DenseMap<Operation *, int> mixerIndex;
  for (auto [index, mixer] : llvm::enumerate(mixers))
    mixerIndex[mixer] = int(index);
  SmallVector<int> projectionsBehind(mixers.size(), 0);
  for (Operation &op : block) {
    int last = -1;
    for (Value operand : op.getOperands())
      if (Operation *producer = operand.getDefiningOp())
        if (auto it = behind.find(producer); it != behind.end())
          last = std::max(last, it->second);
    if (auto it = mixerIndex.find(&op); it != mixerIndex.end())
      last = std::max(last, it->second);
    behind[&op] = last;
    auto feed = feeds.find(&op);
    bool isOwn = feed == feeds.end() || feed->second == last;
    if (last >= 0 && isProjection(&op) && isOwn)
      ++projectionsBehind[last];
  }
  // Several mixers make one layer where no feed-forward part stands between them: a
  // convolution before linear attention, self and cross attention.
  constexpr int kWithFeedForward = 3;
  SmallVector<int> layerOfMixer;
  DenseSet<OperationName> kinds; // of the layer's mixers
  int layers = 0;
  for (size_t i = 0; i < mixers.size(); ++i) {
    bool isRepeated = kinds.contains(mixers[i]->getName()) && !isa<AttentionOp>(mixers[i]);
    if (i == 0 || projectionsBehind[i - 1] >= kWithFeedForward || isRepeated) {
      ++layers;
      kinds.clear();
    }
    kinds.insert(mixers[i]->getName());
    layerOfMixer.push_back(layers - 1);
  }
  result.layers.resize(layers);
  for (Operation &op : block.without_terminator()) {
    if (auto it = layerOf.find(&op); it != layerOf.end()) {
      addTo(result.after, &op);
      continue;
    }
    auto feed = feeds.find(&op);
    int mixer = feed != feeds.end() ? feed->second : behind[&op];
    addTo(mixer < 0 ? result.before : result.layers[layerOfMixer[mixer]], &op);
  }
}

ModelStructure llmc::analyzeStructure(func::FuncOp func) {
  ModelStructure result;
  LayerFinder(func).run(result);
  func.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (auto mismatch = op->getAttrOfType<StringAttr>(kMismatchAttr)) {
      auto [pattern, reason] = mismatch.getValue().split(": ");
      result.unmatched.push_back({pattern.str(), originOf(op), reason.str()});
    }
  });
  return result;
}
