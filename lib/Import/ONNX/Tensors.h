//===- Tensors.h - ONNX tensors as attributes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// TensorProto in each of its encodings (raw, typed fields, external) to dense
// attributes and resource blobs, with every size checked.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_TENSORS_H
#define LLMC_LIB_IMPORT_ONNX_TENSORS_H

#include "ModelFile.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace llmc::importer {

/// More dimensions than any model has.
constexpr int kMaxRank = 64;

/// The element type of an ONNX data type, or null.
mlir::Type elementType(mlir::MLIRContext *context, int dataType);
/// "float16", "int4", ... for messages; the number for unknown ones.
std::string dataTypeName(int dataType);

struct TensorReader {
  std::shared_ptr<ModelFile> file;
  mlir::MLIRContext *context;
  int64_t maxElements;

  /// Null with `error` set where the tensor is malformed or of an unsupported
  /// type. Constants of at most 64 elements are dense, others resources that
  /// point into `file`. Resources of 2 and 4 bits per element are packed as ONNX
  /// packs them: across all dimensions, low bits first.
  mlir::ElementsAttr read(const TensorProto &tensor, std::string &error) const;
};

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_TENSORS_H
