//===- Generate.cpp - llmc-run generate -----------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Prompt in, text out, token by token.
//
//===----------------------------------------------------------------------===//
#include "CommandLine.h"
#include "Commands.h"
#include "FileIO.h"
#include "LoadedModel.h"
#include "Sampler.h"
#include "TokenPrinter.h"

#include "llmc/Tokenizer/Tokenizer.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

namespace llmc::run {
namespace {

using tokenizer::Tokenizer;
using Clock = std::chrono::steady_clock;

struct GenerateOptions {
  std::string modelPath, tokenizerFolder, prompt, promptFile;
  std::string loadPath, savePath; // session files; empty: none
  int64_t maxNewTokens = 0;
  int64_t context = 0; // 0: the module's
  SamplerOptions sampling;
  uint32_t threads = 0;
  LoadOptions load;
  bool hasPrompt = false; ///< an empty one is a prompt, too
  bool printIds = false, hidePrompt = false, printStats = false;
};

/// Of this process, as Linux counts it; 0 where it does not say.
struct ResidentMemory {
  double bytes = 0, peakBytes = 0;
};

ResidentMemory residentMemory() {
  ResidentMemory memory;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:"))
      memory.bytes = std::strtod(line.c_str() + 6, nullptr) * 1024;
    if (line.starts_with("VmHWM:"))
      memory.peakBytes = std::strtod(line.c_str() + 6, nullptr) * 1024;
  }
  return memory;
}

struct Statistics {
  Clock::time_point start = Clock::now();
  double loadSeconds = 0, prefillSeconds = 0, decodeSeconds = 0;
  double firstTokenSeconds = 0; // from start
  ResidentMemory afterLoad;
  size_t numPromptTokens = 0, numNewTokens = 0, numDecodeSteps = 0;
};

double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

bool readPrompt(GenerateOptions &options, std::string &error) {
  if (!options.hasPrompt && options.loadPath.empty()) {
    error = "nothing to continue: --prompt, --prompt-file or --load-session is needed";
    return false;
  }
  if (!options.promptFile.empty() || options.prompt == "-") {
    std::optional<std::string> text =
        readFile(options.promptFile.empty() ? "/dev/stdin" : options.promptFile, error);
    if (!text)
      return false;
    options.prompt = std::move(*text);
  }
  return true;
}

bool encodePrompt(const Tokenizer &tokenizer, const std::string &prompt, bool addSpecialTokens,
                  std::vector<int32_t> &ids, std::string &error) {
  auto encoded = tokenizer.encode(prompt, addSpecialTokens);
  if (!encoded) {
    error = encoded.error().message;
    return false;
  }
  ids = *encoded;
  if (ids.empty() && tokenizer.bosId())
    ids.push_back(*tokenizer.bosId());
  if (ids.empty())
    error = "the prompt is empty, and the tokenizer names no beginning token";
  return !ids.empty();
}

/// Generates until the count, an end token or the context's end. False with
/// `error` set where a step fails.
bool generateTokens(Session &session, const Tokenizer &tokenizer,
                    const std::vector<int32_t> &prompt, const GenerateOptions &options,
                    TokenPrinter &printer, Statistics &statistics, std::string &error) {
  std::vector<int64_t> tokens(prompt.begin(), prompt.end());
  Clock::time_point begin = Clock::now();
  if (!tokens.empty() && !session.prefill(tokens, error)) // else a restored session's logits
    return false;
  statistics.prefillSeconds = secondsSince(begin);
  Sampler sampler(options.sampling);
  for (int64_t i = 0;; ++i) {
    int32_t id = sampler.sample(session.logits());
    printer.push(id);
    if (i == 0)
      statistics.firstTokenSeconds = secondsSince(statistics.start);
    ++statistics.numNewTokens;
    if (tokenizer.isEos(id))
      return true;
    // What is saved holds every token that was printed.
    if (i + 1 == options.maxNewTokens && options.savePath.empty())
      return true;
    if (session.length() >= session.maxSeq()) {
      printer.finish();
      std::fprintf(stderr,
                   "llmc-run: stopped after %lld new tokens: the context of "
                   "%u tokens is full\n",
                   static_cast<long long>(i + 1), session.maxSeq());
      return true;
    }
    begin = Clock::now();
    if (!session.decode(id, error))
      return false;
    statistics.decodeSeconds += secondsSince(begin);
    ++statistics.numDecodeSteps;
    if (i + 1 == options.maxNewTokens)
      return true;
  }
}

void printStatistics(const Statistics &statistics, uint32_t threads) {
  auto rate = [](size_t count, double seconds) {
    return seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
  };
  std::fprintf(
      stderr,
      "llmc-run: %u threads; load %.1f ms, first token after %.1f ms; prefill "
      "%zu tokens, %.1f tokens/s; decode %zu steps, %.1f tokens/s\n",
      threads, statistics.loadSeconds * 1e3, statistics.firstTokenSeconds * 1e3,
      statistics.numPromptTokens, rate(statistics.numPromptTokens, statistics.prefillSeconds),
      statistics.numDecodeSteps, rate(statistics.numDecodeSteps, statistics.decodeSeconds));
  const ResidentMemory &loaded = statistics.afterLoad, atEnd = residentMemory();
  std::fprintf(stderr,
               "llmc-run: resident after load %.1f MB, peak while loading %.1f MB; at the end %.1f "
               "MB, peak %.1f MB\n",
               loaded.bytes / 1e6, loaded.peakBytes / 1e6, atEnd.bytes / 1e6,
               atEnd.peakBytes / 1e6);
}

int runGenerate(GenerateOptions options) {
  Statistics statistics;
  std::string error;
  if (!readPrompt(options, error))
    return reportError(error);
  std::optional<Model> model = Model::load(options.modelPath, options.load, error);
  if (!model)
    return reportError(error);
  if (!model->info().can_generate)
    return reportError(options.modelPath + ": has no prefill and decode phases to generate with");
  if (options.context > model->info().max_seq)
    return reportError("--context " + std::to_string(options.context) + " exceeds the " +
                       std::to_string(model->info().max_seq) +
                       " tokens that the model was compiled for");
  auto tokenizer = Tokenizer::loadFromDirectory(options.tokenizerFolder);
  if (!tokenizer)
    return reportError(tokenizer.error().message);
  // A restored text goes on: nothing begins, and there need not be anything to add.
  std::vector<int32_t> prompt;
  bool goesOn = !options.loadPath.empty();
  if (!(goesOn && options.prompt.empty()) &&
      !encodePrompt(**tokenizer, options.prompt, /*addSpecialTokens=*/!goesOn, prompt, error))
    return reportError(error);
  std::optional<Session> session =
      Session::create(*model, {options.threads, static_cast<uint32_t>(options.context)}, error);
  if (!session)
    return reportError(error);
  if (goesOn && !session->restore(options.loadPath, error))
    return reportError(error);
  if (prompt.size() > session->maxSeq() - session->length())
    return reportError(
        "the prompt has " + std::to_string(prompt.size()) + " tokens, but the context holds " +
        std::to_string(session->maxSeq() - session->length()) + (goesOn ? " more" : ""));
  statistics.loadSeconds = secondsSince(statistics.start);
  statistics.numPromptTokens = prompt.size();
  statistics.afterLoad = residentMemory();

  TokenPrinter printer(**tokenizer, options.printIds);
  printer.startWith(prompt, options.hidePrompt);
  bool isDone = generateTokens(*session, **tokenizer, prompt, options, printer, statistics, error);
  printer.finish();
  if (!isDone || (!options.savePath.empty() && !session->save(options.savePath, error)))
    return reportError(error);
  if (options.printStats)
    printStatistics(statistics, session->threads());
  return 0;
}

} // namespace

void addGenerateCommand(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App *command = app.add_subcommand("generate", "continue a prompt, and print the text");
  addModelArgument(*command, options->modelPath);
  command->add_option("--tokenizer", options->tokenizerFolder, "folder with tokenizer.json")
      ->required()
      ->type_name("DIR");
  CLI::Option_group *prompt = command->add_option_group("prompt");
  prompt
      ->add_option("--prompt", options->prompt, "text to continue; - reads it from standard input")
      ->type_name("TEXT");
  prompt->add_option("--prompt-file", options->promptFile, "file to continue")->type_name("FILE");
  prompt->require_option(0, 1);
  command
      ->add_option("--load-session", options->loadPath,
                   "go on where --save-session ended; a prompt, if any, is appended")
      ->type_name("FILE");
  command
      ->add_option("--save-session", options->savePath,
                   "write the tokens' state here at the end, readable by you only")
      ->type_name("FILE");
  addCountOption(*command, "--max-new-tokens", options->maxNewTokens, 1,
                 "stop after so many tokens")
      ->default_str("")
      ->required();
  addRealOption(*command, "--temperature", options->sampling.temperature, 0, 1e6,
                "0: always the most likely token");
  addCountOption(*command, "--top-k", options->sampling.topK, 0,
                 "sample from the K most likely tokens; 0: from all");
  addRealOption(*command, "--top-p", options->sampling.topP, 0, 1,
                "sample from the most likely tokens that have this probability "
                "together");
  command->add_option("--seed", options->sampling.seed, "the same seed gives the same text")
      ->type_name("S")
      ->capture_default_str();
  addThreadsOption(*command, options->threads);
  addLoadOptions(*command, options->load);
  addCountOption(*command, "--context", options->context, 0,
                 "tokens to make room for, prompt included; 0: the model's "
                 "--max-seq");
  command->add_flag("--ids", options->printIds,
                    "print the new tokens' ids on one line instead of text");
  command->add_flag("--no-echo", options->hidePrompt, "print the new text without the prompt");
  command->add_flag("--stats", options->printStats,
                    "print times and resident memory on standard error at the end");
  command->callback([options, prompt, &exitCode] {
    options->hasPrompt = prompt->count_all() > 0;
    exitCode = runGenerate(*options);
  });
}

} // namespace llmc::run
