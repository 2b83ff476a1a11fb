//===- Commands.h - the subcommands of llmc-run ------------------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each function declares one subcommand with its options on `app`; the command
// line's parsing then runs it, and it leaves its exit code in `exitCode`.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_COMMANDS_H
#define LLMC_TOOLS_RUN_COMMANDS_H

#include <string>

namespace CLI {
class App;
}

namespace llmc::run {

void addVerifyCommand(CLI::App &app, int &exitCode);
void addGenerateCommand(CLI::App &app, int &exitCode);
void addBenchCommand(CLI::App &app, int &exitCode);
void addPerplexityCommand(CLI::App &app, int &exitCode);

/// Prints "llmc-run: error: <message>" on stderr; returns 1, the exit code.
int reportError(const std::string &message);

/// The whole tool; every failure is reported, none escapes as an exception.
int runTool(int argc, char **argv);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_COMMANDS_H
