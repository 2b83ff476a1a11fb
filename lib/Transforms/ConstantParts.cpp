//===- ConstantParts.cpp - constants that are a part of another -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ConstantParts.h"
#include "QuantizedConstant.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace llmc::llm;

namespace llmc {

std::optional<std::pair<ArrayRef<char>, bool>> bytesOf(ElementsAttr value) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return std::nullopt;
    return std::pair(blob->getData(), !blob->isMutable());
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (!dense || dense.isSplat())
    return std::nullopt;
  return std::pair(dense.getRawData(), false);
}

Value makePart(OpBuilder &builder, ConstantOp constant, RankedTensorType type, size_t firstByte,
               size_t numBytes) {
  if (firstByte == 0 && type == constant.getType())
    return constant;
  if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue()); dense && dense.isSplat())
    return ConstantOp::create(builder, constant.getLoc(), dense.resizeSplat(type));
  auto bytes = bytesOf(constant.getValue());
  if (!bytes || firstByte > bytes->first.size() || bytes->first.size() - firstByte < numBytes)
    return {};
  auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue());
  bool isWhole = numBytes == bytes->first.size();
  if (isWhole && resource)
    return ConstantOp::create(builder, constant.getLoc(),
                              DenseResourceElementsAttr::get(type, resource.getRawHandle()));
  if (isWhole)
    return ConstantOp::create(builder, constant.getLoc(),
                              cast<DenseElementsAttr>(constant.getValue()).reshape(type));
  ArrayRef<char> part = bytes->first.slice(firstByte, numBytes);
  if (!bytes->second)
    return makeHeapConstant(builder, constant.getLoc(), type,
                            [&](MutableArrayRef<char> to) { llvm::copy(part, to.begin()); });
  std::string name = (resource.getRawHandle().getKey() + ".from" + Twine(firstByte)).str();
  // The whole constant's resource lives as long as the context and keeps the file mapped.
  return ConstantOp::create(builder, constant.getLoc(),
                            DenseResourceElementsAttr::get(
                                type, name, UnmanagedAsmResourceBlob::allocateInferAlign(part)));
}

} // namespace llmc
