//===- EndToEndTest.cpp - the tool on an artifact
//--------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes an artifact and a tokenizer, and runs the subcommands on them in
// process.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "CountingArtifact.h"
#include "FileIO.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>
#include <filesystem>

using namespace llmc::run;
namespace fs = std::filesystem;

namespace {

struct ToolRun {
  int exitCode;
  std::string out, err;
};

class EndToEnd : public testing::Test {
protected:
  static void SetUpTestSuite() {
    folder = (fs::path(testing::TempDir()) / "llmc_run_tool").string();
    fs::remove_all(folder);
    fs::create_directories(folder);
    write("m.llmc", makeArtifact());
    write("tokenizer.json", TokenizerJson);
    write("tokenizer_config.json", R"({"bos_token": "<s>", "eos_token": "</s>"})");
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  static void write(const std::string &name, const std::string &data) {
    fs::path path = fs::path(folder) / name;
    fs::create_directories(path.parent_path());
    std::string error;
    ASSERT_TRUE(writeFileAtomically(path.string(), data, error)) << error;
  }

  static std::string model() { return folder + "/m.llmc"; }

  static ToolRun run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "llmc-run");
    std::vector<char *> argv;
    for (std::string &argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    int exitCode = runTool(static_cast<int>(arguments.size()), argv.data());
    return {exitCode, testing::internal::GetCapturedStdout(),
            testing::internal::GetCapturedStderr()};
  }

  static ToolRun generate(const std::string &prompt, int count,
                          std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "generate", model(), "--tokenizer",      folder,
        "--prompt", prompt,  "--max-new-tokens", std::to_string(count)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  static std::string folder;
};

std::string EndToEnd::folder;

/// A serialised TensorProto with raw data.
template <typename T>
std::string tensorProto(const std::string &name, uint32_t dtype, const std::vector<int64_t> &dims,
                        const std::vector<T> &values) {
  std::string text;
  for (int64_t dim : dims) {
    text += '\x08';
    text += static_cast<char>(dim);
  }
  text += '\x10';
  text += static_cast<char>(dtype);
  text += '\x42';
  text += static_cast<char>(name.size());
  text += name + '\x4a';
  size_t sizeBytes = values.size() * sizeof(T);
  EXPECT_LT(sizeBytes, 128u);
  text += static_cast<char>(sizeBytes);
  return text.append(reinterpret_cast<const char *>(values.data()), sizeBytes);
}

TEST_F(EndToEnd, GeneratesUpToTheEndToken) {
  ToolRun result = generate("ab", 100);
  EXPECT_EQ(result.exitCode, 0) << result.err;
  EXPECT_EQ(result.out, "abcdef\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(generate("ab", 2).out, "abcd\n");
  EXPECT_EQ(generate("ab", 2, {"--no-echo"}).out, "cd\n");
  EXPECT_EQ(generate("", 3).out, "abc\n");
}

TEST_F(EndToEnd, GeneratesIds) {
  EXPECT_EQ(generate("cd", 9, {"--ids"}).out, "6 7 1\n");
  ToolRun result = generate("a", 4, {"--ids", "--threads", "2", "--stats"});
  EXPECT_EQ(result.out, "3 4 5 6\n");
  EXPECT_NE(result.err.find("tokens/s"), std::string::npos) << result.err;
}

TEST_F(EndToEnd, SamplesBySeed) {
  std::vector<std::string> hot = {"--temperature", "2", "--seed", "7", "--ids"};
  ToolRun first = generate("a", 12, hot), second = generate("a", 12, hot);
  EXPECT_EQ(first.exitCode, 0) << first.err;
  EXPECT_EQ(first.out, second.out);
  EXPECT_EQ(generate("a", 3, {"--temperature", "2", "--top-k", "1"}).out, "abcd\n");
}

TEST_F(EndToEnd, ContextOverflowIsToldAndStops) {
  // Beginning token, a and b; then c and d fill the five, and e needs no room.
  ToolRun result = generate("ab", 100, {"--context", "5"});
  EXPECT_EQ(result.exitCode, 0);
  EXPECT_EQ(result.out, "abcde\n");
  EXPECT_NE(result.err.find("the context of 5 tokens is full"), std::string::npos) << result.err;
  result = generate("abcdef", 1, {"--context", "5"});
  EXPECT_EQ(result.exitCode, 1);
  EXPECT_NE(result.err.find("the prompt has 7 tokens, but the context holds 5"), std::string::npos)
      << result.err;
  EXPECT_EQ(generate("a", 1, {"--context", "17"}).exitCode, 1);
}

TEST_F(EndToEnd, PromptFromFile) {
  write("prompt.txt", "cd");
  ToolRun result = run({"generate", model(), "--tokenizer", folder, "--prompt-file",
                        folder + "/prompt.txt", "--max-new-tokens", "2"});
  EXPECT_EQ(result.out, "cdef\n") << result.err;
}

TEST_F(EndToEnd, PerplexityIsWhatTheModuleDefines) {
  // Windows <s>abc and <s>def: of six tokens only d, after <s>, is unlikely.
  write("text.txt", "abcdefa");
  ToolRun result = run({"perplexity", model(), "--tokenizer", folder, "--text",
                        folder + "/text.txt", "--window", "4"});
  EXPECT_EQ(result.exitCode, 0) << result.err;
  double expected = (5 * std::log(2.0) + std::log(14.0)) / 6;
  char line[64];
  std::snprintf(line, sizeof line, "nats per token: %.6f\n", expected);
  EXPECT_NE(result.out.find(line), std::string::npos) << result.out << line;
  EXPECT_NE(result.out.find("windows: 2 of 4 tokens, 6 tokens scored"), std::string::npos)
      << result.out;
  result = run({"perplexity", model(), "--tokenizer", folder, "--text", folder + "/text.txt",
                "--window", "17"});
  EXPECT_EQ(result.exitCode, 0) << result.err; // one short window fits
  write("long.txt", std::string(40, 'a'));
  result = run({"perplexity", model(), "--tokenizer", folder, "--text", folder + "/long.txt",
                "--window", "17"});
  EXPECT_EQ(result.exitCode, 1);
  EXPECT_NE(result.err.find("sequence_length"), std::string::npos) << result.err;
}

TEST_F(EndToEnd, VerifyComparesByName) {
  auto i64 = LLMC_DTYPE_I64;
  auto f32 = LLMC_DTYPE_F32;
  // Inputs in another order than the module's.
  write("call/good/input_0.pb",
        tensorProto<float>("past_key_values.0.key", f32, {1, 1, 1, 2}, {5, 5}));
  write("call/good/input_1.pb", tensorProto<int64_t>("input_ids", i64, {1, 1}, {3}));
  write("call/good/input_2.pb", tensorProto<int64_t>("position_ids", i64, {1, 1}, {1}));
  write("call/good/input_3.pb", tensorProto<int64_t>("attention_mask", i64, {1, 2}, {1, 1}));
  write("call/good/output_0.pb",
        tensorProto<float>("present.0.key", f32, {1, 1, 2, 2}, {5, 5, 3, NAN}));
  float likely = std::log(7.0f);
  write("call/good/output_1.pb",
        tensorProto<float>("logits", f32, {1, 1, 8}, {0, 0, 0, 0, likely, 0, 0, 0}));
  ToolRun result = run({"verify", model(), folder + "/call"});
  EXPECT_EQ(result.exitCode, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("ok: 1 of 1 calls match, 2 of 2 outputs"), std::string::npos)
      << result.out;

  fs::copy(folder + "/call/good", folder + "/call/shape");
  write("call/shape/output_0.pb", tensorProto<float>("present.0.key", f32, {1, 1, 1, 2}, {5, 5}));
  fs::copy(folder + "/call/good", folder + "/call/value");
  write("call/value/output_1.pb",
        tensorProto<float>("logits", f32, {1, 1, 8}, {0, 0, 1, 0, 2, 0, 0, 0}));
  fs::copy(folder + "/call/good", folder + "/call/input");
  fs::remove(folder + "/call/input/input_1.pb");
  fs::copy(folder + "/call/good", folder + "/call/output");
  write("call/output/output_1.pb", tensorProto<float>("scores", f32, {1}, {0}));
  fs::copy(folder + "/call/good", folder + "/call/broken");
  write("call/broken/input_0.pb", "\x10");
  result = run({"verify", model(), folder + "/call"});
  EXPECT_EQ(result.exitCode, 1);
  for (const char *text :
       {"expected f32[1, 1, 1, 2], got f32[1, 1, 2, 2]", "FAIL: 2 of 8 elements, first at 2",
        "input 'input_ids' is missing", "no output 'scores'",
        "input_0.pb: offset 0: truncated varint", "FAILED: 1 of 6 calls match"})
    EXPECT_NE(result.out.find(text), std::string::npos) << text << "\n" << result.out;
}

TEST_F(EndToEnd, BenchWritesTableAndJson) {
  std::string jsonPath = folder + "/bench.json";
  ToolRun result =
      run({"bench", model(), "--prompt-tokens", "2,8,64", "--new-tokens", "4", "--context",
           "0,5,14", "--threads", "1,2", "--repetitions", "2", "--json", jsonPath});
  EXPECT_EQ(result.exitCode, 0) << result.err;
  EXPECT_NE(result.out.find("left out prefill of 64 tokens at context 0"), std::string::npos)
      << result.out;
  std::string error;
  auto list = nlohmann::json::parse(readFile(jsonPath, error).value_or("0"));
  // Prefill 2 at contexts 0, 5, 14 and 8 at 0, 5; decode at all three.
  ASSERT_EQ(list.size(), 2u * (3 + 2 + 3));
  for (const auto &entry : list) {
    EXPECT_GT(entry["tokens_per_second"].get<double>(), 0);
    EXPECT_GT(entry["bandwidth_share"].get<double>(), 0);
    EXPECT_GT(entry["peak_share"].get<double>(), 0);
  }
  EXPECT_EQ(list.back()["phase"], "decode");
  EXPECT_EQ(list.back()["context"], 14);
  EXPECT_EQ(list.back()["threads"], 2);
}

TEST_F(EndToEnd, BenchWithNothingToMeasure) {
  ToolRun result = run({"bench", model(), "--prompt-tokens", "64", "--context", "64"});
  EXPECT_EQ(result.exitCode, 1);
  EXPECT_NE(result.err.find("nothing is left to measure"), std::string::npos);
}

TEST_F(EndToEnd, ForeignFilesAreRefused) {
  write("foreign.llmc", std::string(5000, 'x'));
  std::string artifact = makeArtifact();
  write("short.llmc", artifact.substr(0, artifact.size() - 100));
  write("other/tokenizer.json", "{\"model\": 3}");
  for (const char *name : {"foreign.llmc", "short.llmc", "tokenizer.json"}) {
    ToolRun result = run({"bench", folder + "/" + name});
    EXPECT_EQ(result.exitCode, 1);
    EXPECT_NE(result.err.find(name), std::string::npos) << result.err;
  }
  ToolRun result = run({"generate", model(), "--tokenizer", folder + "/other", "--prompt", "a",
                        "--max-new-tokens", "1"});
  EXPECT_EQ(result.exitCode, 1);
  EXPECT_NE(result.err.find("tokenizer.json"), std::string::npos) << result.err;
}

} // namespace
