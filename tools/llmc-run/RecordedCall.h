//===- RecordedCall.h - folders with inputs and outputs ----------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The ONNX backend tests' layout: a folder with input_*.pb and output_*.pb is
// one recorded call.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_RECORDEDCALL_H
#define LLMC_TOOLS_RUN_RECORDEDCALL_H

#include "HostTensor.h"

#include <optional>

namespace llmc::run {

struct RecordedCall {
  std::vector<HostTensor> inputs, outputs;
};

/// The folders at or below `root` that hold a recorded call, sorted. Nothing,
/// with `error` set, where `root` cannot be read or holds none.
std::optional<std::vector<std::string>> findRecordedCalls(const std::string &root,
                                                          std::string &error);

/// Reads one folder's files, by their numbers ("input_10" after "input_2").
std::optional<RecordedCall> readRecordedCall(const std::string &folder, std::string &error);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_RECORDEDCALL_H
