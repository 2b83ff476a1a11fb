//===- SpecializePhases.cpp - run, prefill and decode ---------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Describes every functional phase, and derives the two stateful ones from the
// functional one that has a past. A module whose past is not understood keeps
// its functional phases only and says why in `llm.stateless_reason`.
//
//===----------------------------------------------------------------------===//
#include "PhaseRoles.h"
#include "StatefulFunction.h"
#include "llmc/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace llmc {
#define GEN_PASS_DEF_SPECIALIZEPHASES
#include "llmc/Transforms/Passes.h.inc"

namespace {

struct SymbolBounds {
  int64_t min, max;
};
using SymbolTable = llvm::MapVector<StringAttr, SymbolBounds>;

struct SpecializePhases : impl::SpecializePhasesBase<SpecializePhases> {
  using SpecializePhasesBase::SpecializePhasesBase;

  void runOnOperation() override {
    SmallVector<func::FuncOp> functions, sources;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func->hasAttr("llm.stateful_source"))
        sources.push_back(func);
      else if (!func.isExternal() && !func->hasAttr("llm.phase"))
        functions.push_back(func);
    for (func::FuncOp func : functions)
      describe(func, "run", runSymbols(func));
    makeStateful(sources.empty() ? functions : sources);
    for (func::FuncOp source : sources)
      source.erase();
  }

private:
  void describe(func::FuncOp func, StringRef phase, SymbolTable symbols) {
    Builder builder(func.getContext());
    addDefinedSymbols(func, symbols);
    SmallVector<Attribute> entries;
    for (const auto &[name, bounds] : symbols)
      entries.push_back(builder.getDictionaryAttr(
          {builder.getNamedAttr("name", name),
           builder.getNamedAttr("min", builder.getI64IntegerAttr(bounds.min)),
           builder.getNamedAttr("max", builder.getI64IntegerAttr(bounds.max))}));
    func->setAttr("llm.phase", builder.getStringAttr(phase));
    func->setAttr("llm.symbols", builder.getArrayAttr(entries));
  }

  /// Behind the symbols of the inputs those that data decides, in order.
  void addDefinedSymbols(func::FuncOp func, SymbolTable &symbols) {
    for (auto op : func.getOps<llm::DefineSizeOp>()) {
      DimExpr::Interval range = DimExpr::parse(op.getBound())->bounds([&](const std::string &name) {
        auto found = symbols.find(StringAttr::get(&getContext(), name));
        return found == symbols.end() ? DimExpr::Interval{}
                                      : DimExpr::Interval{found->second.min, found->second.max};
      });
      symbols.insert({op.getSymbolAttr(), {0, std::max<int64_t>(0, range.upper)}});
    }
  }

  /// The symbols of the argument types, in argument order. A sequence may be as
  /// long as a session's, and a past may be empty.
  SymbolTable runSymbols(func::FuncOp func) {
    std::optional<unsigned> tokens = findTokens(func);
    std::optional<std::string> batch, seq;
    if (tokens) {
      TokenSizes sizes = tokenSizes(func, *tokens);
      batch = sizes.batch.asSymbol();
      seq = sizes.seq.asSymbol();
    }
    // What a loop goes over is a sequence, also in front of a batch.
    llvm::StringSet<> looped;
    func.walk([&](llm::LoopOp loop) {
      if (std::optional<std::string> name = DimExpr::parse(loop.getTrip())->asSymbol())
        looped.insert(*name);
    });
    auto isLooped = [&](const DimExpr &dim) {
      return dim.asSymbol() && looped.contains(*dim.asSymbol());
    };
    SymbolTable symbols;
    for (BlockArgument argument : func.getArguments()) {
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      if (!type)
        continue;
      bool isIds = type.getElementType().isInteger() && !mayBePast(type);
      llm::Dims dims = llm::getDims(type);
      size_t batchAxis = dims.size() > 2 && isLooped(dims[0]) ? 1 : 0;
      for (auto [axis, dim] : llvm::enumerate(dims)) {
        bool isBatch = axis == batchAxis && dims.size() > 1 && !isLooped(dim);
        dim.forEachSymbol([&](const std::string &name) {
          SymbolBounds bounds{0, maxSeq};
          if (name == batch || (isBatch && name != seq && dim.asSymbol()))
            bounds = {1, maxBatch};
          else if (name == seq || (isIds && dim.asSymbol()))
            bounds = {1, maxSeq};
          symbols.insert({StringAttr::get(&getContext(), name), bounds});
        });
      }
    }
    return symbols;
  }

  /// In the order that the module ABI fixes.
  SymbolTable statefulSymbols(const PhaseRoles &roles, int64_t maxTokens) {
    SymbolTable symbols;
    auto add = [&](StringRef name, SymbolBounds bounds) {
      symbols.insert({StringAttr::get(&getContext(), name), bounds});
    };
    add("batch", {1, roles.takesOneSequence() ? 1 : maxBatch});
    add("seq", {1, maxTokens});
    add("past", {0, maxSeq});
    return symbols;
  }

  void makeStateful(ArrayRef<func::FuncOp> functions) {
    std::string reason;
    for (func::FuncOp func : functions) {
      std::string why;
      std::optional<PhaseRoles> roles = findPhaseRoles(func, why);
      if (roles && succeeded(addPhases(func, *roles, why)))
        return;
      if (reason.empty())
        reason = why;
    }
    if (functions.empty())
      return;
    getOperation()->setAttr("llm.stateless_reason", StringAttr::get(&getContext(), reason));
    getOperation().emitRemark("no prefill and decode phases: ") << reason;
  }

  LogicalResult addPhases(func::FuncOp func, const PhaseRoles &roles, std::string &why) {
    // A model of one token reads a prompt token by token.
    bool isStep = roles.takesOneToken();
    int64_t maxTokens = isStep ? 1 : std::min<int64_t>(prefillChunk, maxSeq);
    OwningOpRef<func::FuncOp> prefill = buildStatefulFunction(func, roles, "prefill", isStep, why);
    OwningOpRef<func::FuncOp> decode =
        prefill ? buildStatefulFunction(func, roles, "decode", true, why) : nullptr;
    if (!decode)
      return failure();
    describe(*prefill, "prefill", statefulSymbols(roles, maxTokens));
    describe(*decode, "decode", statefulSymbols(roles, 1));
    getOperation().push_back(prefill.release());
    getOperation().push_back(decode.release());
    return success();
  }
};

} // namespace
} // namespace llmc
