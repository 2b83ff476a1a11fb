//===- ImportedModel.h - imports a model and keeps what was said about it
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_UNITTESTS_IMPORT_IMPORTEDMODEL_H
#define LLMC_UNITTESTS_IMPORT_IMPORTEDMODEL_H

#include "Proto.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include <filesystem>
#include <string>

namespace llmc::importer {

/// A folder that goes away with its owner.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  std::string path(const std::string &name) const { return (folder / name).string(); }
  /// Writes a file and gives its path.
  std::string write(const std::string &name, const std::string &bytes) const;

private:
  std::filesystem::path folder;
};

/// What importONNX made of a file: a module, or messages "location: text".
struct ImportedModel {
  explicit ImportedModel(const std::string &path);
  /// ONNX's textual syntax, written to a temporary file first.
  static ImportedModel fromText(const std::string &text);

  mlir::func::FuncOp function();
  /// The module's text.
  std::string text();

  std::unique_ptr<mlir::MLIRContext> context;
  std::string messages;
  int errorCount = 0;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace llmc::importer

#endif // LLMC_UNITTESTS_IMPORT_IMPORTEDMODEL_H
