//===- CommandLine.h - checked option values ---------------------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Options that several subcommands declare alike, and the checks that CLI11's
// own validators leave out.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_COMMANDLINE_H
#define LLMC_TOOLS_RUN_COMMANDLINE_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace llmc::run {

struct LoadOptions;

/// "1,2,512" as numbers from `minimum` to 2^31 - 1; nothing where the text is
/// anything else.
std::optional<std::vector<int64_t>> parseNumberList(const std::string &text, int64_t minimum);

/// Declares the positional path of the artifact.
void addModelArgument(CLI::App &command, std::string &path);

/// Declares --threads; 0, the default, leaves the choice to the runtime.
void addThreadsOption(CLI::App &command, uint32_t &threads);

/// Declares --prefault, --load-threads, --huge-pages and --lock.
void addLoadOptions(CLI::App &command, LoadOptions &options);

/// A whole number in [minimum, maximum].
CLI::Option *addCountOption(CLI::App &command, const std::string &name, int64_t &value,
                            int64_t minimum, const std::string &description);

/// A finite number in [minimum, maximum].
CLI::Option *addRealOption(CLI::App &command, const std::string &name, double &value,
                           double minimum, double maximum, const std::string &description);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_COMMANDLINE_H
