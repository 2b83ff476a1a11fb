//===- InputFeeder.cpp - tokens into an ONNX decoder signature ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dimensions are not guessed: symbols get values here, and the module itself
// says what every dimension is for them.
//
//===----------------------------------------------------------------------===//
#include "InputFeeder.h"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace llmc::run {
namespace {

constexpr uint16_t HalfOne = 0x3c00;     // 1.0 in f16
constexpr uint16_t BFloat16One = 0x3f80; // 1.0 in bf16

bool contains(const std::string &text, const char *part) {
  return text.find(part) != std::string::npos;
}

template <typename T> void storeElement(HostTensor &tensor, size_t i, T value) {
  std::memcpy(tensor.bytes.data() + i * sizeof(T), &value, sizeof(T));
}

/// Stores an integer in any type that masks, ids and positions come in; a
/// floating point 0 or 1 only, which is all that a mask needs.
bool storeInteger(HostTensor &tensor, size_t i, int64_t value) {
  switch (tensor.dtype) {
  case LLMC_DTYPE_I64:
    storeElement<int64_t>(tensor, i, value);
    return true;
  case LLMC_DTYPE_I32:
    storeElement<int32_t>(tensor, i, static_cast<int32_t>(value));
    return true;
  case LLMC_DTYPE_BOOL:
  case LLMC_DTYPE_I8:
  case LLMC_DTYPE_U8:
    storeElement<uint8_t>(tensor, i, value != 0);
    return value == 0 || value == 1;
  case LLMC_DTYPE_F32:
    storeElement<float>(tensor, i, static_cast<float>(value));
    return true;
  case LLMC_DTYPE_F16:
    storeElement<uint16_t>(tensor, i, value ? HalfOne : 0);
    return value == 0 || value == 1;
  case LLMC_DTYPE_BF16:
    storeElement<uint16_t>(tensor, i, value ? BFloat16One : 0);
    return value == 0 || value == 1;
  default:
    return false;
  }
}

bool isIdType(uint32_t dtype) { return dtype == LLMC_DTYPE_I64 || dtype == LLMC_DTYPE_I32; }

SignatureTensor describe(const llmc_tensor_info_t &info) {
  SignatureTensor tensor{info.name ? info.name : "", info.dtype, {}};
  for (uint32_t i = 0; i < info.rank && i < LLMC_MAX_RANK; ++i)
    tensor.dimSymbols.push_back(info.dim_names[i] ? info.dim_names[i] : "");
  return tensor;
}

using DescribeTensorFn = llmc_status_t (*)(const llmc_module_t *, uint32_t, uint32_t,
                                           llmc_tensor_info_t *, llmc_error_t *);

bool readTensors(const llmc_module_t *module, uint32_t phase, uint32_t count,
                 DescribeTensorFn describeTensor, std::vector<SignatureTensor> &tensors,
                 llmc_error_t &error) {
  for (uint32_t i = 0; i < count; ++i) {
    llmc_tensor_info_t info = {};
    info.struct_size = sizeof info;
    if (describeTensor(module, phase, i, &info, &error) != LLMC_STATUS_OK)
      return false;
    tensors.push_back(describe(info));
  }
  return true;
}

bool readSignature(const llmc_module_t *module, uint32_t phase, const llmc_phase_info_t &info,
                   Signature &signature, llmc_error_t &error) {
  signature.phase = phase;
  signature.guardInput = info.guard_input;
  signature.guardValue = info.guard_value;
  for (uint32_t i = 0; i < info.num_symbols; ++i) {
    llmc_symbol_desc_t symbol = {};
    if (llmc_module_symbol(module, phase, i, &symbol, &error) != LLMC_STATUS_OK)
      return false;
    signature.symbols.push_back(
        {symbol.name ? symbol.name : "", symbol.min_value, symbol.max_value});
  }
  return readTensors(module, phase, info.num_inputs, llmc_module_input, signature.inputs, error) &&
         readTensors(module, phase, info.num_outputs, llmc_module_output, signature.outputs, error);
}

/// The output that is called logits; else the only one of rank 3.
std::string findLogits(const Signature &signature) {
  std::string found;
  int count = 0;
  for (const SignatureTensor &output : signature.outputs) {
    if (output.name == "logits")
      return output.name;
    if (output.dimSymbols.size() == 3 && isFloatDType(output.dtype)) {
      found = output.name;
      ++count;
    }
  }
  return count == 1 ? found : "";
}

} // namespace

InputRole recogniseInput(const std::string &name, uint32_t dtype, uint32_t rank) {
  std::string lower = name;
  for (char &c : lower)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (contains(lower, "use_cache"))
    return rank <= 1 ? InputRole::UseCacheBranch : InputRole::Unknown;
  if (contains(lower, "attention_mask"))
    return InputRole::AttentionMask;
  if (contains(lower, "position"))
    return InputRole::Positions;
  if (contains(lower, "past") || contains(lower, "cache") || contains(lower, "state"))
    return InputRole::Past;
  if (isIdType(dtype) && (contains(lower, "input_ids") || contains(lower, "token")))
    return InputRole::Tokens;
  return InputRole::Unknown;
}

std::vector<int64_t> bindFirstCall(const Signature &signature, int64_t seqLen) {
  std::vector<int64_t> values(signature.symbols.size());
  std::vector<bool> isBound(signature.symbols.size());
  auto bind = [&](const std::string &name, int64_t value) {
    for (size_t i = 0; i < signature.symbols.size(); ++i)
      if (!name.empty() && signature.symbols[i].name == name && !isBound[i]) {
        values[i] = value;
        isBound[i] = true;
      }
  };
  // The ids say what batch and sequence are; then mask and positions, whose
  // last dimension is the sequence while the past is empty.
  for (InputRole role : {InputRole::Tokens, InputRole::AttentionMask, InputRole::Positions})
    for (const SignatureTensor &input : signature.inputs) {
      size_t rank = input.dimSymbols.size();
      if (recogniseInput(input.name, input.dtype, static_cast<uint32_t>(rank)) != role || rank == 0)
        continue;
      bind(input.dimSymbols.back(), seqLen);
      for (size_t i = 0; i + 1 < rank; ++i)
        bind(input.dimSymbols[i], 1);
    }
  // The first dimension of a state is the batch, also where it has a symbol of
  // its own; what is left in it is the past's length.
  for (const SignatureTensor &input : signature.inputs) {
    if (recogniseInput(input.name, input.dtype, static_cast<uint32_t>(input.dimSymbols.size())) !=
        InputRole::Past)
      continue;
    for (size_t i = 0; i < input.dimSymbols.size(); ++i)
      bind(input.dimSymbols[i], i == 0 ? 1 : 0);
  }
  for (size_t i = 0; i < values.size(); ++i)
    if (!isBound[i])
      values[i] = signature.symbols[i].minValue;
    else if (values[i] == 0) // for example a head size with a symbol
      values[i] = std::max<int64_t>(0, signature.symbols[i].minValue);
  return values;
}

bool fillInput(InputRole role, int64_t guardValue, std::span<const int64_t> tokens,
               HostTensor &input, std::string &error) {
  uint64_t count = 0;
  size_t elementBytes = dtypeSizeBytes(input.dtype);
  auto refuse = [&](const char *what) {
    error = "input '" + input.name + "' is " + typeText(input.dtype, input.dims) + ": " + what;
    return false;
  };
  if (elementBytes == 0 || !countElements(input.dims, count))
    return refuse("cannot be fed");
  int64_t lastDim = input.dims.empty() ? 1 : input.dims.back();
  int64_t seqLen = static_cast<int64_t>(tokens.size());
  input.bytes.assign(count * elementBytes, 0);

  bool isPerToken =
      role == InputRole::Tokens || role == InputRole::Positions || role == InputRole::AttentionMask;
  if (isPerToken && (input.dims.empty() || lastDim != seqLen))
    return refuse("the last dimension does not follow the number of tokens");
  if (role == InputRole::Tokens && count != tokens.size())
    return refuse("expected one row of token ids");
  if (role == InputRole::Unknown)
    return refuse("its meaning is not recognised");
  if (role == InputRole::Past)
    return true;
  // A mask of rank 4 says for each pair of tokens whether one sees the other.
  if (role == InputRole::AttentionMask && input.dims.size() > 2)
    return refuse("only masks of one row per sequence are supported");

  for (uint64_t i = 0; i < count; ++i) {
    int64_t value = 1;
    if (role == InputRole::Tokens)
      value = tokens[i];
    else if (role == InputRole::Positions)
      value = static_cast<int64_t>(i) % lastDim;
    else if (role == InputRole::UseCacheBranch)
      value = guardValue;
    if (!storeInteger(input, i, value))
      return refuse("its type cannot hold the values");
  }
  return true;
}

std::optional<InputFeeder> InputFeeder::create(const Model &model, std::string &error) {
  InputFeeder feeder;
  feeder.module = model.handle().get();
  llmc_error_t record = {};
  for (uint32_t phase = 0; phase < model.info().num_phases; ++phase) {
    llmc_phase_info_t info = {};
    info.struct_size = sizeof info;
    Signature signature;
    if (llmc_module_phase(feeder.module, phase, &info, &record) != LLMC_STATUS_OK ||
        (info.kind == LLMC_PHASE_RUN &&
         !readSignature(feeder.module, phase, info, signature, record))) {
      error = record.message;
      return std::nullopt;
    }
    // Of a merged decoder's phases the one without a cache takes a first call.
    if (info.kind != LLMC_PHASE_RUN || (info.guard_input >= 0 && info.guard_value != 0))
      continue;
    feeder.signature = std::move(signature);
    feeder.logits = findLogits(feeder.signature);
    if (feeder.logits.empty()) {
      error = "no output looks like logits [batch, sequence, vocabulary]";
      return std::nullopt;
    }
    for (const SignatureTensor &input : feeder.signature.inputs) {
      feeder.roles.push_back(
          recogniseInput(input.name, input.dtype, static_cast<uint32_t>(input.dimSymbols.size())));
      if (feeder.roles.back() == InputRole::Unknown) {
        error = "do not know how to feed input '" + input.name + "'";
        return std::nullopt;
      }
    }
    return feeder;
  }
  error = "the module has no run phase for an empty past";
  return std::nullopt;
}

bool InputFeeder::makeInputs(std::span<const int64_t> tokens, std::vector<HostTensor> &inputs,
                             std::string &error) const {
  std::vector<int64_t> symbols = bindFirstCall(signature, static_cast<int64_t>(tokens.size()));
  size_t numDims = 0;
  for (const auto *tensors : {&signature.inputs, &signature.outputs})
    for (const SignatureTensor &tensor : *tensors)
      numDims += tensor.dimSymbols.size();
  std::vector<int64_t> dims(numDims);
  llmc_error_t record = {};
  llmc_status_t status = llmc_module_resolve_dims(
      module, signature.phase, symbols.data(), static_cast<uint32_t>(symbols.size()), dims.data(),
      static_cast<uint32_t>(dims.size()), &record);
  if (status != LLMC_STATUS_OK) {
    error = errorText(status, record);
    return false;
  }
  inputs.resize(signature.inputs.size());
  auto dim = dims.begin();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const SignatureTensor &tensor = signature.inputs[i];
    inputs[i].name = tensor.name;
    inputs[i].dtype = tensor.dtype;
    inputs[i].dims.assign(dim, dim + tensor.dimSymbols.size());
    dim += tensor.dimSymbols.size();
    if (!fillInput(roles[i], signature.guardValue, tokens, inputs[i], error))
      return false;
  }
  return true;
}

} // namespace llmc::run
