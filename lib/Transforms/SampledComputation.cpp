//===- SampledComputation.cpp - evaluating a part of a function -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SampledComputation.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;
using llmc::reference::Evaluator;

void llmc::addSymbols(Type type, llvm::StringSet<> &symbols) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    for (const DimExpr &dim : getDims(tensor))
      dim.forEachSymbol([&](const std::string &name) { symbols.insert(name); });
}

std::optional<SampledComputation> llmc::collectComputation(func::FuncOp func, ArrayRef<Value> roots,
                                                           size_t maxOperations,
                                                           llvm::function_ref<bool(Value)> stop) {
  SampledComputation result;
  llvm::StringSet<> symbols;
  SmallVector<Value> work(roots);
  SmallVector<DefineSizeOp> sizes(func.getOps<DefineSizeOp>());
  llvm::DenseSet<Operation *> used;
  while (!work.empty()) {
    while (!work.empty()) {
      Value value = work.pop_back_val();
      addSymbols(value.getType(), symbols);
      Operation *op = value.getDefiningOp();
      if (!op || stop(value))
        result.leaves.insert(value);
      else if (result.operations.insert(op))
        work.append(op->operand_begin(), op->operand_end());
      if (result.operations.size() > maxOperations)
        return std::nullopt;
    }
    // A size that a type names is computed, too; its own computation may name others.
    for (DefineSizeOp size : sizes)
      if (symbols.contains(size.getSymbol()) && used.insert(size).second)
        work.push_back(size.getValue());
  }
  for (DefineSizeOp size : sizes)
    if (used.contains(size)) {
      result.sizes.push_back(size);
      symbols.erase(size.getSymbol());
    }
  result.free = std::move(symbols);
  return result;
}

bool SampledComputation::isSmall() const {
  constexpr uint64_t kMaxElements = uint64_t(1) << 22;
  auto isSmallValue = [](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    uint64_t count = 1;
    for (int64_t size : type ? type.getShape() : ArrayRef<int64_t>())
      if (!ShapedType::isDynamic(size))
        count = llvm::SaturatingMultiply<uint64_t>(count, size);
    return count <= kMaxElements;
  };
  return llvm::all_of(leaves, isSmallValue) && llvm::all_of(operations, [&](Operation *op) {
           return isa<ConstantOp>(op) || llvm::all_of(op->getResults(), isSmallValue);
         });
}

reference::SymbolValues SampledComputation::sampleSymbols(std::mt19937 &random,
                                                          int64_t most) const {
  reference::SymbolValues values;
  std::vector<std::string> names;
  for (const auto &entry : free)
    names.push_back(entry.first().str());
  llvm::sort(names); // the draw does not depend on hashing
  for (const std::string &name : names)
    values[name] = 1 + int64_t(random() % uint64_t(most));
  return values;
}

bool SampledComputation::defineSizes(Evaluator &evaluator) const {
  return llvm::all_of(sizes, [&](DefineSizeOp size) {
    std::optional<std::vector<int64_t>> value = evaluateInts(evaluator, size.getValue());
    std::optional<int64_t> bound = evaluator.evaluate(*DimExpr::parse(size.getBound()));
    if (!value || value->size() != 1 || !bound)
      return false;
    evaluator.setSymbol(size.getSymbol(),
                        std::clamp<int64_t>(value->front(), 0, std::max<int64_t>(0, *bound)));
    return true;
  });
}

std::optional<std::vector<int64_t>> llmc::evaluateInts(Evaluator &evaluator, Value value) {
  FailureOr<reference::Tensor> tensor = evaluator.evaluate(value);
  if (failed(tensor) || tensor->isFloat())
    return std::nullopt;
  std::vector<int64_t> result;
  for (int64_t i = 0; i < tensor->numElements(); ++i)
    result.push_back(tensor->getInt(i));
  return result;
}
