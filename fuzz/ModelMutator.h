//===- ModelMutator.h - changes to an ONNX model that keep it a message
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FUZZ_MODELMUTATOR_H
#define LLMC_FUZZ_MODELMUTATOR_H

#include <onnx/onnx_pb.h>
#include <random>

namespace llmc::fuzz {

/// One random change: a field set to a boundary value, an element of a list removed,
/// doubled or moved, a message replaced by another of its type from the same model, a
/// value's name by another one, an operator by another.
void mutate(onnx::ModelProto &model, std::mt19937 &random);

} // namespace llmc::fuzz

#endif // LLMC_FUZZ_MODELMUTATOR_H
