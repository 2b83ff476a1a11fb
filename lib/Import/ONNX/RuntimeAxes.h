//===- RuntimeAxes.h - operands that name axes, known only when a module runs
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_RUNTIMEAXES_H
#define LLMC_LIB_IMPORT_ONNX_RUNTIMEAXES_H

#include "Node.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace llmc::importer {

/// Whether the integer list `axes` names `axis` of a tensor of `rank`: an i1 of rank 0.
Value namesAxis(Emitter &e, Value axes, int64_t axis, int64_t rank);

/// The entry of `list` beside the entry of `axes` that names `axis`, as an i64 of
/// rank 0; `missing` where none does. Without `axes` entry i is that of axis i.
Value entryOfAxis(Emitter &e, Value list, Value axes, int64_t axis, int64_t rank, Value missing);

/// What `make` gives for the axis in operand `input`. Where that is computed at run
/// time: for every axis, with the right one selected.
Value atRuntimeAxis(Node &n, int input, int64_t rank, llvm::function_ref<Value(int64_t)> make);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_RUNTIMEAXES_H
