//===- ModelCost.h - what a step of a model must do --------------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bytes that a step reads and multiply-adds that a token costs, from what the
// compiler recorded in the artifact.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_MODELCOST_H
#define LLMC_TOOLS_RUN_MODELCOST_H

#include "llmc-c/Runtime.h"

#include <cstdint>
#include <string_view>

namespace llmc::run {

/// The artifact's "__metadata__" members with numbers, as decimal text:
///   multiply_adds_per_token   of all linears, the output projection included
///   weight_bytes_per_step     read by a step of one token
struct ModelCost {
  uint64_t weightBytesPerStep = 0;
  uint64_t multiplyAddsPerToken = 0;
  bool hasMultiplyAdds = false; // false: the weight elements stand in
  uint64_t cacheBytesPerToken = 0;
  uint64_t stateBytesPerSequence = 0; // of fixed size, read by every step

  /// Bytes that steps read which append `numTokens` to `pastTokens`, in chunks
  /// of at most `chunk`: weights once per step, keys and values of each step's
  /// past and own tokens.
  double bytesRead(uint64_t pastTokens, uint64_t numTokens, uint64_t chunk) const;
};

/// `metadata` is the safetensors header as JSON text. Whatever it does not say,
/// or says wrongly, is taken from `info` and the weights' sizes.
ModelCost computeModelCost(const llmc_module_info_t &info, std::string_view metadata);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_MODELCOST_H
