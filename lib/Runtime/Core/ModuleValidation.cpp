//===- ModuleValidation.cpp - a descriptor must not contradict itself -----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Error.h"
#include "Module.h"

using namespace llmc::runtime;

const llmc_phase_desc_t *llmc::runtime::findPhase(const llmc_module_desc_t &desc, uint32_t kind) {
  for (uint32_t i = 0; i < desc.num_phases; ++i)
    if (desc.phases[i].kind == kind)
      return &desc.phases[i];
  return nullptr;
}

size_t llmc::runtime::totalRank(const llmc_phase_desc_t &phase) {
  size_t sum = 0;
  for (uint32_t i = 0; i < phase.num_inputs; ++i)
    sum += phase.inputs[i].rank;
  for (uint32_t i = 0; i < phase.num_outputs; ++i)
    sum += phase.outputs[i].rank;
  return sum;
}

llmc_status_t llmc::runtime::checkSymbols(const llmc_phase_desc_t &phase, const int64_t *symbols,
                                          llmc_error_t *error) {
  for (uint32_t i = 0; i < phase.num_symbols; ++i) {
    const llmc_symbol_desc_t &symbol = phase.symbols[i];
    if (symbols[i] < symbol.min_value || symbols[i] > symbol.max_value)
      return ErrorWriter(error, LLMC_STATUS_OUT_OF_RANGE)
             << "phase '" << phase.name << "': symbol '" << symbol.name << "' is " << symbols[i]
             << ", compiled for " << symbol.min_value << " to " << symbol.max_value;
  }
  int64_t unmet = phase.num_requirements ? phase.unmet(symbols) : 0;
  if (unmet >= phase.num_requirements)
    return LLMC_STATUS_OK;
  ErrorWriter writer(error, LLMC_STATUS_SHAPE_MISMATCH);
  writer << "phase '" << phase.name << "' needs " << phase.requirements[unmet < 0 ? 0 : unmet];
  for (uint32_t i = 0; i < phase.num_symbols - phase.num_defined_symbols; ++i)
    writer << (i ? ", " : ", but ") << phase.symbols[i].name << " = " << symbols[i];
  return writer;
}

void llmc::runtime::presetDefinedSymbols(const llmc_phase_desc_t &phase, int64_t *symbols) {
  for (uint32_t i = phase.num_symbols - phase.num_defined_symbols; i < phase.num_symbols; ++i)
    symbols[i] = phase.symbols[i].max_value;
}

namespace {

class Validator {
public:
  Validator(const llmc_module_desc_t &desc, llmc_error_t *error) : desc(desc), error(error) {}

  llmc_status_t module() {
    if (!desc.name || !desc.producer)
      return bad() << "has no name or producer";
    if (!desc.num_phases || !desc.phases)
      return bad() << "has no phases";
    if (desc.num_states && !desc.states)
      return bad() << "counts " << desc.num_states << " states but has none";
    for (uint32_t i = 0; i < desc.num_phases; ++i)
      if (llmc_status_t status = phase(desc.phases[i]))
        return status;
    return stateful();
  }

private:
  ErrorWriter bad() {
    ErrorWriter writer(error, LLMC_STATUS_BAD_MODULE);
    writer << "module '" << (desc.name ? desc.name : "?") << "' ";
    return writer;
  }
  ErrorWriter bad(const llmc_phase_desc_t &phase) {
    ErrorWriter writer = bad();
    writer << "phase '" << (phase.name ? phase.name : "?") << "' ";
    return writer;
  }

  llmc_status_t phase(const llmc_phase_desc_t &phase) {
    if (!phase.name || !phase.entry || !phase.shapes)
      return bad(phase) << "has no name, entry or shapes function";
    if (phase.kind > LLMC_PHASE_DECODE)
      return bad(phase) << "has unknown kind " << phase.kind;
    if ((phase.num_symbols && !phase.symbols) || (phase.num_inputs && !phase.inputs) ||
        (phase.num_outputs && !phase.outputs))
      return bad(phase) << "counts symbols or tensors but has none";
    for (uint32_t i = 0; i < phase.num_symbols; ++i)
      if (!phase.symbols[i].name || phase.symbols[i].min_value > phase.symbols[i].max_value)
        return bad(phase) << "has no name or values for symbol " << i;
    if (phase.num_requirements && (!phase.requirements || !phase.unmet))
      return bad(phase) << "counts " << phase.num_requirements << " requirements but has none";
    for (uint32_t i = 0; i < phase.num_requirements; ++i)
      if (!phase.requirements[i])
        return bad(phase) << "has no text for requirement " << i;
    if (phase.num_defined_symbols > phase.num_symbols)
      return bad(phase) << "defines " << phase.num_defined_symbols << " of " << phase.num_symbols
                        << " symbols";
    for (uint32_t i = phase.num_symbols - phase.num_defined_symbols; i < phase.num_symbols; ++i)
      if (phase.symbols[i].min_value < 0)
        return bad(phase) << "lets data define the negative size '" << phase.symbols[i].name << "'";
    for (uint32_t i = 0; i < phase.num_inputs; ++i)
      if (llmc_status_t status = tensor(phase, phase.inputs[i]))
        return status;
    for (uint32_t i = 0; i < phase.num_outputs; ++i)
      if (llmc_status_t status = tensor(phase, phase.outputs[i]))
        return status;
    if (phase.guard_input >= 0 && static_cast<uint32_t>(phase.guard_input) >= phase.num_inputs)
      return bad(phase) << "is guarded by input " << phase.guard_input << " of "
                        << phase.num_inputs;
    return phase.kind == LLMC_PHASE_RUN ? LLMC_STATUS_OK : statefulPhase(phase);
  }

  llmc_status_t tensor(const llmc_phase_desc_t &phase, const llmc_tensor_desc_t &tensor) {
    if (!tensor.name)
      return bad(phase) << "has a tensor without name";
    if (!llmc_dtype_size(tensor.dtype))
      return bad(phase) << "tensor '" << tensor.name << "' has unknown element type "
                        << tensor.dtype;
    if (tensor.rank > LLMC_MAX_RANK || (tensor.rank && !tensor.dim_symbols))
      return bad(phase) << "tensor '" << tensor.name << "' has rank " << tensor.rank << ", at most "
                        << LLMC_MAX_RANK << " are supported, or no dimensions";
    for (uint32_t d = 0; d < tensor.rank; ++d) {
      int32_t symbol = tensor.dim_symbols[d];
      if (symbol < -1 || (symbol >= 0 && static_cast<uint32_t>(symbol) >= phase.num_symbols))
        return bad(phase) << "tensor '" << tensor.name << "' dimension " << d << " is symbol "
                          << symbol << " of " << phase.num_symbols;
    }
    return LLMC_STATUS_OK;
  }

  llmc_status_t statefulPhase(const llmc_phase_desc_t &phase) {
    if (phase.num_symbols != LLMC_STATEFUL_SYMBOL_PAST + 1 + phase.num_defined_symbols ||
        phase.num_inputs != LLMC_STATEFUL_PAST_LENS + 1 || phase.num_outputs != 1)
      return bad(phase) << "has other symbols, inputs or outputs than its "
                           "kind: 3, 2 and 1";
    if (phase.inputs[LLMC_STATEFUL_TOKENS].dtype != LLMC_DTYPE_I64 ||
        phase.inputs[LLMC_STATEFUL_PAST_LENS].dtype != LLMC_DTYPE_I64 ||
        phase.outputs[0].dtype != LLMC_DTYPE_F32)
      return bad(phase) << "takes other than i64 tokens and lengths, or gives "
                           "other than f32 logits";
    return LLMC_STATUS_OK;
  }

  /// What sessions compute with, where there are prefill and decode.
  llmc_status_t stateful() {
    bool hasBlocks = false;
    for (uint32_t i = 0; i < desc.num_states; ++i) {
      if (desc.states[i].kind > LLMC_STATE_FIXED)
        return bad() << "state " << i << " has unknown kind " << desc.states[i].kind;
      hasBlocks |= desc.states[i].kind == LLMC_STATE_BLOCKS;
    }
    bool prefill = findPhase(desc, LLMC_PHASE_PREFILL);
    if (!prefill && !findPhase(desc, LLMC_PHASE_DECODE))
      return LLMC_STATUS_OK;
    if (!desc.max_batch || !desc.max_seq || !desc.vocab_size)
      return bad() << "is stateful but has no max_batch, max_seq or vocab_size";
    if (prefill && !desc.prefill_chunk)
      return bad() << "has a prefill phase but no prefill_chunk";
    if (hasBlocks && !desc.block_tokens)
      return bad() << "has block states but no block_tokens";
    // Logits and token buffers are sized by products of these.
    uint64_t logitsBytes;
    if (__builtin_mul_overflow(desc.vocab_size, uint64_t{4} * desc.max_batch, &logitsBytes))
      return bad() << "has a vocab_size of " << desc.vocab_size;
    return LLMC_STATUS_OK;
  }

  const llmc_module_desc_t &desc;
  llmc_error_t *error;
};

} // namespace

llmc_status_t llmc::runtime::validateDescriptor(const llmc_module_desc_t &desc,
                                                llmc_error_t *error) {
  return Validator(desc, error).module();
}
