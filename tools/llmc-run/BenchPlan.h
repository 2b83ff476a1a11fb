//===- BenchPlan.h - what to measure, and how to report it -------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The configurations of `llmc-run bench` and their results. No clock and no
// model in here.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_BENCHPLAN_H
#define LLMC_TOOLS_RUN_BENCHPLAN_H

#include "ModelCost.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llmc::run {

struct BenchConfig {
  bool isPrefill = false;
  int64_t promptTokens = 0; // prefill: tokens of the measured call
  int64_t newTokens = 0;    // decode: steps measured together
  int64_t context = 0;      // tokens in the cache before
  int64_t threads = 1;

  int64_t numTokens() const { return isPrefill ? promptTokens : newTokens; }
};

struct BenchRequest {
  std::vector<int64_t> promptTokens, contexts, threads;
  int64_t newTokens = 64;
};

struct BenchPlan {
  std::vector<BenchConfig> configs;
  std::vector<std::string> notes; // what was left out or cut short, and why
};

/// Every combination that fits into `maxSeq` tokens. Decode with less room than
/// newTokens is cut short, and what does not fit at all is left out; each
/// leaves a note. Repeated configurations occur once.
BenchPlan planBench(const BenchRequest &request, int64_t maxSeq);

/// What the machine can do with one number of threads.
struct Roof {
  int64_t threads = 1;
  double bytesPerSecond = 0;
  double flopsPerSecond = 0;
};

struct BenchResult {
  BenchConfig config;
  double tokensPerSecond = 0;
  double bandwidthShare = 0; // of Roof::bytesPerSecond
  double peakShare = 0;      // of Roof::flopsPerSecond
};

/// The middle value, or the mean of the two middle ones; `values` not empty.
double median(std::vector<double> values);

/// `seconds` is the median time of one measured call or run of steps.
BenchResult makeResult(const BenchConfig &config, double seconds, const ModelCost &cost,
                       const Roof &roof, int64_t prefillChunk);

/// Aligned columns with a heading, newline-terminated.
std::string tableText(const std::vector<BenchResult> &results);

/// A JSON list with one object for each result.
std::string jsonText(const std::vector<BenchResult> &results);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_BENCHPLAN_H
