//===- CompilerOptions.h - what a compilation is told
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_PIPELINES_COMPILEROPTIONS_H
#define LLMC_PIPELINES_COMPILEROPTIONS_H

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace llmc {

/// The phases of a compilation, in order.
enum class Phase { Import, Normalize, Recognize, Specialize, Partition, Plan, CodeGen, Pack };

/// "import", "normalize", ...: the spelling on command lines and in messages.
const char *phaseName(Phase phase);
std::optional<Phase> parsePhase(const std::string &name);

enum class EmitKind {
  Artifact, ///< one file: code, weights, trailer
  Object,   ///< .o, .h and .weights for static linking
  LLVMIR,
  MLIR, ///< the planned exec module
};

struct CompilerOptions {
  std::string input;
  std::string output;
  /// "host" or an x86-64 level: x86-64-v3, x86-64-v4, x86-64-v4-vnni.
  std::string cpu = "host";
  int64_t maxBatch = 4;
  int64_t maxSeq = 2048;
  int64_t prefillChunk = 512;
  /// What keys, values and other states of tokens are stored as: f32, f16, bf16 or int8.
  std::string cacheType = "f32";
  /// Tokens per block of the block table, a power of two.
  int64_t blockTokens = 64;
  bool externalWeights = false;
  bool compressWeights = false; ///< zstd
  /// int8: linears whose node allows it (MatMulNBits accuracy level 4) round their
  /// input to int8; f32: none does.
  bool int8Activations = true;
  EmitKind emit = EmitKind::Artifact;
  /// Print the IR after this phase instead of writing a file.
  std::optional<Phase> stopAfter;
  /// Folder for the IR after each phase, LLVM IR and the object; empty for none.
  std::string saveTempsDir;
  /// Print wall time and peak memory per phase to stderr.
  bool timing = false;
  /// Called when a phase begins; may be empty.
  std::function<void(Phase)> progress;
};

} // namespace llmc

#endif // LLMC_PIPELINES_COMPILEROPTIONS_H
