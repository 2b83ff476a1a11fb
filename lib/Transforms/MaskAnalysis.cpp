//===- MaskAnalysis.cpp - what an attention mask means --------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "MaskAnalysis.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"
#include <array>
#include <cmath>
#include <set>
#include <string>

using namespace mlir;
using llmc::reference::Tensor;

namespace llmc {

/// What a mask depends on.
struct MaskAnalysis::Slice {
  SetVector<Operation *> operations;
  BlockArgument keyMask;              // the only argument allowed
  std::set<int64_t> windowCandidates; // integer constants above 1
};

/// What an element of a mask says of its key. Rows are strings, which compare fast: a mask
/// of a fixed-size model has millions of elements.
static constexpr char kVisible = '1', kHidden = '0', kNeither = '?';

/// Sizes, and which of the keys are not padding.
struct MaskAnalysis::Sample {
  int64_t batch, past, queries;
  std::string keys; // [batch][past + queries]: visible, or hidden for padding
  int64_t total() const { return past + queries; }

  /// The keys that query `i` of row `b` sees.
  std::string expect(const MaskMeaning &meaning, int64_t b, int64_t i) const {
    int64_t position = past + i;
    int64_t first = meaning.window ? std::max<int64_t>(0, position - meaning.window + 1) : 0;
    int64_t count = (meaning.causal ? position + 1 : total()) - first;
    std::string row(total(), kHidden);
    if (meaning.keyMask)
      row.replace(first, count, keys, b * total() + first, count);
    else
      row.replace(first, count, count, kVisible);
    return row;
  }
};

namespace {

/// Padding patterns that tell the possible uses of a key mask apart.
enum class Padding { None, Left, Right, Scattered };

std::string makeKeys(int64_t batch, int64_t total, Padding padding) {
  std::string keys(batch * total, kVisible);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t j = 0; j < total; ++j) {
      // Different rows have different padding; the last keeps all its keys.
      int64_t pad = batch - 1 - b + (batch == 1 && total > 1 ? 1 : 0);
      bool key = padding == Padding::Left        ? j >= pad
                 : padding == Padding::Right     ? j < total - pad
                 : padding == Padding::Scattered ? ((j * 7 + b * 5) % 11) % 3 != 0
                                                 : true;
      keys[b * total + j] = key ? kVisible : kHidden;
    }
  return keys;
}

/// Those of a sample with so many scores: fewer where each takes long.
ArrayRef<Padding> paddingsFor(int64_t scores) {
  static constexpr Padding kAll[] = {Padding::None, Padding::Scattered, Padding::Left,
                                     Padding::Right};
  constexpr int64_t kMany = int64_t(1) << 16;
  return ArrayRef(kAll).take_front(scores > kMany ? 2 : 4);
}

/// The index in row-major order of an element of a tensor that broadcasts to the
/// sizes that `index` is inside of.
int64_t broadcastOffset(const Tensor &tensor, ArrayRef<int64_t> index) {
  int64_t offset = 0, lead = index.size() - tensor.rank();
  for (int64_t axis = 0; axis < tensor.rank(); ++axis)
    offset = offset * tensor.dim(axis) + (tensor.dim(axis) == 1 ? 0 : index[lead + axis]);
  return offset;
}

/// Whether `tensor` broadcasts to [B, any, S, last].
bool fits(const Tensor &tensor, int64_t batch, int64_t queries, int64_t last) {
  if (tensor.rank() > 4)
    return false;
  auto agrees = [&](int64_t fromEnd, int64_t size) {
    int64_t axis = tensor.rank() - fromEnd;
    return axis < 0 || tensor.dim(axis) == 1 || tensor.dim(axis) == size;
  };
  return agrees(1, last) && agrees(2, queries) && agrees(4, batch);
}

/// How many keys the last query sees in a table of visible ones; 0 where that says nothing.
static int64_t visibleInLastRow(llm::ConstantOp constant) {
  auto type = cast<RankedTensorType>(constant.getType());
  if (type.getRank() < 2 || !type.getElementType().isInteger(1))
    return 0;
  FailureOr<Tensor> table = Tensor::fromAttr(constant.getValue());
  if (failed(table))
    return 0;
  int64_t visible = 0, keys = table->dim(table->rank() - 1);
  for (int64_t at = std::max<int64_t>(0, table->numElements() - keys); at < table->numElements();
       ++at)
    visible += table->getBool(at);
  return visible;
}

/// Integers among the operation's constants that could be a window's size.
void collectWindowCandidates(Operation *op, std::set<int64_t> &candidates) {
  auto add = [&](double value) {
    constexpr double kMaxWindow = 1 << 20;
    value = std::abs(value);
    if (value > 1 && value <= kMaxWindow && value == std::floor(value))
      candidates.insert(int64_t(value));
  };
  auto addText = [&](StringRef text) {
    if (std::optional<DimExpr> expr = DimExpr::parse(text))
      for (const DimExpr::Term &term : expr->terms())
        if (term.factors.empty())
          add(double(term.coefficient));
  };
  if (auto constant = dyn_cast<llm::ConstantOp>(op))
    add(double(visibleInLastRow(constant)));
  DenseElementsAttr elements;
  if (matchPattern(op, m_Constant(&elements)) && elements.getNumElements() <= 16) {
    if (isa<FloatType>(elements.getElementType()))
      for (const APFloat &element : elements.getValues<APFloat>())
        add(element.convertToDouble());
    else if (elements.getElementType().getIntOrFloatBitWidth() >= 32)
      for (const APInt &element : elements.getValues<APInt>())
        add(double(element.getSExtValue()));
  } else if (auto sizes = dyn_cast<llm::DimValuesOp>(op)) {
    for (StringAttr text : sizes.getExprs().getAsRange<StringAttr>())
      addText(text.getValue());
  } else if (auto iota = dyn_cast<llm::IotaOp>(op)) {
    addText(iota.getStart());
  }
}

/// Whether `value` only adds to the mask, or scales it: no condition among the mask's
/// operations depends on it, so that it decides no border.
bool isOnlyAmount(Value value, const SetVector<Operation *> &operations) {
  DenseSet<Operation *> seen;
  SmallVector<Value> work{value};
  while (!work.empty())
    for (OpOperand &use : work.pop_back_val().getUses()) {
      Operation *user = use.getOwner();
      if (!operations.contains(user))
        continue;
      auto binary = dyn_cast<llm::BinaryOp>(user);
      bool isLinear = binary && llvm::is_contained({llm::BinaryKind::add, llm::BinaryKind::sub,
                                                    llm::BinaryKind::mul, llm::BinaryKind::div},
                                                   binary.getKind());
      bool isBranch = isa<llm::SelectOp>(user) && use.getOperandNumber() != 0;
      if (!isLinear && !isBranch &&
          !isa<llm::ReshapeOp, llm::BroadcastOp, llm::SliceOp, llm::TransposeOp>(user))
        return false;
      if (seen.insert(user).second)
        work.push_back(user->getResult(0));
    }
  return true;
}

std::string readMask(const Tensor &mask) {
  // f16 holds nothing below -65504; in f32 scores of real models stay far above -1e9.
  double threshold = mask.elementType().isF16() ? -65000.0 : -1e9;
  std::string says(mask.numElements(), kNeither);
  for (int64_t i = 0; i < mask.numElements(); ++i) {
    double value = mask.getFloat(i);
    if (value == 0 || value <= threshold)
      says[i] = value == 0 ? kVisible : kHidden;
  }
  return says;
}

/// Whether a row of a mask, which may be one element for all keys, says what is expected.
bool agrees(StringRef row, StringRef expected) {
  return row == expected || (row.size() == 1 && expected == std::string(expected.size(), row[0]));
}

} // namespace

bool MaskAnalysis::fail(const llvm::Twine &text) {
  reasonText = text.str();
  return false;
}

std::optional<MaskAnalysis::Slice> MaskAnalysis::collect(Value root) {
  constexpr size_t kMaxOperations = 1000; // a mask is a few dozen
  Slice slice;
  SmallVector<Value> work{root};
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      if (!type || type.getRank() != 2 || !type.getElementType().isInteger()) {
        fail("the mask depends on argument " + llvm::Twine(argument.getArgNumber()) +
             ", which is not a 2-D integer mask");
        return std::nullopt;
      }
      if (slice.keyMask && slice.keyMask != argument) {
        fail("the mask depends on two arguments");
        return std::nullopt;
      }
      slice.keyMask = argument;
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (!slice.operations.insert(op))
      continue;
    if (slice.operations.size() > kMaxOperations || op->getNumRegions() != 0) {
      fail("the mask depends on too much");
      return std::nullopt;
    }
    work.append(op->operand_begin(), op->operand_end());
  }
  for (Operation *op : slice.operations)
    if (!isa<llm::ConstantOp>(op) || !isOnlyAmount(op->getResult(0), slice.operations))
      collectWindowCandidates(op, slice.windowCandidates);
  return slice;
}

/// Gives the symbol that `expr` is the value; false where it is another number, or none.
static bool bindTo(reference::Evaluator &evaluator, const DimExpr &expr, int64_t value) {
  if (std::optional<int64_t> known = evaluator.evaluate(expr))
    return *known == value;
  std::optional<std::string> name = expr.asSymbol();
  if (name)
    evaluator.setSymbol(*name, value);
  return name.has_value();
}

bool bindSizes(reference::Evaluator &evaluator, const AttentionSizes &sizes, int64_t batch,
               int64_t past, int64_t queries) {
  // T of its own symbol comes before T - S, which is then known already.
  return bindTo(evaluator, sizes.batch, batch) && bindTo(evaluator, sizes.queries, queries) &&
         (bindTo(evaluator, sizes.keys, past + queries) || bindTo(evaluator, sizes.past(), past));
}

FailureOr<Tensor> MaskAnalysis::evaluate(Value root, const Slice &slice,
                                         const AttentionSizes &sizes, const Sample &sample,
                                         int64_t &elementsLeft) {
  reference::Evaluator evaluator({}, elementsLeft);
  if (!bindSizes(evaluator, sizes, sample.batch, sample.past, sample.queries))
    return failure();
  if (slice.keyMask) {
    llm::Dims dims = llm::getDims(slice.keyMask);
    if (!bindTo(evaluator, dims[0], sample.batch) || !bindTo(evaluator, dims[1], sample.total()))
      return failure();
    std::vector<int64_t> elements;
    for (char key : sample.keys)
      elements.push_back(key == kVisible);
    Type element = cast<RankedTensorType>(slice.keyMask.getType()).getElementType();
    evaluator.bind(slice.keyMask,
                   Tensor::fromInts(element, {sample.batch, sample.total()}, elements));
  }
  FailureOr<Tensor> result = evaluator.evaluate(root);
  elementsLeft = evaluator.remainingElements();
  if (failed(result))
    fail("the reference evaluator could not evaluate the mask: " + evaluator.message());
  return result;
}

/// Sizes that distinguish queries, keys and past, restricted to what the types
/// allow: a constant size has one value only. None where one is too large, or where there
/// are more queries than keys.
static SmallVector<std::array<int64_t, 3>> sampleSizes(const AttentionSizes &sizes) {
  SmallVector<std::array<int64_t, 3>> result;
  constexpr std::array<int64_t, 3> kAll[] = {{1, 0, 1}, {1, 0, 5}, {2, 3, 4}, {3, 4, 1},
                                             {2, 0, 6}, {1, 9, 2}, {3, 1, 3}};
  for (auto [batch, past, queries] : kAll) {
    std::array<int64_t, 3> sample = {sizes.batch.constant().value_or(batch),
                                     sizes.past().constant().value_or(past),
                                     sizes.queries.constant().value_or(queries)};
    if (std::optional<int64_t> keys = sizes.keys.constant())
      sample[1] = *keys - sample[2];
    if (sample[0] <= 0 || sample[1] < 0 || sample[2] <= 0 || llvm::is_contained(result, sample))
      continue;
    constexpr int64_t kMaxScores = int64_t(1) << 26; // rows are compared one by one
    if (sample[1] + sample[2] > kMaxScores / sample[0] / sample[2])
      return {};
    result.push_back(sample);
  }
  return result;
}

std::optional<MaskMeaning> MaskAnalysis::analyze(Value bias, const AttentionSizes &sizes) {
  auto [entry, isNew] = answers.try_emplace(bias);
  if (!isNew)
    return entry->second;
  std::optional<MaskMeaning> answer = analyzeUncached(bias, sizes);
  return answers[bias] = answer;
}

std::optional<MaskMeaning> MaskAnalysis::analyzeUncached(Value bias, const AttentionSizes &sizes) {
  reasonText.clear();
  std::optional<Slice> slice = collect(bias);
  if (!slice)
    return std::nullopt;

  // Samples: every size with its paddings, and one long row per window candidate.
  SmallVector<Sample> samples;
  for (auto [batch, past, queries] : sampleSizes(sizes)) {
    for (Padding padding : paddingsFor(batch * queries * (past + queries)))
      if (slice->keyMask || padding == Padding::None)
        samples.push_back({batch, past, queries, makeKeys(batch, past + queries, padding)});
  }
  if (samples.empty()) {
    fail("the sizes of the scores, " + sizes.queries.str() + " x " + sizes.keys.str() +
         ", are too large or have no past");
    return std::nullopt;
  }
  const size_t numBaseSamples = samples.size();
  for (int64_t window : slice->windowCandidates) {
    std::optional<int64_t> fixedPast = sizes.past().constant(),
                           fixedQueries = sizes.queries.constant();
    if (sizes.keys.constant() || (fixedPast && fixedQueries))
      break; // the samples above are all there can be
    // Without a past the sample has to be square, and evaluation is slow.
    constexpr int64_t kMaxSquare = 512;
    if (fixedPast && window > kMaxSquare) {
      fail("a constant of " + llvm::Twine(window) + " might be a window");
      return std::nullopt;
    }
    int64_t past = fixedPast.value_or(window + 2);
    int64_t queries = fixedQueries.value_or(fixedPast ? window + 3 : 3);
    int64_t batch = sizes.batch.constant().value_or(1);
    samples.push_back({batch, past, queries, makeKeys(batch, past + queries, Padding::None)});
  }

  SmallVector<MaskMeaning> hypotheses;
  auto add = [&](bool causal, int64_t window) {
    hypotheses.push_back({causal, window, {}});
    if (slice->keyMask)
      hypotheses.push_back({causal, window, slice->keyMask});
  };
  for (bool causal : {true, false}) {
    add(causal, 0);
    for (int64_t candidate : slice->windowCandidates)
      for (int64_t window : {candidate, candidate + 1, candidate - 1})
        add(causal, window);
  }

  int64_t elementsLeft = reference::Evaluator::kMaxElements;
  for (const Sample &sample : samples) {
    FailureOr<Tensor> mask = evaluate(bias, *slice, sizes, sample, elementsLeft);
    if (failed(mask)) {
      if (reasonText.empty())
        fail("the sizes of the mask are not those of the attention");
      return std::nullopt;
    }
    bool isForWindow = &sample - samples.data() >= int64_t(numBaseSamples);
    if (!fits(*mask, sample.batch, sample.queries, sample.total())) {
      if (isForWindow)
        continue; // a table that ends before this window does
      fail("the mask does not broadcast to the scores");
      return std::nullopt;
    }
    int64_t heads = mask->rank() >= 3 ? mask->dim(mask->rank() - 3) : 1;
    int64_t rowSize = mask->rank() ? mask->dim(mask->rank() - 1) : 1;
    std::string says = readMask(*mask);
    auto contradicts = [&](const MaskMeaning &meaning) {
      for (int64_t b = 0; b < sample.batch; ++b)
        for (int64_t i = 0; i < sample.queries; ++i) {
          std::string expected = sample.expect(meaning, b, i);
          if (meaning.keyMask && !StringRef(expected).contains(kVisible))
            continue; // padding, see MaskAnalysis.h
          for (int64_t h = 0; h < heads; ++h) {
            int64_t at = broadcastOffset(*mask, {b, h, i, 0});
            if (!agrees(StringRef(says).substr(at, rowSize), expected))
              return true;
          }
        }
      return false;
    };
    llvm::erase_if(hypotheses, contradicts);
    if (hypotheses.empty()) {
      fail("the mask is neither causal, windowed nor a padding mask");
      return std::nullopt;
    }
  }
  // The simplest of those left: they agree wherever the samples can tell.
  return hypotheses.front();
}

bool MaskAnalysis::isOnlyTrueWithoutKeys(Value condition, const MaskMeaning &meaning,
                                         const AttentionSizes &sizes) {
  std::optional<Slice> slice = collect(condition);
  if (!slice || (slice->keyMask && slice->keyMask != meaning.keyMask))
    return false;
  slice->keyMask = meaning.keyMask;
  int64_t elementsLeft = reference::Evaluator::kMaxElements;
  SmallVector<std::array<int64_t, 3>> samples = sampleSizes(sizes);
  for (auto [batch, past, queries] : samples)
    for (Padding padding : paddingsFor(batch * queries * (past + queries))) {
      Sample sample{batch, past, queries, makeKeys(batch, past + queries, padding)};
      FailureOr<Tensor> holds = evaluate(condition, *slice, sizes, sample, elementsLeft);
      if (failed(holds) || !fits(*holds, batch, queries, /*last=*/1))
        return false;
      int64_t heads = holds->rank() >= 3 ? holds->dim(holds->rank() - 3) : 1;
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t i = 0; i < queries; ++i) {
          bool seesAny = StringRef(sample.expect(meaning, b, i)).contains(kVisible);
          for (int64_t h = 0; seesAny && h < heads; ++h)
            if (holds->getBool(broadcastOffset(*holds, {b, h, i, 0})))
              return false;
        }
    }
  return !samples.empty();
}

} // namespace llmc
