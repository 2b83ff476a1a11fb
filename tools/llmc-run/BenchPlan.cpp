//===- BenchPlan.cpp - what to measure, and how to report it --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pure functions over configurations and numbers.
//
//===----------------------------------------------------------------------===//
#include "BenchPlan.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace llmc::run {
namespace {

/// The list without repetitions, in the order of first occurrence.
std::vector<int64_t> distinct(const std::vector<int64_t> &values) {
  std::vector<int64_t> result;
  for (int64_t value : values)
    if (std::find(result.begin(), result.end(), value) == result.end())
      result.push_back(value);
  return result;
}

std::string exceedsText(int64_t context, int64_t maxSeq) {
  return "context " + std::to_string(context) + ": does not fit into the " +
         std::to_string(maxSeq) + " tokens that the model was compiled for";
}

} // namespace

BenchPlan planBench(const BenchRequest &request, int64_t maxSeq) {
  BenchPlan plan;
  std::vector<BenchConfig> shapes;
  for (int64_t context : distinct(request.contexts))
    for (int64_t prompt : distinct(request.promptTokens)) {
      if (context + prompt > maxSeq)
        plan.notes.push_back("left out prefill of " + std::to_string(prompt) + " tokens at " +
                             exceedsText(context, maxSeq));
      else
        shapes.push_back({true, prompt, 0, context, 1});
    }
  for (int64_t context : distinct(request.contexts)) {
    int64_t newTokens = std::min(request.newTokens, maxSeq - context);
    if (newTokens <= 0) {
      plan.notes.push_back("left out decode at " + exceedsText(context, maxSeq));
      continue;
    }
    if (newTokens < request.newTokens)
      plan.notes.push_back("decode at context " + std::to_string(context) + ": " +
                           std::to_string(newTokens) + " new tokens, up to the model's " +
                           std::to_string(maxSeq));
    shapes.push_back({false, 0, newTokens, context, 1});
  }
  for (BenchConfig shape : shapes)
    for (int64_t threads : distinct(request.threads)) {
      shape.threads = threads;
      plan.configs.push_back(shape);
    }
  return plan;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

BenchResult makeResult(const BenchConfig &config, double seconds, const ModelCost &cost,
                       const Roof &roof, int64_t prefillChunk) {
  BenchResult result{config, 0, 0, 0};
  auto numTokens = static_cast<uint64_t>(config.numTokens());
  auto chunk = static_cast<uint64_t>(config.isPrefill ? prefillChunk : 1);
  result.tokensPerSecond = static_cast<double>(numTokens) / seconds;
  double bytes = cost.bytesRead(static_cast<uint64_t>(config.context), numTokens, chunk);
  if (roof.bytesPerSecond > 0)
    result.bandwidthShare = bytes / seconds / roof.bytesPerSecond;
  if (roof.flopsPerSecond > 0)
    result.peakShare = 2.0 * static_cast<double>(cost.multiplyAddsPerToken) *
                       result.tokensPerSecond / roof.flopsPerSecond;
  return result;
}

std::string tableText(const std::vector<BenchResult> &results) {
  std::string text = "phase    prompt  context  threads    tokens/s  bandwidth "
                     "     peak\n";
  for (const BenchResult &result : results) {
    const BenchConfig &config = result.config;
    std::string prompt = config.isPrefill ? std::to_string(config.promptTokens) : "-";
    char line[160];
    std::snprintf(line, sizeof line, "%-7s %7s %8lld %8lld %11.1f %9.1f%% %8.1f%%\n",
                  config.isPrefill ? "prefill" : "decode", prompt.c_str(),
                  static_cast<long long>(config.context), static_cast<long long>(config.threads),
                  result.tokensPerSecond, result.bandwidthShare * 100, result.peakShare * 100);
    text += line;
  }
  return text;
}

std::string jsonText(const std::vector<BenchResult> &results) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const BenchResult &result : results)
    list.push_back({{"phase", result.config.isPrefill ? "prefill" : "decode"},
                    {"prompt_tokens", result.config.promptTokens},
                    {"context", result.config.context},
                    {"threads", result.config.threads},
                    {"tokens_per_second", result.tokensPerSecond},
                    {"bandwidth_share", result.bandwidthShare},
                    {"peak_share", result.peakShare}});
  return list.dump(2) + "\n";
}

} // namespace llmc::run
