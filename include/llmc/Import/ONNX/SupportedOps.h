//===- SupportedOps.h - the importer's operators, as documentation
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IMPORT_ONNX_SUPPORTEDOPS_H
#define LLMC_IMPORT_ONNX_SUPPORTEDOPS_H

#include "llvm/Support/raw_ostream.h"

namespace llmc {

/// Writes a Markdown page: every ONNX operator that importONNX takes, from the table
/// that it looks them up in.
void writeSupportedOps(llvm::raw_ostream &os);

} // namespace llmc

#endif // LLMC_IMPORT_ONNX_SUPPORTEDOPS_H
