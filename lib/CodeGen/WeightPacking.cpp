//===- WeightPacking.cpp - the bytes of a weight in the artifact
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "WeightPacking.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace llmc;

/// The row-major bytes of a constant: the mapped model file where it is a resource,
/// otherwise `storage`.
static FailureOr<ArrayRef<char>> rawBytes(ElementsAttr value, SmallVectorImpl<char> &storage) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return failure();
    return blob->getData();
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (!dense)
    return failure();
  Type element = dense.getElementType();
  int64_t bytes = exec::elementBytes(element);
  if (!dense.isSplat() && !element.isInteger(1))
    return dense.getRawData();
  storage.reserve(dense.getNumElements() * bytes);
  auto append = [&](const APInt &bits) {
    uint64_t word = bits.getZExtValue();
    const char *start = reinterpret_cast<const char *>(&word);
    storage.append(start, start + bytes);
  };
  if (isa<FloatType>(element))
    for (const APFloat &number : dense.getValues<APFloat>())
      append(number.bitcastToAPInt());
  else
    for (const APInt &number : dense.getValues<APInt>())
      append(number);
  return ArrayRef<char>(storage);
}

LogicalResult llmc::writePackedWeight(exec::WeightOp weight, cpu::IsaLevel level,
                                      raw_ostream &stream) {
  SmallVector<char> storage;
  FailureOr<ArrayRef<char>> bytes = rawBytes(weight.getValue(), storage);
  ShapedType type = weight.getValue().getShapedType();
  size_t expected = type.getNumElements() * exec::elementBytes(type.getElementType());
  if (failed(bytes) || bytes->size() != expected)
    return weight.emitError("the weight's data has ")
           << (succeeded(bytes) ? bytes->size() : 0) << " bytes, its type needs " << expected;
  if (weight.getLayout() == exec::WeightLayout::dense) {
    stream.write(bytes->data(), bytes->size());
    return success();
  }
  int64_t k = *weight.getColumns(), n = *weight.getOutputs();
  if (weight.getLayout() == exec::WeightLayout::panels) {
    if (!type.getElementType().isF32())
      return weight.emitError("the CPU back end packs f32 matrices only, found ") << type;
    int64_t width = cpu::panelWidthF32(level), panels = (n + width - 1) / width;
    const auto *source = reinterpret_cast<const float *>(bytes->data());
    // A group of panels at a time keeps the copy small.
    constexpr int64_t group = 64;
    std::vector<float> packed(size_t(std::min(group, panels)) * k * width);
    for (int64_t begin = 0; begin < panels; begin += group) {
      int64_t end = std::min(begin + group, panels);
      // packF32 addresses from panel 0: hand it a base that begins there.
      float *base = packed.data() - begin * k * width;
      cpu::packF32(source, k, n, weight.getTransposed() ? 1 : n, weight.getTransposed() ? k : 1,
                   width, base, begin, end);
      stream.write(reinterpret_cast<const char *>(packed.data()),
                   size_t(end - begin) * k * width * sizeof(float));
    }
    return success();
  }
  SmallVector<char> scaleStorage, zeroStorage;
  FailureOr<ArrayRef<char>> scales = rawBytes(*weight.getScales(), scaleStorage);
  FailureOr<ArrayRef<char>> zeros = ArrayRef<char>();
  if (weight.getZeroPoints())
    zeros = rawBytes(*weight.getZeroPoints(), zeroStorage);
  if (failed(scales) || failed(zeros) || !weight.getScales()->getElementType().isF32())
    return weight.emitError("n-bit weights need f32 scales in memory");
  cpu::NBitsWeights source{reinterpret_cast<const uint8_t *>(bytes->data()),
                           reinterpret_cast<const float *>(scales->data()),
                           zeros->empty() ? nullptr
                                          : reinterpret_cast<const uint8_t *>(zeros->data()),
                           k, n, int64_t(*weight.getGroupSize())};
  std::vector<std::byte> packed(cpu::packedSizeI4(k, n, source.groupSize, source.zeroPoints));
  cpu::packI4(source, packed.data(), 0, (n + cpu::rowBlockI4 - 1) / cpu::rowBlockI4);
  stream.write(reinterpret_cast<const char *>(packed.data()), packed.size());
  return success();
}
