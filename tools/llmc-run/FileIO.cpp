//===- FileIO.cpp - whole files in, whole files out -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// C stdio, because it keeps errno for the message.
//
//===----------------------------------------------------------------------===//
#include "FileIO.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <unistd.h>

namespace llmc::run {
namespace {

struct CloseFile {
  void operator()(FILE *file) const { std::fclose(file); }
};

std::string describeErrno(const std::string &path) { return path + ": " + std::strerror(errno); }

} // namespace

std::optional<std::string> readFile(const std::string &path, std::string &error) {
  std::unique_ptr<FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (!file) {
    error = describeErrno(path);
    return std::nullopt;
  }
  std::string data;
  char buffer[1 << 16];
  for (;;) {
    size_t got = std::fread(buffer, 1, sizeof buffer, file.get());
    data.append(buffer, got);
    if (got < sizeof buffer)
      break;
  }
  // A folder opens, but fails at the first read.
  if (std::ferror(file.get())) {
    error = describeErrno(path);
    return std::nullopt;
  }
  return data;
}

bool writeFileAtomically(const std::string &path, std::string_view data, std::string &error) {
  std::string temporary = path + ".tmp." + std::to_string(getpid());
  FILE *file = std::fopen(temporary.c_str(), "wb");
  if (!file) {
    error = describeErrno(temporary);
    return false;
  }
  bool isWritten = std::fwrite(data.data(), 1, data.size(), file) == data.size();
  if (!isWritten)
    error = describeErrno(temporary);
  if (std::fclose(file) != 0 && isWritten) {
    error = describeErrno(temporary);
    isWritten = false;
  }
  if (isWritten && std::rename(temporary.c_str(), path.c_str()) != 0) {
    error = describeErrno(path);
    isWritten = false;
  }
  if (!isWritten)
    std::remove(temporary.c_str());
  return isWritten;
}

} // namespace llmc::run
