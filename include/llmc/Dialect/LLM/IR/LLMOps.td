//===- LLMOps.td - all operations of the llm dialect -*- tablegen -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
include "llmc/Dialect/LLM/IR/LLMTensorOps.td"
include "llmc/Dialect/LLM/IR/LLMTransformerOps.td"
