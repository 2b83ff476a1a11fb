//===- ArtifactHeader.h - what an artifact says about itself
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_ARTIFACTHEADER_H
#define LLMC_TOOLS_LLMC_ARTIFACTHEADER_H

#include "llmc-c/ModuleABI.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <optional>

namespace llmc {

/// The trailer, the safetensors header and the compiler's manifest of an artifact.
class ArtifactHeader {
public:
  /// True where the file ends with an artifact's trailer.
  static bool isArtifact(llvm::StringRef file);

  /// Reads the header from the artifact's bytes, or from `<path>.weights`.
  static llvm::Expected<ArtifactHeader> read(llvm::StringRef path, llvm::StringRef file);

  const llmc_artifact_trailer_t &trailer() const { return end; }
  bool hasExternalWeights() const { return end.flags & LLMC_ARTIFACT_EXTERNAL_WEIGHTS; }
  /// The safetensors header: an entry per tensor, and `__metadata__`.
  const llvm::json::Object &tensors() const { return *header.getAsObject(); }
  const llvm::json::Object &manifest() const { return *description.getAsObject(); }
  llvm::StringRef producer() const;
  /// Bytes of the weights in the file where they are compressed.
  std::optional<uint64_t> compressedBytes() const { return frameBytes; }

private:
  ArtifactHeader() : header(nullptr), description(nullptr) {}
  llmc_artifact_trailer_t end = {};
  llvm::json::Value header, description;
  std::optional<uint64_t> frameBytes;
};

} // namespace llmc

#endif // LLMC_TOOLS_LLMC_ARTIFACTHEADER_H
