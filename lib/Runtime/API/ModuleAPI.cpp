//===- ModuleAPI.cpp - the C functions on modules -------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Core/AvailableMemory.h"
#include "../Core/Error.h"
#include "../Core/Module.h"
#include "StructSize.h"

using namespace llmc::runtime;

static llmc_status_t invalid(llmc_error_t *error, const char *what) {
  return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT) << what;
}

static llmc_status_t checkPhase(const llmc_module_t *module, uint32_t phase, const void *output,
                                llmc_error_t *error) {
  if (!module || !output)
    return invalid(error, "module and output must not be null");
  if (phase >= module->desc->num_phases)
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "phase " << phase << " of " << module->desc->num_phases;
  return LLMC_STATUS_OK;
}

extern "C" {

llmc_status_t llmc_module_load(const char *path, const llmc_module_options_t *options,
                               llmc_module_t **module, llmc_error_t *error) {
  if (!path || !module)
    return invalid(error, "path and module must not be null");
  llmc_module_options_t settings = {};
  if (llmc_status_t status = readStruct(options, settings, error))
    return status;
  llmc_module *fresh = newModule();
  if (!fresh)
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory for a module";
  llmc_status_t status = loadArtifact(*fresh, path, {settings, availableMemory()}, error);
  if (status) {
    fresh->release();
    return status;
  }
  *module = fresh;
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_module_load_static(llmc_module_query_fn query,
                                      const llmc_weights_source_t *weights,
                                      const llmc_module_options_t *options, llmc_module_t **module,
                                      llmc_error_t *error) {
  if (!query || !module)
    return invalid(error, "query and module must not be null");
  llmc_weights_source_t source = {};
  if (weights)
    source = *weights;
  if (source.path && source.data)
    return invalid(error, "weights come from a path or from memory, not both");
  llmc_module_options_t settings = {};
  if (llmc_status_t status = readStruct(options, settings, error))
    return status;
  llmc_module *fresh = newModule();
  if (!fresh)
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory for a module";
  llmc_status_t status = loadStatic(*fresh, query, source, {settings, availableMemory()}, error);
  if (status) {
    fresh->release();
    return status;
  }
  *module = fresh;
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_module_warnings(const llmc_module_t *module, const char **text,
                                   llmc_error_t *error) {
  if (!module || !text)
    return invalid(error, "module and text must not be null");
  *text = module->warnings.text();
  return LLMC_STATUS_OK;
}

void llmc_module_destroy(llmc_module_t *module) {
  if (module)
    module->release();
}

llmc_status_t llmc_module_info(const llmc_module_t *module, llmc_module_info_t *info,
                               llmc_error_t *error) {
  if (!module || !info)
    return invalid(error, "module and info must not be null");
  const llmc_module_desc_t &desc = *module->desc;
  llmc_module_info_t facts = {};
  facts.name = desc.name;
  facts.producer = desc.producer;
  facts.num_phases = desc.num_phases;
  facts.can_run = findPhase(desc, LLMC_PHASE_RUN);
  facts.can_generate = findPhase(desc, LLMC_PHASE_PREFILL) && findPhase(desc, LLMC_PHASE_DECODE);
  facts.vocab_size = desc.vocab_size;
  facts.max_batch = desc.max_batch;
  facts.max_seq = desc.max_seq;
  facts.prefill_chunk = desc.prefill_chunk;
  facts.block_tokens = desc.block_tokens;
  facts.num_states = desc.num_states;
  facts.required_cpu = desc.required_cpu;
  facts.weights_bytes = desc.weights_bytes;
  for (uint32_t i = 0; i < desc.num_phases; ++i)
    if (desc.phases[i].arena_bytes > facts.arena_bytes)
      facts.arena_bytes = desc.phases[i].arena_bytes;
  uint64_t blockBytes = 0;
  for (uint32_t i = 0; i < desc.num_states; ++i)
    (desc.states[i].kind == LLMC_STATE_BLOCKS ? blockBytes : facts.state_bytes_per_sequence) +=
        desc.states[i].bytes;
  if (desc.block_tokens)
    facts.state_bytes_per_token = (blockBytes + desc.block_tokens - 1) / desc.block_tokens;
  facts.weights_shared_bytes = module->region.sharedBytes();
  return writeStruct(facts, *info, error);
}

llmc_status_t llmc_module_phase(const llmc_module_t *module, uint32_t phase,
                                llmc_phase_info_t *info, llmc_error_t *error) {
  if (llmc_status_t status = checkPhase(module, phase, info, error))
    return status;
  const llmc_phase_desc_t &desc = module->desc->phases[phase];
  llmc_phase_info_t facts = {};
  facts.name = desc.name;
  facts.kind = desc.kind;
  facts.num_symbols = desc.num_symbols;
  facts.num_inputs = desc.num_inputs;
  facts.num_outputs = desc.num_outputs;
  facts.num_dispatches = desc.num_dispatches;
  facts.guard_input = desc.guard_input;
  facts.guard_value = desc.guard_value;
  facts.arena_bytes = desc.arena_bytes;
  facts.num_defined_symbols = desc.num_defined_symbols;
  return writeStruct(facts, *info, error);
}

llmc_status_t llmc_module_symbol(const llmc_module_t *module, uint32_t phase, uint32_t index,
                                 llmc_symbol_desc_t *symbol, llmc_error_t *error) {
  if (llmc_status_t status = checkPhase(module, phase, symbol, error))
    return status;
  const llmc_phase_desc_t &desc = module->desc->phases[phase];
  if (index >= desc.num_symbols)
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "symbol " << index << " of " << desc.num_symbols;
  *symbol = desc.symbols[index];
  return LLMC_STATUS_OK;
}

static llmc_status_t describeTensor(const llmc_phase_desc_t &phase,
                                    const llmc_tensor_desc_t *tensors, uint32_t count,
                                    uint32_t index, llmc_tensor_info_t *info, llmc_error_t *error) {
  if (index >= count)
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "tensor " << index << " of " << count;
  const llmc_tensor_desc_t &desc = tensors[index];
  llmc_tensor_info_t facts = {};
  facts.name = desc.name;
  facts.dtype = desc.dtype;
  facts.rank = desc.rank;
  for (uint32_t d = 0; d < desc.rank; ++d)
    if (desc.dim_symbols[d] >= 0)
      facts.dim_names[d] = phase.symbols[desc.dim_symbols[d]].name;
  return writeStruct(facts, *info, error);
}

llmc_status_t llmc_module_input(const llmc_module_t *module, uint32_t phase, uint32_t index,
                                llmc_tensor_info_t *info, llmc_error_t *error) {
  if (llmc_status_t status = checkPhase(module, phase, info, error))
    return status;
  const llmc_phase_desc_t &desc = module->desc->phases[phase];
  return describeTensor(desc, desc.inputs, desc.num_inputs, index, info, error);
}

llmc_status_t llmc_module_output(const llmc_module_t *module, uint32_t phase, uint32_t index,
                                 llmc_tensor_info_t *info, llmc_error_t *error) {
  if (llmc_status_t status = checkPhase(module, phase, info, error))
    return status;
  const llmc_phase_desc_t &desc = module->desc->phases[phase];
  return describeTensor(desc, desc.outputs, desc.num_outputs, index, info, error);
}

llmc_status_t llmc_module_resolve_dims(const llmc_module_t *module, uint32_t phase,
                                       const int64_t *symbols, uint32_t num_symbols, int64_t *dims,
                                       uint32_t num_dims, llmc_error_t *error) {
  if (llmc_status_t status = checkPhase(module, phase, dims, error))
    return status;
  const llmc_phase_desc_t &desc = module->desc->phases[phase];
  if (num_symbols != desc.num_symbols || (num_symbols && !symbols))
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "phase '" << desc.name << "' has " << desc.num_symbols << " symbols, given "
           << num_symbols;
  if (num_dims < totalRank(desc))
    return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
           << "phase '" << desc.name << "' has " << totalRank(desc) << " dimensions, room for "
           << num_dims;
  if (llmc_status_t status = checkSymbols(desc, symbols, error))
    return status;
  desc.shapes(symbols, dims);
  return LLMC_STATUS_OK;
}

llmc_status_t llmc_module_metadata(const llmc_module_t *module, const char **json,
                                   size_t *size_bytes, llmc_error_t *error) {
  if (!module || !json || !size_bytes)
    return invalid(error, "module and outputs must not be null");
  *json = module->weights.header ? module->weights.header : "";
  *size_bytes = module->weights.headerBytes;
  return LLMC_STATUS_OK;
}

} // extern "C"
