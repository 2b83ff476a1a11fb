//===- CommandLineTest.cpp - what the user may type ----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CommandLine.h"
#include "Commands.h"

#include <gtest/gtest.h>

using namespace llmc::run;

namespace {

struct ToolRun {
  int exitCode;
  std::string out, err;
};

ToolRun runWith(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "llmc-run");
  std::vector<char *> argv;
  for (std::string &argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  int exitCode = runTool(static_cast<int>(arguments.size()), argv.data());
  return {exitCode, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

TEST(CommandLine, NumberLists) {
  EXPECT_EQ(parseNumberList("1,2,512", 1), (std::vector<int64_t>{1, 2, 512}));
  EXPECT_EQ(parseNumberList("0", 0), std::vector<int64_t>{0});
  for (const char *text : {"", ",", "1,", ",1", "1,,2", "a", "1x", "-1", "0", "1 2",
                           "99999999999999999999", "2147483648"})
    EXPECT_FALSE(parseNumberList(text, 1)) << text;
}

TEST(CommandLine, HelpAndVersion) {
  ToolRun version = runWith({"--version"});
  EXPECT_EQ(version.exitCode, 0);
  EXPECT_EQ(version.out.rfind("llmc-run ", 0), 0u) << version.out;
  for (const char *command : {"verify", "generate", "bench", "perplexity"}) {
    ToolRun help = runWith({command, "--help"});
    EXPECT_EQ(help.exitCode, 0);
    EXPECT_NE(help.out.find("M.llmc"), std::string::npos) << help.out;
    EXPECT_TRUE(help.err.empty());
  }
}

TEST(CommandLine, MistakesAreOneLineAndExitCodeOne) {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"nonsense"},
      {"verify"},
      {"verify", "m.llmc"},
      {"verify", "m.llmc", "/tmp", "--rtol", "x"},
      {"verify", "m.llmc", "/tmp", "--rtol", "nan"},
      {"verify", "m.llmc", "/tmp", "--rtol", "-1"},
      {"verify", "m.llmc", "/tmp", "--unknown"},
      {"verify", "m.llmc", "/tmp", "--threads", "-2"},
      {"verify", "m.llmc", "/nonexistent"},
      {"generate", "m.llmc", "--tokenizer", "/tmp", "--max-new-tokens", "4"},
      {"generate", "m.llmc", "--prompt", "x", "--max-new-tokens", "4"},
      {"generate", "m.llmc", "--tokenizer", "/tmp", "--prompt", "x"},
      {"generate", "m.llmc", "--tokenizer", "/tmp", "--prompt", "x", "--prompt-file", "y",
       "--max-new-tokens", "4"},
      {"generate", "m.llmc", "--tokenizer", "/tmp", "--prompt", "x", "--max-new-tokens", "4",
       "--top-p", "1.5"},
      {"generate", "m.llmc", "--tokenizer", "/tmp", "--prompt-file", "/nonexistent",
       "--max-new-tokens", "4"},
      {"generate", "/nonexistent.llmc", "--tokenizer", "/tmp", "--prompt", "-x", "--max-new-tokens",
       "4"},
      {"bench", "/nonexistent.llmc"},
      {"bench", "m.llmc", "--context", "1,,2"},
      {"bench", "m.llmc", "--repetitions", "0"},
      {"bench", "m.llmc", "--threads", "0"},
      {"perplexity", "/nonexistent.llmc", "--tokenizer", "/tmp", "--text", "x"},
      {"perplexity", "m.llmc", "--tokenizer", "/tmp", "--text", "x", "--window", "1"},
  };
  for (const std::vector<std::string> &arguments : cases) {
    std::string line;
    for (const std::string &argument : arguments)
      line += argument + " ";
    SCOPED_TRACE(line);
    ToolRun run = runWith(arguments);
    EXPECT_EQ(run.exitCode, 1);
    EXPECT_EQ(run.err.rfind("llmc-run: error: ", 0), 0u) << run.err;
    EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
  }
}

TEST(CommandLine, FolderWithoutCalls) {
  std::string folder = testing::TempDir() + "no_calls";
  ASSERT_EQ(std::system(("mkdir -p '" + folder + "'").c_str()), 0);
  ToolRun run = runWith({"verify", "m.llmc", folder});
  EXPECT_EQ(run.exitCode, 1);
  EXPECT_NE(run.err.find("no recorded calls"), std::string::npos) << run.err;
}

} // namespace
