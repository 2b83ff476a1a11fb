//===- Commands.h - the subcommands of llmc
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_COMMANDS_H
#define LLMC_TOOLS_LLMC_COMMANDS_H

namespace llmc {

/// Each takes the arguments after its name (argv[0] is the program's name) and
/// returns the process's exit code.
int runCompileCommand(int argc, char **argv);
int runInspectCommand(int argc, char **argv);

} // namespace llmc

#endif // LLMC_TOOLS_LLMC_COMMANDS_H
