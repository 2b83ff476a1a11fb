//===- LoopOps.cpp - Loop and Scan
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of a short loop every iteration is imported anew into the function, where patterns are
// recognised across them. A longer one, or one whose length is no constant, becomes an
// llm.loop, unless its body needs what only unrolling gives: values that grow, sizes that
// depend on the iteration. Where a condition that is computed at run time may end a loop,
// it runs up to its bound, and later iterations keep what the last active one gave.
//
//===----------------------------------------------------------------------===//
#include "LoopEmitter.h"
#include "Scope.h"
#include "ValueBounds.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// What is unrolled where llm.loop does not serve.
static constexpr int64_t kMaxIterations = 4096;
/// Larger trip counts mean that only the condition ends the loop.
static constexpr int64_t kMaxTrip = int64_t(1) << 30;

static const GraphProto *bodyOf(Node &n) {
  const AttributeProto *body = n.attribute("body");
  if (body && body->has_g())
    return &body->g();
  n.fail("needs a body");
  return nullptr;
}

static std::string iterationName(Node &n, int64_t iteration) {
  return n.name().str() + "/" + std::to_string(iteration);
}

/// `value` with a new dimension of 1 at `axis`.
static Value withAxis(Node &n, Value value, int64_t axis) {
  Dims shape = n.dims(value);
  axis = n.axis(axis, shape.size() + 1);
  if (n.failed())
    return {};
  shape.insert(shape.begin() + axis, 1);
  return n.reshape(value, shape);
}

namespace {

/// A Loop, unrolled.
class Loop {
public:
  explicit Loop(Node &n, const GraphProto &body) : n(n), body(body) {}
  bool checkSignature();
  void run();

private:
  int64_t iterationBound();
  bool iterate(int64_t iteration);
  void setScanOutput(int output, ArrayRef<Value> parts);

  Node &n;
  const GraphProto &body;
  int numCarried = 0, numScans = 0;
  /// The number of iterations known, and whether that is all that ends the loop.
  std::optional<int64_t> tripCount;
  Value condition; ///< of the next iteration, rank 0; null where it is known to hold
  Value active;    ///< whether the current iteration runs; null where it does for sure
  Value trips;     ///< iterations that ran so far, where some may not
  SmallVector<Value> carried;
  SmallVector<SmallVector<Value>> scans;
  bool isDone = false;
};

} // namespace

bool Loop::checkSignature() {
  numCarried = std::max(0, n.numInputs() - 2);
  numScans = body.output_size() - 1 - numCarried;
  if (body.input_size() != numCarried + 2 || numScans < 0 || n.numOutputs() > numCarried + numScans)
    n.fail("its body has " + Twine(body.input_size()) + " inputs and " + Twine(body.output_size()) +
           " outputs for " + Twine(numCarried) + " carried values and " + Twine(n.numOutputs()) +
           " outputs");
  for (int i = 0; i < numCarried; ++i)
    if (!n.input(2 + i))
      n.fail("carried value " + Twine(i) + " is missing");
  return !n.failed();
}

/// How many iterations are unrolled: the trip count, or the size that a scan output is
/// declared to have.
int64_t Loop::iterationBound() {
  std::optional<Dims> known = n.known(n.input(0));
  if (known && known->size() == 1 && known->front().constant()) {
    // Any larger number means that only the condition ends the loop.
    tripCount = std::clamp<int64_t>(*known->front().constant(), 0, kMaxIterations + 1);
    if (*tripCount <= kMaxIterations || !condition)
      return *tripCount;
  }
  if (std::optional<DimExpr> most = n.input(0) ? upperBound(n.input(0)) : std::nullopt;
      most && most->constant())
    return std::max<int64_t>(*most->constant(), 0);
  for (int i = 0; i < numScans; ++i) {
    std::optional<Symbols::Declared> declared = n.declaredDims(numCarried + i);
    if (declared && !declared->empty() && declared->front() && declared->front()->constant())
      return *declared->front()->constant();
  }
  n.fail("not supported: a loop whose trip count is computed at run time and bounded neither by "
         "a constant nor by the declared size of a scan output");
  return 0;
}

/// One iteration; sets `isDone` where the condition is known not to hold afterwards.
bool Loop::iterate(int64_t iteration) {
  SmallVector<Value> inputs{n.size(iteration), n.scalar(1, n.builder.getI1Type())}, results;
  inputs.append(carried);
  if (n.failed() ||
      !n.walk().importIteration(body, n.scope(), iterationName(n, iteration), results, inputs)) {
    n.failQuietly();
    return false;
  }
  Value next = results[0];
  if (active)
    for (int i = 0; i < numCarried; ++i) {
      if (carried[i].getType() != results[1 + i].getType()) {
        n.fail("not supported: carried value " + Twine(i) + " changes from " +
               llm::formatDims(n.dims(carried[i])) + " to " +
               llm::formatDims(n.dims(results[1 + i])) +
               " in a loop whose end is computed at run time");
        return false;
      }
      results[1 + i] = n.select(active, results[1 + i], carried[i]);
    }
  carried.assign(results.begin() + 1, results.begin() + 1 + numCarried);
  for (int i = 0; i < numScans; ++i)
    scans[i].push_back(withAxis(n, results[1 + numCarried + i], 0));
  std::optional<Dims> known = n.known(next);
  if (known && known->size() == 1 && known->front().constant()) {
    isDone = known->front().isConstant(0) && !active;
    if (!known->front().isConstant(0))
      return !n.failed();
  }
  condition =
      condition ? n.binary(BinaryKind::logical_and, condition, n.element(next)) : n.element(next);
  return !n.failed();
}

/// The rows that the iterations gave: all of them, or the first `trips`.
void Loop::setScanOutput(int output, ArrayRef<Value> parts) {
  if (!n.hasOutput(output) || n.failed())
    return;
  if (parts.empty()) {
    Dims shape = n.declaredShape(output, "scan outputs of no iteration");
    const ValueInfoProto &inner = body.output(1 + output);
    Type type = elementType(n.builder.getContext(), inner.type().tensor_type().elem_type());
    if (!n.failed() && (shape.empty() || !type))
      n.fail("a scan output of no iteration has no declared type");
    if (n.failed())
      return;
    shape[0] = 0;
    return n.setOutput(output, n.broadcast(n.scalar(0, type), shape));
  }
  Value rows = n.concat(0, parts);
  std::optional<Symbols::Declared> declared = n.declaredDims(output);
  bool isFull = !trips || (declared && !declared->empty() && declared->front() &&
                           *declared->front() == n.dims(rows)[0]);
  if (!isFull)
    rows = n.slice(rows, 0, 0, n.defineSize(trips, int64_t(parts.size())));
  n.setOutput(output, rows);
}

void Loop::run() {
  for (int i = 0; i < numCarried; ++i)
    carried.push_back(n.input(2 + i));
  scans.resize(numScans);
  if (n.input(1)) {
    std::optional<Dims> known = n.known(n.input(1));
    bool isKnown = known && known->size() == 1 && known->front().constant();
    isDone = isKnown && known->front().isConstant(0);
    condition = isKnown ? Value() : n.element(n.input(1));
  }
  int64_t bound = isDone ? 0 : iterationBound();
  if (bound > kMaxIterations)
    // A condition that is known after each iteration may still end it.
    bound = kMaxIterations + 1;
  Value limit = n.input(0) && !tripCount ? n.asI64(n.element(n.input(0))) : Value();
  for (int64_t i = 0; i < bound && !isDone && !n.failed(); ++i) {
    if (i == kMaxIterations)
      return n.fail("not supported: a loop of more than " + Twine(kMaxIterations) + " iterations");
    active = condition;
    if (limit) {
      Value within = n.compare(llm::ComparePredicate::gt, limit, double(i));
      active = active ? n.binary(BinaryKind::logical_and, active, within) : within;
    }
    if (active) {
      Value count = n.asI64(active);
      trips = trips ? n.binary(BinaryKind::add, trips, count)
                    : n.binary(BinaryKind::add, count, double(i));
    }
    if (!iterate(i))
      return;
  }
  for (int i = 0; i < numCarried; ++i)
    n.setOutput(i, carried[i]);
  for (int i = 0; i < numScans; ++i)
    setScanOutput(numCarried + i, scans[i]);
}

namespace {

/// A Loop as llm.loop.
class RepeatedLoop {
public:
  RepeatedLoop(Node &n, const GraphProto &body) : n(n), body(body) {}
  void run();

private:
  DimExpr readTrip();
  void setOutputs(ArrayRef<Value> results, const DimExpr &trip);

  Node &n;
  const GraphProto &body;
  int numCarried = 0;
  bool mayEndEarly = false;
};

} // namespace

/// At most this many iterations: a number, or a size. Nullopt where nothing says so.
static std::optional<DimExpr> tripBound(Node &n) {
  if (!n.input(0))
    return std::nullopt;
  std::optional<Dims> known = n.known(n.input(0));
  std::optional<DimExpr> bound =
      known && known->size() == 1 ? std::optional(known->front()) : upperBound(n.input(0));
  if (!bound || bound->constant().value_or(0) > kMaxTrip)
    return std::nullopt;
  return bound->provablyNonNegative() ? *bound : DimExpr::max(*bound, 0);
}

DimExpr RepeatedLoop::readTrip() {
  DimExpr bound = *tripBound(n);
  return n.known(n.input(0)) ? bound : n.defineSize(n.asI64(n.element(n.input(0))), bound);
}

void RepeatedLoop::run() {
  numCarried = std::max(0, n.numInputs() - 2);
  DimExpr trip = readTrip();
  bool isConditional = n.input(1) && !n.known(n.input(1));
  Value active = isConditional ? n.element(n.input(1)) : n.scalar(1, n.builder.getI1Type());
  Value trips = n.size(0);
  LoopEmitter loop(n, trip);
  SmallVector<Value> inputs{n.size(loop.position()), n.scalar(1, n.builder.getI1Type())}, results;
  for (int i = 0; i < numCarried; ++i)
    inputs.push_back(loop.carry(n.input(2 + i)));
  if (n.failed() ||
      !n.walk().importIteration(body, n.scope(), n.name().str() + "/i", results, inputs))
    return n.failQuietly();
  Value again = results[0];
  SmallVector<Value> next(results.begin() + 1, results.begin() + 1 + numCarried);
  std::optional<Dims> known = n.known(again);
  mayEndEarly = isConditional || !known || known->size() != 1 || !known->front().isConstant(1);
  if (mayEndEarly) {
    active = loop.carry(active);
    trips = loop.carry(trips);
    for (int i = 0; i < numCarried && !n.failed(); ++i)
      if (inputs[2 + i].getType() == next[i].getType()) // or else reported by `finish`
        next[i] = n.select(active, next[i], inputs[2 + i]);
    next.push_back(n.binary(BinaryKind::logical_and, active, n.element(again)));
    next.push_back(n.binary(BinaryKind::add, trips, n.asI64(active)));
  }
  SmallVector<LoopEmitter::Slice> slices;
  for (Value slice : ArrayRef<Value>(results).drop_front(1 + numCarried))
    slices.push_back({slice});
  results = loop.finish(next, slices);
  if (!n.failed())
    setOutputs(results, trip);
}

void RepeatedLoop::setOutputs(ArrayRef<Value> results, const DimExpr &trip) {
  for (int i = 0; i < numCarried; ++i)
    n.setOutput(i, results[i]);
  ArrayRef<Value> stacks = results.drop_front(numCarried + (mayEndEarly ? 2 : 0));
  for (int i = numCarried; i < n.numOutputs() && !n.failed(); ++i) {
    Value rows = stacks[i - numCarried];
    std::optional<Symbols::Declared> declared = n.declaredDims(i);
    bool isFull = !mayEndEarly || (declared && !declared->empty() && declared->front() &&
                                   *declared->front() == n.dims(rows)[0]);
    if (n.hasOutput(i))
      n.setOutput(i,
                  isFull ? rows : n.slice(rows, 0, 0, n.defineSize(results[numCarried + 1], trip)));
  }
}

static void loopOp(Node &n) {
  const GraphProto *body = bodyOf(n);
  if (!body)
    return;
  Loop unrolled(n, *body);
  if (!unrolled.checkSignature())
    return;
  std::optional<Dims> condition = n.known(n.input(1));
  bool isOver = condition && condition->size() == 1 && condition->front().isConstant(0);
  std::optional<DimExpr> bound = tripBound(n);
  if (isOver || !bound || bound->constant().value_or(kMaxUnrolled + 1) <= kMaxUnrolled)
    return unrolled.run();
  SmallVector<Diagnostic> problems;
  if (tryEmit(n, [&](Node &copy) { RepeatedLoop(copy, *body).run(); }, problems))
    return;
  if (bound->constant().value_or(kMaxIterations + 1) <= kMaxIterations)
    emitInstead(n, [&] { unrolled.run(); }, problems);
  else
    report(problems, n);
}

namespace {
/// What a Scan's attributes say about one operand or result.
struct ScanSide {
  SmallVector<int64_t> axes, directions;
  int64_t axis(size_t i) const { return i < axes.size() ? axes[i] : 0; }
  bool reversed(size_t i) const { return i < directions.size() && directions[i] != 0; }
};
} // namespace

/// Row `at` of `axis`, without that dimension.
static Value rowOf(Node &n, Value x, int64_t axis, const DimExpr &at) {
  Value row = n.slice(x, axis, at, 1);
  Dims shape = n.dims(x);
  if (n.failed())
    return {};
  shape.erase(shape.begin() + axis);
  return n.reshape(row, shape);
}

namespace {
/// What a Scan goes over.
struct Scanned {
  const GraphProto &body;
  ArrayRef<Value> initial, inputs;
  const ScanSide &in, &out;
  SmallVector<int64_t> axes = {}; ///< of the inputs, from the front
};
} // namespace

/// How many elements all inputs have along their axes.
static DimExpr readLength(Node &n, Scanned &scanned) {
  DimExpr length = 0;
  for (auto [i, x] : llvm::enumerate(scanned.inputs)) {
    scanned.axes.push_back(n.axis(scanned.in.axis(i), n.rank(x)));
    if (n.failed())
      return 0;
    if (i > 0)
      n.requireEqual(n.dims(scanned.inputs[0])[scanned.axes[0]], n.dims(x)[scanned.axes[i]],
                     "scans inputs of other lengths at once");
    length = n.dims(scanned.inputs[0])[scanned.axes[0]];
  }
  return length;
}

/// `stack` with its first dimension at `axis`.
static Value withStackAt(Node &n, Value stack, int64_t axis) {
  axis = n.axis(axis, n.rank(stack));
  if (axis == 0 || n.failed())
    return stack;
  SmallVector<int64_t> permutation;
  for (int64_t d = 0; d < n.rank(stack); ++d)
    permutation.push_back(d < axis ? d + 1 : d == axis ? 0 : d);
  return n.transpose(stack, permutation);
}

/// Sets the states after the scan, and then the gathered outputs.
static void repeatScan(Node &n, const Scanned &scanned, const DimExpr &length) {
  size_t numStates = scanned.initial.size();
  LoopEmitter loop(n, length);
  SmallVector<Value> arguments, results;
  for (Value state : scanned.initial)
    arguments.push_back(loop.carry(state));
  for (auto [i, x] : llvm::enumerate(scanned.inputs))
    arguments.push_back(rowOf(n, x, scanned.axes[i], loop.position(scanned.in.reversed(i))));
  if (n.failed() ||
      !n.walk().importIteration(scanned.body, n.scope(), n.name().str() + "/i", results, arguments))
    return n.failQuietly();
  SmallVector<LoopEmitter::Slice> slices;
  for (size_t i = numStates; i < results.size(); ++i)
    slices.push_back({results[i], scanned.out.reversed(i - numStates)});
  n.results = loop.finish(ArrayRef<Value>(results).take_front(numStates), slices);
  for (size_t i = numStates; i < n.results.size() && !n.failed(); ++i)
    n.results[i] = withStackAt(n, n.results[i], scanned.out.axis(i - numStates));
}

static void unrollScan(Node &n, const Scanned &scanned, int64_t length) {
  size_t numStates = scanned.initial.size();
  SmallVector<Value> states(scanned.initial);
  SmallVector<SmallVector<Value>> parts(scanned.body.output_size() - numStates);
  for (int64_t at = 0; at < length; ++at) {
    SmallVector<Value> arguments(states), results;
    for (auto [i, x] : llvm::enumerate(scanned.inputs))
      arguments.push_back(
          rowOf(n, x, scanned.axes[i], scanned.in.reversed(i) ? length - 1 - at : at));
    if (n.failed() || !n.walk().importIteration(scanned.body, n.scope(), iterationName(n, at),
                                                results, arguments))
      return n.failQuietly();
    states.assign(results.begin(), results.begin() + numStates);
    for (size_t i = 0; i < parts.size(); ++i)
      parts[i].push_back(withAxis(n, results[numStates + i], scanned.out.axis(i)));
  }
  for (size_t i = 0; i < parts.size() && !n.failed(); ++i) {
    if (scanned.out.reversed(i))
      std::reverse(parts[i].begin(), parts[i].end());
    states.push_back(n.concat(n.axis(scanned.out.axis(i), n.rank(parts[i][0])), parts[i]));
  }
  n.results = std::move(states);
}

/// The states after scanning, and then the gathered outputs.
static SmallVector<Value> scan(Node &n, Scanned scanned) {
  DimExpr length = readLength(n, scanned);
  if (n.failed())
    return {};
  int64_t count = length.constant().value_or(0);
  SmallVector<Diagnostic> problems;
  if (count > 0 && count <= kMaxUnrolled)
    unrollScan(n, scanned, count);
  else if (!tryEmit(n, [&](Node &copy) { repeatScan(copy, scanned, length); }, problems)) {
    if (count > 0 && count <= kMaxIterations)
      emitInstead(n, [&] { unrollScan(n, scanned, count); }, problems);
    else
      report(problems, n);
  }
  return std::exchange(n.results, {});
}

/// Checks how many states and scanned inputs there are, the first `skipped` operands
/// being none of them, and gives the number of states.
static std::optional<int64_t> stateCount(Node &n, const GraphProto &body, int64_t skipped) {
  int64_t numInputs = std::max<int64_t>(0, n.intAttr("num_scan_inputs", 0));
  int64_t numStates = n.numInputs() - skipped - numInputs;
  if (numInputs < 1 || numStates < 0 || body.input_size() != n.numInputs() - skipped ||
      body.output_size() != n.numOutputs() || body.output_size() < numStates)
    n.fail("its body has " + Twine(body.input_size()) + " inputs and " + Twine(body.output_size()) +
           " outputs for " + Twine(numStates) + " states and " + Twine(numInputs) +
           " scanned inputs");
  for (int64_t i = skipped; i < n.numInputs(); ++i)
    if (!n.input(int(i)))
      n.fail("its input " + Twine(i) + " is missing");
  return n.failed() ? std::nullopt : std::optional(numStates);
}

static void scanOp(Node &n) {
  const GraphProto *body = bodyOf(n);
  std::optional<int64_t> numStates = body ? stateCount(n, *body, 0) : std::nullopt;
  if (!numStates)
    return;
  ScanSide in{n.intsAttr("scan_input_axes"), n.intsAttr("scan_input_directions")};
  ScanSide out{n.intsAttr("scan_output_axes"), n.intsAttr("scan_output_directions")};
  ArrayRef<Value> operands(n.operands);
  n.results =
      scan(n, {*body, operands.take_front(*numStates), operands.drop_front(*numStates), in, out});
}

/// Opset 8: the first dimension of every operand is a batch, and the second is scanned.
static void batchedScanOp(Node &n) {
  const GraphProto *body = bodyOf(n);
  std::optional<int64_t> numStates = body ? stateCount(n, *body, 1) : std::nullopt;
  if (!numStates)
    return;
  if (n.hasInput(0))
    return n.fail("not supported: lengths of sequences");
  ScanSide in{{}, n.intsAttr("directions")};
  ArrayRef<Value> operands = ArrayRef<Value>(n.operands).drop_front();
  Dims dims = n.dims(operands.back());
  std::optional<int64_t> batch = dims.empty() ? std::nullopt : dims[0].constant();
  if (!batch || *batch < 1 || *batch > kMaxIterations)
    return n.fail("not supported: a batch of " + llm::formatDims(dims));
  SmallVector<SmallVector<Value>> parts(body->output_size());
  for (int64_t at = 0; at < *batch && !n.failed(); ++at) {
    SmallVector<Value> rows;
    for (Value operand : operands)
      rows.push_back(n.rank(operand) > 0 ? rowOf(n, operand, 0, at) : Value());
    if (llvm::is_contained(rows, Value()))
      return n.fail("an operand has no batch dimension");
    ArrayRef<Value> all(rows);
    ScanSide out;
    SmallVector<Value> results =
        scan(n, {*body, all.take_front(*numStates), all.drop_front(*numStates), in, out});
    for (size_t i = 0; i < results.size() && !n.failed(); ++i)
      parts[i].push_back(withAxis(n, results[i], 0));
  }
  for (size_t i = 0; i < parts.size() && !n.failed(); ++i)
    n.setOutput(int(i), n.concat(0, parts[i]));
}

void llmc::importer::addLoopOps(OpTable &t) {
  t.add("", "Loop", 1,
        {loopOp, 0, kVariadic, kVariadic, "body",
         "sequences; trip counts computed at run time without a bound; over 4096 iterations of "
         "bodies whose values grow or have sizes that depend on the iteration or on data"});
  t.add("", "Scan", 8, {batchedScanOp, 0, kVariadic, kVariadic, "body directions num_scan_inputs"});
  t.add("", "Scan", 9,
        {scanOp, 1, kVariadic, kVariadic,
         "body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes "
         "scan_output_directions",
         "bodies whose values grow or have sizes that depend on the iteration or on data, over "
         "lengths that are not constant or above 4096"});
}
