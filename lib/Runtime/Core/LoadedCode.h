//===- LoadedCode.h - a dlopen'ed code object -------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_LOADEDCODE_H
#define LLMC_RUNTIME_CORE_LOADEDCODE_H

#include "llmc-c/ModuleABI.h"
#include "llmc-c/Status.h"

#include <cstddef>
#include <cstdint>

namespace llmc::runtime {

class LoadedCode {
public:
  LoadedCode() = default;
  LoadedCode(const LoadedCode &) = delete;
  LoadedCode &operator=(const LoadedCode &) = delete;
  ~LoadedCode();

  /// Loads the ELF object at the start of `path`, of which `elf` is a verified
  /// view. The dynamic linker identifies files by name, so after the file was
  /// replaced it may hand out the old code: that is noticed and refused.
  llmc_status_t load(const char *path, const uint8_t *elf, llmc_error_t *error);

  llmc_module_query_fn query() const { return queryFn; }

private:
  void *handle = nullptr;
  llmc_module_query_fn queryFn = nullptr;
};

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_LOADEDCODE_H
