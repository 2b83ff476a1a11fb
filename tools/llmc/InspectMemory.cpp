//===- InspectMemory.cpp - llmc inspect --memory
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "InspectMemory.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llmc;

static void printAmount(llvm::StringRef title, int64_t bytes, const llvm::Twine &note) {
  llvm::outs() << llvm::formatv("{0,-10} {1,14} bytes  {2,10:f2} MB  {3}\n", title, bytes,
                                double(bytes) / 1e6, note.str());
}

/// The symbols of a stateful phase at their largest in a session of this size; nothing
/// where the expression has other symbols that are unbounded.
static std::optional<int64_t> liveAt(const PhasePlan &phase, const MemoryPlan &plan,
                                     const MemorySizes &sizes) {
  int64_t chunk = phase.kind == "decode" ? 1 : std::min(plan.prefillChunk, sizes.seq);
  return phase.liveBytes(phase.fullestStep())
      .evaluate([&](const std::string &name) -> std::optional<int64_t> {
        auto largest = phase.largest.find(name);
        if (largest == phase.largest.end())
          return std::nullopt;
        if (phase.kind != "run" && name == "batch")
          return sizes.batch;
        if (phase.kind != "run" && name == "seq")
          return chunk;
        if (phase.kind != "run" && name == "past")
          return std::max<int64_t>(0, sizes.seq - chunk);
        return largest->second;
      });
}

static void printPhases(const MemoryPlan &plan, const MemorySizes &sizes) {
  llvm::outs() << "\narena per phase\n";
  for (const PhasePlan &phase : plan.phases) {
    double above =
        phase.lowerBound ? 100.0 * (phase.arenaBytes - phase.lowerBound) / phase.lowerBound : 0;
    llvm::outs() << llvm::formatv(
        "  {0,-10} peak {1} bytes, lower bound {2} ({3:f2} % above it), {4} buffers, {5} steps\n",
        phase.name, phase.arenaBytes, phase.lowerBound, above, phase.buffers.size(),
        phase.numSteps);
    if (phase.buffers.empty())
      continue;
    int64_t step = phase.fullestStep();
    llvm::outs() << "    fullest in step " << step << ": " << phase.liveBytes(step).str()
                 << " bytes\n";
    if (phase.kind != "run")
      if (std::optional<int64_t> live = liveAt(phase, plan, sizes))
        llvm::outs() << "    of which a session of this size touches " << *live << " bytes\n";
  }
}

/// What the session's caches are made of, with the numbers of this artifact.
static void printFormula(const MemoryPlan &plan) {
  llvm::outs() << "\nin batch, sequences and seq\n";
  if (plan.window)
    llvm::outs() << "  blocks = sequences * min(ceil(seq / " << plan.blockTokens << "), "
                 << plan.windowBlocks() << "), which hold the last " << plan.window - 1
                 << " tokens and a step\n";
  else if (plan.bytesPerToken)
    llvm::outs() << "  blocks = sequences * ceil(seq / " << plan.blockTokens << ")\n";
  llvm::outs() << "  caches = ";
  const char *separator = "";
  for (const PlannedStates &state : plan.states) {
    llvm::outs() << separator << state.count << " * pages("
                 << (state.isFixed ? "sequences" : "blocks") << " * " << state.bytes << ")";
    separator = " + ";
  }
  if (plan.states.empty())
    llvm::outs() << 0;
  else
    llvm::outs() << ", pages(n) = ceil(n / " << kStateAlignment << ") * " << kStateAlignment;
  llvm::outs() << "\n  logits = batch * " << plan.vocabulary * 4
               << "\n  arena  = " << plan.arenaBytes()
               << " (planned for the largest sizes; pages become resident as they are touched)\n"
               << "  total  = " << plan.weightsBytes << " + arena + caches + logits\n";
}

/// Fills in what was not given, and refuses what no session can be created for.
static llvm::Error complete(MemorySizes &sizes, const MemoryPlan &plan) {
  if (!sizes.batch)
    sizes.batch = plan.maxBatch;
  if (!sizes.seq)
    sizes.seq = plan.maxSeq;
  if (!sizes.sequences)
    sizes.sequences = sizes.batch;
  for (auto [name, value, most] : {std::tuple("--batch", sizes.batch, plan.maxBatch),
                                   std::tuple("--seq", sizes.seq, plan.maxSeq)})
    if (value < 1 || value > most)
      return llvm::createStringError(llvm::Twine(name) + "=" + llvm::Twine(value) +
                                     " is not between 1 and the artifact's " + llvm::Twine(most));
  if (sizes.sequences < sizes.batch || sizes.sequences > INT32_MAX)
    return llvm::createStringError("--sequences=" + llvm::Twine(sizes.sequences) +
                                   " is less than the batch of " + llvm::Twine(sizes.batch) +
                                   ", or more than can be numbered");
  return llvm::Error::success();
}

llvm::Error llmc::inspectMemory(const ArtifactHeader &artifact, MemorySizes sizes,
                                llvm::StringRef htmlPath) {
  llvm::Expected<MemoryPlan> read = MemoryPlan::read(artifact);
  if (!read)
    return read.takeError();
  const MemoryPlan &plan = *read;
  if (llvm::Error error = complete(sizes, plan))
    return error;

  llvm::outs() << "memory of a session of " << plan.model << " for " << sizes.sequences
               << " sequences of " << sizes.seq << " tokens, " << sizes.batch
               << " of them in a step (compiled for up to " << plan.maxBatch << " of "
               << plan.maxSeq << ")\n";
  std::string origin;
  if (std::optional<uint64_t> compressed = artifact.compressedBytes())
    origin = ", decompressed from " + std::to_string(*compressed) + " bytes";
  printAmount("weights", plan.weightsBytes,
              llvm::Twine(plan.numWeights) + " tensors, shared by all sessions" + origin);
  printAmount("arena", plan.arenaBytes(), "one for all phases, as large as the largest needs");
  printAmount("caches", plan.cacheBytes(sizes),
              llvm::Twine(plan.numStates) + " states in blocks of " +
                  llvm::Twine(plan.blockTokens) + " tokens");
  printAmount("logits", plan.logitsBytes(sizes), "");
  printAmount("total", plan.totalBytes(sizes), "at most; small bookkeeping comes on top");

  printPhases(plan, sizes);

  int64_t blockBytes = 0, sequenceBytes = 0;
  for (const PlannedStates &state : plan.states)
    (state.isFixed ? sequenceBytes : blockBytes) += state.count * state.bytes;
  llvm::outs() << "\ncaches\n  per token     " << plan.bytesPerToken << " bytes\n  per block     "
               << blockBytes << " bytes (" << plan.blockTokens << " tokens)\n  per sequence  "
               << sequenceBytes + blockBytes * plan.blocksPerSequence(sizes.seq)
               << " bytes, of which " << sequenceBytes << " of fixed states\n";
  printFormula(plan);
  if (htmlPath.empty())
    return llvm::Error::success();
  // Into a temporary file that is renamed when it is complete.
  return llvm::writeToOutput(htmlPath, [&](llvm::raw_ostream &stream) {
    stream << drawMemoryPlan(plan, sizes);
    return llvm::Error::success();
  });
}
