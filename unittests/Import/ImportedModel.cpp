//===- ImportedModel.cpp - imports a model and keeps what was said about it
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ImportedModel.h"
#include "llmc/Import/ONNX/Importer.h"
#include "mlir/IR/Diagnostics.h"
#include <fstream>
#include <stdlib.h>

using namespace llmc::importer;

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "llmc-import-XXXXXX").string();
  folder = mkdtemp(pattern.data());
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

std::string TemporaryFolder::write(const std::string &name, const std::string &bytes) const {
  std::ofstream(folder / name, std::ios::binary) << bytes;
  return path(name);
}

ImportedModel::ImportedModel(const std::string &path)
    : context(std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED)) {
  mlir::ScopedDiagnosticHandler handler(context.get(), [&](mlir::Diagnostic &diagnostic) {
    llvm::raw_string_ostream stream(messages);
    stream << diagnostic.getLocation() << ": " << diagnostic.str() << "\n";
    errorCount += diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
    return mlir::success();
  });
  module = llmc::importONNX(path, *context);
}

ImportedModel ImportedModel::fromText(const std::string &text) {
  TemporaryFolder folder;
  return ImportedModel(folder.write("model.onnxtxt", text));
}

mlir::func::FuncOp ImportedModel::function() {
  return module ? module->lookupSymbol<mlir::func::FuncOp>("run") : nullptr;
}

std::string ImportedModel::text() {
  std::string result;
  llvm::raw_string_ostream stream(result);
  if (module)
    module->print(stream);
  return result;
}
