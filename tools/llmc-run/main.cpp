//===- main.cpp - runs compiled models ------------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// llmc-run verify | generate | bench | perplexity. Needs the runtime only.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

int main(int argc, char **argv) { return llmc::run::runTool(argc, argv); }
