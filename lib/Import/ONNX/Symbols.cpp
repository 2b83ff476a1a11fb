//===- Symbols.cpp - the symbolic sizes of one model
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Symbols.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llvm/ADT/StringExtras.h"
#include <limits>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// `text` with every character that a symbol cannot have replaced; "" when
/// nothing of it is left.
static std::string sanitize(StringRef text) {
  std::string result;
  for (char c : text)
    result += llvm::isAlnum(c) || c == '_' || c == '.' ? c : '_';
  if (!result.empty() && llvm::isDigit(result[0]))
    result.insert(0, "_");
  return result;
}

/// True where the dimension at `axis` of some input other than `input` is
/// declared with the same text.
static bool isSharedDim(const GraphProto &graph, const ValueInfoProto &input,
                        const std::string &text) {
  for (const ValueInfoProto &other : graph.input()) {
    if (&other == &input)
      continue;
    for (const auto &dim : other.type().tensor_type().shape().dim())
      if (dim.dim_param() == text)
        return true;
  }
  return false;
}

/// Exporters of merged decoders declare the attention mask as [batch, sequence]
/// although they pass past + sequence: its last size is not to be believed.
static bool isMisdeclaredMask(const GraphProto &graph, const ValueInfoProto &input) {
  const auto &type = input.type().tensor_type();
  bool isInt = type.elem_type() == TensorProto::INT64 || type.elem_type() == TensorProto::INT32 ||
               type.elem_type() == TensorProto::BOOL;
  if (!isInt || type.shape().dim_size() != 2 || !StringRef(input.name()).contains("mask"))
    return false;
  bool hasPast = llvm::any_of(graph.input(), [](const ValueInfoProto &other) {
    return StringRef(other.name()).contains("past");
  });
  const std::string &text = type.shape().dim(1).dim_param();
  std::optional<DimExpr> expr = DimExpr::parse(text);
  return hasPast && expr && expr->asSymbol() && isSharedDim(graph, input, text);
}

/// What a model writes on a dimension; nullopt where it writes nothing.
template <typename Dim> static std::optional<DimExpr> writtenDim(const Dim &dim) {
  if (dim.has_dim_value())
    return DimExpr(dim.dim_value());
  if (dim.dim_param().empty())
    return std::nullopt;
  std::optional<DimExpr> expr = DimExpr::parse(dim.dim_param());
  return expr && expr->bounds().upper >= 0 ? *expr : DimExpr::symbol(sanitize(dim.dim_param()));
}

std::optional<llm::Dims> Symbols::inputDims(const GraphProto &graph, const ValueInfoProto &input,
                                            std::string &error) {
  llm::Dims dims;
  bool misdeclared = isMisdeclaredMask(graph, input);
  const auto &shape = input.type().tensor_type().shape();
  for (int axis = 0; axis < shape.dim_size(); ++axis) {
    std::optional<DimExpr> written = writtenDim(shape.dim(axis));
    if (written && written->constant().value_or(0) < 0) {
      error = "dimension " + std::to_string(axis) + " is " + written->str();
      return std::nullopt;
    }
    if (!written || (misdeclared && axis == 1 && !written->constant()))
      written = DimExpr::symbol(sanitize(input.name() + "." + std::to_string(axis)));
    written->forEachSymbol([&](const std::string &symbol) { ofInputs.insert(symbol); });
    dims.push_back(*written);
  }
  return dims;
}

std::optional<Symbols::Declared> Symbols::declaredDims(const ValueInfoProto &value) const {
  if (!value.type().has_tensor_type() || !value.type().tensor_type().has_shape())
    return std::nullopt;
  Declared dims;
  for (const auto &dim : value.type().tensor_type().shape().dim()) {
    std::optional<DimExpr> written = writtenDim(dim);
    bool isKnown = written && written->constant().value_or(0) >= 0;
    if (isKnown)
      written->forEachSymbol(
          [&](const std::string &symbol) { isKnown &= ofInputs.contains(symbol); });
    dims.push_back(
        !isKnown ? std::nullopt : std::optional(written->substitute([&](const std::string &symbol) {
          auto it = replaced.find(symbol);
          return it == replaced.end() ? std::nullopt : std::optional(it->second);
        })));
  }
  return dims;
}

void Symbols::addPositive(ArrayRef<DimExpr> dims) {
  for (const DimExpr &dim : dims)
    if (std::optional<std::string> name = dim.asSymbol())
      positive.insert(*name);
}

bool Symbols::isAlwaysOne(const DimExpr &size) const {
  DimExpr::Interval range = size.bounds([&](const std::string &name) {
    return DimExpr::Interval{positive.contains(name) ? 1 : 0, DimExpr::kInfinity};
  });
  return range.lower == 1 && range.upper == 1;
}

void Symbols::protect(ArrayRef<DimExpr> dims) {
  for (const DimExpr &dim : dims)
    if (auto name = dim.asSymbol())
      kept.insert(*name);
}

DimExpr Symbols::defineSymbol(StringRef kind) {
  llvm::StringSet<> taken;
  if (function)
    for (Type type : function.getArgumentTypes())
      for (const DimExpr &dim : llm::getDims(mlir::cast<RankedTensorType>(type)))
        dim.forEachSymbol([&](const std::string &name) { taken.insert(name); });
  std::string name;
  for (size_t number = defined.size();
       name.empty() || taken.contains(name) || defined.contains(name); ++number)
    name = kind.str() + "." + std::to_string(number);
  defined.insert(name);
  return DimExpr::symbol(name);
}

bool Symbols::replaceable(const DimExpr &symbol, const DimExpr &by) const {
  std::optional<std::string> name = symbol.asSymbol();
  if (!name || defined.contains(*name) || (kept.contains(*name) && !by.constant()))
    return false;
  // A size that is known before the data stands for one that is not.
  bool refused = false;
  by.forEachSymbol(
      [&](const std::string &other) { refused |= other == *name || defined.contains(other); });
  return !refused;
}

/// The two sides of the one equality that `difference` = 0 means: of two symbols, or of a
/// symbol and a number. The difference and 0 where it means another.
static std::pair<DimExpr, DimExpr> solve(const DimExpr &difference) {
  const std::vector<DimExpr::Term> &terms = difference.terms();
  auto symbol = [](const DimExpr::Term &term) {
    bool isSymbol = term.factors.size() == 1 && term.factors[0]->kind == DimExpr::AtomKind::Symbol;
    return isSymbol ? std::optional(DimExpr::symbol(term.factors[0]->key)) : std::nullopt;
  };
  auto isHuge = [](const DimExpr::Term &term) {
    return term.coefficient == std::numeric_limits<int64_t>::min();
  };
  if (terms.size() == 2 && llvm::none_of(terms, isHuge))
    for (size_t i : {0, 1}) {
      std::optional<DimExpr> x = symbol(terms[i]), y = symbol(terms[1 - i]);
      int64_t factor = terms[i].coefficient, other = terms[1 - i].coefficient;
      if (x && y && factor == -other)
        return {*x, *y};
      if (x && terms[1 - i].factors.empty() && other % factor == 0 && other / factor < 0)
        return {*x, DimExpr(-(other / factor))};
    }
  return {difference, 0};
}

bool Symbols::unify(const DimExpr &a, const DimExpr &b) {
  std::optional<bool> equal = DimExpr::equal(a, b);
  if (equal)
    return *equal;
  const DimExpr *symbol = replaceable(b, a) ? &b : replaceable(a, b) ? &a : nullptr;
  if (!symbol) {
    if (!branchFacts && llm::isCut(a) != llm::isCut(b) && uncut(a) == a && uncut(b) == b)
      uncutSizes.push_back(llm::isCut(b) ? std::pair(b, a) : std::pair(a, b));
    auto [x, y] = solve(a - b);
    return x == a || x == b || unify(x, y);
  }
  const DimExpr &by = symbol == &a ? b : a;
  if (branchFacts)
    branchFacts->insert({*symbol->asSymbol(), by});
  else
    substitute(*symbol->asSymbol(), DimExpr(by));
  return true;
}

DimExpr Symbols::uncut(const DimExpr &size) const {
  if (uncutSizes.empty() || !llm::isCut(size))
    return size;
  auto found = llvm::find_if(uncutSizes, [&](const auto &pair) { return pair.first == size; });
  return found == uncutSizes.end() ? size : found->second;
}

void Symbols::substitute(const std::string &name, const DimExpr &by) {
  auto replacement = [&](const std::string &symbol) {
    return symbol == name ? std::optional(by) : std::nullopt;
  };
  for (auto &[symbol, earlier] : replaced)
    earlier = earlier.substitute(replacement);
  replaced.insert({name, by});
  for (auto &[cut, wanted] : uncutSizes) {
    cut = cut.substitute(replacement);
    wanted = wanted.substitute(replacement);
  }
  auto update = [&](Value value) {
    if (auto type = dyn_cast<RankedTensorType>(value.getType()))
      value.setType(llm::substituteDims(type, replacement));
  };
  auto updateText = [&](StringRef text) {
    return DimExpr::parse(text)->substitute(replacement).str();
  };
  auto updateExprs = [&](ArrayAttr exprs) {
    llm::Dims dims = llm::parseExprs(exprs);
    for (DimExpr &dim : dims)
      dim = dim.substitute(replacement);
    return llm::makeExprs(exprs.getContext(), dims);
  };
  function.walk([&](Operation *op) {
    for (Value result : op->getResults())
      update(result);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Value argument : block.getArguments())
          update(argument);
    if (auto sizes = dyn_cast<llm::DimValuesOp>(op))
      sizes.setExprsAttr(updateExprs(sizes.getExprs()));
    else if (auto slice = dyn_cast<llm::SliceOp>(op))
      slice.setStartsAttr(updateExprs(slice.getStarts()));
    else if (auto iota = dyn_cast<llm::IotaOp>(op)) {
      iota.setStart(updateText(iota.getStart()));
      iota.setStep(updateText(iota.getStep()));
    } else if (auto size = dyn_cast<llm::DefineSizeOp>(op)) {
      size.setBound(updateText(size.getBound()));
    } else if (auto top = dyn_cast<llm::TopKIndicesOp>(op)) {
      top.setCount(updateText(top.getCount()));
    } else if (auto loop = dyn_cast<llm::LoopOp>(op)) {
      loop.setTrip(updateText(loop.getTrip()));
      loop.setPositionsAttr(updateExprs(loop.getPositions()));
    }
  });
}
