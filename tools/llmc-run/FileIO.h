//===- FileIO.h - whole files in, whole files out ----------------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reading a file into memory, and writing one so that a killed process leaves
// either the old file or the new one.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_FILEIO_H
#define LLMC_TOOLS_RUN_FILEIO_H

#include <optional>
#include <string>
#include <string_view>

namespace llmc::run {

/// The file's bytes; on failure nothing, and `error` names the file and why.
std::optional<std::string> readFile(const std::string &path, std::string &error);

/// Writes to a temporary name beside `path`, then renames it.
bool writeFileAtomically(const std::string &path, std::string_view data, std::string &error);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_FILEIO_H
