//===- ChunkSizes.cpp - sizes of a graph that holds for one chunk ---------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ChunkSizes.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

/// Whether some reshape cannot hold for this many tokens.
static bool isUndefinedAt(func::FuncOp func, const DimExpr &tokens, int64_t count) {
  auto numElements = [&](Value value) {
    std::optional<std::string> name = tokens.asSymbol();
    // Odd primes make sizes that differ in a symbol differ in number.
    return product(getDims(value)).evaluate([&](const std::string &symbol) {
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
static void forEachAtom(const DimExpr &expr,
                        llvm::function_ref<void(const DimExpr::Atom &)> visit) {
  for (const DimExpr::Term &term : expr.terms())
    for (const DimExpr::AtomRef &atom : term.factors) {
      visit(*atom);
      for (const DimExpr &argument : atom->args)
        forEachAtom(argument, visit);
    }
}

static DimExpr makeAtom(DimExpr::AtomKind kind, const DimExpr &a, const DimExpr &b) {
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
static DimExpr simplifyWithin(const DimExpr &expr, const std::string &symbol, int64_t most) {
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
static void rewriteSizes(func::FuncOp func, llvm::function_ref<DimExpr(const DimExpr &)> rewrite) {
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

std::optional<int64_t> llmc::findChunk(func::FuncOp func, const std::string &symbol) {
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

std::optional<int64_t> llmc::findPeriod(func::FuncOp func, const std::string &symbol) {
  constexpr int64_t kMaxPeriod = 512; // evaluating several larger chunks takes too long
  std::optional<int64_t> period;
  func.walk([&](Operation *op) {
    for (Value result : op->getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      for (const DimExpr &dim : type ? getDims(type) : Dims())
        forEachAtom(dim, [&](const DimExpr::Atom &atom) {
          bool divides =
              atom.kind == DimExpr::AtomKind::FloorDiv || atom.kind == DimExpr::AtomKind::Mod;
          std::optional<int64_t> by = divides ? atom.args[1].constant() : std::nullopt;
          bool isOfTokens = false;
          if (by)
            atom.args[0].forEachSymbol(
                [&](const std::string &name) { isOfTokens |= name == symbol; });
          if (isOfTokens && *by <= kMaxPeriod)
            period = std::max(period.value_or(0), *by);
        });
    }
  });
  return period;
}

void llmc::simplifySizesWithin(func::FuncOp func, const std::string &symbol, int64_t most) {
  rewriteSizes(func, [&](const DimExpr &size) { return simplifyWithin(size, symbol, most); });
}
