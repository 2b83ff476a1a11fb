//===- Module.cpp - code and weights of one loaded module -----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Module.h"

#include "Error.h"
#include "Memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

using namespace llmc::runtime;

llmc_module *llmc::runtime::newModule() {
  void *memory = std::malloc(sizeof(llmc_module));
  return memory ? new (memory) llmc_module : nullptr;
}

void llmc_module::release() {
  if (references.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  this->~llmc_module();
  std::free(this);
}

/// Asks the code for its descriptor and compares it with the weights at hand.
static llmc_status_t bind(llmc_module &module, llmc_module_query_fn query, const char *what,
                          const LoadSettings &settings, llmc_error_t *error) {
  const llmc_module_desc_t *desc = query(LLMC_MODULE_ABI_VERSION);
  if (!desc)
    return ErrorWriter(error, LLMC_STATUS_VERSION_MISMATCH)
           << "'" << what << "' does not speak module ABI version " << LLMC_MODULE_ABI_VERSION
           << " of this runtime";
  if (desc->abi_version != LLMC_MODULE_ABI_VERSION)
    return ErrorWriter(error, LLMC_STATUS_VERSION_MISMATCH)
           << "'" << what << "' has module ABI version " << desc->abi_version
           << ", this runtime speaks " << LLMC_MODULE_ABI_VERSION;
  if (desc->struct_size != sizeof(llmc_module_desc_t))
    return ErrorWriter(error, LLMC_STATUS_VERSION_MISMATCH)
           << "'" << what << "' has a descriptor of " << desc->struct_size
           << " bytes, this runtime expects " << sizeof(llmc_module_desc_t);
  if (llmc_status_t status = checkRequiredCPU(desc->required_cpu, what, error))
    return status;
  Weights &weights = module.weights;
  if (desc->weights_bytes != 0 && weights.dataBytes == 0)
    return ErrorWriter(error, LLMC_STATUS_WEIGHTS_MISMATCH)
           << "'" << what << "' needs " << desc->weights_bytes << " bytes of weights, found 0";
  if (desc->weights_bytes && desc->weights_checksum != weights.headerChecksum)
    return ErrorWriter(error, LLMC_STATUS_WEIGHTS_MISMATCH)
           << "'" << what << "' needs weights with header checksum " << Hex{desc->weights_checksum}
           << ", found " << Hex{weights.headerChecksum};
  if (llmc_status_t status = validateDescriptor(*desc, error))
    return status;
  MappedFile *file = module.externalWeights.data() ? &module.externalWeights
                     : module.artifact.data()      ? &module.artifact
                                                   : nullptr;
  if (llmc_status_t status = module.region.open(weights, desc->weights_bytes, file, what, settings,
                                                module.warnings, error))
    return status;
  module.artifact.closeDescriptor();
  module.externalWeights.closeDescriptor();
  weights.data = module.region.data();
  weights.dataBytes = module.region.size();
  module.desc = desc;
  return LLMC_STATUS_OK;
}

/// Maps `weightsPath`, or "<path>.weights".
static llmc_status_t mapExternalWeights(MappedFile &file, const char *path, const char *weightsPath,
                                        Weights &weights, llmc_error_t *error) {
  static const char suffix[] = ".weights";
  Array<char> beside;
  if (!weightsPath) {
    size_t length = std::strlen(path);
    if (!beside.allocate(defaultAllocator(), length + sizeof(suffix)))
      return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory to load '" << path << "'";
    std::memcpy(beside.data(), path, length);
    std::memcpy(beside.data() + length, suffix, sizeof(suffix));
    weightsPath = beside.data();
  }
  if (llmc_status_t status = file.map(weightsPath, error))
    return status;
  return parseSafetensors(file.data(), file.size(), weightsPath, weights, error);
}

llmc_status_t llmc::runtime::loadArtifact(llmc_module &module, const char *path,
                                          const LoadSettings &settings, llmc_error_t *error) {
  MappedFile &file = module.artifact;
  if (llmc_status_t status = file.map(path, error))
    return status;
  llmc_artifact_trailer_t trailer;
  if (llmc_status_t status = parseArtifact(file.data(), file.size(), path, trailer, error))
    return status;
  if (llmc_status_t status = checkRequiredCPU(trailer.required_cpu, path, error))
    return status;
  llmc_status_t status = LLMC_STATUS_OK;
  bool external = trailer.flags & LLMC_ARTIFACT_EXTERNAL_WEIGHTS;
  if (external)
    status = mapExternalWeights(module.externalWeights, path, settings.options.weights_path,
                                module.weights, error);
  else if (trailer.safetensors_size)
    status = parseSafetensors(file.data() + trailer.safetensors_offset, trailer.safetensors_size,
                              path, module.weights, error);
  if (status)
    return status;
  if (module.weights.header && module.weights.headerChecksum != trailer.header_checksum)
    return ErrorWriter(error, external ? LLMC_STATUS_WEIGHTS_MISMATCH : LLMC_STATUS_BAD_ARTIFACT)
           << "'" << path << "': weights' header has checksum "
           << Hex{module.weights.headerChecksum} << ", expected " << Hex{trailer.header_checksum};
  module.codeChecksum = trailer.elf_checksum;
  if (llmc_status_t loaded = module.code.load(path, file.data(), error))
    return loaded;
  return bind(module, module.code.query(), path, settings, error);
}

llmc_status_t llmc::runtime::loadStatic(llmc_module &module, llmc_module_query_fn query,
                                        const llmc_weights_source_t &source,
                                        const LoadSettings &settings, llmc_error_t *error) {
  static const char what[] = "linked module";
  llmc_status_t status = LLMC_STATUS_OK;
  if (source.path) {
    status = mapExternalWeights(module.externalWeights, what, source.path, module.weights, error);
  } else if (source.data) {
    status = parseSafetensors(static_cast<const uint8_t *>(source.data), source.size_bytes, what,
                              module.weights, error);
  }
  return status ? status : bind(module, query, what, settings, error);
}
