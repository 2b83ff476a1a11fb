//===- LoadedModel.cpp - a module and its sessions ------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each function wraps one call of the C API and turns its status into text.
//
//===----------------------------------------------------------------------===//
#include "LoadedModel.h"

#include <algorithm>
#include <cstdio>

namespace llmc::run {
namespace {

/// Runs `call` with an error record; false and the message on failure.
template <typename Call> bool succeeds(std::string &error, Call call) {
  Error record;
  Status status = call(&record);
  if (status == LLMC_STATUS_OK)
    return true;
  error = errorText(status, record);
  return false;
}

/// A tensor as the C API takes it; `tensor` must outlive the result.
bool borrowTensor(const HostTensor &tensor, llmc_tensor_t &borrowed, std::string &error) {
  if (tensor.dims.size() > LLMC_MAX_RANK) {
    error = "tensor '" + tensor.name + "' has rank " + std::to_string(tensor.dims.size()) +
            ", the runtime takes up to " + std::to_string(LLMC_MAX_RANK);
    return false;
  }
  borrowed = {};
  borrowed.name = tensor.name.empty() ? nullptr : tensor.name.c_str();
  borrowed.dtype = tensor.dtype;
  borrowed.rank = static_cast<uint32_t>(tensor.dims.size());
  std::copy(tensor.dims.begin(), tensor.dims.end(), borrowed.dims);
  // Inputs are never written through.
  borrowed.data = const_cast<uint8_t *>(tensor.bytes.data());
  borrowed.size_bytes = tensor.bytes.size();
  return true;
}

} // namespace

std::string errorText(llmc_status_t status, const llmc_error_t &error) {
  return error.message[0] ? error.message : llmc_status_string(status);
}

std::optional<Model> Model::load(const std::string &path, const LoadOptions &settings,
                                 std::string &error) {
  llmc_module_options_t options = llmc::Module::defaultOptions();
  options.prefault = settings.prefault;
  options.huge_pages = settings.hugePages;
  options.lock = settings.lock;
  options.load_threads = settings.threads;
  Model model;
  if (!succeeds(error,
                [&](Error *record) { return model.module.load(path.c_str(), options, record); }))
    return std::nullopt;
  model.moduleInfo = model.module.info();
  std::string_view warnings = model.module.warnings();
  while (!warnings.empty()) {
    size_t end = warnings.find('\n');
    std::fprintf(stderr, "llmc-run: warning: %.*s\n", static_cast<int>(end), warnings.data());
    warnings.remove_prefix(end + 1);
  }
  return model;
}

std::optional<Session> Session::create(const Model &model, const SessionOptions &options,
                                       std::string &error) {
  llmc_session_options_t raw = llmc::Session::defaultOptions();
  raw.threads = options.threads;
  // A module without caches has no batch to bound.
  raw.max_batch = model.info().can_generate ? options.maxBatch : 0;
  raw.max_seq = options.maxSeq;
  Session session;
  if (!succeeds(error,
                [&](Error *record) { return session.session.create(model.handle(), raw, record); }))
    return std::nullopt;
  session.sessionInfo = session.session.info();
  return session;
}

bool Session::prefill(std::span<const int64_t> tokens, std::string &error) {
  return succeeds(error, [&](Error *record) { return session.prefill(tokens, record); });
}

bool Session::decode(int64_t token, std::string &error) {
  return succeeds(error, [&](Error *record) { return session.decode({&token, 1}, record); });
}

bool Session::reset(std::string &error) {
  return succeeds(error, [&](Error *record) { return session.reset(record); });
}

bool Session::truncate(size_t length, std::string &error) {
  return succeeds(error, [&](Error *record) { return session.truncate(0, length, record); });
}

bool Session::prefillSequence(uint32_t sequence, std::span<const int64_t> tokens,
                              std::string &error) {
  return succeeds(error,
                  [&](Error *record) { return session.prefill({&sequence, 1}, tokens, record); });
}

bool Session::truncateSequence(uint32_t sequence, size_t length, std::string &error) {
  return succeeds(error, [&](Error *record) { return session.truncate(sequence, length, record); });
}

bool Session::decodeBatch(std::span<const int64_t> tokens, std::string &error) {
  return succeeds(error, [&](Error *record) { return session.decode(tokens, record); });
}

bool Session::save(const std::string &path, std::string &error) {
  return succeeds(error, [&](Error *record) { return session.save(path.c_str(), record); });
}

bool Session::restore(const std::string &path, std::string &error) {
  if (!succeeds(error, [&](Error *record) { return session.restore(path.c_str(), record); }))
    return false;
  if (session.info().num_sequences == 1 && session.length(0) && !logits().empty())
    return true;
  error = "session file '" + path + "' does not hold the one sequence that generate saves";
  return false;
}

bool Session::run(const std::vector<HostTensor> &inputs, std::vector<llmc_tensor_t> &outputs,
                  std::string &error) {
  std::vector<llmc_tensor_t> borrowed(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!borrowTensor(inputs[i], borrowed[i], error))
      return false;
  return succeeds(error, [&](Error *record) { return session.run(borrowed, outputs, record); });
}

} // namespace llmc::run
