//===- llmc-plan.cpp - plans the memory of buffers in a table
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The compiler's arena planner by itself: docs/MemoryPlanning.md.
//
//===----------------------------------------------------------------------===//
#include "BufferTable.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <unistd.h>

using namespace llmc;

namespace {

constexpr int kFound = 0, kNotFound = 1, kBadInput = 2;

struct Flags {
  std::string input, output;
  std::optional<int64_t> capacity;
  int64_t alignment = 1;
  double timeLimitSeconds = 60;

  void addTo(CLI::App &app) {
    app.add_option("--input", input,
                   "Table of buffers: a line of column names, id,lower,upper,size in any order, "
                   "then a buffer per line, alive from lower to before upper; columns alias and "
                   "in_place may name the buffer it is one block with, or in whose place it may "
                   "begin; - is the standard input")
        ->type_name("CSV")
        ->required();
    app.add_option("--capacity", capacity,
                   "Stop at a plan within N bytes; without it the peak is made as small as it "
                   "can be")
        ->type_name("N");
    app.add_option("--output", output,
                   "The same table with a column offset; without it to the standard output")
        ->type_name("CSV");
    app.add_option("--alignment", alignment, "Of offsets and sizes, a power of two")
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--time-limit", timeLimitSeconds, "Seconds for the exact search")
        ->type_name("S")
        ->capture_default_str();
    app.footer("Exit code: 0 with a plan (within the capacity), 1 if none was found within it,\n"
               "2 for a wrong command line or table.");
  }
};

int badInput(const std::string &message) {
  std::cerr << "llmc-plan: error: " << message << "\n";
  return kBadInput;
}

/// What is wrong with the values, or nothing.
std::string check(const Flags &flags) {
  if (flags.capacity && *flags.capacity < 0)
    return "--capacity=" + std::to_string(*flags.capacity) + " is negative";
  if (flags.alignment < 1 || flags.alignment > (int64_t(1) << 30) ||
      (flags.alignment & (flags.alignment - 1)) != 0)
    return "--alignment=" + std::to_string(flags.alignment) + " is not a power of two up to 2^30";
  if (!(flags.timeLimitSeconds >= 0 && flags.timeLimitSeconds <= 1e6))
    return "--time-limit is not between 0 and 1000000 seconds";
  return "";
}

/// Under another name first: a killed run leaves no half of a file.
int writeTable(const BufferTable &table, const std::string &path) {
  std::string temporary = path + ".tmp" + std::to_string(getpid());
  std::error_code error;
  {
    std::ofstream file(temporary);
    if (!file)
      return badInput("cannot write '" + path + "'");
    table.write(file);
    file.close();
    if (!file) {
      std::filesystem::remove(temporary, error);
      return badInput("cannot write '" + path + "'");
    }
  }
  std::filesystem::rename(temporary, path, error);
  if (!error)
    return kFound;
  std::string reason = error.message();
  std::filesystem::remove(temporary, error);
  return badInput("cannot write '" + path + "': " + reason);
}

int plan(const Flags &flags) {
  BufferTable table;
  std::string problem;
  if (flags.input == "-") {
    problem = table.read(std::cin);
  } else {
    std::ifstream file(flags.input);
    if (!file || std::filesystem::is_directory(flags.input))
      return badInput("cannot read '" + flags.input + "'");
    problem = table.read(file);
  }
  if (!problem.empty())
    return badInput(flags.input + ": " + problem);

  ArenaPlanOptions options;
  options.alignment = flags.alignment;
  options.aliases = table.aliases;
  options.inPlace = table.inPlace;
  options.capacityBytes = flags.capacity;
  options.searchNodes = std::numeric_limits<uint64_t>::max();
  options.searchSeconds = flags.timeLimitSeconds;
  auto start = std::chrono::steady_clock::now();
  ArenaPlan plan = planArena(table.buffers, options);
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  switch (plan.status) {
  case ArenaPlanStatus::TooLarge:
    return badInput(flags.input + ": the plan passes 2^61 bytes");
  case ArenaPlanStatus::Impossible:
    std::cerr << "llmc-plan: error: no plan fits into " << *flags.capacity
              << " bytes: proved impossible";
    break;
  case ArenaPlanStatus::NotFound:
    std::cerr << "llmc-plan: error: no plan within " << *flags.capacity
              << " bytes found: the time ran out";
    break;
  default:
    break;
  }
  bool found = plan.status == ArenaPlanStatus::Optimal || plan.status == ArenaPlanStatus::Feasible;
  if (!found)
    std::cerr << "; smallest peak found " << plan.peakBytes << "\n";
  if (found && !flags.output.empty()) {
    if (int code = writeTable(table, flags.output); code != kFound)
      return code;
  } else if (found) {
    table.write(std::cout);
  }
  // Beside a table on the standard output, the summary must not be part of it.
  std::ostream &summary = flags.output.empty() ? std::cerr : std::cout;
  summary << "buffers: " << table.buffers.size() << "\npeak: " << plan.peakBytes
          << (plan.status == ArenaPlanStatus::Optimal ? " (proved smallest)" : "")
          << "\nlower bound: " << plan.lowerBoundBytes << "\ntime: " << seconds.count()
          << " s\nsearch nodes: " << plan.searchNodes << "\n";
  return found ? kFound : kNotFound;
}

} // namespace

int main(int argc, char **argv) {
  Flags flags;
  CLI::App app("Gives buffers with sizes and lifetimes offsets in one block of memory",
               "llmc-plan");
  flags.addTo(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    // Help is an exception, too.
    return error.get_exit_code() == 0 ? app.exit(error) : badInput(error.what());
  }
  if (std::string problem = check(flags); !problem.empty())
    return badInput(problem);
  return plan(flags);
}
