//===- StateLayout.cpp - how a state lies in memory
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/Exec/IR/StateLayout.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llvm/Support/MathExtras.h"

using namespace llmc;
using llm::StateType;

static constexpr int64_t kScaleBytes = 4;

static int64_t elementsBytes(StateType state, int64_t tokens) {
  return tokens * state.getToken().getNumElements() *
         exec::elementBytes(state.getToken().getElementType());
}

bool exec::hasScales(StateType state) {
  return !state.getFixed() && state.getToken().getElementType().isInteger(8);
}

int64_t exec::scalesOffset(StateType state, int64_t blockTokens) {
  return llvm::alignTo(elementsBytes(state, blockTokens), kScaleBytes);
}

int64_t exec::stateBytes(StateType state, int64_t blockTokens) {
  if (state.getFixed())
    return elementsBytes(state, 1);
  if (!hasScales(state))
    return elementsBytes(state, blockTokens);
  return scalesOffset(state, blockTokens) +
         blockTokens * state.getToken().getDimSize(0) * kScaleBytes;
}
