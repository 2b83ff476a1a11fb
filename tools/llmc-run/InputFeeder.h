//===- InputFeeder.h - tokens into an ONNX decoder signature -----*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes the inputs of a functional run of a decoder from one row of tokens and
// an empty past: recognises token ids, mask, positions, past and the switch of
// a merged decoder from the names and types in the module's signature.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_INPUTFEEDER_H
#define LLMC_TOOLS_RUN_INPUTFEEDER_H

#include "LoadedModel.h"

namespace llmc::run {

enum class InputRole {
  Tokens,         // [1, seq] the ids
  AttentionMask,  // ones
  Positions,      // 0, 1, ... along the last dimension
  Past,           // zeros; keys and values have no elements
  UseCacheBranch, // the value that the chosen phase serves
  Unknown
};

/// The part that an input plays, from its name, and for the switch its type.
InputRole recogniseInput(const std::string &name, uint32_t dtype, uint32_t rank);

/// A tensor of a signature: for each dimension its symbol, empty where it is a
/// constant or an expression.
struct SignatureTensor {
  std::string name;
  uint32_t dtype = 0;
  std::vector<std::string> dimSymbols;
};

struct SignatureSymbol {
  std::string name;
  int64_t minValue = 0, maxValue = 0;
};

/// A run phase as the feeder sees it.
struct Signature {
  uint32_t phase = 0;
  int32_t guardInput = -1;
  int64_t guardValue = 0;
  std::vector<SignatureSymbol> symbols;
  std::vector<SignatureTensor> inputs, outputs;
};

/// Values of all symbols for a first call with `seqLen` tokens, batch 1. A
/// symbol that no recognised input explains gets its smallest allowed value.
std::vector<int64_t> bindFirstCall(const Signature &signature, int64_t seqLen);

/// Fills an input, whose dtype and dims are set, for its role. False with
/// `error` where the type or shape does not suit.
bool fillInput(InputRole role, int64_t guardValue, std::span<const int64_t> tokens,
               HostTensor &input, std::string &error);

class InputFeeder {
public:
  /// Chooses the run phase for an empty past. Fails with the name of the first
  /// input that is not recognised.
  static std::optional<InputFeeder> create(const Model &model, std::string &error);

  /// All inputs for `tokens`, in the module's order.
  bool makeInputs(std::span<const int64_t> tokens, std::vector<HostTensor> &inputs,
                  std::string &error) const;

  /// Name of the output with logits [1, seq, vocab].
  const std::string &logitsName() const { return logits; }

private:
  const llmc_module_t *module = nullptr;
  Signature signature;
  std::vector<InputRole> roles;
  std::string logits;
};

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_INPUTFEEDER_H
