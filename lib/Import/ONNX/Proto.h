//===- Proto.h - ONNX's generated protobuf classes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only include of ONNX's headers for messages, with the definitions that
// Debian's library was built with. Newer fields than the library knows (ONNX
// 1.12) arrive as unknown fields; the accessors here read those.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_PROTO_H
#define LLMC_LIB_IMPORT_ONNX_PROTO_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <onnx/onnx_pb.h>
#pragma GCC diagnostic pop

#include "llvm/ADT/StringRef.h"
#include <string>

namespace llmc::importer {

using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::ValueInfoProto;

/// A string field that the linked library does not know, or "".
template <typename Message> std::string unknownString(const Message &message, int number) {
  const auto &fields = message.unknown_fields();
  for (int i = 0; i < fields.field_count(); ++i)
    if (fields.field(i).number() == number &&
        fields.field(i).type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
      return fields.field(i).length_delimited();
  return "";
}

/// Which of several functions of one name a node calls (ONNX 1.16).
inline std::string overloadOf(const NodeProto &node) { return unknownString(node, 8); }
inline std::string overloadOf(const FunctionProto &f) { return unknownString(f, 13); }

/// ONNX writes the default domain as "" or "ai.onnx".
inline llvm::StringRef canonicalDomain(llvm::StringRef domain) {
  return domain == "ai.onnx" ? llvm::StringRef() : domain;
}

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_PROTO_H
