//===- Decoders.h - The decoder of a tokenizer.json -------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the `decoder` into a list of stage factories, and runs such a list.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_DECODERS_H
#define LLMC_LIB_TOKENIZER_DECODERS_H

#include "DecodeStage.h"
#include "JsonNode.h"

namespace llmc::tokenizer {

/// Appends the stages that `node` describes; where it is not present, tokens
/// are joined by spaces. Mistakes are recorded in the document.
void parseDecoder(const JsonNode &node, std::vector<StageFactory> &stages, int depth = 0);

/// The running state of one decoding.
class DecodeChain {
public:
  explicit DecodeChain(const std::vector<StageFactory> &factories);

  void push(std::string_view token);
  void finish();

  /// What came out of the last push() or finish(); valid until the next.
  std::string_view settled() const;

private:
  /// Collects the output. On the heap with the stages: they refer to it.
  struct Output;
  /// From the last stage to the first; the output comes before all.
  std::vector<std::unique_ptr<DecodeStage>> stages;
  Output *output;
};

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_DECODERS_H
