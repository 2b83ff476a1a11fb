//===- SupportedOps.cpp - the importer's operators, as documentation
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Import/ONNX/SupportedOps.h"
#include "OpTable.h"

using namespace llmc;
using namespace llmc::importer;

void llmc::writeSupportedOps(llvm::raw_ostream &os) {
  OpTable table;
  os << "# Supported ONNX operators\n\n"
     << "Opsets up to 28 of the default domain; operators of the first ones in their present form. "
        "Where operands that shapes depend on (axes, sizes, "
        "counts) are computed when a module runs, the model must declare the shape of the "
        "result, unless noted otherwise.\n";
  llvm::StringRef domain = "?";
  for (const OpTable::Listed &op : table.list()) {
    if (op.domain != domain) {
      domain = op.domain;
      os << "\n## " << (domain.empty() ? "ai.onnx" : domain)
         << "\n\n| operator | since opset | not supported |\n|---|---|---|\n";
    }
    os << "| " << op.name << " | " << op.versions.front().first << " | "
       << op.versions.back().second.limits << " |\n";
  }
}
