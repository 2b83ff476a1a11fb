//===- ModelFile.h - a model on disk and its external data
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Owns the parsed ModelProto and the mapped data files. Blobs of the IR hold a
// shared_ptr to it, so that bytes stay where they are and are never copied.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_MODELFILE_H
#define LLMC_LIB_IMPORT_ONNX_MODELFILE_H

#include "Proto.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <optional>

namespace llmc::importer {

class ModelFile {
public:
  /// Null with `error` set where the file cannot be read or is not a model.
  static std::shared_ptr<ModelFile> load(llvm::StringRef path, std::string &error);

  const ModelProto &proto() const { return model; }
  llvm::StringRef path() const { return filePath; }

  struct ExternalBytes {
    llvm::ArrayRef<char> bytes;
    bool isMapped; ///< small files are copied to the heap
  };
  /// Bytes of an external data file. `location` must stay inside the
  /// model's folder; a missing `length` means up to the end.
  std::optional<ExternalBytes> external(llvm::StringRef location, uint64_t offset,
                                        std::optional<uint64_t> length, std::string &error);

private:
  llvm::MemoryBuffer *map(llvm::StringRef location, std::string &error);

  std::string filePath;
  ModelProto model;
  llvm::StringMap<std::unique_ptr<llvm::MemoryBuffer>> dataFiles;
};

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_MODELFILE_H
