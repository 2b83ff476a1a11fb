//===- InspectMemory.h - llmc inspect --memory
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_INSPECTMEMORY_H
#define LLMC_TOOLS_LLMC_INSPECTMEMORY_H

#include "ArtifactHeader.h"

namespace llmc {

/// What a session is created for; 0: the largest that the artifact was compiled for.
struct MemorySizes {
  int64_t batch = 0, seq = 0;
};

/// Prints what an artifact needs of memory, and how that depends on batch and sequence.
/// With `htmlPath` draws the plan of every phase into one self-contained page, too.
llvm::Error inspectMemory(const ArtifactHeader &artifact, const MemorySizes &sizes,
                          llvm::StringRef htmlPath);

} // namespace llmc

#endif // LLMC_TOOLS_LLMC_INSPECTMEMORY_H
