//===- Version.h - what this build calls itself
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_SUPPORT_VERSION_H
#define LLMC_SUPPORT_VERSION_H

namespace llmc {

inline constexpr const char *getVersion() { return "0.1.0"; }
/// Written into artifacts.
inline constexpr const char *getProducer() { return "llmc 0.1.0"; }

} // namespace llmc

#endif // LLMC_SUPPORT_VERSION_H
