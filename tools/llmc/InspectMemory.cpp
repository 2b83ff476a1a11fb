//===- InspectMemory.cpp - llmc inspect --memory
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "InspectMemory.h"
#include "MemoryPlan.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llmc;

static void printAmount(llvm::StringRef title, int64_t bytes, const llvm::Twine &note) {
  llvm::outs() << llvm::formatv("{0,-10} {1,14} bytes  {2,10:f2} MB  {3}\n", title, bytes,
                                double(bytes) / 1e6, note.str());
}

/// The symbols of a stateful phase at their largest in a session of this size; nothing
/// where the expression has other symbols that are unbounded.
static std::optional<int64_t> liveAt(const PhasePlan &phase, const MemoryPlan &plan, int64_t batch,
                                     int64_t seq) {
  int64_t chunk = phase.kind == "decode" ? 1 : std::min(plan.prefillChunk, seq);
  return phase.liveBytes(phase.fullestStep())
      .evaluate([&](const std::string &name) -> std::optional<int64_t> {
        auto largest = phase.largest.find(name);
        if (largest == phase.largest.end())
          return std::nullopt;
        if (phase.kind != "run" && name == "batch")
          return batch;
        if (phase.kind != "run" && name == "seq")
          return chunk;
        if (phase.kind != "run" && name == "past")
          return std::max<int64_t>(0, seq - chunk);
        return largest->second;
      });
}

static void printPhases(const MemoryPlan &plan, int64_t batch, int64_t seq) {
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
      if (std::optional<int64_t> live = liveAt(phase, plan, batch, seq))
        llvm::outs() << "    of which a session of this size touches " << *live << " bytes\n";
  }
}

llvm::Error llmc::inspectMemory(const ArtifactHeader &artifact, const MemorySizes &sizes,
                                llvm::StringRef htmlPath) {
  llvm::Expected<MemoryPlan> read = MemoryPlan::read(artifact);
  if (!read)
    return read.takeError();
  const MemoryPlan &plan = *read;
  int64_t batch = sizes.batch ? sizes.batch : plan.maxBatch;
  int64_t seq = sizes.seq ? sizes.seq : plan.maxSeq;
  for (auto [name, value, most] :
       {std::tuple("--batch", batch, plan.maxBatch), std::tuple("--seq", seq, plan.maxSeq)})
    if (value < 1 || value > most)
      return llvm::createStringError(llvm::Twine(name) + "=" + llvm::Twine(value) +
                                     " is not between 1 and the artifact's " + llvm::Twine(most));

  llvm::outs() << "memory of a session of " << plan.model << " for " << batch << " sequences of "
               << seq << " tokens (compiled for up to " << plan.maxBatch << " of " << plan.maxSeq
               << ")\n";
  printAmount("weights", plan.weightsBytes,
              llvm::Twine(plan.numWeights) + " tensors, shared by all sessions");
  printAmount("arena", plan.arenaBytes(), "one for all phases, as large as the largest needs");
  printAmount("caches", plan.cacheBytes(batch, seq),
              llvm::Twine(plan.numStates) + " states in blocks of " +
                  llvm::Twine(plan.blockTokens) + " tokens");
  printAmount("logits", plan.logitsBytes(batch), "");
  printAmount("total", plan.totalBytes(batch, seq), "at most; small bookkeeping comes on top");

  printPhases(plan, batch, seq);

  int64_t blockBytes = plan.blockTokens * plan.bytesPerToken;
  llvm::outs() << "\ncaches\n  per token     " << plan.bytesPerToken << " bytes\n  per block     "
               << blockBytes << " bytes (" << plan.blockTokens << " tokens)\n  per sequence  "
               << plan.bytesPerSequence << " bytes of fixed states\n"
               << "\nin batch and sequence\n  caches = ";
  if (plan.blockTokens)
    llvm::outs() << "batch * (ceil(seq / " << plan.blockTokens << ") * " << blockBytes << " + "
                 << plan.bytesPerSequence << ")";
  else
    llvm::outs() << "batch * " << plan.bytesPerSequence;
  llvm::outs() << "\n  logits = batch * " << plan.vocabulary * 4
               << "\n  arena  = " << plan.arenaBytes()
               << " (planned for the largest sizes; pages become resident as they are touched)\n"
               << "  total  = " << plan.weightsBytes << " + arena + caches + logits\n";
  if (htmlPath.empty())
    return llvm::Error::success();
  // Into a temporary file that is renamed when it is complete.
  return llvm::writeToOutput(htmlPath, [&](llvm::raw_ostream &stream) {
    stream << drawMemoryPlan(plan, batch, seq);
    return llvm::Error::success();
  });
}
