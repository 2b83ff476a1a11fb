//===- GraphOrder.h - topological order of ONNX nodes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_GRAPHORDER_H
#define LLMC_LIB_IMPORT_ONNX_GRAPHORDER_H

#include "Proto.h"
#include "llvm/ADT/SmallVector.h"
#include <vector>

namespace llmc::importer {

using NodeList = google::protobuf::RepeatedPtrField<NodeProto>;

/// Names that a node reads: its inputs and what its subgraphs capture.
std::vector<std::string> usedNames(const NodeProto &node);

/// Indices of `nodes` so that producers come before users, otherwise in file
/// order. Nodes on a cycle, or behind one, are missing from the result and are
/// given in `cyclic` (only those that are on a cycle).
std::vector<int> topologicalOrder(const NodeList &nodes, std::vector<int> &cyclic);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_GRAPHORDER_H
