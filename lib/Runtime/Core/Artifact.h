//===- Artifact.h - the file format around code and weights -----*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds and verifies the parts of an artifact or safetensors file in memory.
// Every number in a file is checked against the file before it is used.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_ARTIFACT_H
#define LLMC_RUNTIME_CORE_ARTIFACT_H

#include "llmc-c/ModuleABI.h"
#include "llmc-c/Status.h"

#include <cstddef>
#include <cstdint>

namespace llmc::runtime {

uint64_t fnv1a64(const uint8_t *data, size_t sizeBytes);

/// A safetensors file's parts; all null and 0 when there are no weights.
struct Weights {
  const char *header = nullptr; ///< JSON text, not terminated
  size_t headerBytes = 0;
  const uint8_t *data = nullptr; ///< the weight region, 4096-byte aligned
  size_t dataBytes = 0;
  uint64_t headerChecksum = 0;
};

/// What a page is in the file format, whatever it is for this system.
inline constexpr uint64_t filePageBytes = 4096;

/// Splits the safetensors file at [file, file + sizeBytes). `path` is for
/// messages only.
llmc_status_t parseSafetensors(const uint8_t *file, size_t sizeBytes, const char *path,
                               Weights &weights, llmc_error_t *error);

/// The chunks of the weight region; none where the file has no index.
struct WeightsIndex {
  const uint8_t *chunks = nullptr;
  uint64_t numChunks = 0;
  uint32_t encoding = LLMC_WEIGHTS_PLAIN;

  llmc_weights_chunk_t chunk(uint64_t i) const;
};

/// Finds and checks the index behind the weights of a module that needs `regionBytes` of
/// them: afterwards its chunks cover the region and lie inside the data.
llmc_status_t parseWeightsIndex(const Weights &weights, uint64_t regionBytes, const char *path,
                                WeightsIndex &index, llmc_error_t *error);

/// Reads and checks the trailer of the artifact at [file, file + sizeBytes),
/// the checksum of its code, and that the code is for this kind of machine.
llmc_status_t parseArtifact(const uint8_t *file, size_t sizeBytes, const char *path,
                            llmc_artifact_trailer_t &trailer, llmc_error_t *error);

/// Refuses features that this machine lacks. `what` names the code in messages.
llmc_status_t checkRequiredCPU(uint64_t required, const char *what, llmc_error_t *error);

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_ARTIFACT_H
