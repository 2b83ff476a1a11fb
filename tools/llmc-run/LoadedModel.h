//===- LoadedModel.h - a module and its sessions -----------------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime's handles with errors as text, in the few forms that the
// subcommands share.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_LOADEDMODEL_H
#define LLMC_TOOLS_RUN_LOADEDMODEL_H

#include "HostTensor.h"
#include "llmc/Runtime.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::run {

/// How the weights come into memory.
struct LoadOptions {
  bool prefault = false, hugePages = false, lock = false;
  uint32_t threads = 0; // of prefault; 0: the runtime's choice
};

/// A loaded artifact. Its info is read once.
class Model {
public:
  /// What the runtime warns of goes to stderr.
  static std::optional<Model> load(const std::string &path, const LoadOptions &options,
                                   std::string &error);

  const llmc::Module &handle() const { return module; }
  const llmc_module_info_t &info() const { return moduleInfo; }
  /// The safetensors header as JSON text; empty without weights.
  std::string_view metadata() const { return module.metadata(); }

private:
  llmc::Module module;
  llmc_module_info_t moduleInfo = {};
};

struct SessionOptions {
  uint32_t threads = 0; // 0: the runtime's choice
  uint32_t maxSeq = 0;  // 0: the module's
  uint32_t maxBatch = 1;
};

/// Sequence 0 of a session, and for those who ask for more, batches.
class Session {
public:
  static std::optional<Session> create(const Model &model, const SessionOptions &options,
                                       std::string &error);

  uint32_t threads() const { return sessionInfo.threads; }
  uint32_t maxSeq() const { return sessionInfo.max_seq; }

  bool prefill(std::span<const int64_t> tokens, std::string &error);
  bool decode(int64_t token, std::string &error);
  bool reset(std::string &error);
  bool truncate(size_t length, std::string &error);

  /// For sequences 0, 1, ...: tokens of one of them, or one token of each.
  bool prefillSequence(uint32_t sequence, std::span<const int64_t> tokens, std::string &error);
  bool truncateSequence(uint32_t sequence, size_t length, std::string &error);
  bool decodeBatch(std::span<const int64_t> tokens, std::string &error);

  size_t length() const { return session.length(0); }
  bool save(const std::string &path, std::string &error);
  /// Into an empty session; refuses a file that has other than one sequence.
  bool restore(const std::string &path, std::string &error);

  /// The last step's logits, borrowed until the next step; empty before one.
  std::span<const float> logits(size_t row = 0) const { return session.logits(row); }

  /// One functional run with all inputs. `outputs` carry a name or null on
  /// entry, and memory borrowed from the session afterwards.
  bool run(const std::vector<HostTensor> &inputs, std::vector<llmc_tensor_t> &outputs,
           std::string &error);

private:
  llmc::Session session;
  llmc_session_info_t sessionInfo = {};
};

/// The message of a failed call; its status' name where it left none.
std::string errorText(llmc_status_t status, const llmc_error_t &error);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_LOADEDMODEL_H
