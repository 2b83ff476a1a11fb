//===- Dims.cpp - symbolic sizes on tensor types
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace llmc::llm {

Dims getDims(RankedTensorType type) {
  Dims dims;
  auto encoding = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  for (auto [index, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size)) {
      dims.push_back(size);
      continue;
    }
    std::optional<DimExpr> expr;
    if (encoding && index < encoding.getExprs().size())
      expr = DimExpr::parse(encoding.getExprs()[index].getValue());
    dims.push_back(expr ? *expr : DimExpr::symbol("unknown." + std::to_string(index)));
  }
  return dims;
}

Dims getDims(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }

RankedTensorType makeTensorType(ArrayRef<DimExpr> dims, Type elementType) {
  SmallVector<int64_t> shape;
  SmallVector<StringAttr> exprs;
  bool isStatic = true;
  for (const DimExpr &dim : dims) {
    std::optional<int64_t> size = dim.constant();
    isStatic &= size.has_value();
    shape.push_back(size ? *size : ShapedType::kDynamic);
    exprs.push_back(StringAttr::get(elementType.getContext(), dim.str()));
  }
  if (isStatic)
    return RankedTensorType::get(shape, elementType);
  return RankedTensorType::get(shape, elementType, DimsAttr::get(elementType.getContext(), exprs));
}

RankedTensorType substituteDims(RankedTensorType type, const DimExpr::Substitution &replacement) {
  if (type.hasStaticShape())
    return type;
  Dims dims = getDims(type);
  for (DimExpr &dim : dims)
    dim = dim.substitute(replacement);
  return makeTensorType(dims, type.getElementType());
}

static thread_local AssumedEqualities *collector = nullptr;

AssumedEqualities::AssumedEqualities() : around(collector) { collector = this; }
AssumedEqualities::~AssumedEqualities() { collector = around; }

bool mayBeEqual(const DimExpr &a, const DimExpr &b) {
  std::optional<bool> equal = DimExpr::equal(a, b);
  if (!equal && collector)
    collector->pairs.push_back({a, b});
  return equal.value_or(true);
}

bool mayFit(const DimExpr &part, const DimExpr &whole) {
  return mayBeEqual(DimExpr::max(part, whole), whole);
}

bool isCut(const DimExpr &size) {
  bool isCutSomewhere = false;
  auto isSumOfCuts = [&](const auto &self, const DimExpr &part) -> bool {
    return llvm::all_of(part.terms(), [&](const DimExpr::Term &term) {
      return llvm::all_of(term.factors, [&](const DimExpr::AtomRef &factor) {
        bool isEnd =
            factor->kind == DimExpr::AtomKind::Min || factor->kind == DimExpr::AtomKind::Max;
        isCutSomewhere |= isEnd;
        return factor->kind == DimExpr::AtomKind::Symbol ||
               (isEnd &&
                llvm::all_of(factor->args, [&](const DimExpr &arg) { return self(self, arg); }));
      });
    });
  };
  return isSumOfCuts(isSumOfCuts, size) && isCutSomewhere;
}

std::optional<Dims> broadcastDims(ArrayRef<DimExpr> a, ArrayRef<DimExpr> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  Dims result(a.begin(), a.end());
  for (size_t i = 0; i < b.size(); ++i) {
    DimExpr &dim = result[a.size() - b.size() + i];
    if (b[i].isConstant(1) || dim == b[i])
      continue;
    if (dim.isConstant(1)) {
      dim = b[i];
      continue;
    }
    if (!mayBeEqual(dim, b[i]))
      return std::nullopt;
    // Of two that must agree a static size is the more precise one, and the rows that are cut
    // out of a table are as many as are wanted.
    if (b[i].constant() || (isCut(dim) && !isCut(b[i])))
      dim = b[i];
  }
  return result;
}

DimExpr product(ArrayRef<DimExpr> dims) {
  DimExpr result = 1;
  for (const DimExpr &dim : dims)
    result = result * dim;
  return result;
}

std::string formatDims(ArrayRef<DimExpr> dims) {
  std::string text = "[";
  for (auto [index, dim] : llvm::enumerate(dims))
    text += (index ? ", " : "") + dim.str();
  return text + "]";
}

std::optional<Dims> getKnownInts(Value value) {
  constexpr int64_t kMaxElements = 4096;
  Operation *op = value.getDefiningOp();
  if (auto sizes = dyn_cast_or_null<DimValuesOp>(op))
    return parseExprs(sizes.getExprs());
  auto constant = dyn_cast_or_null<ConstantOp>(op);
  if (!constant)
    return std::nullopt;
  auto elements = dyn_cast<DenseIntElementsAttr>(constant.getValue());
  if (!elements || elements.getNumElements() > kMaxElements)
    return std::nullopt;
  bool isBool = elements.getElementType().isInteger(1);
  bool isUnsigned = isBool || elements.getElementType().isUnsignedInteger();
  Dims result;
  for (const APInt &element : elements.getValues<APInt>())
    result.push_back(isUnsigned ? int64_t(element.getZExtValue()) : element.getSExtValue());
  return result;
}

Dims parseExprs(ArrayAttr exprs) {
  Dims result;
  for (StringAttr text : exprs.getAsRange<StringAttr>()) {
    std::optional<DimExpr> expr = DimExpr::parse(text.getValue());
    result.push_back(expr ? *expr : DimExpr::symbol("invalid"));
  }
  return result;
}

ArrayAttr makeExprs(MLIRContext *context, ArrayRef<DimExpr> exprs) {
  SmallVector<Attribute> texts;
  for (const DimExpr &expr : exprs)
    texts.push_back(StringAttr::get(context, expr.str()));
  return ArrayAttr::get(context, texts);
}

} // namespace llmc::llm
