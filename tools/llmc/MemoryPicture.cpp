//===- MemoryPicture.cpp - a page that draws a memory plan
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The page is a fixed text, MemoryPicture.html, around the plan as JSON; its script
// draws.
//
//===----------------------------------------------------------------------===//
#include "MemoryPlan.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llmc;

static constexpr llvm::StringLiteral page =
#include "MemoryPicture.html.inc"
    ;

static llvm::json::Object toJson(const PhasePlan &phase) {
  llvm::json::Array buffers;
  for (const PlannedRange &buffer : phase.buffers)
    buffers.push_back(llvm::json::Object{{"name", buffer.name},
                                         {"kernel", buffer.kernel},
                                         {"size", buffer.size.str()},
                                         {"bytes", buffer.bytes},
                                         {"offset", buffer.offset},
                                         {"firstDispatch", buffer.firstDispatch},
                                         {"lastDispatch", buffer.lastDispatch},
                                         {"firstStep", buffer.firstStep},
                                         {"lastStep", buffer.lastStep}});
  return llvm::json::Object{{"name", phase.name},
                            {"arena", phase.arenaBytes},
                            {"lowerBound", phase.lowerBound},
                            {"steps", phase.numSteps},
                            {"buffers", std::move(buffers)},
                            {"live", llvm::json::Array(phase.live)}};
}

std::string llmc::drawMemoryPlan(const MemoryPlan &plan, const MemorySizes &sizes) {
  llvm::json::Array phases;
  for (const PhasePlan &phase : plan.phases)
    phases.push_back(toJson(phase));
  llvm::json::Object data{{"model", plan.model},
                          {"producer", plan.producer},
                          {"batch", sizes.batch},
                          {"sequences", sizes.sequences},
                          {"seq", sizes.seq},
                          {"weights", plan.weightsBytes},
                          {"arena", plan.arenaBytes()},
                          {"caches", plan.cacheBytes(sizes)},
                          {"logits", plan.logitsBytes(sizes)},
                          {"phases", std::move(phases)}};
  std::string json;
  llvm::raw_string_ostream stream(json);
  // Names come from the model: none may end the script element.
  for (char c : llvm::formatv("{0}", llvm::json::Value(std::move(data))).str())
    if (c == '<')
      stream << "\\u003c";
    else
      stream << c;
  constexpr llvm::StringLiteral place = "/*PLAN*/null";
  auto [before, after] = page.split(place);
  return (before + json + after).str();
}
