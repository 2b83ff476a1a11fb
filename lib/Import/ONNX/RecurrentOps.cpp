//===- RecurrentOps.cpp - RNN, GRU and LSTM
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The products with the inputs are taken for all steps at once, in front of the
// steps, which are an llm.loop unless they are few. Sequences that are shorter than the longest
// keep their state where they have no element; so both directions go over all steps.
//
//===----------------------------------------------------------------------===//
#include "LoopEmitter.h"
#include "Scope.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

namespace {

enum class CellKind { RNN, GRU, LSTM };

/// One direction of a layer. Sizes: T steps, B sequences, I inputs, H hidden, G gates.
struct Direction {
  Value inputs;    ///< [T, B, G * H]: products with the inputs, with what biases can be added
  Value recurrent; ///< [H, G * H], or in GRU the columns of the gates in front of the reset
  Value candidate; ///< [H, H]: the other columns in that case
  Value resetBias; ///< [H]: of the candidate in GRU where it is added in front of the reset
  Value peepholes; ///< [3 * H], or null
  Value hidden;    ///< [B, H]
  Value cell;      ///< [B, H], LSTM only
  SmallVector<std::string> activations;
};

class Recurrent {
public:
  Recurrent(Node &n, CellKind kind) : n(n), kind(kind) {}
  void run();

private:
  int64_t numGates() const { return kind == CellKind::RNN ? 1 : kind == CellKind::GRU ? 3 : 4; }
  int64_t numActivations() const {
    return kind == CellKind::RNN ? 1 : kind == CellKind::GRU ? 2 : 3;
  }
  bool readSizes();
  bool readActivations();
  Direction readDirection(int64_t index);
  Value initialState(int input, int64_t direction);
  Value rowsOf(int input, int64_t direction);
  Value scan(Direction &direction, bool isReversed);
  Value unroll(Direction &direction, bool isReversed, int64_t count);
  Value repeat(Direction &direction, bool isReversed);
  Value stepAt(Direction &direction, const DimExpr &time);
  void step(Direction &direction, Value inputs);
  void stepRNN(Direction &d, Value inputs);
  void stepGRU(Direction &d, Value inputs);
  void stepLSTM(Direction &d, Value inputs);
  Value gate(Value all, int64_t index) {
    return n.slice(all, n.rank(all) - 1, index * hidden, hidden);
  }
  /// Gate `index` of both, added.
  Value sumOfGates(Value a, Value b, int64_t index) {
    Value x = gate(a, index), y = gate(b, index);
    return add(x, y);
  }
  Value activate(StringRef name, Value x);
  Value add(Value a, Value b) { return n.binary(BinaryKind::add, a, b); }
  Value mul(Value a, Value b) { return n.binary(BinaryKind::mul, a, b); }
  Value oneMinus(Value x) {
    return n.failed() ? Value() : n.binary(BinaryKind::sub, n.scalar(1, n.elementTypeOf(x)), x);
  }
  void setOutputs(ArrayRef<Direction> directions, ArrayRef<Value> sequences);
  Value stackDirections(ArrayRef<Value> parts, int64_t axis);

  Node &n;
  CellKind kind;
  bool isBatchFirst = false, addsBeforeReset = false, couplesInput = false;
  std::string directionName;
  int64_t numDirections = 1, hidden = 0;
  double clip = 0;
  Value x; ///< [T, B, I]
  DimExpr batch, length;
  SmallVector<std::string> activations;
};

} // namespace

bool Recurrent::readSizes() {
  x = n.input(0);
  isBatchFirst = n.intAttr("layout", 0) != 0;
  addsBeforeReset = n.intAttr("linear_before_reset", 0) != 0;
  couplesInput = n.intAttr("input_forget", 0) != 0;
  clip = n.floatAttr("clip", 0);
  directionName = n.stringAttr("direction", "forward");
  if (directionName != "forward" && directionName != "reverse" && directionName != "bidirectional")
    n.fail("direction '" + directionName + "' is none");
  numDirections = directionName == "bidirectional" ? 2 : 1;
  if (n.rank(x) != 3 || n.rank(n.input(1)) != 3 || n.rank(n.input(2)) != 3)
    n.fail("needs an input and weights of rank 3, found " + llm::formatDims(n.dims(x)) + ", " +
           llm::formatDims(n.dims(n.input(1))) + " and " + llm::formatDims(n.dims(n.input(2))));
  if (n.failed())
    return false;
  if (isBatchFirst)
    x = n.transpose(x, {1, 0, 2});
  std::optional<int64_t> size = n.dims(n.input(2))[2].constant();
  batch = n.dims(x)[1];
  if (!size || *size < 1 || n.intAttr("hidden_size", *size) != *size) {
    n.fail("hidden_size is not that of the weights " + llm::formatDims(n.dims(n.input(2))));
    return false;
  }
  hidden = *size;
  DimExpr rows = DimExpr(numGates()) * hidden;
  auto requireShape = [&](int input, ArrayRef<DimExpr> shape) {
    Dims dims = n.dims(n.input(input));
    if (n.failed() || !n.input(input))
      return;
    bool isRight = dims.size() == shape.size();
    for (size_t i = 0; isRight && i < dims.size(); ++i)
      isRight = n.symbols.unify(n.dims(n.input(input))[i], shape[i]);
    if (!isRight)
      n.fail("input " + Twine(input) + " is " + llm::formatDims(dims) + ", expected " +
             llm::formatDims(shape));
  };
  requireShape(1, {numDirections, rows, n.dims(x)[2]});
  requireShape(2, {numDirections, rows, hidden});
  requireShape(3, {numDirections, rows * 2});
  requireShape(4, {batch});
  Dims state = {numDirections, batch, hidden};
  if (isBatchFirst)
    std::swap(state[0], state[1]);
  requireShape(5, state);
  if (kind == CellKind::LSTM) {
    requireShape(6, state);
    requireShape(7, {numDirections, DimExpr(3 * hidden)});
  }
  // Sizes that were found equal are one by now.
  length = n.dims(x)[0];
  batch = n.dims(x)[1];
  return !n.failed();
}

bool Recurrent::readActivations() {
  if (const AttributeProto *given = n.attribute("activations")) {
    activations.assign(given->strings().begin(), given->strings().end());
  } else {
    for (int64_t i = 0; i < numDirections; ++i) {
      if (kind != CellKind::RNN)
        activations.push_back("Sigmoid");
      activations.push_back("Tanh");
      if (kind == CellKind::LSTM)
        activations.push_back("Tanh");
    }
  }
  if (int64_t(activations.size()) != numActivations() * numDirections)
    n.fail("has " + Twine(activations.size()) + " activations, expected " +
           Twine(numActivations() * numDirections));
  return !n.failed();
}

Value Recurrent::activate(StringRef name, Value x) {
  if (clip > 0)
    x = n.binary(BinaryKind::max, n.binary(BinaryKind::min, x, clip), -clip);
  if (name == "Sigmoid")
    return n.unary(UnaryKind::sigmoid, x);
  if (name == "Tanh")
    return n.unary(UnaryKind::tanh, x);
  if (name == "Relu")
    return n.unary(UnaryKind::relu, x);
  if (name == "Softplus")
    return n.unary(UnaryKind::softplus, x);
  n.fail("not supported: activation '" + name + "'");
  return {};
}

/// What an input holds for one direction, its first dimension.
Value Recurrent::rowsOf(int input, int64_t direction) {
  Value all = n.input(input);
  Dims shape = n.dims(all);
  if (n.failed())
    return {};
  shape.erase(shape.begin());
  return n.reshape(n.slice(all, 0, direction, 1), shape);
}

Value Recurrent::initialState(int input, int64_t direction) {
  if (!n.input(input))
    return n.broadcast(n.scalar(0, n.elementTypeOf(x)), {batch, hidden});
  return n.reshape(n.slice(n.input(input), isBatchFirst ? 1 : 0, direction, 1), {batch, hidden});
}

Direction Recurrent::readDirection(int64_t index) {
  Direction d;
  ArrayRef<std::string> all(activations);
  ArrayRef<std::string> own = all.slice(index * numActivations(), numActivations());
  d.activations.assign(own.begin(), own.end());
  d.inputs = n.matmul(x, n.transpose(rowsOf(1, index), {1, 0}));
  d.recurrent = n.transpose(rowsOf(2, index), {1, 0});
  if (kind == CellKind::GRU && !addsBeforeReset) {
    d.candidate = gate(d.recurrent, 2);
    d.recurrent = n.slice(d.recurrent, 1, 0, 2 * hidden);
  }
  if (n.input(3)) {
    Value biases = rowsOf(3, index), bias = n.slice(biases, 0, 0, numGates() * hidden);
    Value second = n.slice(biases, 0, numGates() * hidden, numGates() * hidden);
    if (kind == CellKind::GRU && addsBeforeReset) {
      d.resetBias = gate(second, 2);
      Value zeros = n.broadcast(n.scalar(0, n.elementTypeOf(x)), {hidden});
      second = n.concat(0, {n.slice(second, 0, 0, 2 * hidden), zeros});
    }
    d.inputs = add(d.inputs, add(bias, second));
  }
  if (kind == CellKind::LSTM && n.input(7))
    d.peepholes = rowsOf(7, index);
  d.hidden = initialState(5, index);
  if (kind == CellKind::LSTM)
    d.cell = initialState(6, index);
  return d;
}

/// H = f(XW + HR + b).
void Recurrent::stepRNN(Direction &d, Value inputs) {
  d.hidden = activate(d.activations[0], add(inputs, n.matmul(d.hidden, d.recurrent)));
}

/// Gates z, r and the candidate h: H = (1 - z) h + z H.
void Recurrent::stepGRU(Direction &d, Value inputs) {
  Value products = n.matmul(d.hidden, d.recurrent);
  Value update = activate(d.activations[0], sumOfGates(inputs, products, 0));
  Value reset = activate(d.activations[0], sumOfGates(inputs, products, 1));
  Value past;
  if (addsBeforeReset) {
    past = gate(products, 2);
    if (d.resetBias)
      past = add(past, d.resetBias);
    past = mul(reset, past);
  } else {
    Value kept = mul(reset, d.hidden);
    past = n.matmul(kept, d.candidate);
  }
  Value candidate = gate(inputs, 2);
  Value next = activate(d.activations[1], add(candidate, past));
  Value kept = mul(update, d.hidden), taken = mul(oneMinus(update), next);
  d.hidden = add(taken, kept);
}

/// Gates i, o, f and the candidate c: C = f C + i c, H = o h(C).
void Recurrent::stepLSTM(Direction &d, Value inputs) {
  Value products = add(inputs, n.matmul(d.hidden, d.recurrent));
  // Peepholes lie in the order i, o, f as the gates do.
  auto peeped = [&](int64_t index, Value cell) {
    Value sum = gate(products, index);
    return d.peepholes ? add(sum, mul(cell, gate(d.peepholes, index))) : sum;
  };
  Value input = activate(d.activations[0], peeped(0, d.cell));
  Value forget = couplesInput ? oneMinus(input) : activate(d.activations[0], peeped(2, d.cell));
  Value candidate = activate(d.activations[1], gate(products, 3));
  Value kept = mul(forget, d.cell);
  Value added = mul(input, candidate);
  d.cell = add(kept, added);
  Value output = activate(d.activations[0], peeped(1, d.cell));
  Value shown = activate(d.activations[2], d.cell);
  d.hidden = mul(output, shown);
}

void Recurrent::step(Direction &d, Value inputs) {
  if (kind == CellKind::RNN)
    stepRNN(d, inputs);
  else if (kind == CellKind::GRU)
    stepGRU(d, inputs);
  else
    stepLSTM(d, inputs);
}

/// Takes the step of that time, and gives its output [B, H].
Value Recurrent::stepAt(Direction &d, const DimExpr &time) {
  Value hiddenBefore = d.hidden, cellBefore = d.cell;
  step(d, n.reshape(n.slice(d.inputs, 0, time, 1), {batch, DimExpr(numGates() * hidden)}));
  if (!n.input(4) || n.failed())
    return d.hidden;
  Value now = n.sizes(time, n.elementTypeOf(n.input(4)), /*isScalar=*/true);
  Value isActive =
      n.reshape(n.compare(llm::ComparePredicate::gt, n.input(4), now), {batch, DimExpr(1)});
  Value output = n.select(isActive, d.hidden, n.scalar(0, n.elementTypeOf(x)));
  d.hidden = n.select(isActive, d.hidden, hiddenBefore);
  if (d.cell)
    d.cell = n.select(isActive, d.cell, cellBefore);
  return output;
}

/// All outputs by their time, as [T, 1, B, H]; null where nobody wants them.
Value Recurrent::scan(Direction &d, bool isReversed) {
  int64_t count = length.constant().value_or(0);
  return count > 0 && count <= kMaxUnrolled ? unroll(d, isReversed, count) : repeat(d, isReversed);
}

Value Recurrent::unroll(Direction &d, bool isReversed, int64_t count) {
  constexpr int64_t kNodesOfStep = 16;
  SmallVector<Value> steps(count);
  for (int64_t i = 0; i < count && !n.failed(); ++i) {
    if (!n.walk().countUnrolled(kNodesOfStep, n.name())) {
      n.failQuietly();
      return {};
    }
    int64_t time = isReversed ? count - 1 - i : i;
    steps[time] = n.reshape(stepAt(d, time), {DimExpr(1), DimExpr(1), batch, DimExpr(hidden)});
  }
  return n.hasOutput(0) ? n.concat(0, steps) : Value();
}

Value Recurrent::repeat(Direction &d, bool isReversed) {
  SmallVector<LoopEmitter::Slice> slices;
  LoopEmitter loop(n, length);
  d.hidden = loop.carry(d.hidden);
  SmallVector<Value> next;
  if (d.cell)
    d.cell = loop.carry(d.cell);
  Value output = stepAt(d, loop.position(isReversed));
  if (n.hasOutput(0))
    slices.push_back({output, isReversed});
  next.push_back(d.hidden);
  if (d.cell)
    next.push_back(d.cell);
  SmallVector<Value> results = loop.finish(next, slices);
  if (n.failed())
    return {};
  d.hidden = results[0];
  if (d.cell)
    d.cell = results[1];
  return n.hasOutput(0) ? n.reshape(results.back(), {length, DimExpr(1), batch, DimExpr(hidden)})
                        : Value();
}

/// [1, B, H] of each direction as ONNX lays them out.
Value Recurrent::stackDirections(ArrayRef<Value> parts, int64_t axis) {
  Value all = n.concat(axis, parts);
  if (!isBatchFirst)
    return all;
  // The batch goes first; [T, D, B, H] has the steps behind it.
  return axis == 0 ? n.transpose(all, {1, 0, 2}) : n.transpose(all, {2, 0, 1, 3});
}

void Recurrent::setOutputs(ArrayRef<Direction> directions, ArrayRef<Value> sequences) {
  SmallVector<Value> hiddens, cells;
  for (const Direction &d : directions) {
    Dims shape = {DimExpr(1), batch, DimExpr(hidden)};
    hiddens.push_back(n.reshape(d.hidden, shape));
    if (d.cell)
      cells.push_back(n.reshape(d.cell, shape));
  }
  if (n.hasOutput(0))
    n.setOutput(0, stackDirections(sequences, 1));
  if (n.hasOutput(1))
    n.setOutput(1, stackDirections(hiddens, 0));
  if (kind == CellKind::LSTM && n.hasOutput(2))
    n.setOutput(2, stackDirections(cells, 0));
}

void Recurrent::run() {
  if (!readSizes() || !readActivations())
    return;
  SmallVector<Direction> directions;
  SmallVector<Value> sequences;
  for (int64_t i = 0; i < numDirections && !n.failed(); ++i) {
    directions.push_back(readDirection(i));
    sequences.push_back(scan(directions.back(), directionName == "reverse" || i == 1));
  }
  if (!n.failed())
    setOutputs(directions, sequences);
}

template <CellKind kind> static void recurrentOp(Node &n) { Recurrent(n, kind).run(); }

void llmc::importer::addRecurrentOps(OpTable &t) {
  constexpr StringRef kLimits = "activations other than Sigmoid, Tanh, Relu, Softplus";
  t.add("", "RNN", 7,
        {recurrentOp<CellKind::RNN>, 3, 6, 2, "activations clip direction hidden_size", kLimits});
  t.add("", "RNN", 14,
        {recurrentOp<CellKind::RNN>, 3, 6, 2, "activations clip direction hidden_size layout",
         kLimits});
  t.add("", "GRU", 7,
        {recurrentOp<CellKind::GRU>, 3, 6, 2,
         "activations clip direction hidden_size linear_before_reset", kLimits});
  t.add("", "GRU", 14,
        {recurrentOp<CellKind::GRU>, 3, 6, 2,
         "activations clip direction hidden_size layout linear_before_reset", kLimits});
  t.add("", "LSTM", 7,
        {recurrentOp<CellKind::LSTM>, 3, 8, 3,
         "activations clip direction hidden_size input_forget", kLimits});
  t.add("", "LSTM", 14,
        {recurrentOp<CellKind::LSTM>, 3, 8, 3,
         "activations clip direction hidden_size input_forget layout", kLimits});
}
