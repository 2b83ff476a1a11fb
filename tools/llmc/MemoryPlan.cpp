//===- MemoryPlan.cpp - the memory plan that an artifact's manifest carries
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "MemoryPlan.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llmc;

/// Calls `visit` for the buffers of a step from the lowest offset up, leaving out those
/// that lie inside one that was visited.
template <typename Visit>
static void visitLive(const std::vector<PlannedRange> &buffers, int64_t step, Visit visit) {
  std::vector<const PlannedRange *> live;
  for (const PlannedRange &buffer : buffers)
    if (buffer.firstStep <= step && step <= buffer.lastStep)
      live.push_back(&buffer);
  llvm::sort(live, [](const PlannedRange *a, const PlannedRange *b) {
    return std::pair(a->offset, -a->bytes) < std::pair(b->offset, -b->bytes);
  });
  int64_t end = 0;
  for (const PlannedRange *buffer : live)
    if (buffer->offset + buffer->bytes > end) {
      visit(*buffer, std::max(end, buffer->offset));
      end = buffer->offset + buffer->bytes;
    }
}

int64_t PhasePlan::fullestStep() const { return llvm::max_element(live) - live.begin(); }

DimExpr PhasePlan::liveBytes(int64_t step) const {
  DimExpr sum;
  visitLive(buffers, step, [&](const PlannedRange &buffer, int64_t) { sum = sum + buffer.size; });
  return sum;
}

static llvm::Error broken(llvm::StringRef what) {
  return llvm::createStringError("the manifest is broken: " + what);
}

static llvm::Expected<PhasePlan> readPhase(const llvm::json::Object &entry) {
  PhasePlan phase;
  phase.name = entry.getString("name").value_or("").str();
  phase.kind = entry.getString("kind").value_or("").str();
  phase.arenaBytes = entry.getInteger("arena_bytes").value_or(0);
  phase.lowerBound = entry.getInteger("arena_lower_bound").value_or(0);
  if (const llvm::json::Array *symbols = entry.getArray("symbols"))
    for (const llvm::json::Value &value : *symbols)
      if (const llvm::json::Object *symbol = value.getAsObject())
        phase.largest[symbol->getString("name").value_or("")] =
            symbol->getInteger("max").value_or(0);
  const llvm::json::Object *plan = entry.getObject("plan");
  const llvm::json::Array *steps = plan ? plan->getArray("steps") : nullptr;
  const llvm::json::Array *buffers = plan ? plan->getArray("buffers") : nullptr;
  if (!steps || !buffers)
    return broken("phase '" + phase.name + "' has no plan");
  std::vector<int64_t> starts; // of each step: its first dispatch
  for (const llvm::json::Value &step : *steps)
    starts.push_back(step.getAsInteger().value_or(0));
  if (!llvm::is_sorted(starts) || starts.empty() || starts.front() != 0)
    return broken("the steps of phase '" + phase.name + "' are not in order");
  phase.numSteps = starts.size();
  auto stepOf = [&](int64_t dispatch) {
    return llvm::upper_bound(starts, dispatch) - starts.begin() - 1;
  };
  constexpr int64_t most = int64_t(1) << 61; // what a plan may have in all
  for (const llvm::json::Value &value : *buffers) {
    const llvm::json::Object *object = value.getAsObject();
    if (!object)
      return broken("a buffer of phase '" + phase.name + "' is no object");
    auto number = [&](llvm::StringRef key) { return object->getInteger(key).value_or(-1); };
    PlannedRange buffer;
    buffer.name = object->getString("name").value_or("").str();
    buffer.kernel = object->getString("kernel").value_or("").str();
    auto size = DimExpr::parse(object->getString("size").value_or("").str());
    buffer.firstDispatch = number("first");
    buffer.lastDispatch = number("last");
    buffer.bytes = number("bytes");
    buffer.offset = number("offset");
    if (!size || buffer.firstDispatch < 0 || buffer.lastDispatch < buffer.firstDispatch ||
        buffer.bytes < 0 || buffer.bytes > most || buffer.offset < 0 || buffer.offset > most)
      return broken("buffer '" + buffer.name + "' of phase '" + phase.name +
                    "' lacks a size, a place or a lifetime");
    // As the planner counts it: a multiple of the plan's alignment.
    buffer.bytes = llvm::alignTo(buffer.bytes, 64);
    buffer.size = *size;
    buffer.firstStep = stepOf(buffer.firstDispatch);
    buffer.lastStep = stepOf(buffer.lastDispatch);
    phase.buffers.push_back(std::move(buffer));
  }
  for (int64_t step = 0; step < phase.numSteps; ++step) {
    int64_t bytes = 0;
    visitLive(phase.buffers, step, [&](const PlannedRange &buffer, int64_t begin) {
      bytes += buffer.offset + buffer.bytes - begin;
    });
    phase.live.push_back(bytes);
  }
  return phase;
}

static void readStates(const llvm::json::Array &states, MemoryPlan &plan) {
  plan.numStates = states.size();
  // Block numbers are common: the widest window counts, and one that reads all, for all.
  bool keepsAll = false;
  for (const llvm::json::Value &value : states) {
    const llvm::json::Object *state = value.getAsObject();
    if (!state)
      continue;
    plan.bytesPerToken += state->getInteger("bytes_per_token").value_or(0);
    std::optional<int64_t> bytes = state->getInteger("bytes_per_block");
    bool isFixed = !bytes;
    if (isFixed)
      bytes = state->getInteger("bytes_per_sequence").value_or(0);
    else if (int64_t window = state->getInteger("window").value_or(0))
      plan.window = std::max(plan.window, window);
    else
      keepsAll = true;
    auto same = llvm::find_if(plan.states, [&](const PlannedStates &other) {
      return other.isFixed == isFixed && other.bytes == *bytes;
    });
    if (same == plan.states.end())
      same = plan.states.insert(same, {0, *bytes, isFixed});
    ++same->count;
  }
  if (keepsAll)
    plan.window = 0;
}

llvm::Expected<MemoryPlan> MemoryPlan::read(const ArtifactHeader &artifact) {
  const llvm::json::Object &manifest = artifact.manifest();
  MemoryPlan plan;
  plan.model = manifest.getString("model").value_or("").str();
  plan.producer = artifact.producer().str();
  plan.maxBatch = manifest.getInteger("max_batch").value_or(0);
  plan.maxSeq = manifest.getInteger("max_seq").value_or(0);
  plan.prefillChunk = manifest.getInteger("prefill_chunk").value_or(0);
  plan.blockTokens = manifest.getInteger("block_tokens").value_or(0);
  plan.weightsBytes = manifest.getInteger("weights_bytes").value_or(0);
  plan.codeBytes = artifact.trailer().elf_size;
  for (const auto &entry : artifact.tensors())
    plan.numWeights += !llvm::StringRef(entry.first).starts_with("__");
  const llvm::json::Array *phases = manifest.getArray("phases");
  if (!phases)
    return broken("it has no phases");
  for (const llvm::json::Value &value : *phases) {
    const llvm::json::Object *entry = value.getAsObject();
    if (!entry)
      return broken("a phase is no object");
    llvm::Expected<PhasePlan> phase = readPhase(*entry);
    if (!phase)
      return phase.takeError();
    // Prefill and decode have the same states.
    if (const llvm::json::Array *states = entry->getArray("states"); states && plan.states.empty())
      readStates(*states, plan);
    if (phase->kind == "prefill") // a chunk is no longer than the phase takes
      if (auto seq = phase->largest.find("seq"); seq != phase->largest.end() && seq->second > 0)
        plan.prefillChunk = std::min(plan.prefillChunk, seq->second);
    const llvm::json::Array *outputs = entry->getArray("outputs");
    if (phase->kind == "decode" && outputs && !outputs->empty())
      if (const llvm::json::Object *logits = (*outputs)[0].getAsObject())
        if (const llvm::json::Array *dims = logits->getArray("dims"); dims && !dims->empty())
          if (auto size = DimExpr::parse(dims->back().getAsString().value_or("").str()))
            plan.vocabulary = size->constant().value_or(0);
    plan.phases.push_back(std::move(*phase));
  }
  return plan;
}

int64_t MemoryPlan::arenaBytes() const {
  int64_t most = 0;
  for (const PhasePlan &phase : phases)
    most = std::max(most, phase.arenaBytes);
  return most;
}

int64_t MemoryPlan::windowBlocks() const {
  // What a step reads and writes may begin and end inside a block.
  return window ? int64_t(llvm::divideCeil(window - 1 + prefillChunk, blockTokens)) + 1 : 0;
}

int64_t MemoryPlan::blocksPerSequence(int64_t seq) const {
  if (!blockTokens)
    return 0;
  int64_t all = llvm::divideCeil(seq, blockTokens);
  return window ? std::min(all, windowBlocks()) : all;
}

int64_t MemoryPlan::cacheBytes(const MemorySizes &sizes) const {
  int64_t bytes = 0;
  for (const PlannedStates &state : states) {
    int64_t places = sizes.sequences * (state.isFixed ? 1 : blocksPerSequence(sizes.seq));
    bytes += state.count * llvm::alignTo(places * state.bytes, kStateAlignment);
  }
  return bytes;
}
