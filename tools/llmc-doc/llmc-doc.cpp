//===- llmc-doc.cpp - writes reference pages that TableGen does not know
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Import/ONNX/SupportedOps.h"
#include "llvm/ADT/StringRef.h"

/// llmc-doc supported-ops
int main(int argc, char **argv) {
  if (argc != 2 || llvm::StringRef(argv[1]) != "supported-ops") {
    llvm::errs() << "usage: llmc-doc supported-ops\n";
    return 2;
  }
  llmc::writeSupportedOps(llvm::outs());
  return 0;
}
