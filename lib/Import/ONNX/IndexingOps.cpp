//===- IndexingOps.cpp - reading at computed places
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

static Value indices(Node &n, Value value) {
  Type type = n.elementTypeOf(value);
  return type && !type.isInteger(32) && !type.isInteger(64) ? n.cast(value, n.builder.getI64Type())
                                                            : value;
}

static void gatherOp(Node &n) {
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(n.input(0)));
  n.setOutput(n.infer<llm::GatherOp>(uint64_t(axis), n.input(0), indices(n, n.input(1))));
}

static void gatherNDOp(Node &n) {
  int64_t batch = n.intAttr("batch_dims", 0);
  Dims input = n.dims(n.input(0)), at = n.dims(n.input(1));
  for (int64_t i = 0; i < batch && i < int64_t(std::min(input.size(), at.size())); ++i)
    n.requireEqual(input[i], at[i], "batch dimension " + Twine(i));
  n.setOutput(n.infer<llm::GatherNDOp>(uint64_t(batch), n.input(0), indices(n, n.input(1))));
}

/// GatherElements as GatherND over every coordinate but the gathered one.
static void gatherElementsOp(Node &n) {
  Value input = n.input(0), at = indices(n, n.input(1));
  Dims shape = n.dims(at);
  int64_t rank = shape.size(), axis = n.axis(n.intAttr("axis", 0), n.rank(input));
  if (!n.failed() && n.rank(input) != rank)
    n.fail("indices " + llm::formatDims(shape) + " for data " + llm::formatDims(n.dims(input)));
  if (n.failed())
    return;
  Dims tuple = shape;
  tuple.push_back(1);
  SmallVector<Value> coordinates;
  for (int64_t i = 0; i < rank; ++i) {
    if (i == axis) {
      coordinates.push_back(n.reshape(n.cast(at, n.builder.getI64Type()), tuple));
      continue;
    }
    Dims column(rank + 1, 1);
    column[i] = shape[i];
    coordinates.push_back(n.broadcast(n.reshape(n.iota(shape[i]), column), tuple));
  }
  n.setOutput(n.infer<llm::GatherNDOp>(uint64_t(0), input, n.concat(rank, coordinates)));
}

/// values[1] where the class is the index, values[0] elsewhere.
static void oneHotOp(Node &n) {
  Dims depth = n.knownInts(1, "depths");
  Value at = indices(n, n.input(0));
  int64_t rank = n.rank(at), axis = n.axis(n.intAttr("axis", -1), rank + 1);
  if (n.failed() || depth.size() != 1)
    return n.fail("the depth is not one number");
  Type type = n.elementTypeOf(at);
  Dims wide = n.dims(at), classes(rank + 1, 1);
  wide.insert(wide.begin() + axis, 1);
  classes[axis] = depth[0];
  Value index = n.reshape(at, wide);
  // Negative indices count from the end.
  Value negative = n.compare(llm::ComparePredicate::lt, index, n.scalar(0, type));
  Value wrapped = n.binary(BinaryKind::add, index, n.sizes(depth, type, true));
  index = n.select(negative, wrapped, index);
  Value hit = n.compare(llm::ComparePredicate::eq, index,
                        n.cast(n.reshape(n.iota(depth[0]), classes), type));
  Value off = n.reshape(n.slice(n.input(2), 0, 0, 1), {});
  Value on = n.reshape(n.slice(n.input(2), 0, 1, 1), {});
  n.setOutput(n.select(hit, on, off));
}

void llmc::importer::addIndexingOps(OpTable &t) {
  t.add("", "Gather", 1, {gatherOp, 2, 2, 1, "axis"});
  t.add("", "GatherND", 11, {gatherNDOp, 2, 2, 1, "batch_dims"});
  t.add("", "GatherElements", 11, {gatherElementsOp, 2, 2, 1, "axis"});
  t.add("", "OneHot", 11, {oneHotOp, 3, 3, 1, "axis"});
}
