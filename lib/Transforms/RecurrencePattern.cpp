//===- RecurrencePattern.cpp - graphs that compute a recurrence -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters write the gated delta rule and state-space scans as hundreds of operations:
// unrolled over tokens, over chunks of them, or as one step. They are not matched but found
// by their border: a matrix per sequence and head, what replaces it, and behind both the
// nearest tensors with a row per token. Those are taken for query, key, value, decay, beta
// and step size in every way in which their sizes fit, and each way is compared with the
// graph by evaluating both on random data.
//
//===----------------------------------------------------------------------===//
#include "RecurrencePattern.h"
#include "Matchers.h"
#include "RecurrenceSimulation.h"
#include "SampledComputation.h"
#include "TokenRows.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <cmath>
#include <utility>

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;
using llmc::reference::Evaluator;
using llmc::reference::Tensor;

/// Elements that one evaluation of a graph may take: seconds, and gigabytes of memory.
static constexpr int64_t kMaxElements = int64_t(1) << 28;

namespace {

/// Remembers what is built, so that it can be taken back.
class Trial : public OpBuilder::Listener {
public:
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override {
    created.push_back(op);
  }
  void takeBack() {
    for (Operation *op : llvm::reverse(created))
      op->erase();
    created.clear();
  }

private:
  SmallVector<Operation *> created;
};

class RecurrenceMatcher {
public:
  RecurrenceMatcher(func::FuncOp func, const RecurrenceBorder &border,
                    ArrayRef<int64_t> tokenCounts, std::string &reason)
      : func(func), border(border), reason(reason), tokenCounts(tokenCounts) {}

  std::optional<RecurrenceMatch> match();

private:
  bool fail(const Twine &text) {
    reason = text.str();
    return false;
  }

  // What the graph is made of.
  bool isKnown(Value value);
  bool collect(bool findsSources);
  DenseSet<Value> mixedDependents(Value row);
  bool dropDependentLeaves();
  std::optional<RecurrenceMatch> matchLeaves();
  bool addsUp() const;
  bool isAffordable();

  // Random data.
  Tensor randomTensor(Value value, const Evaluator &evaluator, std::mt19937 &random, double low,
                      double high) const;
  std::optional<RecurrenceSample> evaluateSample(int64_t tokens, unsigned seed);
  const RecurrenceSample *sampleAt(size_t i);
  bool agrees(llvm::function_ref<bool(const RecurrenceSample &)> test);
  bool computesSame(const RecurrenceMatch &match, const RecurrenceSample &sample) const;

  // Hypotheses.
  SmallVector<RecurrentMatrix> matrices() const;
  RecurrenceConstants findChoices(const RecurrentMatrix &matrix) const;
  std::optional<RecurrenceMatch> tryMatrix(const RecurrentMatrix &matrix);
  std::optional<RecurrenceMatch> tryGates(const RecurrentMatrix &matrix, RecurrenceRoles roles,
                                          ArrayRef<const Leaf *> rest);
  std::optional<RecurrenceMatch> tryDecay(const RecurrentMatrix &matrix, RecurrenceRoles roles);
  std::optional<RecurrenceMatch> tryScales(const RecurrentMatrix &matrix, RecurrenceRoles roles);
  Operation *insertionPoint();
  RecurrenceMatch build(OpBuilder &builder, const RecurrentMatrix &matrix,
                        const RecurrenceRoles &roles);
  Value buildDecay(OpBuilder &builder, const RecurrentMatrix &matrix, const RecurrenceRoles &roles);
  Value toMatrices(OpBuilder &builder, Value past, const RecurrentMatrix &matrix);
  Value fromMatrices(OpBuilder &builder, Value state, const RecurrentMatrix &matrix);

  func::FuncOp func;
  RecurrenceBorder border;
  std::string &reason;
  SampledComputation computation;
  SmallVector<Leaf> leaves;
  SmallVector<KnownValue> constants;
  DenseMap<Value, bool> known;
  DenseSet<Value> inner; ///< values with a row per token that are no leaves
  std::optional<TokenRows> outputRows;
  ArrayRef<int64_t> tokenCounts;
  bool isPositive = false; ///< random data
  std::vector<std::optional<RecurrenceSample>> samples;
  RecurrenceConstants choices; ///< of the matrix that is being tried
  int64_t keyScale = 1;        ///< Dk or what may be it, for the size of random keys
};

} // namespace

bool RecurrenceMatcher::isKnown(Value value) {
  Operation *op = value.getDefiningOp();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!op || !type || !type.hasStaticShape())
    return false;
  if (isa<ConstantOp>(op))
    return true;
  if (op->getNumOperands() == 0 || op->getNumRegions() || op->getNumResults() != 1)
    return false;
  auto [entry, isNew] = known.try_emplace(value, false);
  if (!isNew)
    return entry->second;
  bool result = llvm::all_of(op->getOperands(), [&](Value operand) { return isKnown(operand); });
  return known[value] = result;
}

/// Operations whose result has its input's elements, or, of a decay, their exponential:
/// what is behind them is the same to all its users.
static bool isLookedThrough(Operation *op) {
  auto unary = dyn_cast<UnaryOp>(op);
  return isa<ReshapeOp, BroadcastOp, TransposeOp>(op) ||
         (unary && unary.getKind() == UnaryKind::exp);
}

/// Arithmetic on a sum over the tokens so far: what decays between tokens are made of.
static bool isRunningSum(Value value, int depth = 6) {
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return false;
  if (isa<CumulativeOp>(op))
    return isa<FloatType>(elementTypeOf(value));
  return isa<UnaryOp, BinaryOp, ReshapeOp, TransposeOp, BroadcastOp>(op) &&
         llvm::any_of(op->getOperands(),
                      [&](Value operand) { return isRunningSum(operand, depth - 1); });
}

/// What is computed from `row` through something that is no row per token: products of
/// several tokens.
DenseSet<Value> RecurrenceMatcher::mixedDependents(Value row) {
  DenseSet<Value> mixed;
  for (Value value : collectDependents(func, row)) {
    Operation *op = value.getDefiningOp();
    bool isMixed =
        value != row && op &&
        (llvm::any_of(op->getOperands(), [&](Value v) { return mixed.contains(v); }) ||
         !findTokenRows(value, border.batch, border.tokens, std::numeric_limits<int32_t>::max()));
    if (isMixed)
      mixed.insert(value);
  }
  return mixed;
}

/// A leaf that is computed from another across tokens is no border: a chunk's own part of
/// the output has a row per token, too. True where there were such leaves, which are looked
/// through now.
bool RecurrenceMatcher::dropDependentLeaves() {
  bool changed = false;
  for (const Leaf &leaf : leaves) {
    DenseSet<Value> mixed = mixedDependents(leaf.value);
    for (const Leaf &other : leaves)
      if (mixed.contains(other.value))
        changed |= inner.insert(other.value).second;
  }
  return changed;
}

/// Finds the leaves: the nearest ones, or, with `findsSources`, none that depend on others.
bool RecurrenceMatcher::collect(bool findsSources) {
  leaves.clear();
  constants.clear();
  int64_t channels = maxChannels(border);
  outputRows = findTokenRows(border.output, border.batch, border.tokens, channels);
  if (!outputRows)
    return fail("the output has no row per token");
  if (!border.past)
    channels = 2 * outputRows->channels;
  llvm::SetVector<Value> dependents = collectDependents(func, border.source);
  auto isRow = [&](Value value) {
    return findTokenRows(value, border.batch, border.tokens, channels).has_value();
  };
  auto stops = [&](Value value) {
    if (value == border.past || isKnown(value))
      return true;
    if (value == border.output || value == border.state || dependents.contains(value) ||
        inner.contains(value) || !isRow(value) || isRunningSum(value))
      return false;
    Operation *op = value.getDefiningOp();
    return !(isLookedThrough(op) && isRow(op->getOperand(0)));
  };
  SmallVector<Value> roots{border.output};
  if (border.state)
    roots.push_back(border.state);
  auto found = collectComputation(func, roots, kMaxRecurrenceOperations, stops);
  if (!found)
    return fail("it takes more than " + Twine(kMaxRecurrenceOperations) + " operations");
  computation = std::move(*found);
  if (!addsUp())
    return fail("");
  for (Value leaf : computation.leaves) {
    if (leaf == border.past)
      continue;
    if (isKnown(leaf)) {
      Evaluator evaluator;
      FailureOr<Tensor> tensor = evaluator.evaluate(leaf);
      if (failed(tensor))
        return fail(evaluator.message());
      constants.push_back({leaf, *tensor});
      continue;
    }
    std::optional<TokenRows> rows = findTokenRows(leaf, border.batch, border.tokens, channels);
    if (!rows)
      return fail("it reads " + formatDims(getDims(leaf)) + ", which has no row per token");
    leaves.push_back({leaf, *rows, unsigned(leaves.size())});
  }
  if (findsSources && dropDependentLeaves())
    return collect(findsSources);
  if (leaves.size() < 3 || leaves.size() > 6)
    return fail(
        "it reads " + Twine(leaves.size()) +
        " tensors with a row per token; query, key, value and at most three more are known");
  return true;
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

/// What a query reads of the matrix is added up over its keys. Most that is no recurrence
/// adds nothing up, and need not be evaluated to know.
bool RecurrenceMatcher::addsUp() const {
  return llvm::any_of(computation.operations,
                      llvm::IsaPred<MatmulOp, LinearOp, ReduceOp, CumulativeOp>);
}

bool RecurrenceMatcher::isAffordable() {
  std::optional<std::string> name = border.tokens.asSymbol();
  int64_t most = *std::max_element(tokenCounts.begin(), tokenCounts.end()), total = 0;
  for (Operation *op : computation.operations)
    for (Value result : op->getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      std::optional<int64_t> count =
          type ? product(getDims(type)).evaluate([&](const std::string &symbol) {
            return std::optional<int64_t>(name == symbol ? most : 1);
          })
               : std::nullopt;
      total += std::clamp<int64_t>(count.value_or(0), 0, kMaxElements);
      if (total > kMaxElements)
        return fail("its tensors are too large to compare it with a recurrence");
    }
  return true;
}

Tensor RecurrenceMatcher::randomTensor(Value value, const Evaluator &evaluator,
                                       std::mt19937 &random, double low, double high) const {
  SmallVector<int64_t> shape;
  int64_t count = 1;
  for (const DimExpr &dim : getDims(value)) {
    shape.push_back(evaluator.evaluate(dim).value_or(0));
    count *= shape.back();
  }
  std::vector<double> elements(count);
  for (double &element : elements)
    element = low + (high - low) * double(random() % 4096) / 4095.0;
  return Tensor::fromFloats(elementTypeOf(value), shape, elements);
}

std::optional<RecurrenceSample> RecurrenceMatcher::evaluateSample(int64_t tokens, unsigned seed) {
  std::mt19937 random(seed);
  RecurrenceSample sample;
  // One sample has several sequences; the others stay small.
  sample.symbols = computation.sampleSymbols(random, seed == 1 ? 2 : 1);
  if (std::optional<std::string> name = border.tokens.asSymbol())
    sample.symbols[*name] = tokens;
  Evaluator evaluator(sample.symbols);
  // Keys of norm at most about 1 keep the delta rule stable; decays are negative and betas
  // in (0, 1), as everywhere where such layers are trained. Where constants scale the
  // decays, those are negative and what they scale is positive.
  double range = 1.5 / std::sqrt(double(keyScale));
  int64_t heads = border.past && getDims(border.past).size() == 4
                      ? *getDims(border.past)[1].constant()
                      : outputRows->channels / 2;
  for (const Leaf &leaf : leaves) {
    bool isRow = leaf.rows.channels > heads;
    double low = isRow ? -range : -0.9, high = isRow ? range : -0.05;
    if (isPositive)
      low = isRow ? 0.05 * range : 0.05, high = isRow ? range : 0.9;
    sample.inputs[leaf.value] = randomTensor(leaf.value, evaluator, random, low, high);
  }
  if (border.past)
    sample.inputs[border.past] = randomTensor(border.past, evaluator, random, -1, 1);
  for (const KnownValue &constant : constants)
    sample.inputs[constant.value] = constant.tensor;
  for (auto &[value, tensor] : sample.inputs)
    evaluator.bind(value, tensor);
  for (auto [value, tensor] :
       {std::pair(border.output, &sample.output), std::pair(border.state, &sample.state)}) {
    FailureOr<Tensor> result = value ? evaluator.evaluate(value) : Tensor();
    if (failed(result)) {
      fail("it cannot be evaluated: " + evaluator.message());
      return std::nullopt;
    }
    *tensor = *result;
  }
  auto sizeOf = [&](const DimExpr &dim) { return evaluator.evaluate(dim).value_or(0); };
  sample.batch = sizeOf(border.batch);
  sample.tokens = sizeOf(border.tokens);
  for (const Leaf &leaf : leaves)
    sample.rows.push_back(rowsOf(sample.inputs[leaf.value], leaf.rows));
  sample.outputRows = rowsOf(sample.output, *outputRows);
  sample.outputTolerance = toleranceOf(sample.output);
  if (border.state)
    sample.stateTolerance = toleranceOf(sample.state);
  return sample;
}

/// The graph on random data for the i-th number of tokens, evaluated when it is first asked
/// for; null where that fails.
const RecurrenceSample *RecurrenceMatcher::sampleAt(size_t i) {
  while (samples.size() <= i) {
    size_t next = samples.size();
    samples.push_back(evaluateSample(tokenCounts[next], unsigned(next)));
    const std::optional<RecurrenceSample> &sample = samples.back();
    if (sample && !(isModerate(sample->output) && (!border.state || isModerate(sample->state)))) {
      fail("it overflows on random data");
      samples.back().reset();
    }
  }
  return samples[i] ? &*samples[i] : nullptr;
}

bool RecurrenceMatcher::agrees(llvm::function_ref<bool(const RecurrenceSample &)> test) {
  return llvm::all_of(llvm::seq<size_t>(0, tokenCounts.size()), [&](size_t i) {
    const RecurrenceSample *sample = sampleAt(i);
    return sample && test(*sample);
  });
}

bool RecurrenceMatcher::computesSame(const RecurrenceMatch &match,
                                     const RecurrenceSample &sample) const {
  Evaluator evaluator(sample.symbols);
  for (const auto &[value, tensor] : sample.inputs)
    evaluator.bind(value, tensor);
  FailureOr<Tensor> output = evaluator.evaluate(match.output);
  if (failed(output) || !isClose(sample.output, *output))
    return false;
  if (!match.state)
    return true;
  FailureOr<Tensor> state = evaluator.evaluate(match.state);
  return succeeded(state) && isClose(sample.state, *state);
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

static Value transposeLast(OpBuilder &builder, Value value) {
  auto order = llvm::to_vector(llvm::seq<int64_t>(0, getDims(value).size()));
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return TransposeOp::create(builder, value.getLoc(), value, order);
}

static Value makeReshape(OpBuilder &builder, Value value, ArrayRef<DimExpr> dims) {
  if (getDims(value) == dims)
    return value;
  return ReshapeOp::create(builder, value.getLoc(), makeTensorType(dims, elementTypeOf(value)),
                           value);
}

Value RecurrenceMatcher::toMatrices(OpBuilder &builder, Value past, const RecurrentMatrix &matrix) {
  Dims dims = getDims(past);
  Value result =
      makeReshape(builder, past, {dims[0], matrix.heads, dims[dims.size() - 2], dims.back()});
  return matrix.transposed ? transposeLast(builder, result) : result;
}

Value RecurrenceMatcher::fromMatrices(OpBuilder &builder, Value state,
                                      const RecurrentMatrix &matrix) {
  if (matrix.transposed)
    state = transposeLast(builder, state);
  return makeReshape(builder, state, getDims(border.state));
}

/// A constant f32 tensor; a large one in a blob of its own.
static Value makeConstant(OpBuilder &builder, Location loc, ArrayRef<int64_t> shape,
                          ArrayRef<float> elements) {
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  if (elements.size() <= 64)
    return ConstantOp::create(builder, loc, DenseElementsAttr::get(type, elements));
  AsmResourceBlob blob = HeapAsmResourceBlob::allocateAndCopyWithAlign(
      ArrayRef<char>(reinterpret_cast<const char *>(elements.data()), elements.size() * 4),
      /*align=*/64);
  return ConstantOp::create(builder, loc,
                            DenseResourceElementsAttr::get(type, "rates", std::move(blob)));
}

/// Numbers of heads as `[H, 1, 1]`.
static Value buildPerHead(OpBuilder &builder, Location loc, ArrayRef<float> numbers) {
  return makeConstant(builder, loc, {int64_t(numbers.size()), 1, 1}, numbers);
}

/// `[B, H, T, .]`; null where the channels do not fit.
Value RecurrenceMatcher::buildDecay(OpBuilder &builder, const RecurrentMatrix &matrix,
                                    const RecurrenceRoles &roles) {
  Value value = roles.decay->value;
  const TokenRows &rows = roles.decay->rows;
  int64_t channels = roles.form == DecayForm::rates ? matrix.valueDim : matrix.keyDim;
  // Without a channel for every head these are the channels of one.
  bool isPerHead = rows.channels <= matrix.heads && matrix.heads % rows.channels == 0;
  value = castTo(builder, value, builder.getF32Type());
  Value decay = makeHeadRows(builder, value, rows, matrix.heads, isPerHead ? 1 : channels);
  if (!decay)
    return {};
  if (roles.form == DecayForm::factor)
    return UnaryOp::create(builder, value.getLoc(), UnaryKind::log, decay);
  if (roles.form != DecayForm::scaled)
    return decay;
  return BinaryOp::create(builder, value.getLoc(), BinaryKind::mul, decay,
                          buildPerHead(builder, value.getLoc(), roles.constant));
}

/// Values are null where the roles do not fit.
RecurrenceMatch RecurrenceMatcher::build(OpBuilder &builder, const RecurrentMatrix &matrix,
                                         const RecurrenceRoles &roles) {
  SmallVector<Location> locations{border.output.getLoc()};
  if (border.state)
    locations.push_back(border.state.getLoc());
  Location loc = builder.getFusedLoc(locations);
  Type element = builder.getF32Type();
  auto rows = [&](const Leaf *leaf, int64_t width) {
    return makeHeadRows(builder, castTo(builder, leaf->value, element), leaf->rows, matrix.heads,
                        width);
  };
  Value query = rows(roles.query, matrix.keyDim), key = rows(roles.key, matrix.keyDim);
  Value value = rows(roles.value, matrix.valueDim);
  if (!query || !key || !value)
    return {};
  Value skipped;
  if (!roles.skip.empty())
    skipped = BinaryOp::create(builder, loc, BinaryKind::mul, rows(roles.skipped, matrix.valueDim),
                               buildPerHead(builder, loc, roles.skip));
  if (roles.step) {
    bool isPerHead = roles.step->rows.channels <= matrix.heads;
    Value step = rows(roles.step, isPerHead ? 1 : matrix.valueDim);
    if (!step)
      return {};
    value = BinaryOp::create(builder, loc, BinaryKind::mul, value, step);
  }
  Value decay = roles.decay ? buildDecay(builder, matrix, roles) : Value();
  Value beta = roles.beta ? rows(roles.beta, 1) : Value();
  if ((roles.decay && !decay) || (roles.beta && !beta))
    return {};
  Value rates;
  if (roles.form == DecayForm::rates)
    rates =
        makeConstant(builder, loc, {matrix.heads, matrix.keyDim, matrix.valueDim}, roles.constant);
  Value past =
      border.past ? toMatrices(builder, castTo(builder, border.past, element), matrix) : Value();
  Type outputType =
      makeTensorType({border.batch, matrix.heads, border.tokens, matrix.valueDim}, element);
  Type stateType =
      makeTensorType({border.batch, matrix.heads, matrix.keyDim, matrix.valueDim}, element);
  auto op = LinearAttentionOp::create(builder, loc, outputType, stateType, query, key, value, decay,
                                      rates, beta, past, builder.getF64FloatAttr(roles.scale),
                                      roles.delta ? builder.getUnitAttr() : UnitAttr());
  RecurrenceMatch result;
  Value output = op.getOutput();
  if (skipped)
    output = BinaryOp::create(builder, loc, BinaryKind::add, output, skipped);
  output = castTo(builder, output, elementTypeOf(border.output));
  result.output = fromHeadRows(builder, output, *outputRows, border.output.getType());
  if (border.state)
    result.state =
        fromMatrices(builder, castTo(builder, op.getState(), elementTypeOf(border.state)), matrix);
  return result;
}

//===----------------------------------------------------------------------===//
// Hypotheses
//===----------------------------------------------------------------------===//

SmallVector<RecurrentMatrix> RecurrenceMatcher::matrices() const {
  SmallVector<RecurrentMatrix> result;
  auto add = [&](int64_t heads, int64_t keyDim, int64_t valueDim, bool transposed) {
    if (heads > 0 && keyDim > 0 && valueDim > 0 && heads * valueDim == outputRows->channels)
      result.push_back({heads, keyDim, valueDim, transposed});
  };
  Value like = border.past ? border.past : border.state;
  if (like) {
    Dims dims = getDims(like);
    int64_t heads = dims.size() == 4 ? *dims[1].constant() : 1;
    int64_t rows = *dims[dims.size() - 2].constant(), columns = *dims.back().constant();
    add(heads, rows, columns, false);
    add(heads, columns, rows, true);
    return result;
  }
  // The output says what heads there are, the leaves how long keys may be.
  llvm::SetVector<int64_t> widths;
  for (const Leaf &leaf : leaves)
    if (!leaf.rows.channelAxes.empty())
      widths.insert(*getDims(leaf.value)[leaf.rows.channelAxes.back()].constant());
  Dims dims = getDims(border.output);
  for (int64_t width : widths) {
    if (outputRows->channelAxes.size() == 2)
      add(*dims[outputRows->channelAxes[0]].constant(), width,
          *dims[outputRows->channelAxes[1]].constant(), false);
    add(1, width, outputRows->channels, false);
  }
  return result;
}

/// The last sizes of a constant without dimensions of 1: [X, Y] behind as many elements
/// as there are heads.
static bool hasMatrixShape(const KnownValue &constant, int64_t heads, int64_t rows,
                           int64_t columns) {
  SmallVector<int64_t> dims, due;
  for (int64_t size : constant.tensor.shape())
    if (size != 1)
      dims.push_back(size);
  for (int64_t size : {heads, rows, columns})
    if (size != 1)
      due.push_back(size);
  return dims == due;
}

/// Whether leaves have as many channels as their roles say.
static bool fit(const RecurrentMatrix &matrix, const RecurrenceRoles &roles) {
  auto fits = [&](const Leaf *leaf, int64_t width, bool mayBePerHead) {
    if (!leaf)
      return true;
    int64_t channels = leaf->rows.channels;
    if (mayBePerHead && channels <= matrix.heads)
      width = 1;
    int64_t groups = channels / width;
    return channels % width == 0 && groups > 0 && matrix.heads % groups == 0;
  };
  int64_t decayed = roles.form == DecayForm::rates ? matrix.valueDim : matrix.keyDim;
  return fits(roles.query, matrix.keyDim, false) && fits(roles.key, matrix.keyDim, false) &&
         fits(roles.value, matrix.valueDim, false) && fits(roles.skipped, matrix.valueDim, false) &&
         fits(roles.decay, decayed, true) && fits(roles.beta, 1, false) &&
         fits(roles.step, matrix.valueDim, true);
}

std::optional<RecurrenceMatch> RecurrenceMatcher::tryScales(const RecurrentMatrix &matrix,
                                                            RecurrenceRoles roles) {
  if (!fit(matrix, roles))
    return std::nullopt;
  for (double scale : {1.0, 1.0 / std::sqrt(double(matrix.keyDim))})
    for (const std::vector<float> &skip : choices.skips) {
      if (skip.empty() && roles.skipped != roles.value)
        continue;
      roles.scale = scale;
      roles.skip = skip;
      bool isPlausible = agrees([&](const RecurrenceSample &sample) {
        const Tensor *past = border.past ? &sample.inputs.find(border.past)->second : nullptr;
        return simulatesSame(sample, matrix, roles, past, border.state ? &sample.state : nullptr);
      });
      if (!isPlausible)
        continue;
      Trial trial;
      OpBuilder builder(func.getContext(), &trial);
      builder.setInsertionPoint(insertionPoint());
      RecurrenceMatch match = build(builder, matrix, roles);
      if (match.output &&
          agrees([&](const RecurrenceSample &sample) { return computesSame(match, sample); }))
        return match;
      trial.takeBack();
    }
  return std::nullopt;
}

/// The first place where the past and all leaves are there.
Operation *RecurrenceMatcher::insertionPoint() {
  Operation *at = &func.front().front();
  auto moveBehind = [&](Value value) {
    if (Operation *op = value ? value.getDefiningOp() : nullptr; op && !op->isBeforeInBlock(at))
      at = op->getNextNode();
  };
  moveBehind(border.past);
  for (const Leaf &leaf : leaves)
    moveBehind(leaf.value);
  return at;
}

std::optional<RecurrenceMatch> RecurrenceMatcher::tryDecay(const RecurrentMatrix &matrix,
                                                           RecurrenceRoles roles) {
  if (!roles.decay)
    return tryScales(matrix, roles);
  roles.form = DecayForm::exponent;
  if (auto match = tryScales(matrix, roles))
    return match;
  for (DecayForm form : {DecayForm::scaled, DecayForm::rates})
    for (const auto &constant : form == DecayForm::scaled ? choices.perHead : choices.rates) {
      roles.form = form;
      roles.constant = constant;
      if (auto match = tryScales(matrix, roles))
        return match;
    }
  roles.form = DecayForm::factor;
  return tryScales(matrix, roles);
}

/// `rest` are the leaves that are neither query, key nor value; each must get a role.
std::optional<RecurrenceMatch> RecurrenceMatcher::tryGates(const RecurrentMatrix &matrix,
                                                           RecurrenceRoles roles,
                                                           ArrayRef<const Leaf *> rest) {
  SmallVector<const Leaf *> gates(rest);
  gates.push_back(nullptr);
  for (const Leaf *decay : gates)
    for (const Leaf *beta : gates)
      for (const Leaf *step : gates)
        for (const Leaf *skipped : gates) {
          bool usesAll = llvm::all_of(rest, [&](const Leaf *leaf) {
            return leaf == decay || leaf == beta || leaf == step || leaf == skipped;
          });
          bool usesTwice = (beta && (beta == decay || beta == step || beta == skipped)) ||
                           (skipped && (skipped == decay || skipped == step));
          if (!usesAll || usesTwice || (beta && beta->rows.channels > matrix.heads))
            continue;
          roles.decay = decay;
          roles.beta = beta;
          roles.step = step;
          roles.skipped = skipped ? skipped : roles.value;
          for (bool delta : {false, true}) {
            roles.delta = delta;
            if (beta && !delta)
              continue;
            if (auto match = tryDecay(matrix, roles))
              return match;
          }
        }
  return std::nullopt;
}

RecurrenceConstants RecurrenceMatcher::findChoices(const RecurrentMatrix &matrix) const {
  RecurrenceConstants result;
  auto add = [](std::vector<std::vector<float>> &list, std::vector<float> numbers) {
    if (!llvm::is_contained(list, numbers))
      list.push_back(std::move(numbers));
  };
  add(result.skips, {});
  add(result.skips, std::vector<float>(matrix.heads, 1));
  for (const KnownValue &constant : constants) {
    const Tensor &tensor = constant.tensor;
    bool isScalar = tensor.numElements() == 1;
    if (!tensor.isFloat() || tensor.numElements() == 0 ||
        (!isScalar && tensor.numElements() % matrix.heads))
      continue;
    bool isUniform = isPerHead(tensor, matrix.heads);
    if (isUniform) {
      add(result.perHead, perHead(tensor, matrix.heads));
      add(result.skips, perHead(tensor, matrix.heads));
    }
    bool fits = hasMatrixShape(constant, matrix.heads, matrix.keyDim, matrix.valueDim);
    if (fits || (isUniform && !isScalar))
      add(result.rates, ratesOf(tensor, matrix, /*isSwapped=*/false));
    if (hasMatrixShape(constant, matrix.heads, matrix.valueDim, matrix.keyDim))
      add(result.rates, ratesOf(tensor, matrix, /*isSwapped=*/true));
  }
  return result;
}

std::optional<RecurrenceMatch> RecurrenceMatcher::tryMatrix(const RecurrentMatrix &matrix) {
  choices = findChoices(matrix);
  auto fits = [&](const Leaf &leaf, int64_t width) {
    int64_t groups = leaf.rows.channels / width;
    return leaf.rows.channels % width == 0 && groups > 0 && matrix.heads % groups == 0;
  };
  for (const Leaf &query : leaves)
    for (const Leaf &key : leaves)
      for (const Leaf &value : leaves) {
        if (&query == &key || &query == &value || &key == &value || !fits(query, matrix.keyDim) ||
            !fits(key, matrix.keyDim) || !fits(value, matrix.valueDim))
          continue;
        RecurrenceRoles roles;
        roles.query = &query;
        roles.key = &key;
        roles.value = &value;
        SmallVector<const Leaf *> rest;
        for (const Leaf &leaf : leaves)
          if (&leaf != &query && &leaf != &key && &leaf != &value)
            rest.push_back(&leaf);
        if (auto match = tryGates(matrix, roles, rest))
          return match;
      }
  return std::nullopt;
}

std::optional<RecurrenceMatch> RecurrenceMatcher::match() {
  if (collect(/*findsSources=*/true))
    if (auto match = matchLeaves())
      return match;
  if (std::exchange(inner, {}).empty())
    return std::nullopt;
  return collect(/*findsSources=*/false) ? matchLeaves() : std::nullopt;
}

std::optional<RecurrenceMatch> RecurrenceMatcher::matchLeaves() {
  if (!isAffordable())
    return std::nullopt;
  SmallVector<RecurrentMatrix> candidates = matrices();
  if (candidates.empty()) {
    fail("no matrix per head fits the output " + formatDims(getDims(border.output)));
    return std::nullopt;
  }
  keyScale = candidates.front().keyDim;
  // Constants that may scale the decays are negative in models; what they scale is not.
  bool hasRates = llvm::any_of(candidates, [&](const RecurrentMatrix &matrix) {
    RecurrenceConstants found = findChoices(matrix);
    return !found.perHead.empty() || !found.rates.empty();
  });
  for (bool isOpposite : {false, true}) {
    isPositive = hasRates != isOpposite;
    samples.clear();
    if (!sampleAt(0))
      continue;
    for (const RecurrentMatrix &matrix : candidates)
      if (auto match = tryMatrix(matrix))
        return match;
    fail("no choice of query, key, value, decay and beta among its inputs computes the same");
  }
  return std::nullopt;
}

std::optional<RecurrenceMatch> llmc::matchRecurrence(func::FuncOp func,
                                                     const RecurrenceBorder &border,
                                                     ArrayRef<int64_t> tokenCounts,
                                                     std::string &reason) {
  return RecurrenceMatcher(func, border, tokenCounts, reason).match();
}
