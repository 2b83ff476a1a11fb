//===- Module.h - code and weights of one loaded module ---------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_MODULE_H
#define LLMC_RUNTIME_CORE_MODULE_H

#include "Artifact.h"
#include "LoadedCode.h"
#include "MappedFile.h"
#include "WeightRegion.h"

#include "llmc-c/Runtime.h"

#include <atomic>

/// Immutable after loading; freed when the caller and all sessions let go.
struct llmc_module {
  std::atomic<uint64_t> references{1};
  const llmc_module_desc_t *desc = nullptr;
  uint64_t codeChecksum = 0;      ///< of the artifact's ELF bytes; 0 for linked code
  llmc::runtime::Weights weights; ///< after loading, data is the region's
  llmc::runtime::Warnings warnings;
  // Members end in reverse order: code goes before the files that it reads.
  llmc::runtime::MappedFile artifact;
  llmc::runtime::MappedFile externalWeights;
  llmc::runtime::WeightRegion region;
  llmc::runtime::LoadedCode code;

  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  void release();
};

namespace llmc::runtime {

/// Null when there is no memory.
llmc_module *newModule();

llmc_status_t loadArtifact(llmc_module &module, const char *path, const LoadSettings &settings,
                           llmc_error_t *error);
llmc_status_t loadStatic(llmc_module &module, llmc_module_query_fn query,
                         const llmc_weights_source_t &source, const LoadSettings &settings,
                         llmc_error_t *error);

/// Checks that a descriptor of the right version does not contradict itself, so
/// that the rest of the runtime may trust it. (ModuleValidation.cpp)
llmc_status_t validateDescriptor(const llmc_module_desc_t &desc, llmc_error_t *error);

/// The first phase of a kind; null if there is none.
const llmc_phase_desc_t *findPhase(const llmc_module_desc_t &desc, uint32_t kind);

/// The number of dimensions that phase.shapes writes.
size_t totalRank(const llmc_phase_desc_t &phase);

/// Refuses a symbol value outside its bounds, and values that do not fit each other.
llmc_status_t checkSymbols(const llmc_phase_desc_t &phase, const int64_t *symbols,
                           llmc_error_t *error);

/// Gives symbols whose value the data decides the largest one, for before a step.
void presetDefinedSymbols(const llmc_phase_desc_t &phase, int64_t *symbols);

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_MODULE_H
