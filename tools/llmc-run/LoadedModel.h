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

/// A loaded artifact. Its info is read once.
class Model {
public:
  static std::optional<Model> load(const std::string &path, bool prefault, std::string &error);

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
};

/// One sequence of requests, batch 1.
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

  /// The last step's logits, borrowed until the next step; empty before one.
  std::span<const float> logits() const { return session.logits(); }

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
