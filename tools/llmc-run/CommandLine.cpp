//===- CommandLine.cpp - checked option values, and the tool's entry ------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// CLI11 reports by exceptions; they end in runTool.
//
//===----------------------------------------------------------------------===//
#include "CommandLine.h"
#include "Commands.h"
#include "LoadedModel.h"

#include "llmc-c/Runtime.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdio>
#include <sstream>

namespace llmc::run {
namespace {

constexpr int64_t MaxCount = INT32_MAX;

constexpr int64_t MaxThreads = 4096;

/// A check for numbers in [minimum, maximum]; CLI::Range lets NaN through and
/// fills the help text with its bounds.
template <typename T> auto checkRange(T minimum, T maximum) {
  return [=](const std::string &text) -> std::string {
    T number;
    if (CLI::detail::lexical_cast(text, number) && number >= minimum && number <= maximum)
      return "";
    std::ostringstream message;
    message << "'" << text << "' is not a number from " << minimum << " to " << maximum;
    return message.str();
  };
}

std::string versionText() {
  return "llmc-run " LLMC_RUN_VERSION " (runtime API " + std::to_string(llmc_api_version() >> 16) +
         "." + std::to_string(llmc_api_version() & 0xffff) + ", module ABI " +
         std::to_string(LLMC_MODULE_ABI_VERSION) + ")";
}

/// Asked before parsing: CLI11 would only say that a subcommand is required.
bool hasSubcommand(const CLI::App &app, const std::string &name) {
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; }))
    if (command->get_name() == name)
      return true;
  return false;
}

/// The parser's message as one line: CLI11 puts hints on further ones.
std::string firstLine(const std::string &text) { return text.substr(0, text.find('\n')); }

} // namespace

std::optional<std::vector<int64_t>> parseNumberList(const std::string &text, int64_t minimum) {
  std::vector<int64_t> numbers;
  const char *position = text.data(), *end = position + text.size();
  for (;;) {
    int64_t number = 0;
    auto [next, status] = std::from_chars(position, end, number);
    if (status != std::errc() || number < minimum || number > MaxCount)
      return std::nullopt;
    numbers.push_back(number);
    if (next == end)
      return numbers;
    if (*next != ',')
      return std::nullopt;
    position = next + 1;
  }
}

void addModelArgument(CLI::App &command, std::string &path) {
  command.add_option("model", path, "compiled model, as llmc compile writes it")
      ->required()
      ->type_name("M.llmc");
}

void addThreadsOption(CLI::App &command, uint32_t &threads) {
  command.add_option("--threads", threads, "threads to work with; 0: one per physical core")
      ->type_name("N")
      ->check(CLI::Validator(checkRange<int64_t>(0, MaxThreads), ""))
      ->capture_default_str();
}

void addLoadOptions(CLI::App &command, LoadOptions &options) {
  command.add_flag("--prefault", options.prefault, "read all weights before the first step");
  command
      .add_option("--load-threads", options.threads,
                  "threads that --prefault reads with, or that decompress weights; 0: one per "
                  "physical core")
      ->type_name("N")
      ->check(CLI::Validator(checkRange<int64_t>(0, MaxThreads), ""))
      ->capture_default_str();
  command.add_flag("--huge-pages", options.hugePages, "ask for huge pages for the weights");
  command.add_flag("--lock", options.lock, "keep the weights in memory (mlock)");
}

CLI::Option *addCountOption(CLI::App &command, const std::string &name, int64_t &value,
                            int64_t minimum, const std::string &description) {
  return command.add_option(name, value, description)
      ->type_name("N")
      ->check(CLI::Validator(checkRange(minimum, MaxCount), ""))
      ->capture_default_str();
}

CLI::Option *addRealOption(CLI::App &command, const std::string &name, double &value,
                           double minimum, double maximum, const std::string &description) {
  return command.add_option(name, value, description)
      ->type_name("X")
      ->check(CLI::Validator(checkRange(minimum, maximum), ""))
      ->capture_default_str();
}

int reportError(const std::string &message) {
  std::fflush(stdout);
  std::fprintf(stderr, "llmc-run: error: %s\n", message.c_str());
  return 1;
}

int runTool(int argc, char **argv) try {
  CLI::App app("Runs models that llmc compiled.", "llmc-run");
  app.set_version_flag("--version", versionText());
  app.require_subcommand(1);
  app.footer("llmc-run SUBCOMMAND --help describes each one's options.");
  int exitCode = 0;
  addVerifyCommand(app, exitCode);
  addGenerateCommand(app, exitCode);
  addBenchCommand(app, exitCode);
  addPerplexityCommand(app, exitCode);
  if (argc > 1 && argv[1][0] != '-' && !hasSubcommand(app, argv[1]))
    return reportError("unknown subcommand '" + std::string(argv[1]) + "', see llmc-run --help");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) // --help and --version
      return app.exit(error);
    return reportError(firstLine(error.what()));
  }
  return exitCode;
} catch (const std::bad_alloc &) {
  return reportError("out of memory");
} catch (const std::exception &error) {
  return reportError(firstLine(error.what()));
}

} // namespace llmc::run
