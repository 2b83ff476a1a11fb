//===- LeadingDims.cpp - the batch and the heads of attention's operands --===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "LeadingDims.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace llmc {

using llm::Dims;
using llm::getDims;

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

Dims leadOf(Value value) {
  Dims dims = getDims(value);
  dims.truncate(dims.size() < 2 ? 0 : dims.size() - 2);
  return dims;
}

static bool keepsLastTwo(Value from, Value to) {
  Dims source = getDims(from), result = getDims(to);
  return source.size() >= 2 && result.size() >= 2 &&
         ArrayRef(source).take_back(2) == ArrayRef(result).take_back(2);
}

bool keepsRowsAndColumns(llm::ReshapeOp reshape) {
  return keepsLastTwo(reshape.getInput(), reshape.getResult());
}

std::optional<Dims> refine(ArrayRef<DimExpr> a, ArrayRef<DimExpr> b) {
  Dims result;
  DimExpr restOfA = 1, restOfB = 1;
  auto fill = [](DimExpr &rest, ArrayRef<DimExpr> &dims) {
    for (; rest.isConstant(1) && !dims.empty(); dims = dims.drop_front())
      rest = dims.front();
    return !rest.isConstant(1);
  };
  while (true) {
    bool hasA = fill(restOfA, a), hasB = fill(restOfB, b);
    if (hasA != hasB)
      return std::nullopt;
    if (!hasA)
      return result;
    if (restOfA == restOfB || DimExpr::mod(restOfB, restOfA).isConstant(0)) {
      result.push_back(restOfA);
      restOfB = restOfA == restOfB ? DimExpr(1) : DimExpr::floorDiv(restOfB, restOfA);
      restOfA = 1;
    } else if (DimExpr::mod(restOfA, restOfB).isConstant(0)) {
      result.push_back(restOfB);
      restOfA = DimExpr::floorDiv(restOfA, restOfB);
      restOfB = 1;
    } else {
      return std::nullopt;
    }
  }
}

/// How many of `factors`, from `first` on, make up `size`; nullopt where none do.
static std::optional<size_t> countFactors(ArrayRef<DimExpr> factors, size_t first,
                                          const DimExpr &size) {
  DimExpr product = 1;
  for (size_t end = first;; ++end) {
    if (product == size)
      return end - first;
    if (end == factors.size())
      return std::nullopt;
    product = product * factors[end];
  }
}

LedTensor LedTensor::at(Value value, ArrayRef<DimExpr> place) {
  LedTensor result{value, {}, {}};
  Dims own = leadOf(value);
  size_t missing = place.size() - std::min(place.size(), own.size());
  for (auto [i, size] : llvm::enumerate(place))
    if (!size.isConstant(1))
      result.lead.push_back({size, i >= missing && !own[i - missing].isConstant(1)});
  return result;
}

bool LedTensor::stripRegrouping() {
  Operation *op = value.getDefiningOp();
  if (!isa_and_nonnull<llm::ReshapeOp, llm::BroadcastOp>(op) || !permutation.empty() ||
      !keepsLastTwo(op->getOperand(0), value))
    return false;
  Value input = op->getOperand(0);
  Dims to = leadOf(value), from = leadOf(input), varying;
  for (const LeadingDim &dim : lead)
    if (dim.varies)
      varying.push_back(dim.size);
  bool isReshape = isa<llm::ReshapeOp>(op);
  std::optional<Dims> finer = refine(varying, isReshape ? from : to);
  if (!finer) {
    // The elements' order is the same; only where dimensions end is not known.
    if (isReshape)
      value = input;
    return isReshape;
  }
  SmallVector<bool> isRepeated(finer->size(), false);
  if (!isReshape) {
    size_t at = 0, missing = to.size() - from.size();
    for (auto [i, size] : llvm::enumerate(to)) {
      std::optional<size_t> count = countFactors(*finer, at, size);
      if (!count)
        return false;
      bool repeats = i < missing || (from[i - missing].isConstant(1) && !size.isConstant(1));
      std::fill_n(isRepeated.begin() + at, *count, repeats);
      at += *count;
    }
  }
  SmallVector<LeadingDim> parts;
  size_t at = 0;
  for (const LeadingDim &dim : lead) {
    if (!dim.varies) {
      parts.push_back(dim);
      continue;
    }
    std::optional<size_t> count = countFactors(*finer, at, dim.size);
    if (!count)
      return false;
    for (size_t end = at + *count; at < end; ++at)
      parts.push_back({(*finer)[at], !isRepeated[at]});
  }
  lead = std::move(parts);
  value = input;
  return true;
}

static Dims sizesOf(const LedTensor &tensor) {
  Dims sizes;
  for (const LeadingDim &dim : tensor.lead)
    sizes.push_back(dim.size);
  return sizes;
}

std::optional<HeadLayout> HeadLayout::find(const Operands &operands, ArrayRef<Dims> views,
                                           bool isFixed) {
  SmallVector<Dims> all(views);
  for (const LedTensor *tensor : {&operands.query, &operands.key, &operands.value})
    all.push_back(sizesOf(*tensor));
  SmallVector<Dims> named = all;
  for (const LedTensor *tensor : operands.others)
    all.push_back(sizesOf(*tensor));
  HeadLayout layout;
  layout.factors = *refine(all.front(), all.front());
  for (const Dims &sizes : all) {
    std::optional<Dims> finer = refine(layout.factors, sizes);
    if (!finer)
      return std::nullopt;
    layout.factors = *finer;
  }
  layout.chooseSplit(operands, named, isFixed);
  return layout;
}

size_t HeadLayout::boundaryOf(ArrayRef<DimExpr> view) const {
  return *countFactors(factors, 0, llm::product(view.drop_back()));
}

/// The heads are the last dimension of a view that tells them from the batch. Windows that
/// masks tell apart within a batch join the heads: a mask that is the same for every
/// sequence is then not repeated for them.
void HeadLayout::chooseSplit(const Operands &operands, ArrayRef<Dims> views, bool isFixed) {
  size_t count = factors.size();
  auto areHeads = [&](size_t begin) {
    return llvm::all_of(ArrayRef(factors).drop_front(begin),
                        [](const DimExpr &size) { return size.constant().has_value(); });
  };
  split = count;
  Presence key = presenceOf(operands.key), value = presenceOf(operands.value);
  for (size_t rank : {2, 3}) {
    auto view = llvm::find_if(
        views, [&](const Dims &dims) { return rank == 2 ? dims.size() == 2 : dims.size() > 2; });
    if (view == views.end())
      continue;
    split = boundaryOf(*view);
    // [B, Hkv, G]: what key and value are repeated along is no more than a part of the heads.
    while (rank > 2 && split > 0 && areHeads(split - 1) && !variesInPart(key, split, count) &&
           key[split - 1])
      --split;
    break;
  }
  if (!areHeads(split))
    split = count;
  auto repeatsMasks = [&](size_t at) {
    return llvm::any_of(operands.others, [&](const LedTensor *tensor) {
      Presence presence = presenceOf(*tensor);
      return variesInPart(presence, 0, at) &&
             !llvm::all_of(ArrayRef(presence).take_front(at), [](bool varies) { return varies; });
    });
  };
  for (size_t at = split; !isFixed && repeatsMasks(split) && at-- > 0 && areHeads(at);)
    if (!repeatsMasks(at))
      split = at;
  keyFactors = 0;
  for (size_t i = split; i < count; ++i)
    if (key[i] || value[i])
      keyFactors = i + 1 - split;
}

DimExpr HeadLayout::numKeyHeads() const {
  return llm::product(ArrayRef(factors).slice(split, keyFactors));
}

HeadLayout::Presence HeadLayout::presenceOf(const LedTensor &tensor) const {
  Presence presence;
  for (const LeadingDim &dim : tensor.lead)
    presence.append(*countFactors(factors, presence.size(), dim.size), dim.varies);
  return presence;
}

bool HeadLayout::variesInPart(const Presence &presence, size_t begin, size_t end) const {
  return llvm::is_contained(ArrayRef(presence).slice(begin, end - begin), true);
}

HeadLayout::Presence HeadLayout::wholeParts(const Presence &presence) const {
  size_t count = factors.size();
  Presence whole(split, variesInPart(presence, 0, split));
  whole.append(count - split, variesInPart(presence, split, count));
  return whole;
}

static Value reshape(OpBuilder &builder, Value value, const Dims &dims) {
  if (getDims(value) == dims)
    return value;
  return llm::ReshapeOp::create(builder, value.getLoc(),
                                llm::makeTensorType(dims, elementOf(value)), value);
}

/// Rows and columns, 1 where there are none.
static Dims lastTwo(Value value) {
  Dims dims = getDims(value), result(2, DimExpr(1));
  for (size_t i = 0; i < std::min<size_t>(2, dims.size()); ++i)
    result[1 - i] = dims[dims.size() - 1 - i];
  return result;
}

Value HeadLayout::spread(OpBuilder &builder, const LedTensor &tensor) const {
  Value value = tensor.value;
  if (!tensor.permutation.empty())
    value = llm::TransposeOp::create(builder, value.getLoc(), value, tensor.permutation);
  Dims dims;
  for (auto [size, varies] : llvm::zip(factors, presenceOf(tensor)))
    dims.push_back(varies ? size : DimExpr(1));
  dims.append(lastTwo(value));
  return reshape(builder, value, dims);
}

Value HeadLayout::gather(OpBuilder &builder, Value value, const Presence &present,
                         const Presence &wanted, bool mayBroadcast) const {
  Dims rows = lastTwo(value), target(2, DimExpr(1)), whole;
  for (auto [i, size] : llvm::enumerate(factors)) {
    whole.push_back(wanted[i] ? size : DimExpr(1));
    target[i < split ? 0 : 1] = target[i < split ? 0 : 1] * whole.back();
  }
  whole.append(rows);
  target.append(rows);
  if (present != wanted)
    value = llm::BroadcastOp::create(builder, value.getLoc(),
                                     llm::makeTensorType(whole, elementOf(value)), value);
  Dims own = getDims(value);
  bool isAligned = own.size() <= 4 && ArrayRef(target).take_back(own.size()) == ArrayRef(own) &&
                   llvm::all_of(ArrayRef(target).drop_back(own.size()),
                                [](const DimExpr &size) { return size.isConstant(1); });
  return isAligned && mayBroadcast ? value : reshape(builder, value, target);
}

Value HeadLayout::arrange(OpBuilder &builder, const LedTensor &tensor, const Presence &wanted,
                          bool mayBroadcast) const {
  Presence present = presenceOf(tensor);
  if (present != wanted)
    return gather(builder, spread(builder, tensor), present, wanted, mayBroadcast);
  Value value = tensor.value;
  if (!tensor.permutation.empty())
    value = llm::TransposeOp::create(builder, value.getLoc(), value, tensor.permutation);
  return gather(builder, value, present, wanted, mayBroadcast);
}

Value HeadLayout::arrangeQuery(OpBuilder &builder, const LedTensor &query) const {
  return arrange(builder, query, Presence(factors.size(), true), /*mayBroadcast=*/false);
}

Value HeadLayout::arrangeKey(OpBuilder &builder, const LedTensor &key) const {
  Presence wanted(split + keyFactors, true);
  wanted.resize(factors.size(), false);
  return arrange(builder, key, wanted, /*mayBroadcast=*/false);
}

Value HeadLayout::arrangeFactor(OpBuilder &builder, const LedTensor &factor) const {
  return arrange(builder, factor, wholeParts(presenceOf(factor)), /*mayBroadcast=*/true);
}

Value HeadLayout::arrangeSum(OpBuilder &builder, ArrayRef<LedTensor> terms) const {
  auto add = [&](Value sum, Value term) -> Value {
    return sum ? llm::BinaryOp::create(builder, term.getLoc(), llm::BinaryKind::add, sum, term)
               : term;
  };
  Value sum, spreadSum;
  Presence spreadPresence(factors.size(), false);
  for (const LedTensor &term : terms) {
    Presence presence = presenceOf(term);
    if (presence == wholeParts(presence)) {
      sum = add(sum, arrangeFactor(builder, term));
      continue;
    }
    // Terms that vary along parts of the heads are added before they are repeated.
    spreadSum = add(spreadSum, spread(builder, term));
    for (auto [all, own] : llvm::zip(spreadPresence, presence))
      all |= own;
  }
  if (!spreadSum)
    return sum;
  return add(sum, gather(builder, spreadSum, spreadPresence, wholeParts(spreadPresence),
                         /*mayBroadcast=*/true));
}

} // namespace llmc
