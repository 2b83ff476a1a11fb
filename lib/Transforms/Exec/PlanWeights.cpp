//===- PlanWeights.cpp - offsets for the weights in the artifact
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Transforms/Exec/Passes.h"

namespace llmc {
#define GEN_PASS_DEF_PLANWEIGHTS
#include "llmc/Transforms/Exec/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kRowBlock = 16; // outputs per row block of n-bit weights

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t weightBytes(exec::WeightOp weight, int64_t panelWidth) {
  ShapedType type = weight.getValue().getShapedType();
  switch (weight.getLayout()) {
  case exec::WeightLayout::dense:
    return type.getNumElements() * exec::elementBytes(type.getElementType());
  case exec::WeightLayout::panels:
    if (type.getElementType().isInteger(8)) // row blocks of four inputs at a time
      return ceilDiv(*weight.getOutputs(), kRowBlock) * kRowBlock *
             ceilDiv(*weight.getColumns(), 4) * 4;
    return exec::numMatrices(weight) * ceilDiv(*weight.getOutputs(), panelWidth) * panelWidth *
           *weight.getColumns() * exec::elementBytes(type.getElementType());
  case exec::WeightLayout::row_blocks: {
    int64_t group = *weight.getGroupSize();
    // Numbers of 2 bits are packed as ones of 4.
    int64_t bits = std::max<int64_t>(4, exec::numBits(weight));
    int64_t groupBytes =
        group * kRowBlock * bits / 8 + kRowBlock * 4 + (weight.getZeroPoints() ? kRowBlock : 0);
    return exec::numMatrices(weight) * ceilDiv(*weight.getOutputs(), kRowBlock) *
           ceilDiv(*weight.getColumns(), group) * groupBytes;
  }
  }
  llvm_unreachable("unknown weight layout");
}

struct PlanWeights : llmc::impl::PlanWeightsBase<PlanWeights> {
  using PlanWeightsBase::PlanWeightsBase;
  void runOnOperation() override {
    int64_t offset = 0;
    for (auto weight : getOperation().getOps<exec::WeightOp>()) {
      int64_t bytes = weightBytes(weight, panelWidth);
      int64_t alignment = bytes >= exec::kOwnPagesBytes ? exec::kPageBytes : kAlignment;
      offset = ceilDiv(offset, alignment) * alignment;
      weight.setOffset(offset);
      weight.setBytes(bytes);
      offset += ceilDiv(bytes, alignment) * alignment;
    }
  }
};

} // namespace
