//===- ModelFile.cpp - a model on disk and its external data
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled with exceptions: ONNX's text parser and protobuf may throw, and
// nothing they throw leaves this file.
//
//===----------------------------------------------------------------------===//
#include "ModelFile.h"
#include "InlineData.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/defs/parser.h>
#pragma GCC diagnostic pop

using namespace llmc::importer;
using llvm::StringRef;

/// The text with comment lines (`#` first) emptied, so that positions in the
/// parser's messages stay true: ONNX 1.12's parser knows no comments.
static std::string withoutComments(StringRef text) {
  std::string result;
  while (!text.empty()) {
    auto [line, rest] = text.split('\n');
    if (!line.ltrim().starts_with("#"))
      result += line;
    result += '\n';
    text = rest;
  }
  return result;
}

static bool parseText(StringRef path, ModelProto &model, std::string &error) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer) {
    error = "cannot open the file: " + buffer.getError().message();
    return false;
  }
  std::string source = withoutComments((*buffer)->getBuffer());
  try {
    ::onnx::OnnxParser parser(source.c_str());
    auto status = parser.Parse(model);
    if (!status.IsOK()) {
      error = "not ONNX text: " + StringRef(status.ErrorMessage()).trim().str();
      return false;
    }
    if (!parser.EndOfInput()) {
      error = "not ONNX text: something follows the model";
      return false;
    }
  } catch (const std::exception &exception) {
    error = std::string("not ONNX text: ") + exception.what();
    return false;
  }
  return true;
}

/// Parses the mapped file; large initializers stay in the map.
static bool parseBinary(StringRef bytes, ModelProto &model, std::string &error) {
  std::optional<std::string> rest = extractInlineData(bytes);
  StringRef parsed = rest ? StringRef(*rest) : bytes;
  if (parsed.size() > uint64_t(INT32_MAX)) {
    error = "larger than protobuf's limit of 2 GiB; such a model needs external data";
    return false;
  }
  try {
    google::protobuf::io::ArrayInputStream stream(parsed.data(), int(parsed.size()));
    google::protobuf::io::CodedInputStream input(&stream);
    input.SetTotalBytesLimit(INT32_MAX);
    if (model.ParseFromCodedStream(&input) && input.ConsumedEntireMessage())
      return true;
    error = "not an ONNX model: the protobuf is truncated or malformed";
  } catch (const std::exception &exception) {
    error = std::string("not an ONNX model: ") + exception.what();
  }
  return false;
}

std::shared_ptr<ModelFile> ModelFile::load(StringRef path, std::string &error) {
  llvm::sys::fs::file_status status;
  if (std::error_code code = llvm::sys::fs::status(path, status)) {
    error = "cannot open the file: " + code.message();
    return nullptr;
  }
  if (!llvm::sys::fs::is_regular_file(status)) {
    error = "not a regular file";
    return nullptr;
  }
  if (status.getSize() == 0) {
    error = "the file is empty";
    return nullptr;
  }
  auto file = std::make_shared<ModelFile>();
  file->filePath = path.str();
  bool isText = path.ends_with(".onnxtxt");
  if (isText) {
    if (!parseText(path, file->model, error))
      return nullptr;
  } else {
    auto mapped = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                              /*RequiresNullTerminator=*/false);
    if (!mapped) {
      error = "cannot open the file: " + mapped.getError().message();
      return nullptr;
    }
    StringRef bytes = (*mapped)->getBuffer();
    file->dataFiles[kInlineLocation] = std::move(*mapped);
    if (!parseBinary(bytes, file->model, error))
      return nullptr;
  }
  if (!file->model.has_graph()) {
    error = "not an ONNX model: it has no graph";
    return nullptr;
  }
  return file;
}

/// True where a path is relative and no part of it is `..`.
static bool staysBelow(StringRef location) {
  namespace path = llvm::sys::path;
  if (location.empty() || path::is_absolute(location) || location.contains('\0'))
    return false;
  for (StringRef part : llvm::make_range(path::begin(location), path::end(location)))
    if (part == "..")
      return false;
  return true;
}

llvm::MemoryBuffer *ModelFile::map(StringRef location, std::string &error) {
  if (auto it = dataFiles.find(location); it != dataFiles.end())
    return it->second.get();
  if (!staysBelow(location)) {
    error = "the external data path '" + location.str() +
            "' is not a relative path inside the model's folder";
    return nullptr;
  }
  llvm::SmallString<256> folder(llvm::sys::path::parent_path(filePath)), full;
  if (folder.empty())
    folder = ".";
  full = folder;
  llvm::sys::path::append(full, location);
  llvm::SmallString<256> realFolder, realFull;
  std::error_code code = llvm::sys::fs::real_path(full, realFull);
  if (!code)
    code = llvm::sys::fs::real_path(folder, realFolder);
  if (code) {
    error = "cannot open the external data file '" + full.str().str() + "': " + code.message();
    return nullptr;
  }
  StringRef rest = realFull;
  if (!rest.consume_front(realFolder) || (realFolder != "/" && !rest.starts_with("/"))) {
    error = "the external data file '" + full.str().str() +
            "' is a link that leaves the model's folder";
    return nullptr;
  }
  if (!llvm::sys::fs::is_regular_file(realFull)) {
    error = "the external data file '" + full.str().str() + "' is not a regular file";
    return nullptr;
  }
  auto buffer = llvm::MemoryBuffer::getFile(realFull, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    error = "cannot open the external data file '" + full.str().str() +
            "': " + buffer.getError().message();
    return nullptr;
  }
  return (dataFiles[location] = std::move(*buffer)).get();
}

std::optional<ModelFile::ExternalBytes> ModelFile::external(StringRef location, uint64_t offset,
                                                            std::optional<uint64_t> length,
                                                            std::string &error) {
  llvm::MemoryBuffer *buffer = map(location, error);
  if (!buffer)
    return std::nullopt;
  uint64_t size = buffer->getBufferSize();
  if (offset > size || (length && *length > size - offset)) {
    error = "external data at offset " + std::to_string(offset) +
            (length ? " of " + std::to_string(*length) + " bytes" : "") + " lies outside '" +
            location.str() + "' of " + std::to_string(size) + " bytes";
    return std::nullopt;
  }
  return ExternalBytes{
      llvm::ArrayRef<char>(buffer->getBufferStart() + offset, length.value_or(size - offset)),
      buffer->getBufferKind() == llvm::MemoryBuffer::MemoryBuffer_MMap};
}
