//===- Linker.cpp - shared objects with LLD in process
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lld/Common/Driver.h"
#include "llmc/CodeGen/Artifact.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace llmc;

LogicalResult llmc::linkSharedObject(ArrayRef<char> object, Location loc,
                                     SmallVectorImpl<char> &shared) {
  SmallString<128> input, output;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("llmc", "o", input))
    return emitError(loc, "cannot create a temporary file: ") << error.message();
  llvm::FileRemover removeInput(input);
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("llmc", "so", output))
    return emitError(loc, "cannot create a temporary file: ") << error.message();
  llvm::FileRemover removeOutput(output);
  {
    std::error_code error;
    llvm::raw_fd_ostream stream(input, error);
    stream.write(object.data(), object.size());
    stream.flush();
    if (error || stream.has_error()) {
      stream.clear_error();
      return emitError(loc, "cannot write the temporary file '") << input << "'";
    }
  }
  std::string messages;
  llvm::raw_string_ostream errors(messages);
  const char *arguments[] = {"ld.lld",       "-shared",    "--gc-sections",    "--build-id=none",
                             "-z",           "now",        "--hash-style=gnu", "-o",
                             output.c_str(), input.c_str()};
  lld::Result result =
      lld::lldMain(arguments, llvm::nulls(), errors, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return emitError(loc, "linking failed: ") << messages;
  auto buffer = llvm::MemoryBuffer::getFile(output, false, false);
  if (!buffer)
    return emitError(loc, "cannot read the linked code: ") << buffer.getError().message();
  StringRef bytes = (*buffer)->getBuffer();
  shared.assign(bytes.begin(), bytes.end());
  return success();
}
