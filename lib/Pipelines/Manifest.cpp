//===- Manifest.cpp - what an artifact says about itself
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Manifest.h"
#include "llmc/Analysis/StateWindow.h"
#include "llmc/Dialect/Exec/IR/Places.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/Exec/IR/StateLayout.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Support/Version.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace llmc;

static llvm::json::Object tensorEntry(Value value, StringAttr name) {
  auto type = cast<RankedTensorType>(value.getType());
  llvm::json::Array dims;
  for (const DimExpr &dim : llm::getDims(type))
    dims.push_back(dim.str());
  std::string element;
  llvm::raw_string_ostream(element) << type.getElementType();
  return llvm::json::Object{
      {"name", llvm::json::fixUTF8(name.getValue())}, {"type", element}, {"dims", std::move(dims)}};
}

/// The ONNX node (or value) that a location names; of a fused one, what is named last:
/// the operation that gives the result.
static std::string nodeName(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc))
    return llvm::json::fixUTF8(name.getName().getValue());
  std::string found;
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (std::string name = nodeName(part); !name.empty())
        found = name;
  return found;
}

/// Of every dispatch its number, and of every loop those of its first and last one.
static DenseMap<Operation *, std::pair<int64_t, int64_t>> countSpans(exec::ProgramOp program) {
  DenseMap<Operation *, std::pair<int64_t, int64_t>> spans;
  int64_t next = 0;
  program.walk<WalkOrder::PreOrder>([&](exec::DispatchOp dispatch) {
    spans[dispatch] = {next, next};
    for (auto loop = dispatch->getParentOfType<exec::LoopOp>(); loop;
         loop = loop->getParentOfType<exec::LoopOp>())
      spans.try_emplace(loop, next, next).first->second.second = next;
    ++next;
  });
  return spans;
}

/// Where every buffer lies in the arena and when: what `llmc inspect --memory` draws.
/// `first` and `last` are the dispatches that write it and read it last, `steps` the
/// dispatches behind the barriers: a buffer is alive in all steps from that of `first`
/// to that of `last`.
static llvm::json::Object planEntry(exec::ProgramOp program) {
  struct Buffer {
    exec::DispatchOp writer;
    unsigned result;
    int64_t first, last, offset;
  };
  llvm::MapVector<Value, Buffer> buffers;
  llvm::json::Array steps{0};
  SmallVector<Value> sizes; // read by workers that come late: alive to the end
  int64_t dispatches = 0;
  DenseMap<Operation *, std::pair<int64_t, int64_t>> spans = countSpans(program);
  program.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<exec::BarrierOp>(op))
      steps.push_back(dispatches);
    if (auto size = dyn_cast<exec::DefineSizeOp>(op))
      sizes.push_back(exec::getBuffer(size.getValue()));
    auto dispatch = dyn_cast<exec::DispatchOp>(op);
    if (!dispatch)
      return;
    for (Value input : dispatch.getInputs()) {
      Value buffer = exec::getBuffer(input);
      if (auto it = buffers.find(buffer); it != buffers.end())
        it->second.last = spans.lookup(exec::getLastingUse(dispatch, buffer)).second;
    }
    for (auto [i, output] : llvm::enumerate(dispatch.getOutputs())) {
      Value buffer = exec::getBuffer(output);
      std::optional<int64_t> offset = exec::getArenaOffset(buffer);
      if (!offset)
        continue;
      auto [first, last] = spans.lookup(exec::getLastingUse(dispatch, buffer));
      auto [it, isFirst] = buffers.insert({buffer, {dispatch, unsigned(i), first, last, *offset}});
      it->second.last = last; // another part of a joined buffer
    }
    ++dispatches;
  });
  for (Value size : sizes)
    if (auto it = buffers.find(size); it != buffers.end())
      it->second.last = dispatches - 1;
  llvm::json::Array entries;
  for (auto &[value, buffer] : buffers) {
    auto type = cast<RankedTensorType>(value.getType());
    DimExpr bytes =
        llm::product(llm::getDims(type)) * DimExpr(exec::elementBytes(type.getElementType()));
    std::string name = nodeName(value.getLoc());
    if (buffer.result)
      name += "#" + std::to_string(buffer.result);
    entries.push_back(llvm::json::Object{{"name", std::move(name)},
                                         {"kernel", buffer.writer.getKernel()},
                                         {"size", bytes.str()},
                                         {"bytes", exec::upperBound(program, bytes)},
                                         {"first", buffer.first},
                                         {"last", buffer.last},
                                         {"offset", buffer.offset}});
  }
  return llvm::json::Object{{"steps", std::move(steps)}, {"buffers", std::move(entries)}};
}

static llvm::json::Object phaseEntry(exec::ProgramOp program, int64_t blockTokens) {
  llvm::json::Array symbols, inputs, outputs, states;
  for (const exec::ProgramSymbol &symbol : exec::getSymbols(program))
    symbols.push_back(
        llvm::json::Object{{"name", symbol.name}, {"min", symbol.min}, {"max", symbol.max}});
  Block &block = program.getBody().front();
  for (auto [i, argument] : llvm::enumerate(block.getArguments())) {
    auto name = cast<StringAttr>(program.getInputNames()[i]);
    if (auto state = dyn_cast<llm::StateType>(argument.getType())) {
      std::string element;
      llvm::raw_string_ostream(element) << state.getToken().getElementType();
      llvm::json::Object entry{{"name", llvm::json::fixUTF8(name.getValue())},
                               {"type", exec::hasScales(state) ? "int8" : element}};
      uint64_t bytes = exec::stateBytes(state, blockTokens);
      if (state.getFixed()) {
        entry["bytes_per_sequence"] = int64_t(bytes);
      } else {
        entry["bytes_per_token"] = int64_t(llvm::divideCeil(bytes, uint64_t(blockTokens)));
        entry["bytes_per_block"] = int64_t(bytes);
        entry["window"] = getStateWindow(program->getParentOfType<ModuleOp>(), name.getValue());
      }
      states.push_back(std::move(entry));
    } else {
      inputs.push_back(tensorEntry(argument, name));
    }
  }
  for (auto [i, value] : llvm::enumerate(block.getTerminator()->getOperands()))
    if (!isa<llm::StateType>(value.getType()))
      outputs.push_back(tensorEntry(value, cast<StringAttr>(program.getOutputNames()[i])));
  int64_t dispatches = 0, barriers = 0; // of a loop's body once
  program.walk([&](exec::DispatchOp) { ++dispatches; });
  program.walk([&](exec::BarrierOp) { ++barriers; });
  return llvm::json::Object{{"name", program.getSymName()},
                            {"kind", program.getPhase()},
                            {"symbols", std::move(symbols)},
                            {"inputs", std::move(inputs)},
                            {"outputs", std::move(outputs)},
                            {"states", std::move(states)},
                            {"dispatches", dispatches},
                            {"barriers", barriers},
                            {"arena_bytes", int64_t(*program.getArenaBytes())},
                            {"arena_lower_bound", int64_t(*program.getLowerBound())},
                            {"plan", planEntry(program)}};
}

std::map<std::string, std::string>
llmc::makeManifest(ModuleOp module, const ModuleProperties &properties, cpu::IsaLevel level) {
  llvm::json::Array phases, kernels;
  llvm::StringMap<int64_t> uses;
  // Per decoded token: every packed matrix is read once, of dense tables one row.
  int64_t multiplyAdds = 0, bytesPerStep = 0;
  for (auto program : module.getOps<exec::ProgramOp>()) {
    phases.push_back(phaseEntry(program, properties.blockTokens));
    program.walk([&](exec::DispatchOp dispatch) { ++uses[dispatch.getKernel()]; });
  }
  for (auto kernel : module.getOps<exec::KernelOp>())
    kernels.push_back(llvm::json::Object{{"name", kernel.getSymName()},
                                         {"kind", kernel.getKind()},
                                         {"dispatches", uses.lookup(kernel.getSymName())}});
  for (auto weight : module.getOps<exec::WeightOp>())
    if (weight.getLayout() != exec::WeightLayout::dense) {
      multiplyAdds += *weight.getColumns() * *weight.getOutputs();
      bytesPerStep += *weight.getBytes();
    }
  llvm::json::Object manifest{{"model", llvm::json::fixUTF8(properties.name)},
                              {"cpu", std::string(cpu::isaLevelName(level))},
                              {"max_batch", properties.maxBatch},
                              {"max_seq", properties.maxSeq},
                              {"prefill_chunk", properties.prefillChunk},
                              {"block_tokens", properties.blockTokens},
                              {"weights_bytes", int64_t(properties.weightsBytes)},
                              {"phases", std::move(phases)},
                              {"kernels", std::move(kernels)}};
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(manifest));
  return {{"llmc.producer", getProducer()},
          {"llmc.manifest", text},
          {"multiply_adds_per_token", std::to_string(multiplyAdds)},
          {"weight_bytes_per_step", std::to_string(bytesPerStep)}};
}
