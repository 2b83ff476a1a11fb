//===- Importer.h - ONNX models to the llm dialect
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one entry point of the import phase.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IMPORT_ONNX_IMPORTER_H
#define LLMC_IMPORT_ONNX_IMPORTER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringRef.h"

namespace llmc {

struct ImportOptions {
  /// Largest number of elements a tensor type may have; larger ones are taken
  /// for nonsense and reported.
  int64_t maxElements = int64_t(1) << 40;
};

/// Reads the ONNX model at `path` (protobuf, or ONNX's textual syntax where the
/// name ends in `.onnxtxt`) and gives a module with one `func.func @run` in the
/// llm dialect. Null on failure; every problem found is a diagnostic of
/// `context`. Loads the dialects it needs. Weights are resource blobs that keep
/// the mapped files alive; drop the module before the context.
mlir::OwningOpRef<mlir::ModuleOp> importONNX(llvm::StringRef path, mlir::MLIRContext &context,
                                             const ImportOptions &options = {});

} // namespace llmc

#endif // LLMC_IMPORT_ONNX_IMPORTER_H
