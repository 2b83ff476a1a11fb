//===- SymbolSubstitution.cpp - sizes of a whole function -----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SymbolSubstitution.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace mlir;

namespace llmc {

static void visitSymbols(StringRef text, const std::function<void(const std::string &)> &visit) {
  if (std::optional<DimExpr> expr = DimExpr::parse(text))
    expr->forEachSymbol(visit);
}

void forEachValueSymbol(Operation *op, const std::function<void(const std::string &)> &visit) {
  if (auto sizes = dyn_cast<llm::DimValuesOp>(op)) {
    for (StringAttr text : sizes.getExprs().getAsRange<StringAttr>())
      visitSymbols(text, visit);
  } else if (auto iota = dyn_cast<llm::IotaOp>(op)) {
    visitSymbols(iota.getStart(), visit);
    visitSymbols(iota.getStep(), visit);
  } else if (auto slice = dyn_cast<llm::SliceOp>(op)) {
    for (StringAttr text : slice.getStarts().getAsRange<StringAttr>())
      visitSymbols(text, visit);
  } else if (auto loop = dyn_cast<llm::LoopOp>(op)) {
    visitSymbols(loop.getTrip(), visit);
    for (StringAttr text : loop.getPositions().getAsRange<StringAttr>())
      visitSymbols(text, visit);
  }
}

static StringAttr substituteText(StringAttr text, const DimExpr::Substitution &replacement) {
  std::optional<DimExpr> expr = DimExpr::parse(text.getValue());
  return expr ? StringAttr::get(text.getContext(), expr->substitute(replacement).str()) : text;
}

static ArrayAttr substituteTexts(ArrayAttr texts, const DimExpr::Substitution &replacement) {
  SmallVector<Attribute> result;
  for (StringAttr text : texts.getAsRange<StringAttr>())
    result.push_back(substituteText(text, replacement));
  return ArrayAttr::get(texts.getContext(), result);
}

static void substituteType(Value value, const DimExpr::Substitution &replacement) {
  if (auto type = dyn_cast<RankedTensorType>(value.getType()))
    value.setType(llm::substituteDims(type, replacement));
}

LogicalResult substituteSymbols(func::FuncOp func, const DimExpr::Substitution &replacement) {
  func.walk([&](Operation *op) {
    if (op == func)
      return;
    for (Value result : op->getResults())
      substituteType(result, replacement);
    for (Region &region : op->getRegions())
      for (Value argument : region.getArguments())
        substituteType(argument, replacement);
    if (auto sizes = dyn_cast<llm::DimValuesOp>(op)) {
      sizes.setExprsAttr(substituteTexts(sizes.getExprs(), replacement));
    } else if (auto iota = dyn_cast<llm::IotaOp>(op)) {
      iota.setStartAttr(substituteText(iota.getStartAttr(), replacement));
      iota.setStepAttr(substituteText(iota.getStepAttr(), replacement));
    } else if (auto slice = dyn_cast<llm::SliceOp>(op)) {
      slice.setStartsAttr(substituteTexts(slice.getStarts(), replacement));
    } else if (auto size = dyn_cast<llm::DefineSizeOp>(op)) {
      size.setBoundAttr(substituteText(size.getBoundAttr(), replacement));
    } else if (auto top = dyn_cast<llm::TopKIndicesOp>(op)) {
      top.setCountAttr(substituteText(top.getCountAttr(), replacement));
    } else if (auto loop = dyn_cast<llm::LoopOp>(op)) {
      loop.setTripAttr(substituteText(loop.getTripAttr(), replacement));
      loop.setPositionsAttr(substituteTexts(loop.getPositions(), replacement));
    }
  });
  for (BlockArgument argument : func.getArguments())
    substituteType(argument, replacement);
  return refreshTypes(func);
}

/// The types of an operation that infers them, or that keeps its operand's
/// shape; nothing for others.
static LogicalResult inferTypes(Operation *op, SmallVectorImpl<Type> &types) {
  if (auto cast = dyn_cast<llm::CastOp>(op)) {
    types.push_back(
        llm::makeTensorType(llm::getDims(cast.getInput()),
                            mlir::cast<RankedTensorType>(cast.getType()).getElementType()));
    return success();
  }
  if (auto attention = dyn_cast<llm::AttentionOp>(op)) {
    llm::Dims dims = llm::getDims(attention.getQuery());
    auto type = mlir::cast<RankedTensorType>(attention.getType());
    dims.back() = llm::getDims(type).back();
    types.push_back(llm::makeTensorType(dims, type.getElementType()));
    return success();
  }
  auto inferable = dyn_cast<InferTypeOpInterface>(op);
  if (!inferable)
    return success();
  return inferable.inferReturnTypes(op->getContext(), op->getLoc(), op->getOperands(),
                                    op->getAttrDictionary(), op->getPropertiesStorage(),
                                    op->getRegions(), types);
}

LogicalResult refreshTypes(Operation *op) {
  SmallVector<Type> types;
  if (failed(inferTypes(op, types)))
    return failure();
  for (auto [result, type] : llvm::zip(op->getResults(), types))
    result.setType(type);
  return success();
}

LogicalResult refreshTypes(func::FuncOp func) {
  WalkResult walked = func.walk<WalkOrder::PreOrder>([&](Operation *op) {
    return op != func && failed(refreshTypes(op)) ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (walked.wasInterrupted())
    return failure();
  Operation *terminator = func.front().getTerminator();
  func.setType(FunctionType::get(func.getContext(), func.front().getArgumentTypes(),
                                 terminator->getOperandTypes()));
  return success();
}

} // namespace llmc
