//===- ProgramSymbols.cpp - the symbols of a program and their bounds
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace llmc;

SmallVector<exec::ProgramSymbol> exec::getSymbols(ProgramOp program) {
  SmallVector<ProgramSymbol> symbols;
  for (auto entry : program.getSymbols().getAsRange<DictionaryAttr>())
    symbols.push_back({entry.getAs<StringAttr>("name").getValue().str(),
                       entry.getAs<IntegerAttr>("min").getInt(),
                       entry.getAs<IntegerAttr>("max").getInt()});
  return symbols;
}

SmallVector<std::pair<DimExpr, DimExpr>> exec::getRequirements(ProgramOp program) {
  SmallVector<std::pair<DimExpr, DimExpr>> requirements;
  if (ArrayAttr entries = program.getRequirementsAttr())
    for (auto entry : entries.getAsRange<ArrayAttr>()) {
      llm::Dims sides = llm::parseExprs(entry);
      requirements.push_back({sides[0], sides[1]});
    }
  return requirements;
}

int64_t exec::upperBound(ProgramOp program, const DimExpr &expr) {
  SmallVector<ProgramSymbol> symbols = getSymbols(program);
  return expr
      .bounds([&](const std::string &name) {
        for (const ProgramSymbol &symbol : symbols)
          if (symbol.name == name)
            return DimExpr::Interval{symbol.min, symbol.max};
        return DimExpr::Interval{};
      })
      .upper;
}

/// `a * b`, or infinity; neither is negative.
static int64_t multiply(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? DimExpr::kInfinity : product;
}

static int64_t countDispatches(exec::ProgramOp program, Block &block) {
  int64_t count = 0;
  for (Operation &op : block) {
    int64_t added = isa<exec::DispatchOp>(op);
    if (auto loop = dyn_cast<exec::LoopOp>(op)) {
      int64_t trip = exec::upperBound(program, *DimExpr::parse(loop.getTrip()));
      added =
          multiply(std::max<int64_t>(0, trip), countDispatches(program, loop.getBody().front()));
    }
    if (__builtin_add_overflow(count, added, &count))
      return DimExpr::kInfinity;
  }
  return count;
}

int64_t exec::countDispatches(ProgramOp program) {
  return ::countDispatches(program, program.getBody().front());
}

int64_t exec::elementBytes(Type elementType) {
  return std::max<int64_t>(1, elementType.getIntOrFloatBitWidth() / 8);
}

int64_t exec::numMatrices(WeightOp weight) {
  if (weight.getLayout() == WeightLayout::dense)
    return 1;
  // A matrix is 2-D, or 3-D in packed groups of n-bit values.
  ArrayRef<int64_t> shape = weight.getValue().getShapedType().getShape();
  size_t matrixRank = weight.getLayout() == WeightLayout::panels ? 2 : 3;
  return shape.size() > matrixRank ? shape.front() : 1;
}

int64_t exec::numBits(WeightOp weight) {
  // The last dimension has the bytes of a group.
  return weight.getValue().getShapedType().getShape().back() * 8 / *weight.getGroupSize();
}
