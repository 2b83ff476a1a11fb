//===- SplitJointCaches.cpp - one past per cache ---------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Some exports keep a layer's keys and values, or those of all layers, in one tensor, whose
// first dimensions count caches: [2, batch, heads, past, dim] of com.microsoft.Attention,
// [layers, 2, batch, heads, past, dim].
//
//   run(%past [2, batch, H, past, D]) -> concat 0(%keys, %values)
//   =>
//   source(%past.0 [batch, H, past, D], %past.1 [..]) -> %keys, %values
//
// What reads one cache is a chain of slices and reshapes, and a present a tree of
// concatenations and reshapes, which leave the dimensions from the batch on as they are. So
// each value on the way is a run of caches.
//
//===----------------------------------------------------------------------===//
#include "PhaseRoles.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace llmc {
#define GEN_PASS_DEF_SPLITJOINTCACHES
#include "llmc/Transforms/Passes.h.inc"

namespace {

using llm::Dims;
using llm::getDims;

/// The dimensions of a single cache: those of a joint one from its batch on.
class CacheDims {
public:
  explicit CacheDims(Dims own) : own(std::move(own)) {}

  /// How many caches `value` holds side by side; nullopt where it ends in other dimensions.
  std::optional<int64_t> count(Value value) const {
    Dims dims = getDims(value);
    if (dims.size() < own.size() || ArrayRef(dims).take_back(own.size()) != ArrayRef(own))
      return std::nullopt;
    return llm::product(ArrayRef(dims).drop_back(own.size())).constant();
  }

  bool isSingle(Value value) const { return getDims(value).size() == own.size(); }

  size_t rank() const { return own.size(); }

private:
  Dims own;
};

/// The value that reads a cache, and which one.
struct Reader {
  Value value;
  int64_t cache;
};

/// The offset of a slice that takes a run of caches, counted in them.
std::optional<int64_t> runStart(llm::SliceOp slice, const CacheDims &cache) {
  Dims from = getDims(slice.getInput()), to = getDims(slice.getResult());
  Dims starts = llm::parseExprs(slice.getStarts());
  size_t numCounts = from.size() - cache.rank();
  int64_t offset = 0;
  bool mayBeCut = true; // until a dimension has more than one index
  for (size_t axis = 0; axis < from.size(); ++axis) {
    if (slice.getSteps()[axis] != 1 || (axis >= numCounts && !starts[axis].isConstant(0)))
      return std::nullopt;
    if (axis >= numCounts)
      continue;
    int64_t size = *from[axis].constant();
    std::optional<int64_t> start = starts[axis].constant();
    if (!start || *start < 0 || *start >= size || (!mayBeCut && to[axis] != from[axis]))
      return std::nullopt;
    mayBeCut &= to[axis].isConstant(1);
    offset = offset * size + *start; // below the number of caches
  }
  return offset;
}

/// Everything that reads a single cache of `value`, which holds those from `first` on; false
/// where something reads several.
bool collectReaders(Value value, int64_t first, const CacheDims &cache,
                    SmallVectorImpl<Reader> &readers) {
  return cache.count(value) && llvm::all_of(value.getUsers(), [&](Operation *user) {
           int64_t start = first;
           if (auto slice = dyn_cast<llm::SliceOp>(user)) {
             std::optional<int64_t> offset = runStart(slice, cache);
             if (!offset)
               return false;
             start += *offset;
           } else if (!isa<llm::ReshapeOp>(user)) {
             return false;
           }
           Value run = user->getResult(0);
           if (!cache.isSingle(run))
             return collectReaders(run, start, cache, readers);
           if (!cache.count(run))
             return false;
           readers.push_back({run, start});
           return true;
         });
}

/// The single caches that `present` is put together from, in order; false where it is not.
bool collectPresents(Value present, const CacheDims &cache, SmallVectorImpl<Value> &presents) {
  if (!cache.count(present))
    return false;
  if (cache.isSingle(present)) {
    presents.push_back(present);
    return true;
  }
  if (auto reshape = present.getDefiningOp<llm::ReshapeOp>())
    return collectPresents(reshape.getInput(), cache, presents);
  auto concat = present.getDefiningOp<llm::ConcatOp>();
  if (!concat)
    return false;
  Dims counts = getDims(present);
  counts.pop_back_n(cache.rank());
  int64_t axis = concat.getAxis();
  bool isRun = axis < int64_t(counts.size()) &&
               llvm::all_of(
                   ArrayRef(counts).take_front(axis),
                   [](const DimExpr &count) { return count.isConstant(1); });
  return isRun && llvm::all_of(concat.getInputs(), [&](Value input) {
           return collectPresents(input, cache, presents);
         });
}

/// Where the batch is in `dims`, behind dimensions that count caches and in front of tokens;
/// nullopt where there is none of them.
std::optional<size_t> batchAxis(const Dims &dims, const DimExpr &batch) {
  auto grows = [&](const DimExpr &dim) { return !dim.constant() && dim != batch; };
  size_t axis = 0;
  while (axis < dims.size() && dims[axis].constant() && (axis == 0 || dims[axis] != batch))
    ++axis;
  bool isJoint = axis > 0 && axis < dims.size() && dims[axis] == batch &&
                 !llm::product(ArrayRef(dims).take_front(axis)).isConstant(1) &&
                 llvm::any_of(ArrayRef(dims).drop_front(axis + 1), grows);
  return isJoint ? std::optional(axis) : std::nullopt;
}

class Splitter {
public:
  Splitter(func::FuncOp func, DimExpr batch)
      : func(func), batch(std::move(batch)), builder(func.getContext()) {}

  /// Whether anything was split.
  bool run() {
    llvm::BitVector old(func.getNumArguments());
    for (unsigned index = 0; index < old.size(); ++index)
      old[index] = splitArgument(index);
    if (old.none())
      return false;
    old.resize(func.getNumArguments());
    splitResults();
    IRRewriter rewriter(func.getContext());
    (void)runRegionDCE(rewriter, func.getBody());
    return succeeded(func.eraseArguments(old));
  }

private:
  DictionaryAttr partName(DictionaryAttr attributes, size_t part) {
    auto name = attributes ? attributes.getAs<StringAttr>("llm.name") : StringAttr();
    if (!name)
      return builder.getDictionaryAttr({});
    return builder.getDictionaryAttr(builder.getNamedAttr(
        "llm.name", builder.getStringAttr(name.getValue() + "." + llvm::Twine(part))));
  }

  bool splitArgument(unsigned index) {
    BlockArgument argument = func.getArgument(index);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    std::optional<size_t> axis =
        type && isa<FloatType>(type.getElementType()) && !argument.use_empty()
            ? batchAxis(getDims(type), batch)
            : std::nullopt;
    if (!axis)
      return false;
    CacheDims cache(Dims(ArrayRef(getDims(type)).drop_front(*axis)));
    SmallVector<Reader> readers;
    if (!collectReaders(argument, 0, cache, readers))
      return false;
    llvm::sort(readers, [](const Reader &a, const Reader &b) { return a.cache < b.cache; });
    Value past;
    for (size_t i = 0; i < readers.size(); ++i) {
      if (i == 0 || readers[i].cache != readers[i - 1].cache) {
        unsigned number = func.getNumArguments();
        if (failed(func.insertArgument(number, readers[i].value.getType(),
                                       partName(func.getArgAttrDict(index), readers[i].cache),
                                       func.getLoc())))
          return false;
        past = func.getArgument(number);
      }
      readers[i].value.replaceAllUsesWith(past);
    }
    return true;
  }

  void splitResults() {
    Operation *terminator = func.front().getTerminator();
    SmallVector<Value> results;
    SmallVector<Attribute> attributes;
    for (auto [number, value] : llvm::enumerate(terminator->getOperands())) {
      SmallVector<Value> presents;
      DictionaryAttr own = func.getResultAttrDict(number);
      std::optional<size_t> axis = isa<FloatType>(getElementTypeOrSelf(value))
                                       ? batchAxis(getDims(value), batch)
                                       : std::nullopt;
      bool isJoint =
          axis && collectPresents(
                      value, CacheDims(Dims(ArrayRef(getDims(value)).drop_front(*axis))), presents);
      if (!isJoint) {
        results.push_back(value);
        attributes.push_back(own ? own : builder.getDictionaryAttr({}));
        continue;
      }
      for (auto [part, present] : llvm::enumerate(presents)) {
        results.push_back(present);
        attributes.push_back(partName(own, part));
      }
    }
    terminator->setOperands(results);
    func.setFunctionType(FunctionType::get(func.getContext(), func.front().getArgumentTypes(),
                                           terminator->getOperandTypes()));
    func.setResAttrsAttr(builder.getArrayAttr(attributes));
  }

  func::FuncOp func;
  DimExpr batch;
  Builder builder;
};

struct SplitJointCaches : impl::SplitJointCachesBase<SplitJointCaches> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp func : functions)
      if (!func.isExternal() && func.getBody().hasOneBlock())
        addSource(func);
  }

private:
  void addSource(func::FuncOp func) {
    std::optional<unsigned> tokens = findTokens(func);
    if (!tokens)
      return;
    OwningOpRef<func::FuncOp> copy(cast<func::FuncOp>(func->clone()));
    if (!Splitter(*copy, tokenSizes(func, *tokens).batch).run())
      return;
    copy->setName((func.getName() + "_caches").str());
    copy->setPrivate();
    copy->getOperation()->setAttr("llm.stateful_source", UnitAttr::get(&getContext()));
    getOperation().push_back(copy.release());
  }
};

} // namespace
} // namespace llmc
