//===- RecordedCall.cpp - folders with inputs and outputs -----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds and orders the files; TensorProtoReader reads them.
//
//===----------------------------------------------------------------------===//
#include "RecordedCall.h"
#include "TensorProtoReader.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace fs = std::filesystem;

namespace llmc::run {
namespace {

bool isTensorFile(const fs::path &path, const std::string &prefix) {
  std::string name = path.filename().string();
  return name.starts_with(prefix) && path.extension() == ".pb";
}

/// Digits compare by length first, so that 10 comes after 2.
bool comesBefore(const fs::path &a, const fs::path &b) {
  std::string left = a.filename().string(), right = b.filename().string();
  if (left.size() != right.size())
    return left.size() < right.size();
  return left < right;
}

bool readTensors(const std::string &folder, const std::string &prefix,
                 std::vector<HostTensor> &tensors, std::string &error) {
  std::vector<fs::path> files;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    if (isTensorFile(it->path(), prefix))
      files.push_back(it->path());
  if (code) {
    error = folder + ": " + code.message();
    return false;
  }
  std::sort(files.begin(), files.end(), comesBefore);
  for (const fs::path &file : files) {
    std::optional<HostTensor> tensor = readTensorProtoFile(file.string(), error);
    if (!tensor)
      return false;
    tensors.push_back(std::move(*tensor));
  }
  return true;
}

} // namespace

std::optional<std::vector<std::string>> findRecordedCalls(const std::string &root,
                                                          std::string &error) {
  std::set<std::string> folders;
  std::error_code code;
  for (fs::recursive_directory_iterator it(root, code), end; !code && it != end; it.increment(code))
    if (isTensorFile(it->path(), "input_") || isTensorFile(it->path(), "output_"))
      folders.insert(it->path().parent_path().string());
  if (code) {
    error = root + ": " + code.message();
    return std::nullopt;
  }
  if (folders.empty()) {
    error = root + ": no recorded calls (input_*.pb, output_*.pb) here or below";
    return std::nullopt;
  }
  return std::vector<std::string>(folders.begin(), folders.end());
}

std::optional<RecordedCall> readRecordedCall(const std::string &folder, std::string &error) {
  RecordedCall call;
  if (!readTensors(folder, "input_", call.inputs, error) ||
      !readTensors(folder, "output_", call.outputs, error))
    return std::nullopt;
  if (call.outputs.empty()) {
    error = folder + ": no output_*.pb to compare with";
    return std::nullopt;
  }
  return call;
}

} // namespace llmc::run
