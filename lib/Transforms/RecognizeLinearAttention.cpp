//===- RecognizeLinearAttention.cpp - recurrent matrices ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters unroll the gated delta rule over a chunk of tokens into hundreds of
// operations. They are not matched but found by their border: an input matrix per
// sequence and head, the result that replaces it, and behind both the nearest tensors
// with one row per token. Those are taken for query, key, value, decay and beta in
// every possible way, and each is compared with the reference on random data.
//
// Such a graph may hold for one chunk only: its sizes contain `min(chunk, tokens)` and
// contradict each other beyond it. They are simplified for at most that many tokens;
// what replaces the graph has no such limit.
//
//===----------------------------------------------------------------------===//
#include "Matchers.h"
#include "SampledComputation.h"
#include "SymbolSubstitution.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/Debug.h"
#include <algorithm>
#include <array>
#include <cmath>

#define DEBUG_TYPE "llmc-recognize-linear-attention"

using namespace mlir;
using namespace llmc::llm;
using llmc::reference::Tensor;

namespace llmc {
#define GEN_PASS_DEF_RECOGNIZELINEARATTENTION
#include "llmc/Transforms/Passes.h.inc"

namespace {

/// The operations of a chunk of 64 tokens, with room.
constexpr size_t kMaxOperations = 8000;

/// A part of the function that may be one recurrence.
struct Candidate {
  BlockArgument past;          ///< [B, H, Dk, Dv]
  Value state;                 ///< what the function returns in its place
  Value output;                ///< [B, H, T, Dv]
  DimExpr tokens;              ///< T
  SmallVector<Value> perToken; ///< [B, H, T] or [B, H, T, D]
  SampledComputation computation;
};

/// What the values with a row per token are.
struct Roles {
  Value query, key, value, decay, beta;
};

Dims dimsOf(Value value) { return getDims(value); }

bool isFloatTensor(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isF32();
}

/// A row per token and head of the recurrence.
bool isPerToken(Value value, const Candidate &candidate) {
  if (!isFloatTensor(value))
    return false;
  Dims dims = dimsOf(value), past = dimsOf(candidate.past);
  return (dims.size() == 3 || dims.size() == 4) && dims[0] == past[0] && dims[1] == past[1] &&
         dims[2] == candidate.tokens &&
         (dims.size() == 3 || dims[3].isConstant(1) || dims[3] == past[2] || dims[3] == past[3]);
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

Tensor randomTensor(Value value, const reference::Evaluator &evaluator, std::mt19937 &random,
                    double low, double high) {
  SmallVector<int64_t> shape;
  int64_t count = 1;
  for (const DimExpr &dim : dimsOf(value)) {
    shape.push_back(evaluator.evaluate(dim).value_or(0));
    count *= shape.back();
  }
  std::vector<double> elements(count);
  for (double &element : elements)
    element = low + (high - low) * double(random() % 4096) / 4095.0;
  return Tensor::fromFloats(elementTypeOf(value), shape, elements);
}

/// Relative to the largest element; the graph and the recurrence round differently,
/// but both in double or f32.
bool isClose(const Tensor &tensor, const Tensor &expected) {
  if (tensor.shape() != expected.shape())
    return false;
  double largest = 0, error = 0;
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    double e = expected.getFloat(i);
    largest = std::max(largest, std::abs(e));
    error = std::max(error, std::abs(tensor.getFloat(i) - e));
  }
  return error <= 1e-4 * std::max(largest, 1e-3); // false for NaN
}

/// One evaluation of the graph on random data.
struct Sample {
  reference::SymbolValues symbols;
  DenseMap<Value, Tensor> inputs;
  Tensor output, state;
};

std::optional<Sample> evaluateSample(Candidate &candidate, int64_t tokens, unsigned seed) {
  std::mt19937 random(seed);
  // One sample has several sequences; the others stay small.
  reference::SymbolValues symbols =
      candidate.computation.sampleSymbols(random, tokens == 3 ? 2 : 1);
  if (std::optional<std::string> name = candidate.tokens.asSymbol())
    symbols[*name] = tokens;
  reference::Evaluator evaluator(symbols);
  Sample sample;
  sample.symbols = symbols;
  // Keys of norm at most about 1 keep the delta rule stable; decays are negative and
  // betas in (0, 1), as everywhere where such layers are trained.
  double range = 1.5 / std::sqrt(double(*dimsOf(candidate.past)[2].constant()));
  for (Value value : candidate.perToken) {
    bool isRow = dimsOf(value).size() == 4 && !dimsOf(value)[3].isConstant(1);
    sample.inputs[value] = isRow ? randomTensor(value, evaluator, random, -range, range)
                                 : randomTensor(value, evaluator, random, -0.9, -0.05);
  }
  sample.inputs[candidate.past] = randomTensor(candidate.past, evaluator, random, -1, 1);
  for (auto &[value, tensor] : sample.inputs)
    evaluator.bind(value, tensor);
  FailureOr<Tensor> output = evaluator.evaluate(candidate.output);
  if (failed(output)) {
    LLVM_DEBUG(llvm::dbgs() << "output: " << evaluator.message() << "\n");
    return std::nullopt;
  }
  FailureOr<Tensor> state = evaluator.evaluate(candidate.state);
  if (failed(state)) {
    LLVM_DEBUG(llvm::dbgs() << "state: " << evaluator.message() << "\n");
    return std::nullopt;
  }
  sample.output = *output;
  sample.state = *state;
  return sample;
}

bool agrees(LinearAttentionOp op, const Sample &sample) {
  reference::Evaluator evaluator(sample.symbols);
  for (const auto &[value, tensor] : sample.inputs)
    evaluator.bind(value, tensor);
  FailureOr<Tensor> output = evaluator.evaluate(op.getOutput());
  FailureOr<Tensor> state = evaluator.evaluate(op.getState());
  return succeeded(output) && succeeded(state) && isClose(sample.output, *output) &&
         isClose(sample.state, *state);
}

/// The operation for one assignment of roles, before `builder`'s insertion point.
LinearAttentionOp makeAttention(OpBuilder &builder, const Candidate &candidate, const Roles &roles,
                                double scale) {
  Location loc = builder.getFusedLoc({candidate.output.getLoc(), candidate.state.getLoc()});
  Dims past = dimsOf(candidate.past);
  auto asColumn = [&](Value value) -> Value {
    if (!value || dimsOf(value).size() == 4)
      return value;
    Dims dims = dimsOf(value);
    dims.push_back(1);
    return ReshapeOp::create(builder, loc, makeTensorType(dims, elementTypeOf(value)), value);
  };
  Dims dims{past[0], past[1], candidate.tokens, past[3]};
  Value decay = asColumn(roles.decay), beta = asColumn(roles.beta);
  return LinearAttentionOp::create(
      builder, loc, makeTensorType(dims, elementTypeOf(candidate.past)), candidate.past.getType(),
      roles.query, roles.key, roles.value, decay, beta, candidate.past,
      builder.getF64FloatAttr(scale), beta ? builder.getUnitAttr() : UnitAttr());
}

/// The operation with the roles that the samples confirm, or null.
LinearAttentionOp findAttention(OpBuilder &builder, const Candidate &candidate,
                                ArrayRef<Sample> samples) {
  SmallVector<Value> rows, numbers;
  for (Value value : candidate.perToken) {
    Dims dims = dimsOf(value);
    (dims.size() == 4 && !dims[3].isConstant(1) ? rows : numbers).push_back(value);
  }
  if (rows.size() != 3 || numbers.size() > 2)
    return {};
  Dims past = dimsOf(candidate.past);
  SmallVector<std::pair<Value, Value>> gates; // decay, beta
  if (numbers.empty())
    gates = {{Value(), Value()}};
  else if (numbers.size() == 1)
    gates = {{numbers[0], Value()}, {Value(), numbers[0]}};
  else
    gates = {{numbers[0], numbers[1]}, {numbers[1], numbers[0]}};
  double scales[] = {1.0, 1.0 / std::sqrt(double(*past[2].constant()))};
  std::array<int, 3> order = {0, 1, 2};
  do {
    Roles roles{rows[order[0]], rows[order[1]], rows[order[2]], {}, {}};
    if (dimsOf(roles.query)[3] != past[2] || dimsOf(roles.key)[3] != past[2] ||
        dimsOf(roles.value)[3] != past[3])
      continue;
    for (auto [decay, beta] : gates)
      for (double scale : scales) {
        roles.decay = decay;
        roles.beta = beta;
        LinearAttentionOp op = makeAttention(builder, candidate, roles, scale);
        if (llvm::all_of(samples, [&](const Sample &sample) { return agrees(op, sample); }))
          return op;
        op.erase();
      }
  } while (std::next_permutation(order.begin(), order.end()));
  return {};
}

//===----------------------------------------------------------------------===//
// Candidates
//===----------------------------------------------------------------------===//

/// Collects what computes output and state; false where they need anything but the past
/// and values with a row per token.
bool collectBorder(func::FuncOp func, Candidate &candidate) {
  auto computation = collectComputation(
      func, {candidate.state, candidate.output}, kMaxOperations, [&](Value value) {
        return value != candidate.output && value != candidate.state &&
               isPerToken(value, candidate) && !isConstant(value);
      });
  if (!computation)
    return false;
  candidate.perToken.clear();
  for (Value leaf : computation->leaves) {
    if (leaf == candidate.past)
      continue;
    if (!isPerToken(leaf, candidate))
      return false;
    candidate.perToken.push_back(leaf);
  }
  candidate.computation = std::move(*computation);
  return candidate.perToken.size() >= 3 && candidate.perToken.size() <= 5;
}

/// The tensors with a row per token that depend on the past and that something else
/// than the recurrence reads, first ones first.
SmallVector<Value> findOutputs(func::FuncOp func, const Candidate &candidate) {
  Dims past = dimsOf(candidate.past);
  llvm::SetVector<Operation *> reached;
  SmallVector<Value> work{candidate.past}, outputs;
  while (!work.empty()) {
    Value value = work.pop_back_val();
    for (Operation *user : value.getUsers()) {
      if (!reached.insert(user) || reached.size() > kMaxOperations)
        continue;
      for (Value result : user->getResults()) {
        Dims dims = isFloatTensor(result) ? dimsOf(result) : Dims();
        bool isOutput = dims.size() == 4 && dims[0] == past[0] && dims[1] == past[1] &&
                        dims[3] == past[3] && dims[2] == candidate.tokens;
        if (isOutput)
          outputs.push_back(result);
        else
          work.push_back(result);
      }
    }
  }
  llvm::sort(outputs, [](Value a, Value b) {
    return a.getDefiningOp()->isBeforeInBlock(b.getDefiningOp());
  });
  return outputs;
}

/// Symbols that could be the number of tokens.
std::vector<std::string> tokenSymbols(func::FuncOp func) {
  llvm::StringSet<> symbols;
  for (Type type : func.getArgumentTypes())
    addSymbols(type, symbols);
  std::vector<std::string> names;
  for (const auto &entry : symbols)
    names.push_back(entry.first().str());
  llvm::sort(names);
  return names;
}

//===----------------------------------------------------------------------===//
// Rewrites
//===----------------------------------------------------------------------===//

/// Whether some reshape cannot hold for this many tokens.
bool isUndefinedAt(func::FuncOp func, const DimExpr &tokens, int64_t count) {
  auto numElements = [&](Value value) {
    std::optional<std::string> name = tokens.asSymbol();
    // Odd primes make sizes that differ in a symbol differ in number.
    return product(dimsOf(value)).evaluate([&](const std::string &symbol) {
      return std::optional<int64_t>(symbol == *name ? count : 7919);
    });
  };
  auto result = func.walk([&](ReshapeOp op) {
    std::optional<int64_t> from = numElements(op.getInput()), to = numElements(op.getResult());
    return from && to && *from != *to ? WalkResult::interrupt() : WalkResult::advance();
  });
  return result.wasInterrupted();
}

/// Calls `visit` for every atom in `expr`, also inside others.
void forEachAtom(const DimExpr &expr, llvm::function_ref<void(const DimExpr::Atom &)> visit) {
  for (const DimExpr::Term &term : expr.terms())
    for (const DimExpr::AtomRef &atom : term.factors) {
      visit(*atom);
      for (const DimExpr &argument : atom->args)
        forEachAtom(argument, visit);
    }
}

DimExpr makeAtom(DimExpr::AtomKind kind, const DimExpr &a, const DimExpr &b) {
  switch (kind) {
  case DimExpr::AtomKind::FloorDiv:
    return DimExpr::floorDiv(a, b);
  case DimExpr::AtomKind::Mod:
    return DimExpr::mod(a, b);
  case DimExpr::AtomKind::Min:
    return DimExpr::min(a, b);
  case DimExpr::AtomKind::Max:
    return DimExpr::max(a, b);
  case DimExpr::AtomKind::Symbol:
    break;
  }
  llvm_unreachable("a symbol has no operands");
}

/// `expr` where `symbol` is from 1 to `most`: atoms that are linear there become so.
DimExpr simplifyWithin(const DimExpr &expr, const std::string &symbol, int64_t most) {
  DimExpr result = 0;
  for (const DimExpr::Term &term : expr.terms()) {
    DimExpr product = term.coefficient;
    for (const DimExpr::AtomRef &atom : term.factors) {
      if (atom->kind == DimExpr::AtomKind::Symbol) {
        product = product * DimExpr::symbol(atom->key);
        continue;
      }
      DimExpr simple = makeAtom(atom->kind, simplifyWithin(atom->args[0], symbol, most),
                                simplifyWithin(atom->args[1], symbol, most));
      auto at = [&](int64_t value) {
        return simple.evaluate([&](const std::string &name) {
          return name == symbol ? std::optional(value) : std::nullopt;
        });
      };
      std::optional<int64_t> first = at(1), second = at(2);
      bool isLinear = first && second;
      for (int64_t value = 1; isLinear && value <= most; ++value)
        isLinear = at(value) == *first + (value - 1) * (*second - *first);
      if (isLinear)
        simple = DimExpr(*first) + (DimExpr::symbol(symbol) - 1) * DimExpr(*second - *first);
      product = product * simple;
    }
    result = result + product;
  }
  return result;
}

/// Rewrites every size in the function.
void rewriteSizes(func::FuncOp func, llvm::function_ref<DimExpr(const DimExpr &)> rewrite) {
  auto rewriteText = [&](StringRef text) { return rewrite(*DimExpr::parse(text)).str(); };
  auto rewriteList = [&](ArrayAttr exprs) {
    Dims dims = parseExprs(exprs);
    llvm::transform(dims, dims.begin(), rewrite);
    return makeExprs(func.getContext(), dims);
  };
  func.walk([&](Operation *op) {
    for (Value result : op->getResults())
      if (auto type = dyn_cast<RankedTensorType>(result.getType())) {
        Dims dims = getDims(type);
        llvm::transform(dims, dims.begin(), rewrite);
        result.setType(makeTensorType(dims, type.getElementType()));
      }
    if (auto sizes = dyn_cast<DimValuesOp>(op))
      sizes.setExprsAttr(rewriteList(sizes.getExprs()));
    else if (auto slice = dyn_cast<SliceOp>(op))
      slice.setStartsAttr(rewriteList(slice.getStarts()));
    else if (auto top = dyn_cast<TopKIndicesOp>(op))
      top.setCount(rewriteText(top.getCount()));
    else if (auto iota = dyn_cast<IotaOp>(op)) {
      iota.setStart(rewriteText(iota.getStart()));
      iota.setStep(rewriteText(iota.getStep()));
    }
  });
}

/// The constant c of a `min(c, symbol)` in the function's sizes beyond which the sizes
/// contradict each other: the graph holds for at most c tokens.
std::optional<int64_t> findChunk(func::FuncOp func, const std::string &symbol) {
  std::optional<int64_t> chunk;
  DimExpr tokens = DimExpr::symbol(symbol);
  func.walk([&](Operation *op) {
    for (Value result : op->getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      for (const DimExpr &dim : type ? getDims(type) : Dims())
        forEachAtom(dim, [&](const DimExpr::Atom &atom) {
          for (int i : {0, 1})
            if (atom.kind == DimExpr::AtomKind::Min && atom.args[i].constant() &&
                atom.args[1 - i] == tokens)
              chunk = atom.args[i].constant();
        });
    }
  });
  return chunk && *chunk > 1 && isUndefinedAt(func, tokens, *chunk + 1) ? chunk : std::nullopt;
}

/// The first place where all of the candidate's inputs are there.
Operation *insertionPoint(const Candidate &candidate) {
  Operation *at = &candidate.past.getOwner()->front();
  for (Value value : candidate.perToken)
    if (Operation *op = value.getDefiningOp(); op && !op->isBeforeInBlock(at))
      at = op->getNextNode();
  return at;
}

struct RecognizeLinearAttention : impl::RecognizeLinearAttentionBase<RecognizeLinearAttention> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isDeclaration() || llvm::none_of(func.getArguments(), isMatrixPerHead))
      return;
    for (const std::string &name : tokenSymbols(func)) {
      // The limit of one chunk only goes if what set it goes.
      std::optional<int64_t> chunk = findChunk(func, name);
      OwningOpRef<func::FuncOp> before;
      if (chunk) {
        before = func.clone();
        rewriteSizes(func, [&](const DimExpr &size) { return simplifyWithin(size, name, *chunk); });
      }
      bool changed = false;
      for (BlockArgument argument : func.getArguments())
        changed |= isMatrixPerHead(argument) && recognize(func, argument, name, chunk);
      if (changed && succeeded(refreshTypes(func))) {
        IRRewriter rewriter(&getContext());
        (void)runRegionDCE(rewriter, func.getBody());
      } else if (chunk) {
        func.getBody().takeBody(before->getBody());
      }
    }
  }

  /// A float tensor `[B, H, Dk, Dv]` with only B unknown.
  static bool isMatrixPerHead(BlockArgument argument) {
    if (!isFloatTensor(argument) || dimsOf(argument).size() != 4)
      return false;
    Dims dims = dimsOf(argument);
    return dims[1].constant() && dims[2].constant() && dims[3].constant();
  }

  bool recognize(func::FuncOp func, BlockArgument past, const std::string &tokens,
                 std::optional<int64_t> chunk) {
    for (Value returned : func.front().getTerminator()->getOperands()) {
      if (returned.getType() != past.getType() || !returned.getDefiningOp())
        continue;
      Candidate candidate{past, returned, {}, DimExpr::symbol(tokens), {}, {}};
      if (dimsOf(past)[0] == candidate.tokens)
        continue;
      for (Value output : findOutputs(func, candidate)) {
        candidate.output = output;
        if (collectBorder(func, candidate) && replace(candidate, chunk))
          return true;
      }
    }
    return false;
  }

  bool replace(Candidate &candidate, std::optional<int64_t> chunk) {
    // One token, a few, one chunk; several chunks where the graph has no limit.
    SmallVector<Sample> samples;
    for (int64_t tokens : {int64_t(1), int64_t(3), chunk.value_or(70)}) {
      std::optional<Sample> sample = evaluateSample(candidate, tokens, unsigned(tokens));
      if (!sample)
        return false;
      samples.push_back(std::move(*sample));
    }
    OpBuilder builder(insertionPoint(candidate));
    LinearAttentionOp found = findAttention(builder, candidate, samples);
    if (!found) {
      LLVM_DEBUG(llvm::dbgs() << candidate.output.getLoc() << ": is no known recurrence\n");
      return false;
    }
    candidate.output.replaceAllUsesWith(found.getOutput());
    candidate.state.replaceAllUsesWith(found.getState());
    return true;
  }
};

} // namespace
} // namespace llmc
