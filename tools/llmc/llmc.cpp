//===- llmc.cpp - the compiler driver
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "llmc/Support/Version.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>
#include <vector>

static constexpr const char *kUsage = R"(llmc - compiles ONNX language models ahead of time

usage: llmc compile M.onnx -o M.llmc [options]   compile a model into one artifact
       llmc inspect FILE                         describe an ONNX file or an artifact
       llmc run ...                              run an artifact: forwards to llmc-run
       llmc lsp                                  language server for llmc's IR: llmc-lsp
       llmc COMMAND --help                       the options of a command
       llmc --version
)";

/// Replaces this process by a tool that lies beside this one.
static int forward(const char *tool, int argc, char **argv) {
  static int anchor;
  std::string self = llvm::sys::fs::getMainExecutable(argv[0], &anchor);
  llvm::SmallString<256> path = llvm::sys::path::parent_path(self);
  llvm::sys::path::append(path, tool);
  std::vector<char *> arguments = {path.data()};
  path.c_str();
  for (int i = 2; i < argc; ++i)
    arguments.push_back(argv[i]);
  arguments.push_back(nullptr);
  execv(path.c_str(), arguments.data());
  llvm::errs() << "llmc: cannot start '" << path << "': " << strerror(errno) << "\n";
  return 1;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::StringRef command = argc > 1 ? argv[1] : "";
  if (command == "run")
    return forward("llmc-run", argc, argv);
  if (command == "lsp")
    return forward("llmc-lsp", argc, argv);
  if (command == "compile" || command == "inspect") {
    std::string name = std::string("llmc ") + command.str();
    std::vector<char *> arguments = {name.data()};
    arguments.insert(arguments.end(), argv + 2, argv + argc);
    int count = int(arguments.size());
    arguments.push_back(nullptr);
    return command == "compile" ? llmc::runCompileCommand(count, arguments.data())
                                : llmc::runInspectCommand(count, arguments.data());
  }
  if (command == "--help" || command == "-h") {
    llvm::outs() << kUsage;
    return 0;
  }
  if (command == "--version") {
    llvm::outs() << "llmc " << llmc::getVersion() << "\n";
    return 0;
  }
  llvm::errs() << (command.empty() ? "" : "llmc: unknown command '" + command.str() + "'\n")
               << kUsage;
  return 1;
}
