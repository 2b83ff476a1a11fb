//===- LoopOps.cpp - Loop and Scan, unrolled
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every iteration is imported anew into the function. Where the trip count or
// the condition is computed at run time, iterations are unrolled up to a bound
// and later ones keep what the last active one gave.
//
//===----------------------------------------------------------------------===//
#include "Scope.h"
#include "ValueBounds.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

static constexpr int64_t kMaxIterations = 4096;

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

class Loop {
public:
  explicit Loop(Node &n, const GraphProto &body) : n(n), body(body) {}
  void run();

private:
  bool checkSignature();
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
  if (!checkSignature())
    return;
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

static void loopOp(Node &n) {
  if (const GraphProto *body = bodyOf(n))
    Loop(n, *body).run();
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
static Value rowOf(Node &n, Value x, int64_t axis, int64_t at) {
  Value row = n.slice(x, axis, at, 1);
  Dims shape = n.dims(x);
  if (n.failed())
    return {};
  shape.erase(shape.begin() + axis);
  return n.reshape(row, shape);
}

/// The states after scanning `inputs`, and then the gathered outputs.
static SmallVector<Value> scan(Node &n, const GraphProto &body, ArrayRef<Value> initial,
                               ArrayRef<Value> inputs, const ScanSide &in, const ScanSide &out) {
  std::optional<int64_t> length;
  SmallVector<int64_t> axes;
  for (auto [i, x] : llvm::enumerate(inputs)) {
    axes.push_back(n.axis(in.axis(i), n.rank(x)));
    std::optional<int64_t> size = n.failed() ? std::nullopt : n.dims(x)[axes[i]].constant();
    if (!n.failed() && (!size || *size > kMaxIterations || *size == 0))
      n.fail("not supported: a scan of " + n.dims(x)[axes[i]].str() +
             " elements; a constant number from 1 to " + Twine(kMaxIterations) + " is");
    if (!n.failed() && length && *length != *size)
      n.fail("scans " + Twine(*length) + " and " + Twine(*size) + " elements at once");
    if (n.failed())
      return {};
    length = size;
  }
  SmallVector<Value> states(initial);
  SmallVector<SmallVector<Value>> parts(body.output_size() - states.size());
  for (int64_t at = 0; at < *length; ++at) {
    SmallVector<Value> arguments(states), results;
    for (auto [i, x] : llvm::enumerate(inputs))
      arguments.push_back(rowOf(n, x, axes[i], in.reversed(i) ? *length - 1 - at : at));
    if (n.failed() ||
        !n.walk().importIteration(body, n.scope(), iterationName(n, at), results, arguments)) {
      n.failQuietly();
      return {};
    }
    states.assign(results.begin(), results.begin() + initial.size());
    for (size_t i = 0; i < parts.size(); ++i)
      parts[i].push_back(withAxis(n, results[initial.size() + i], out.axis(i)));
  }
  for (size_t i = 0; i < parts.size() && !n.failed(); ++i) {
    if (out.reversed(i))
      std::reverse(parts[i].begin(), parts[i].end());
    states.push_back(n.concat(n.axis(out.axis(i), n.rank(parts[i][0])), parts[i]));
  }
  return states;
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
      scan(n, *body, operands.take_front(*numStates), operands.drop_front(*numStates), in, out);
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
    SmallVector<Value> results =
        scan(n, *body, all.take_front(*numStates), all.drop_front(*numStates), in, ScanSide());
    for (size_t i = 0; i < results.size() && !n.failed(); ++i)
      parts[i].push_back(withAxis(n, results[i], 0));
  }
  for (size_t i = 0; i < parts.size() && !n.failed(); ++i)
    n.setOutput(int(i), n.concat(0, parts[i]));
}

void llmc::importer::addLoopOps(OpTable &t) {
  t.add("", "Loop", 1,
        {loopOp, 0, kVariadic, kVariadic, "body",
         "more than 4096 iterations; sequences; trip counts computed at run time without a bound"});
  t.add("", "Scan", 8, {batchedScanOp, 0, kVariadic, kVariadic, "body directions num_scan_inputs"});
  t.add("", "Scan", 9,
        {scanOp, 1, kVariadic, kVariadic,
         "body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes "
         "scan_output_directions",
         "lengths that are not constant, or more than 4096"});
}
