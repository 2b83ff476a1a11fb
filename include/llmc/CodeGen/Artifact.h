//===- Artifact.h - weights file, linked code and the artifact that holds both
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_ARTIFACT_H
#define LLMC_CODEGEN_ARTIFACT_H

#include "llmc/CodeGen/CPU/Microkernels.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <map>
#include <string>

namespace llmc {

/// FNV-1a, 64 bit: what ModuleABI.h calls a checksum.
uint64_t fnv1a64(llvm::StringRef bytes);

/// The checksum of a safetensors header: of the JSON after its length.
uint64_t weightsHeaderChecksum(llvm::StringRef header);

/// The safetensors header of a planned module: 8 bytes of length and the JSON, padded
/// with spaces to a multiple of 4096. `metadata` goes into `__metadata__`.
std::string makeWeightsHeader(mlir::ModuleOp module,
                              const std::map<std::string, std::string> &metadata);

/// Bytes of the weight region.
uint64_t weightsBytes(mlir::ModuleOp module);

/// Shared object of an ELF object, linked in process.
mlir::LogicalResult linkSharedObject(llvm::ArrayRef<char> object, mlir::Location loc,
                                     llvm::SmallVectorImpl<char> &shared);

/// What the weights' bytes are in the file.
enum class WeightsCompression { None, Zstd };

struct ArtifactParts {
  llvm::ArrayRef<char> elf;
  std::string weightsHeader;
  bool externalWeights = false;
  WeightsCompression compression = WeightsCompression::None;
};

/// Writes the artifact (and `<path>.weights` with external weights) under temporary
/// names and renames them when complete. Weights are packed one after another.
mlir::LogicalResult writeArtifact(mlir::ModuleOp module, llvm::StringRef path,
                                  const ArtifactParts &parts, cpu::IsaLevel level);

/// Writes the weights alone: a safetensors file, or with compression the same header with
/// frames behind it.
mlir::LogicalResult writeWeightsFile(mlir::ModuleOp module, llvm::StringRef path,
                                     llvm::StringRef header, WeightsCompression compression,
                                     cpu::IsaLevel level);

/// Writes a file under a temporary name and renames it when complete.
mlir::LogicalResult
writeFileAtomically(llvm::StringRef path, mlir::Location loc,
                    llvm::function_ref<mlir::LogicalResult(llvm::raw_pwrite_stream &)> write);

} // namespace llmc

#endif // LLMC_CODEGEN_ARTIFACT_H
