//===- StateLayout.h - how a state lies in memory
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of a state of tokens is [head][token in block][channel] of the state's element
// type. Elements of i8 stand for themselves times an f32 scale per head and token, which
// follow them as [head][token in block] from the next multiple of 4 bytes on. A slot of a
// fixed state is its tensor.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_EXEC_IR_STATELAYOUT_H
#define LLMC_DIALECT_EXEC_IR_STATELAYOUT_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"

namespace llmc::exec {

/// Whether the state's elements are numbers of i8 that a scale belongs to.
bool hasScales(llm::StateType state);

/// Bytes from the beginning of a block of `blockTokens` tokens to its scales.
int64_t scalesOffset(llm::StateType state, int64_t blockTokens);

/// Bytes of a block of `blockTokens` tokens, or of a fixed state's slot.
int64_t stateBytes(llm::StateType state, int64_t blockTokens);

} // namespace llmc::exec

#endif // LLMC_DIALECT_EXEC_IR_STATELAYOUT_H
