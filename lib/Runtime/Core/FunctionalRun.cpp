//===- FunctionalRun.cpp - one run of the ONNX signature ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In order: match given tensors with the module's by name or position, choose
// the phase by its guard, bind symbols from input dimensions, compare all input
// dimensions, provide memory for outputs, run. Sizes that the data decides count as
// the largest until the run has told them.
//
//===----------------------------------------------------------------------===//

#include "Error.h"
#include "Session.h"

#include <cstring>

using namespace llmc::runtime;

namespace {

constexpr int32_t none = -1;

/// The tensor's size, or false if a dimension is negative or it overflows.
bool tensorBytes(const int64_t *dims, uint32_t rank, uint32_t dtype, uint64_t &bytes) {
  bytes = llmc_dtype_size(dtype);
  bool isEmpty = false;
  for (uint32_t d = 0; d < rank; ++d) {
    if (dims[d] < 0)
      return false;
    isEmpty |= dims[d] == 0;
  }
  for (uint32_t d = 0; d < rank && !isEmpty; ++d)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dims[d]), &bytes))
      return false;
  bytes = isEmpty ? 0 : bytes;
  return true;
}

class FunctionalRun {
public:
  FunctionalRun(llmc_session &session, llmc_error_t *error) : session(session), error(error) {}

  llmc_status_t run(const llmc_tensor_t *given, size_t numGiven, llmc_tensor_t *wanted,
                    size_t numWanted) {
    llmc_status_t status = choosePhase(given, numGiven);
    if (!status)
      status = match(phase->outputs, phase->num_outputs, "output", wanted, numWanted,
                     session.givenOutputs.data());
    if (!status)
      status = bindSymbols(given);
    if (!status)
      status = checkSymbols(*phase, session.symbols.data(), error);
    if (!status) {
      phase->shapes(session.symbols.data(), session.dims.data());
      status = checkInputs(given);
    }
    if (!status)
      status = provideOutputs(given, wanted);
    if (!status)
      status = session.runPhase(*phase, error);
    if (!status) {
      if (phase->num_defined_symbols) // the run has told them
        phase->shapes(session.symbols.data(), session.dims.data());
      describeOutputs(wanted);
    }
    return status;
  }

private:
  ErrorWriter fail(llmc_status_t code) { return ErrorWriter(error, code); }

  /// Writes to `matches[i]` which given tensor serves tensor i, or none.
  llmc_status_t match(const llmc_tensor_desc_t *tensors, uint32_t count, const char *kind,
                      const llmc_tensor_t *given, size_t numGiven, int32_t *matches) {
    for (uint32_t i = 0; i < count; ++i)
      matches[i] = none;
    for (size_t g = 0; g < numGiven; ++g) {
      size_t i = g;
      if (const char *name = given[g].name)
        for (i = 0; i < count && std::strcmp(tensors[i].name, name);)
          ++i;
      if (i >= count) {
        if (given[g].name)
          return fail(LLMC_STATUS_INVALID_ARGUMENT)
                 << "phase '" << phase->name << "' has no " << kind << " '" << given[g].name << "'";
        return fail(LLMC_STATUS_INVALID_ARGUMENT)
               << "phase '" << phase->name << "' has " << count << " " << kind << "s, given "
               << uint64_t{numGiven};
      }
      if (matches[i] != none)
        return fail(LLMC_STATUS_INVALID_ARGUMENT)
               << kind << " '" << tensors[i].name << "' is given twice";
      matches[i] = static_cast<int32_t>(g);
    }
    return LLMC_STATUS_OK;
  }

  llmc_status_t matchInputs(const llmc_tensor_t *given, size_t numGiven) {
    int32_t *matches = session.givenInputs.data();
    if (llmc_status_t status =
            match(phase->inputs, phase->num_inputs, "input", given, numGiven, matches))
      return status;
    for (uint32_t i = 0; i < phase->num_inputs; ++i)
      if (matches[i] == none)
        return fail(LLMC_STATUS_INVALID_ARGUMENT)
               << "input '" << phase->inputs[i].name << "' is missing";
    return LLMC_STATUS_OK;
  }

  /// Reads the one element of a guard tensor.
  llmc_status_t guardValue(const llmc_tensor_t &tensor, const char *name, int64_t &value) {
    uint64_t bytes;
    if (tensor.rank > LLMC_MAX_RANK ||
        !tensorBytes(tensor.dims, tensor.rank, tensor.dtype, bytes) || bytes == 0 ||
        bytes != llmc_dtype_size(tensor.dtype) || !tensor.data || tensor.size_bytes < bytes)
      return fail(LLMC_STATUS_SHAPE_MISMATCH)
             << "input '" << name << "' must have one element: it chooses the "
             << "phase";
    switch (tensor.dtype) {
    case LLMC_DTYPE_BOOL:
      value = *static_cast<const uint8_t *>(tensor.data) != 0;
      return LLMC_STATUS_OK;
    case LLMC_DTYPE_U8:
      value = *static_cast<const uint8_t *>(tensor.data);
      return LLMC_STATUS_OK;
    case LLMC_DTYPE_I8:
      value = *static_cast<const int8_t *>(tensor.data);
      return LLMC_STATUS_OK;
    case LLMC_DTYPE_I32: {
      int32_t word;
      std::memcpy(&word, tensor.data, sizeof(word));
      value = word;
      return LLMC_STATUS_OK;
    }
    case LLMC_DTYPE_I64:
      std::memcpy(&value, tensor.data, sizeof(value));
      return LLMC_STATUS_OK;
    default:
      return fail(LLMC_STATUS_DTYPE_MISMATCH)
             << "input '" << name << "' is " << llmc_dtype_name(tensor.dtype)
             << ", expected bool or an integer: it chooses the phase";
    }
  }

  /// The first run phase whose guard matches; also matches its inputs.
  llmc_status_t choosePhase(const llmc_tensor_t *given, size_t numGiven) {
    const llmc_module_desc_t &desc = session.desc;
    const char *guardName = nullptr;
    int64_t value = 0;
    for (uint32_t i = 0; i < desc.num_phases; ++i) {
      phase = &desc.phases[i];
      if (phase->kind != LLMC_PHASE_RUN)
        continue;
      if (llmc_status_t status = matchInputs(given, numGiven))
        return status;
      if (phase->guard_input < 0)
        return LLMC_STATUS_OK;
      guardName = phase->inputs[phase->guard_input].name;
      if (llmc_status_t status =
              guardValue(given[session.givenInputs[static_cast<size_t>(phase->guard_input)]],
                         guardName, value))
        return status;
      if (value == phase->guard_value)
        return LLMC_STATUS_OK;
    }
    if (!guardName)
      return fail(LLMC_STATUS_UNSUPPORTED) << "module '" << desc.name << "' has no run phase";
    return fail(LLMC_STATUS_INVALID_ARGUMENT)
           << "no run phase serves input '" << guardName << "' = " << value;
  }

  llmc_status_t bindSymbols(const llmc_tensor_t *given) {
    int64_t *values = session.symbols.data();
    int32_t *binders = session.symbolBinders.data();
    for (uint32_t s = 0; s < phase->num_symbols; ++s)
      binders[s] = none;
    for (uint32_t i = 0; i < phase->num_inputs; ++i) {
      const llmc_tensor_desc_t &desc = phase->inputs[i];
      const llmc_tensor_t &tensor = given[session.givenInputs[i]];
      if (tensor.dtype != desc.dtype)
        return fail(LLMC_STATUS_DTYPE_MISMATCH)
               << "input '" << desc.name << "' is " << llmc_dtype_name(tensor.dtype)
               << ", expected " << llmc_dtype_name(desc.dtype);
      if (tensor.rank != desc.rank)
        return fail(LLMC_STATUS_SHAPE_MISMATCH) << "input '" << desc.name << "' has rank "
                                                << tensor.rank << ", expected " << desc.rank;
      for (uint32_t d = 0; d < desc.rank; ++d) {
        int32_t symbol = desc.dim_symbols[d];
        if (symbol < 0)
          continue;
        if (binders[symbol] == none) {
          binders[symbol] = static_cast<int32_t>(i);
          values[symbol] = tensor.dims[d];
        } else if (values[symbol] != tensor.dims[d]) {
          return fail(LLMC_STATUS_SHAPE_MISMATCH)
                 << "input '" << desc.name << "' dimension " << d << " is " << tensor.dims[d]
                 << ", expected " << values[symbol] << ": symbol '" << phase->symbols[symbol].name
                 << "' as bound by input '" << phase->inputs[binders[symbol]].name << "'";
        }
      }
    }
    presetDefinedSymbols(*phase, values);
    for (uint32_t s = 0; s < phase->num_symbols - phase->num_defined_symbols; ++s) {
      const llmc_symbol_desc_t &symbol = phase->symbols[s];
      if (binders[s] != none)
        continue;
      if (symbol.min_value != symbol.max_value)
        return fail(LLMC_STATUS_BAD_MODULE)
               << "phase '" << phase->name << "': no input tells symbol '" << symbol.name << "'";
      values[s] = symbol.min_value;
    }
    return LLMC_STATUS_OK;
  }

  /// Compares with what the compiled code expects, and takes the pointers.
  llmc_status_t checkInputs(const llmc_tensor_t *given) {
    const int64_t *dims = session.dims.data();
    for (uint32_t i = 0; i < phase->num_inputs; ++i) {
      const llmc_tensor_desc_t &desc = phase->inputs[i];
      const llmc_tensor_t &tensor = given[session.givenInputs[i]];
      for (uint32_t d = 0; d < desc.rank; ++d)
        if (tensor.dims[d] != dims[d])
          return fail(LLMC_STATUS_SHAPE_MISMATCH)
                 << "input '" << desc.name << "' dimension " << d << " is " << tensor.dims[d]
                 << ", expected " << dims[d];
      uint64_t bytes;
      if (!tensorBytes(dims, desc.rank, desc.dtype, bytes))
        return fail(LLMC_STATUS_SHAPE_MISMATCH)
               << "input '" << desc.name << "' has an impossible size";
      if (tensor.size_bytes < bytes || (bytes && !tensor.data))
        return fail(LLMC_STATUS_INVALID_ARGUMENT)
               << "input '" << desc.name << "' needs " << bytes << " bytes, given "
               << uint64_t{tensor.size_bytes} << (tensor.data ? "" : " at null");
      session.inputs[i] = tensor.data ? tensor.data : session.dims.data();
      dims += desc.rank;
    }
    outputDims = dims;
    return LLMC_STATUS_OK;
  }

  OwnedOutput &owned(uint32_t set, uint32_t output) {
    return session.ownedOutputs[set * (session.ownedOutputs.size() / 2) + output];
  }

  /// Whether an input lies in the outputs that the session lent last time.
  bool readsOwnedOutputs(const llmc_tensor_t *given) {
    for (uint32_t o = 0; o < session.ownedOutputs.size() / 2; ++o) {
      const OwnedOutput &output = owned(session.ownedSet, o);
      auto begin = reinterpret_cast<uintptr_t>(output.data);
      for (uint32_t i = 0; i < phase->num_inputs; ++i) {
        auto at = reinterpret_cast<uintptr_t>(given[session.givenInputs[i]].data);
        if (output.data && at >= begin && at < begin + output.sizeBytes)
          return true;
      }
    }
    return false;
  }

  /// Memory of at least `bytes` for an output that the caller has none for.
  void *ownedMemory(uint32_t output, uint64_t bytes) {
    OwnedOutput &memory = owned(session.ownedSet, output);
    if (memory.data && memory.sizeBytes >= bytes)
      return memory.data;
    const llmc_allocator_t &allocator = session.settings.allocator;
    if (memory.data)
      allocator.deallocate(allocator.user, memory.data, memory.sizeBytes, 64);
    size_t size = bytes ? bytes : 1;
    memory.data = allocator.allocate(allocator.user, size, 64);
    memory.sizeBytes = memory.data ? size : 0;
    return memory.data;
  }

  llmc_status_t provideOutputs(const llmc_tensor_t *given, const llmc_tensor_t *wanted) {
    if (readsOwnedOutputs(given))
      session.ownedSet ^= 1;
    const int64_t *dims = outputDims;
    for (uint32_t o = 0; o < phase->num_outputs; ++o) {
      const llmc_tensor_desc_t &desc = phase->outputs[o];
      uint64_t bytes;
      if (!tensorBytes(dims, desc.rank, desc.dtype, bytes))
        return fail(LLMC_STATUS_BAD_MODULE)
               << "output '" << desc.name << "' has an impossible size";
      dims += desc.rank;
      int32_t match = session.givenOutputs[o];
      // What the session lent last time counts as no memory of the caller's.
      if (match != none && wanted[match].data && wanted[match].data != owned(0, o).data &&
          wanted[match].data != owned(1, o).data) {
        if (wanted[match].size_bytes < bytes)
          return fail(LLMC_STATUS_INVALID_ARGUMENT)
                 << "output '" << desc.name << "' needs " << bytes << " bytes, given "
                 << uint64_t{wanted[match].size_bytes};
        session.outputs[o] = wanted[match].data;
        continue;
      }
      session.outputs[o] = ownedMemory(o, bytes);
      if (!session.outputs[o])
        return fail(LLMC_STATUS_OUT_OF_MEMORY)
               << "no memory for " << bytes << " bytes of output '" << desc.name << "'";
    }
    return LLMC_STATUS_OK;
  }

  void describeOutputs(llmc_tensor_t *wanted) {
    const int64_t *dims = outputDims;
    for (uint32_t o = 0; o < phase->num_outputs; ++o) {
      const llmc_tensor_desc_t &desc = phase->outputs[o];
      int32_t match = session.givenOutputs[o];
      if (match != none) {
        llmc_tensor_t &tensor = wanted[match];
        tensor.dtype = desc.dtype;
        tensor.rank = desc.rank;
        for (uint32_t d = 0; d < desc.rank; ++d)
          tensor.dims[d] = dims[d];
        tensor.data = session.outputs[o];
        uint64_t bytes = 0;
        tensorBytes(dims, desc.rank, desc.dtype, bytes);
        tensor.size_bytes = bytes;
      }
      dims += desc.rank;
    }
  }

  llmc_session &session;
  llmc_error_t *error;
  const llmc_phase_desc_t *phase = nullptr;
  const int64_t *outputDims = nullptr;
};

} // namespace

llmc_status_t llmc_session::run(const llmc_tensor_t *given, size_t numGiven, llmc_tensor_t *wanted,
                                size_t numWanted, llmc_error_t *error) {
  return FunctionalRun(*this, error).run(given, numGiven, wanted, numWanted);
}
