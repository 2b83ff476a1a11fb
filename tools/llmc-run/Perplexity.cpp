//===- Perplexity.cpp - llmc-run perplexity -------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scores a text in windows. A module with the ONNX signature gives all logits
// of a window in one run; one without is stepped token by token, and so is one whose
// caches are in question: only steps read them.
//
//===----------------------------------------------------------------------===//
#include "CommandLine.h"
#include "Commands.h"
#include "FileIO.h"
#include "InputFeeder.h"
#include "LoadedModel.h"
#include "TextScore.h"

#include "llmc/Tokenizer/Tokenizer.h"

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <memory>

#include <unistd.h>

namespace llmc::run {
namespace {

using tokenizer::Tokenizer;

struct PerplexityOptions {
  std::string modelPath, tokenizerFolder, textPath;
  int64_t windows = 0, windowTokens = 256;
  uint32_t threads = 0;
  bool steps = false;
  LoadOptions load;
};

struct Score {
  double nats = 0;
  size_t numTokens = 0;
};

bool checkTarget(int64_t target, size_t vocabSize, std::string &error) {
  if (target >= 0 && static_cast<size_t>(target) < vocabSize)
    return true;
  error = "token " + std::to_string(target) + " is outside the model's " +
          std::to_string(vocabSize) + " logits: is this its tokenizer?";
  return false;
}

/// Adds what predicts tokens[1 ..] to `score`: row i of the logits is after
/// token i.
bool scoreRows(const llmc_tensor_t &logits, std::span<const int64_t> tokens, Score &score,
               std::string &error) {
  if (!isFloatDType(logits.dtype) || logits.rank != 3 || logits.dims[0] != 1 ||
      logits.dims[1] != static_cast<int64_t>(tokens.size()) || logits.dims[2] < 1 || !logits.data) {
    error = "the logits are not a row for each of the " + std::to_string(tokens.size()) + " tokens";
    return false;
  }
  auto vocabSize = static_cast<size_t>(logits.dims[2]);
  const auto *bytes = static_cast<const uint8_t *>(logits.data);
  std::vector<float> row(vocabSize);
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (!checkTarget(tokens[i + 1], vocabSize, error))
      return false;
    for (size_t j = 0; j < vocabSize; ++j)
      row[j] = static_cast<float>(loadAsDouble(logits.dtype, bytes, i * vocabSize + j));
    score.nats += negativeLogLikelihood(row, static_cast<size_t>(tokens[i + 1]));
    ++score.numTokens;
  }
  return true;
}

bool scoreByRun(Session &session, const InputFeeder &feeder, std::span<const int64_t> window,
                Score &score, std::string &error) {
  std::vector<HostTensor> inputs;
  std::vector<llmc_tensor_t> outputs(1);
  outputs[0].name = feeder.logitsName().c_str();
  return feeder.makeInputs(window, inputs, error) && session.run(inputs, outputs, error) &&
         scoreRows(outputs[0], window, score, error);
}

bool scoreBySteps(Session &session, std::span<const int64_t> window, Score &score,
                  std::string &error) {
  if (!session.reset(error))
    return false;
  for (size_t i = 0; i + 1 < window.size(); ++i) {
    if (!session.decode(window[i], error))
      return false;
    std::span<const float> logits = session.logits();
    if (!checkTarget(window[i + 1], logits.size(), error))
      return false;
    score.nats += negativeLogLikelihood(logits, static_cast<size_t>(window[i + 1]));
    ++score.numTokens;
  }
  return true;
}

std::optional<std::vector<std::vector<int64_t>>> readWindows(const PerplexityOptions &options,
                                                             std::string &error) {
  auto tokenizer = Tokenizer::loadFromDirectory(options.tokenizerFolder);
  if (!tokenizer) {
    error = tokenizer.error().message;
    return std::nullopt;
  }
  std::optional<int32_t> bos = (*tokenizer)->bosId();
  if (!bos) {
    error = options.tokenizerFolder + ": names no beginning token, which each "
                                      "window starts with";
    return std::nullopt;
  }
  std::optional<std::string> text = readFile(options.textPath, error);
  if (!text)
    return std::nullopt;
  auto ids = (*tokenizer)->encode(*text, /*addSpecialTokens=*/false);
  if (!ids) {
    error = ids.error().message;
    return std::nullopt;
  }
  if (ids->empty()) {
    error = options.textPath + ": has no tokens to score";
    return std::nullopt;
  }
  return cutWindows(*ids, *bos, static_cast<size_t>(options.windowTokens),
                    static_cast<size_t>(options.windows));
}

int runPerplexity(const PerplexityOptions &options) {
  std::string error;
  std::optional<Model> model = Model::load(options.modelPath, options.load, error);
  if (!model)
    return reportError(error);
  auto windows = readWindows(options, error);
  if (!windows)
    return reportError(error);
  std::optional<InputFeeder> feeder;
  if (options.steps && !model->info().can_generate)
    return reportError(options.modelPath + ": has no decode phase for --steps");
  if (model->info().can_run && !options.steps) {
    feeder = InputFeeder::create(*model, error);
    if (!feeder)
      return reportError(options.modelPath + ": " + error);
  }
  std::optional<Session> session = Session::create(*model, {options.threads, 0}, error);
  if (!session)
    return reportError(error);

  bool isTerminal = isatty(STDERR_FILENO);
  Score score;
  for (size_t i = 0; i < windows->size(); ++i) {
    const std::vector<int64_t> &window = (*windows)[i];
    if (!(feeder ? scoreByRun(*session, *feeder, window, score, error)
                 : scoreBySteps(*session, window, score, error)))
      return reportError("window " + std::to_string(i) + ": " + error);
    if (isTerminal)
      std::fprintf(stderr, "\rwindow %zu of %zu, %.4f nats per token ", i + 1, windows->size(),
                   score.nats / static_cast<double>(score.numTokens));
  }
  if (isTerminal)
    std::fprintf(stderr, "\r%*s\r", 60, "");
  double perToken = score.nats / static_cast<double>(score.numTokens);
  if (windows->size() < static_cast<size_t>(options.windows))
    std::printf("note: the text has no more than %zu full windows\n", windows->size());
  std::printf("windows: %zu of %lld tokens, %zu tokens scored\n", windows->size(),
              static_cast<long long>(options.windowTokens), score.numTokens);
  std::printf("nats per token: %.6f\n", perToken);
  std::printf("perplexity: %.4f\n", std::exp(perToken));
  return 0;
}

} // namespace

void addPerplexityCommand(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<PerplexityOptions>();
  CLI::App *command = app.add_subcommand("perplexity", "score how well the model predicts a text");
  addModelArgument(*command, options->modelPath);
  command->add_option("--tokenizer", options->tokenizerFolder, "folder with tokenizer.json")
      ->required()
      ->type_name("DIR");
  command->add_option("--text", options->textPath, "text to score")->required()->type_name("FILE");
  addCountOption(*command, "--windows", options->windows, 0, "score the first N windows; 0: all");
  addCountOption(*command, "--window", options->windowTokens, 2,
                 "tokens in a window, its beginning token included");
  command->add_flag("--steps", options->steps,
                    "score token by token with the caches of decode, instead of whole windows");
  addThreadsOption(*command, options->threads);
  addLoadOptions(*command, options->load);
  command->footer("The text's tokens are cut into windows, each after one "
                  "beginning token, and every\ntoken of a window is scored "
                  "with those before it in the window.");
  command->callback([options, &exitCode] { exitCode = runPerplexity(*options); });
}

} // namespace llmc::run
