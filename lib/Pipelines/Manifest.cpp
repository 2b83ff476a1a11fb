//===- Manifest.cpp - what an artifact says about itself
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Manifest.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Support/Version.h"
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

static llvm::json::Object phaseEntry(exec::ProgramOp program) {
  llvm::json::Array symbols, inputs, outputs, states;
  for (const exec::ProgramSymbol &symbol : exec::getSymbols(program))
    symbols.push_back(
        llvm::json::Object{{"name", symbol.name}, {"min", symbol.min}, {"max", symbol.max}});
  Block &block = program.getBody().front();
  for (auto [i, argument] : llvm::enumerate(block.getArguments())) {
    auto name = cast<StringAttr>(program.getInputNames()[i]);
    if (auto state = dyn_cast<llm::StateType>(argument.getType())) {
      RankedTensorType token = state.getToken();
      int64_t bytes = token.getNumElements() * exec::elementBytes(token.getElementType());
      states.push_back(
          llvm::json::Object{{"name", llvm::json::fixUTF8(name.getValue())},
                             {state.getFixed() ? "bytes_per_sequence" : "bytes_per_token", bytes}});
    } else {
      inputs.push_back(tensorEntry(argument, name));
    }
  }
  for (auto [i, value] : llvm::enumerate(block.getTerminator()->getOperands()))
    if (!isa<llm::StateType>(value.getType()))
      outputs.push_back(tensorEntry(value, cast<StringAttr>(program.getOutputNames()[i])));
  auto dispatches = block.getOps<exec::DispatchOp>();
  auto barriers = block.getOps<exec::BarrierOp>();
  return llvm::json::Object{{"name", program.getSymName()},
                            {"kind", program.getPhase()},
                            {"symbols", std::move(symbols)},
                            {"inputs", std::move(inputs)},
                            {"outputs", std::move(outputs)},
                            {"states", std::move(states)},
                            {"dispatches", std::distance(dispatches.begin(), dispatches.end())},
                            {"barriers", std::distance(barriers.begin(), barriers.end())},
                            {"arena_bytes", int64_t(*program.getArenaBytes())},
                            {"arena_lower_bound", int64_t(*program.getLowerBound())}};
}

std::map<std::string, std::string>
llmc::makeManifest(ModuleOp module, const ModuleProperties &properties, cpu::IsaLevel level) {
  llvm::json::Array phases, kernels;
  llvm::StringMap<int64_t> uses;
  // Per decoded token: every packed matrix is read once, of dense tables one row.
  int64_t multiplyAdds = 0, bytesPerStep = 0;
  for (auto program : module.getOps<exec::ProgramOp>()) {
    phases.push_back(phaseEntry(program));
    for (auto dispatch : program.getBody().front().getOps<exec::DispatchOp>())
      ++uses[dispatch.getKernel()];
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
