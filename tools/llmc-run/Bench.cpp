//===- Bench.cpp - llmc-run bench -----------------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tokens per second of prefill and decode beside what the machine can do. All
// configurations and the machine's own speed are measured in turn, round after
// round, so that a busy or throttled moment hits them alike.
//
//===----------------------------------------------------------------------===//
#include "BenchPlan.h"
#include "Calibration.h"
#include "CommandLine.h"
#include "Commands.h"
#include "FileIO.h"
#include "LoadedModel.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>

#include <unistd.h>

namespace llmc::run {
namespace {

struct BenchOptions {
  std::string modelPath, jsonPath;
  std::string promptTokens = "128,512", contexts = "0,1024", threads;
  int64_t newTokens = 64, repetitions = 5;
  int64_t batch = 0; // 0: one sequence, in all configurations
};

/// Token `index` of the measured text: any ids do, as long as they exist and do
/// not all share one row of the embedding.
int64_t benchToken(int64_t index, uint64_t vocabSize) {
  return static_cast<int64_t>((static_cast<uint64_t>(index) * 7919 + 11) % vocabSize);
}

/// One session per number of threads, and its cache's length.
class BenchSession {
public:
  static std::optional<BenchSession> create(const Model &model, uint32_t threads,
                                            std::string &error) {
    std::optional<Session> session = Session::create(model, {threads, 0}, error);
    if (!session)
      return std::nullopt;
    return BenchSession(std::move(*session), model.info().vocab_size);
  }

  uint32_t threads() const { return session.threads(); }

  /// Seconds of one measured call or run of steps; the context is brought to
  /// its length before the clock starts.
  std::optional<double> measure(const BenchConfig &config, std::string &error) {
    if (!setContext(config.context, error))
      return std::nullopt;
    std::vector<int64_t> tokens = makeTokens(config.context, config.numTokens());
    length += config.numTokens();
    auto begin = std::chrono::steady_clock::now();
    if (config.isPrefill) {
      if (!session.prefill(tokens, error))
        return std::nullopt;
    } else {
      for (int64_t token : tokens)
        if (!session.decode(token, error))
          return std::nullopt;
    }
    auto end = std::chrono::steady_clock::now();
    return std::max(std::chrono::duration<double>(end - begin).count(), 1e-9);
  }

private:
  BenchSession(Session session, uint64_t vocabSize)
      : session(std::move(session)), vocabSize(vocabSize) {}

  std::vector<int64_t> makeTokens(int64_t first, int64_t count) const {
    std::vector<int64_t> tokens(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i)
      tokens[static_cast<size_t>(i)] = benchToken(first + i, vocabSize);
    return tokens;
  }

  /// Goes back to `context` tokens where the cache holds more, else fills up.
  bool setContext(int64_t context, std::string &error) {
    std::string ignored;
    if (length > context && !session.truncate(static_cast<size_t>(context), ignored)) {
      // A module with fixed states can only start again.
      if (!session.reset(error))
        return false;
      length = 0;
    }
    length = std::min(length, context);
    if (length < context && !session.prefill(makeTokens(length, context - length), error))
      return false;
    length = context;
    return true;
  }

  Session session;
  uint64_t vocabSize;
  int64_t length = 0;
};

/// Decode steps of sequences of mixed lengths together, and of each one alone: what the
/// batch gives is compared, step by step, with what the sequence gives alone.
class BatchBench {
public:
  /// The lengths' sum is what 1, 2, 4, ... 8 parts of the room come to.
  static std::optional<BatchBench> create(const Model &model, const BenchOptions &options,
                                          uint32_t threads, std::string &error) {
    BatchBench bench;
    bench.vocabSize = model.info().vocab_size;
    bench.numSteps = std::min<int64_t>(options.newTokens, model.info().max_seq / 2);
    auto numSequences = static_cast<uint32_t>(options.batch);
    if (numSequences > model.info().max_batch) {
      error = "--batch " + std::to_string(numSequences) + " exceeds the model's --max-batch " +
              std::to_string(model.info().max_batch);
      return std::nullopt;
    }
    int64_t room = std::min<int64_t>(model.info().max_seq - bench.numSteps, 256);
    for (int64_t i = 0; i < options.batch; ++i)
      bench.contexts.push_back(std::max<int64_t>(1, room * (i + 1) / options.batch));
    for (uint32_t maxBatch : {uint32_t{1}, numSequences}) {
      std::optional<Session> session = Session::create(model, {threads, 0, maxBatch}, error);
      if (!session)
        return std::nullopt;
      bench.sessions.push_back(std::move(*session));
    }
    return bench;
  }

  /// Seconds of all sequences' steps, one sequence after the other.
  std::optional<double> measureAlone(std::string &error) {
    double seconds = 0;
    Session &session = sessions[0];
    alone.assign(contexts.size(), {});
    for (size_t sequence = 0; sequence < contexts.size(); ++sequence) {
      if (!session.reset(error) || !session.prefill(prompt(sequence), error))
        return std::nullopt;
      int64_t next = mostLikely(session.logits());
      auto begin = std::chrono::steady_clock::now();
      for (int64_t step = 0; step < numSteps; ++step) {
        alone[sequence].push_back(next);
        if (!session.decode(next, error))
          return std::nullopt;
        next = mostLikely(session.logits());
      }
      seconds += secondsSince(begin);
    }
    return seconds;
  }

  /// Seconds of as many steps of all sequences together. False in `isEqual` where an
  /// id differs from measureAlone's.
  std::optional<double> measureTogether(bool &isEqual, std::string &error) {
    Session &session = sessions[1];
    if (!session.reset(error))
      return std::nullopt;
    std::vector<int64_t> next(contexts.size());
    for (uint32_t sequence = 0; sequence < contexts.size(); ++sequence) {
      if (!session.prefillSequence(sequence, prompt(sequence), error))
        return std::nullopt;
      next[sequence] = mostLikely(session.logits());
    }
    auto begin = std::chrono::steady_clock::now();
    for (int64_t step = 0; step < numSteps; ++step) {
      for (size_t sequence = 0; sequence < next.size(); ++sequence)
        isEqual &= alone[sequence][static_cast<size_t>(step)] == next[sequence];
      if (!session.decodeBatch(next, error))
        return std::nullopt;
      for (size_t sequence = 0; sequence < next.size(); ++sequence)
        next[sequence] = mostLikely(session.logits(sequence));
    }
    return secondsSince(begin);
  }

  int64_t numTokens() const { return numSteps * static_cast<int64_t>(contexts.size()); }
  int64_t shortest() const { return contexts.front(); }
  int64_t longest() const { return contexts.back(); }

private:
  static double secondsSince(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  static int64_t mostLikely(std::span<const float> logits) {
    return std::max_element(logits.begin(), logits.end()) - logits.begin();
  }
  std::vector<int64_t> prompt(size_t sequence) const {
    std::vector<int64_t> tokens;
    for (int64_t i = 0; i < contexts[sequence]; ++i)
      tokens.push_back(benchToken(i + static_cast<int64_t>(sequence) * 31, vocabSize));
    return tokens;
  }

  std::vector<Session> sessions; // of batch 1 and of all sequences
  std::vector<int64_t> contexts;
  std::vector<std::vector<int64_t>> alone; // ids of each sequence
  uint64_t vocabSize = 0;
  int64_t numSteps = 0;
};

/// --batch: one line for each number of threads.
bool benchBatch(const BenchOptions &options, const Model &model,
                const std::vector<int64_t> &threads, std::string &error) {
  for (int64_t number : threads) {
    std::optional<BatchBench> bench =
        BatchBench::create(model, options, static_cast<uint32_t>(number), error);
    if (!bench)
      return false;
    std::vector<double> alone, together;
    bool isEqual = true;
    for (int64_t round = 0; round <= options.repetitions; ++round) {
      std::optional<double> one = bench->measureAlone(error);
      std::optional<double> all = one ? bench->measureTogether(isEqual, error) : std::nullopt;
      if (!all)
        return false;
      if (round > 0) { // round 0 warms up
        alone.push_back(*one);
        together.push_back(*all);
      }
    }
    double oneRate = static_cast<double>(bench->numTokens()) / median(alone);
    double allRate = static_cast<double>(bench->numTokens()) / median(together);
    std::printf("batch    %lld sequences of %lld to %lld tokens, %lld threads: %.1f tokens/s; one "
                "at a time %.1f; %.2f times; ids are %s\n",
                static_cast<long long>(options.batch), static_cast<long long>(bench->shortest()),
                static_cast<long long>(bench->longest()), static_cast<long long>(number), allRate,
                oneRate, allRate / oneRate, isEqual ? "the same" : "DIFFERENT");
    std::fflush(stdout);
    if (!isEqual) {
      error = "a sequence of a batch got other tokens than alone";
      return false;
    }
  }
  return true;
}

/// Numbers of threads that are asked for; by default one, and all that the
/// runtime would take.
bool resolveThreads(const BenchOptions &options, const Model &model, std::vector<int64_t> &threads,
                    std::string &error) {
  if (!options.threads.empty()) {
    threads = *parseNumberList(options.threads, 1);
    return true;
  }
  std::optional<Session> session = Session::create(model, {}, error);
  if (!session)
    return false;
  threads = {1, session->threads()};
  return true;
}

struct Measurements {
  std::vector<std::vector<double>> seconds; // [config][repetition]
  std::map<int64_t, Roof> roofs;            // by threads; the best seen
};

void updateRoof(Roof &roof, const BandwidthProbe &probe) {
  auto threads = static_cast<unsigned>(roof.threads);
  if (probe.isValid())
    roof.bytesPerSecond = std::max(roof.bytesPerSecond, probe.measure(threads));
  roof.flopsPerSecond = std::max(roof.flopsPerSecond, measurePeakArithmetic(threads));
}

/// Round 0 warms up and is not counted.
bool measureAll(const BenchPlan &plan, int64_t repetitions, const BandwidthProbe &probe,
                std::map<int64_t, BenchSession> &sessions, Measurements &measurements,
                std::string &error) {
  bool isTerminal = isatty(STDERR_FILENO);
  measurements.seconds.resize(plan.configs.size());
  for (int64_t round = 0; round <= repetitions; ++round) {
    if (isTerminal)
      std::fprintf(stderr, "\rround %lld of %lld", static_cast<long long>(round),
                   static_cast<long long>(repetitions));
    for (size_t i = 0; i < plan.configs.size(); ++i) {
      auto session = sessions.find(plan.configs[i].threads);
      std::optional<double> seconds = session->second.measure(plan.configs[i], error);
      if (!seconds)
        return false;
      if (round > 0)
        measurements.seconds[i].push_back(*seconds);
    }
    for (auto &[threads, roof] : measurements.roofs)
      updateRoof(roof, probe);
  }
  if (isTerminal)
    std::fprintf(stderr, "\r%*s\r", 32, "");
  return true;
}

void printHeading(const BenchOptions &options, const Model &model, const ModelCost &cost,
                  const BenchPlan &plan) {
  std::printf("model    %s (%.1f MB of weights, max_seq %u, prefill chunk %u)\n",
              options.modelPath.c_str(), static_cast<double>(model.info().weights_bytes) / 1e6,
              model.info().max_seq, model.info().prefill_chunk);
  std::printf("cpu      %s, %ld processors\n", cpuName().c_str(), sysconf(_SC_NPROCESSORS_ONLN));
  std::printf("per step %.1f MB of weights; per token %.1f M multiply-adds%s, "
              "%.1f kB of cache\n",
              static_cast<double>(cost.weightBytesPerStep) / 1e6,
              static_cast<double>(cost.multiplyAddsPerToken) / 1e6,
              cost.hasMultiplyAdds ? "" : " (taken from the weights' size)",
              static_cast<double>(cost.cacheBytesPerToken) / 1e3);
  for (const std::string &note : plan.notes)
    std::printf("note     %s\n", note.c_str());
  std::fflush(stdout);
}

int runBench(const BenchOptions &options) {
  std::string error;
  std::optional<Model> model = Model::load(options.modelPath, {.prefault = true}, error);
  if (!model)
    return reportError(error);
  if (!model->info().can_generate || model->info().vocab_size == 0)
    return reportError(options.modelPath + ": has no prefill and decode phases to measure");
  BenchRequest request;
  request.promptTokens = *parseNumberList(options.promptTokens, 1);
  request.contexts = *parseNumberList(options.contexts, 0);
  request.newTokens = options.newTokens;
  if (!resolveThreads(options, *model, request.threads, error))
    return reportError(error);

  if (options.batch) {
    std::sort(request.threads.begin(), request.threads.end());
    request.threads.erase(std::unique(request.threads.begin(), request.threads.end()),
                          request.threads.end());
    return benchBatch(options, *model, request.threads, error) ? 0 : reportError(error);
  }

  BenchPlan plan = planBench(request, model->info().max_seq);
  std::map<int64_t, BenchSession> sessions;
  Measurements measurements;
  for (BenchConfig &config : plan.configs) {
    if (sessions.count(config.threads))
      continue;
    std::optional<BenchSession> session =
        BenchSession::create(*model, static_cast<uint32_t>(config.threads), error);
    if (!session)
      return reportError(error);
    if (session->threads() != config.threads)
      plan.notes.push_back(std::to_string(config.threads) + " threads: the runtime works with " +
                           std::to_string(session->threads()) + " here");
    measurements.roofs[config.threads].threads = session->threads();
    sessions.emplace(config.threads, std::move(*session));
  }
  ModelCost cost = computeModelCost(model->info(), model->metadata());
  printHeading(options, *model, cost, plan);
  if (plan.configs.empty())
    return reportError("nothing is left to measure");

  BandwidthProbe probe(model->info().weights_bytes);
  if (!probe.isValid())
    std::printf("note     no memory to measure the bandwidth with\n");
  if (!measureAll(plan, options.repetitions, probe, sessions, measurements, error))
    return reportError(error);

  for (const auto &[threads, roof] : measurements.roofs)
    std::printf("roof     %lld threads: reads %.1f GB/s over the weights' size, "
                "f32 %.1f GFLOP/s (%s; best of %lld)\n",
                static_cast<long long>(roof.threads), roof.bytesPerSecond / 1e9,
                roof.flopsPerSecond / 1e9, calibrationISA(),
                static_cast<long long>(options.repetitions + 1));
  std::vector<BenchResult> results;
  for (size_t i = 0; i < plan.configs.size(); ++i)
    results.push_back(makeResult(plan.configs[i], median(measurements.seconds[i]), cost,
                                 measurements.roofs[plan.configs[i].threads],
                                 model->info().prefill_chunk));
  std::printf("\n%s", tableText(results).c_str());
  std::printf("medians of %lld repetitions; decode runs %lld steps at a time\n",
              static_cast<long long>(options.repetitions),
              static_cast<long long>(options.newTokens));
  if (!options.jsonPath.empty() && !writeFileAtomically(options.jsonPath, jsonText(results), error))
    return reportError(error);
  return 0;
}

CLI::Option *addListOption(CLI::App &command, const std::string &name, std::string &text,
                           int64_t minimum, const std::string &description) {
  auto check = [minimum](const std::string &text) -> std::string {
    return parseNumberList(text, minimum) ? ""
                                          : "'" + text + "' is not a list of numbers such as 1,2";
  };
  return command.add_option(name, text, description)
      ->type_name("N,N,...")
      ->check(CLI::Validator(check, ""));
}

} // namespace

void addBenchCommand(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App *command = app.add_subcommand("bench", "measure tokens per second and its limits");
  addModelArgument(*command, options->modelPath);
  addListOption(*command, "--prompt-tokens", options->promptTokens, 1, "prefill: tokens at once")
      ->capture_default_str();
  addCountOption(*command, "--new-tokens", options->newTokens, 1,
                 "decode: steps that are timed together");
  addListOption(*command, "--context", options->contexts, 0, "tokens in the cache before")
      ->capture_default_str();
  addListOption(*command, "--threads", options->threads, 1,
                "default: 1, and one per physical core");
  addCountOption(*command, "--repetitions", options->repetitions, 1,
                 "counted repetitions, after one that is not");
  addCountOption(*command, "--batch", options->batch, 0,
                 "instead: decode so many sequences of mixed lengths together and one at a "
                 "time, and compare their tokens");
  command->add_option("--json", options->jsonPath, "also write the results here")
      ->type_name("FILE");
  command->footer("bandwidth: bytes of weights and cache that the steps read, of what the "
                  "machine reads per\nsecond over as many bytes. peak: 2 x multiply-adds, "
                  "of the machine's f32 arithmetic. Both\nare measured in the same run "
                  "with the same number of threads.");
  command->callback([options, &exitCode] { exitCode = runBench(*options); });
}

} // namespace llmc::run
