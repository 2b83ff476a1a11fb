//===- Manifest.h - what an artifact says about itself
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_PIPELINES_MANIFEST_H
#define LLMC_LIB_PIPELINES_MANIFEST_H

#include "llmc/CodeGen/CPU/CodeGen.h"
#include <map>
#include <string>

namespace llmc {

/// Entries of the safetensors header's `__metadata__`: `multiply_adds_per_token` and
/// `weight_bytes_per_step` of decoding, `llmc.producer` and
/// `llmc.manifest`, a JSON text with the signature, phases, kernels, weights,
/// arena and caches that `llmc inspect` shows.
std::map<std::string, std::string>
makeManifest(mlir::ModuleOp module, const ModuleProperties &properties, cpu::IsaLevel level);

} // namespace llmc

#endif // LLMC_LIB_PIPELINES_MANIFEST_H
