//===- TensorProtoReader.h - ONNX TensorProto files --------------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the one protobuf message that recorded calls are made of, without
// protobuf: llmc-run must run where only the runtime is installed.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_TENSORPROTOREADER_H
#define LLMC_TOOLS_RUN_TENSORPROTOREADER_H

#include "HostTensor.h"

#include <optional>
#include <string>
#include <string_view>

namespace llmc::run {

/// Decodes a serialised TensorProto. Nothing is allocated beyond a small factor
/// of `data`; on malformed input returns nothing and sets `error` to a text
/// that starts with `fileName` and, for a broken encoding, names the byte
/// offset.
std::optional<HostTensor> parseTensorProto(std::string_view data, const std::string &fileName,
                                           std::string &error);

/// Reads and decodes a file.
std::optional<HostTensor> readTensorProtoFile(const std::string &path, std::string &error);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_TENSORPROTOREADER_H
