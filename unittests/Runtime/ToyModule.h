//===- ToyModule.h - modules made of plain functions ------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the compiler would emit, written by hand: a functional module and a
// stateful one. They use every part of the ABI that sessions serve.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_UNITTESTS_RUNTIME_TOYMODULE_H
#define LLMC_UNITTESTS_RUNTIME_TOYMODULE_H

#include "llmc-c/ModuleABI.h"

#include <cstdint>
#include <vector>

namespace llmc::test {

/// Two run phases, chosen by the bool input `negate`:
///   y[batch, seq + past] f32 = +-concat(x[batch, seq], p[batch, past])
///   count i64[] = the number of y's elements
const llmc_module_desc_t *functionalQuery(uint32_t abiVersion);

/// One run phase: positive[k] f32 = the elements of x[n] f32 that are positive, in order;
/// k is a size that the data decides, at most n. n is at most 4096.
const llmc_module_desc_t *dataSizedQuery(uint32_t abiVersion);

/// A "model" over 64 tokens whose logits depend on every token held, through
/// the block table: max_batch 3, max_seq 40, blocks of 4, prefill chunks of 5.
const llmc_module_desc_t *statefulQuery(uint32_t abiVersion);

/// The same with a recurrent state, which lies in the sequence's slot.
const llmc_module_desc_t *recurrentQuery(uint32_t abiVersion);

/// The same over the last toyWindow tokens, which is what its state's descriptor says.
const llmc_module_desc_t *windowedQuery(uint32_t abiVersion);

inline constexpr int64_t toyVocab = 64;
inline constexpr int64_t toyWindow = 6;

/// The logits that statefulQuery's and recurrentQuery's must give after `tokens`.
std::vector<float> toyLogits(const std::vector<int64_t> &tokens);
/// windowedQuery's.
std::vector<float> toyWindowLogits(const std::vector<int64_t> &tokens);

} // namespace llmc::test

#endif // LLMC_UNITTESTS_RUNTIME_TOYMODULE_H
