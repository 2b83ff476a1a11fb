//===- RuntimeAxes.cpp - operands that name axes, known only when a module runs
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RuntimeAxes.h"
#include "Tensors.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// Number of entries of a 1-D list (or of a scalar); fails where it is a symbol.
static int64_t lengthOf(Emitter &e, Value list) {
  if (e.failed() || e.rank(list) == 0)
    return e.failed() ? 0 : 1;
  std::optional<int64_t> length = e.dims(list)[0].constant();
  if (!length || *length > kMaxRank || e.rank(list) != 1)
    e.fail("not supported: a list of axes of shape " + llm::formatDims(e.dims(list)));
  return e.failed() ? 0 : *length;
}

/// Whether entry i, counted from the end where negative, is `axis`.
static Value isAxis(Emitter &e, Value axes, int64_t i, int64_t axis, int64_t rank) {
  Value entry = e.asI64(e.element(axes, i));
  Value negative = e.compare(llm::ComparePredicate::lt, entry, 0);
  Value front = e.select(negative, e.binary(BinaryKind::add, entry, double(rank)), entry);
  return e.compare(llm::ComparePredicate::eq, front, double(axis));
}

Value llmc::importer::namesAxis(Emitter &e, Value axes, int64_t axis, int64_t rank) {
  Value found = e.scalar(0, e.builder.getI1Type());
  for (int64_t i = 0, length = lengthOf(e, axes); i < length; ++i)
    found = e.binary(BinaryKind::logical_or, found, isAxis(e, axes, i, axis, rank));
  return found;
}

Value llmc::importer::entryOfAxis(Emitter &e, Value list, Value axes, int64_t axis, int64_t rank,
                                  Value missing) {
  int64_t length = lengthOf(e, list);
  if (!axes)
    return axis < length ? e.asI64(e.element(list, axis)) : missing;
  if (lengthOf(e, axes) != length)
    e.fail("axes have " + Twine(lengthOf(e, axes)) + " entries for " + Twine(length));
  Value result = missing;
  for (int64_t i = 0; i < length && !e.failed(); ++i)
    result = e.select(isAxis(e, axes, i, axis, rank), e.asI64(e.element(list, i)), result);
  return result;
}

Value llmc::importer::atRuntimeAxis(Node &n, int input, int64_t rank,
                                    function_ref<Value(int64_t)> make) {
  std::optional<Dims> known = n.known(n.input(input));
  if (known && (known->size() != 1 || !known->front().constant()))
    n.fail("the axis is not one number");
  if (n.failed())
    return {};
  if (known) {
    int64_t axis = n.axis(*known->front().constant(), rank);
    return n.failed() ? Value() : make(axis);
  }
  Value result = make(0);
  for (int64_t axis = 1; axis < rank; ++axis)
    result = n.select(isAxis(n, n.input(input), 0, axis, rank), make(axis), result);
  return result;
}
