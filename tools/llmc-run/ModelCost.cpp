//===- ModelCost.cpp - what a step of a model must do ---------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the header without trusting it: bench shows shares, nothing depends on
// them.
//
//===----------------------------------------------------------------------===//
#include "ModelCost.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace llmc::run {
namespace {

using nlohmann::json;

/// The metadata's number under `key`, which safetensors holds as text.
std::optional<uint64_t> readNumber(const json &header, const char *key) {
  auto metadata = header.find("__metadata__");
  if (metadata == header.end() || !metadata->is_object())
    return std::nullopt;
  auto entry = metadata->find(key);
  if (entry == metadata->end() || !entry->is_string())
    return std::nullopt;
  const std::string &text = entry->get_ref<const std::string &>();
  uint64_t number = 0;
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size() || number == 0)
    return std::nullopt;
  return number;
}

/// Elements of all tensors with at least two dimensions; bytes stand for
/// elements of packed types.
uint64_t countWeightElements(const json &header) {
  uint64_t total = 0;
  for (const auto &[name, tensor] : header.items()) {
    if (name == "__metadata__" || !tensor.is_object())
      continue;
    auto shape = tensor.find("shape");
    if (shape == tensor.end() || !shape->is_array() || shape->size() < 2)
      continue;
    uint64_t count = 1;
    for (const json &dim : *shape)
      if (!dim.is_number_unsigned() || __builtin_mul_overflow(count, dim.get<uint64_t>(), &count))
        count = 0;
    total += count;
  }
  return total;
}

} // namespace

double ModelCost::bytesRead(uint64_t pastTokens, uint64_t numTokens, uint64_t chunk) const {
  double bytes = 0;
  chunk = std::max<uint64_t>(chunk, 1);
  for (uint64_t done = 0; done < numTokens; done += chunk) {
    uint64_t end = std::min(done + chunk, numTokens);
    bytes += static_cast<double>(weightBytesPerStep) + static_cast<double>(stateBytesPerSequence) +
             static_cast<double>(pastTokens + end) * static_cast<double>(cacheBytesPerToken);
  }
  return bytes;
}

ModelCost computeModelCost(const llmc_module_info_t &info, std::string_view metadata) {
  ModelCost cost;
  cost.cacheBytesPerToken = info.state_bytes_per_token;
  cost.stateBytesPerSequence = info.state_bytes_per_sequence;
  cost.weightBytesPerStep = info.weights_bytes;
  json header = json::parse(metadata.begin(), metadata.end(), nullptr,
                            /*allow_exceptions=*/false);
  if (header.is_object()) {
    if (auto bytes = readNumber(header, "weight_bytes_per_step"))
      cost.weightBytesPerStep = *bytes;
    if (auto count = readNumber(header, "multiply_adds_per_token")) {
      cost.multiplyAddsPerToken = *count;
      cost.hasMultiplyAdds = true;
    } else {
      cost.multiplyAddsPerToken = countWeightElements(header);
    }
  }
  // Packed into one blob, or no header: f32 weights are the plain case.
  if (cost.multiplyAddsPerToken == 0)
    cost.multiplyAddsPerToken = info.weights_bytes / 4;
  return cost;
}

} // namespace llmc::run
