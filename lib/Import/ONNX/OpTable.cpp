//===- OpTable.cpp - which handler serves an ONNX operator
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "llvm/ADT/STLExtras.h"

using namespace llmc::importer;
using llvm::StringRef;

OpTable::OpTable() {
  addElementwiseOps(*this);
  addActivationOps(*this);
  addShapeOps(*this);
  addMovementOps(*this);
  addPadOps(*this);
  addIndexingOps(*this);
  addReductionOps(*this);
  addContractionOps(*this);
  addEinsumOps(*this);
  addConvolutionOps(*this);
  addChannelNormOps(*this);
  addLossOps(*this);
  addImageOps(*this);
  addGridOps(*this);
  addNormalizationOps(*this);
  addAttentionOps(*this);
  addGroupQueryAttentionOps(*this);
  addMicrosoftAttentionOps(*this);
  addMultiHeadAttentionOps(*this);
  addFlexAttentionOps(*this);
  addStateOps(*this);
  addRotaryOps(*this);
  addQuantizationOps(*this);
  addIntegerProductOps(*this);
  addQuantizedOps(*this);
  addControlFlowOps(*this);
  addLoopOps(*this);
  addRecurrentOps(*this);
  addExpertOps(*this);
  addSpectrumOps(*this);
  addCodebookOps(*this);
  addFusedOps(*this);
  addQLinearOps(*this);
}

static std::string keyOf(StringRef domain, StringRef name) {
  return (canonicalDomain(domain) + "|" + name).str();
}

void OpTable::add(StringRef domain, StringRef name, int64_t since, OpEntry entry) {
  auto &versions = entries[keyOf(domain, name)];
  versions.emplace_back(since, entry);
  llvm::sort(versions, llvm::less_first());
}

const OpEntry *OpTable::find(StringRef domain, StringRef name, int64_t opset) const {
  auto it = entries.find(keyOf(domain, name));
  const OpEntry *best = nullptr;
  if (it != entries.end())
    for (const auto &[since, entry] : it->second)
      if (since <= opset)
        best = &entry;
  return best;
}

std::string OpTable::whyNot(StringRef domain, StringRef name, int64_t opset) const {
  auto it = entries.find(keyOf(domain, name));
  if (it == entries.end())
    return "the operator is not supported";
  return "the operator exists since opset " + std::to_string(it->second.front().first) +
         " only, the model imports " + std::to_string(opset);
}

std::vector<OpTable::Listed> OpTable::list() const {
  std::vector<Listed> result;
  for (const auto &entry : entries) {
    auto [domain, name] = entry.first().split('|');
    result.push_back({domain, name, entry.second});
  }
  llvm::sort(result, [](const Listed &a, const Listed &b) {
    return std::pair(a.domain, a.name) < std::pair(b.domain, b.name);
  });
  return result;
}
