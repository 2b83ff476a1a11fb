//===- Runtime.hpp - C++ handles for the runtime's C API ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Header-only, C++20, needs no exceptions: every call returns the C API's
// status and describes failures in an optional llmc::Error. Thread-safety and
// lifetimes are those of llmc-c/Runtime.h.
//
//   llmc::Module module;
//   llmc::Error error;
//   if (module.load("model.llmc", &error) != LLMC_STATUS_OK)
//     report(error.message);
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_HPP
#define LLMC_RUNTIME_HPP

#include "llmc-c/Runtime.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace llmc {

using Status = llmc_status_t;

/// An llmc_error_t that starts out as success.
struct Error : llmc_error_t {
  Error() : llmc_error_t{} {}
};

/// Shares code and weights; movable.
class Module {
public:
  Status load(const char *path, Error *error = nullptr) {
    return load(path, defaultOptions(), error);
  }
  Status load(const char *path, const llmc_module_options_t &options, Error *error = nullptr) {
    llmc_module_t *fresh = nullptr;
    Status status = llmc_module_load(path, &options, &fresh, error);
    if (status == LLMC_STATUS_OK)
      handle.reset(fresh);
    return status;
  }
  Status loadStatic(llmc_module_query_fn query, const llmc_weights_source_t &weights = {},
                    Error *error = nullptr) {
    llmc_module_t *fresh = nullptr;
    Status status = llmc_module_load_static(query, &weights, nullptr, &fresh, error);
    if (status == LLMC_STATUS_OK)
      handle.reset(fresh);
    return status;
  }

  static llmc_module_options_t defaultOptions() {
    llmc_module_options_t options = {};
    options.struct_size = sizeof(options);
    return options;
  }

  explicit operator bool() const { return handle != nullptr; }
  llmc_module_t *get() const { return handle.get(); }

  /// All zero for an empty handle.
  llmc_module_info_t info() const {
    llmc_module_info_t facts = {};
    facts.struct_size = sizeof(facts);
    llmc_module_info(get(), &facts, nullptr);
    return facts;
  }
  /// Lines of what the load could not do as asked; empty if there are none.
  std::string_view warnings() const {
    const char *text = "";
    llmc_module_warnings(get(), &text, nullptr);
    return text;
  }
  /// The safetensors header; empty for an empty handle.
  std::string_view metadata() const {
    const char *json = "";
    size_t size = 0;
    llmc_module_metadata(get(), &json, &size, nullptr);
    return {json, size};
  }

private:
  struct Destroy {
    void operator()(llmc_module_t *module) const { llmc_module_destroy(module); }
  };
  std::unique_ptr<llmc_module_t, Destroy> handle;
};

/// Owns working memory, caches and threads; movable.
class Session {
public:
  Status create(const Module &module, Error *error = nullptr) {
    return create(module, defaultOptions(), error);
  }
  Status create(const Module &module, const llmc_session_options_t &options,
                Error *error = nullptr) {
    llmc_session_t *fresh = nullptr;
    Status status = llmc_session_create(module.get(), &options, &fresh, error);
    if (status == LLMC_STATUS_OK)
      handle.reset(fresh);
    return status;
  }

  static llmc_session_options_t defaultOptions() {
    llmc_session_options_t options = {};
    options.struct_size = sizeof(options);
    return options;
  }

  /// What create would allocate; all zero where it would refuse the options.
  static llmc_session_memory_t measure(const Module &module, const llmc_session_options_t &options,
                                       Error *error = nullptr) {
    llmc_session_memory_t facts = {};
    facts.struct_size = sizeof(facts);
    llmc_session_measure(module.get(), &options, &facts, error);
    return facts;
  }

  explicit operator bool() const { return handle != nullptr; }
  llmc_session_t *get() const { return handle.get(); }

  llmc_session_info_t info() const {
    llmc_session_info_t facts = {};
    facts.struct_size = sizeof(facts);
    llmc_session_info(get(), &facts, nullptr);
    return facts;
  }

  Status run(std::span<const llmc_tensor_t> inputs, std::span<llmc_tensor_t> outputs,
             Error *error = nullptr) {
    return llmc_session_run(get(), inputs.data(), inputs.size(), outputs.data(), outputs.size(),
                            error);
  }
  /// One sequence.
  Status prefill(std::span<const int64_t> tokens, Error *error = nullptr) {
    return llmc_session_prefill(get(), 1, tokens.size(), tokens.data(), error);
  }
  Status prefill(size_t batch, std::span<const int64_t> tokens, Error *error = nullptr) {
    if (batch == 0 || tokens.size() % batch) // nothing sensible to cut
      return llmc_session_prefill(get(), 0, 0, nullptr, error);
    return llmc_session_prefill(get(), batch, tokens.size() / batch, tokens.data(), error);
  }
  /// One token for each of tokens.size() sequences.
  Status decode(std::span<const int64_t> tokens, Error *error = nullptr) {
    return llmc_session_decode(get(), tokens.size(), tokens.data(), error);
  }
  /// One sequence's logits after prefill or decode; empty when there are none.
  std::span<const float> logits(size_t row = 0) const {
    const float *data = nullptr;
    size_t rows = 0, vocab = 0;
    if (llmc_session_logits(get(), &data, &rows, &vocab, nullptr) || row >= rows)
      return {};
    return {data + row * vocab, vocab};
  }
  size_t length(size_t sequence = 0) const {
    size_t tokens = 0;
    llmc_session_length(get(), sequence, &tokens, nullptr);
    return tokens;
  }
  Status truncate(size_t sequence, size_t length, Error *error = nullptr) {
    return llmc_session_truncate(get(), sequence, length, error);
  }
  Status reset(Error *error = nullptr) { return llmc_session_reset(get(), error); }

  Status createSequence(uint32_t &sequence, Error *error = nullptr) {
    return llmc_sequence_create(get(), &sequence, error);
  }
  Status fork(uint32_t sequence, uint32_t &fork, Error *error = nullptr) {
    return llmc_sequence_fork(get(), sequence, &fork, error);
  }
  Status freeSequence(uint32_t sequence, Error *error = nullptr) {
    return llmc_sequence_free(get(), sequence, error);
  }
  /// `tokens` has the same number for each of the sequences, one after the other.
  Status prefill(std::span<const uint32_t> sequences, std::span<const int64_t> tokens,
                 Error *error = nullptr) {
    if (sequences.empty() || tokens.size() % sequences.size()) // nothing sensible to cut
      return llmc_sequences_prefill(get(), nullptr, 0, 0, nullptr, error);
    return llmc_sequences_prefill(get(), sequences.data(), sequences.size(),
                                  tokens.size() / sequences.size(), tokens.data(), error);
  }
  /// One token for each of the sequences; there are as many of both.
  Status decode(std::span<const uint32_t> sequences, std::span<const int64_t> tokens,
                Error *error = nullptr) {
    if (sequences.size() != tokens.size())
      return llmc_sequences_decode(get(), nullptr, 0, nullptr, error);
    return llmc_sequences_decode(get(), sequences.data(), sequences.size(), tokens.data(), error);
  }

  /// All sequences in use.
  Status save(const char *path, Error *error = nullptr) const {
    return llmc_session_save(get(), nullptr, 0, path, error);
  }
  Status save(std::span<const uint32_t> sequences, const char *path, Error *error = nullptr) const {
    return llmc_session_save(get(), sequences.data(), sequences.size(), path, error);
  }
  Status restore(const char *path, Error *error = nullptr) {
    return llmc_session_restore(get(), path, nullptr, 0, nullptr, error);
  }

private:
  struct Destroy {
    void operator()(llmc_session_t *session) const { llmc_session_destroy(session); }
  };
  std::unique_ptr<llmc_session_t, Destroy> handle;
};

} // namespace llmc

#endif // LLMC_RUNTIME_HPP
