//===- MergedHeads.h - attention whose heads are merged with the batch ----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Batched products of rank 3 take heads and batch as one dimension. Around a softmax of
// `[B, H, S, T]` this takes them apart again, so that attention has one shape:
//
//   reshape(matmul(a', b') * c + m')  =>  matmul(a, b) * c + m
//   matmul(reshape(softmax), v')      =>  reshape(matmul(softmax, v))
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_MERGEDHEADS_H
#define LLMC_TRANSFORMS_MERGEDHEADS_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"

namespace llmc {

/// Rewrites what lies between `product`'s left operand and the product of queries and keys.
/// The product that takes `product`'s place, or `product` itself where its left operand is
/// no softmax with merged heads.
llm::MatmulOp splitMergedHeads(llm::MatmulOp product);

} // namespace llmc

#endif // LLMC_TRANSFORMS_MERGEDHEADS_H
