//===- InlineData.h - weights inside a model file, left where they are
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parsing a ModelProto copies every initializer onto the heap. This rewrites the
// file's bytes so that large `raw_data` of the main graph's initializers become
// references into the mapped file, and only the small rest is parsed.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_INLINEDATA_H
#define LLMC_LIB_IMPORT_ONNX_INLINEDATA_H

#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>

namespace llmc::importer {

/// The `location` of external data that means: offset and length in the model file
/// itself. No path of a file looks like this.
inline constexpr llvm::StringRef kInlineLocation("\0llmc-inline", 12);

/// The model's bytes without large initializer data; nullopt where `bytes` is not a
/// well-formed ModelProto down to its initializers (the full parse then says why).
std::optional<std::string> extractInlineData(llvm::StringRef bytes);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_INLINEDATA_H
