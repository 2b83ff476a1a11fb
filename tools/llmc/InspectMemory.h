//===- InspectMemory.h - llmc inspect --memory
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_INSPECTMEMORY_H
#define LLMC_TOOLS_LLMC_INSPECTMEMORY_H

#include "MemoryPlan.h"

namespace llmc {

/// Prints what an artifact needs of memory, and how that depends on batch and sequence.
/// Sizes that are 0 are the largest that it was compiled for, `sequences` the batch.
/// With `htmlPath` draws the plan of every phase into one self-contained page, too.
llvm::Error inspectMemory(const ArtifactHeader &artifact, MemorySizes sizes,
                          llvm::StringRef htmlPath);

} // namespace llmc

#endif // LLMC_TOOLS_LLMC_INSPECTMEMORY_H
