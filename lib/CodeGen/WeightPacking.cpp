//===- WeightPacking.cpp - the bytes of a weight in the artifact
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "WeightPacking.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <sys/mman.h>

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

/// Gives back the pages of a weight that were read, where they are mapped from the
/// model (the importer makes such resources immutable): they come again from the page
/// cache, and compiling needs no memory for them.
static void releasePages(ElementsAttr value) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(value);
  AsmResourceBlob *blob = resource ? resource.getRawHandle().getBlob() : nullptr;
  if (!blob || blob->isMutable())
    return;
  ArrayRef<char> bytes = blob->getData();
  uintptr_t page = 4096;
  uintptr_t begin = (reinterpret_cast<uintptr_t>(bytes.data()) + page - 1) / page * page;
  uintptr_t end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (begin < end)
    madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
}

/// As rawBytes, copied where floats would be misaligned.
static FailureOr<ArrayRef<char>> alignedBytes(ElementsAttr value, SmallVectorImpl<char> &storage) {
  FailureOr<ArrayRef<char>> bytes = rawBytes(value, storage);
  if (failed(bytes) || bytes->data() == storage.data() ||
      reinterpret_cast<uintptr_t>(bytes->data()) % alignof(float) == 0)
    return bytes;
  storage.assign(bytes->begin(), bytes->end());
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
    constexpr size_t chunk = size_t(4) << 20;
    for (size_t begin = 0; begin < bytes->size(); begin += chunk) {
      stream.write(bytes->data() + begin, std::min(chunk, bytes->size() - begin));
      releasePages(weight.getValue());
    }
    return success();
  }
  int64_t k = *weight.getColumns(), n = *weight.getOutputs();
  if (weight.getLayout() == exec::WeightLayout::panels) {
    if (!type.getElementType().isF32())
      return weight.emitError("the CPU back end packs f32 matrices only, found ") << type;
    int64_t width = cpu::panelWidthF32(level), panels = (n + width - 1) / width;
    // A group of panels at a time keeps the copies small. The group's columns are
    // copied first: data inside a model file has any alignment.
    constexpr int64_t group = 64;
    int64_t most = std::min(group, panels) * width;
    std::vector<float> columns(size_t(most) * k), packed(size_t(most) * k);
    for (int64_t begin = 0; begin < panels; begin += group) {
      int64_t first = begin * width, count = std::min(n - first, group * width);
      const char *source = bytes->data();
      if (weight.getTransposed()) {
        memcpy(columns.data(), source + first * k * sizeof(float), count * k * sizeof(float));
      } else {
        for (int64_t row = 0; row < k; ++row)
          memcpy(columns.data() + row * count, source + (row * n + first) * sizeof(float),
                 count * sizeof(float));
      }
      releasePages(weight.getValue());
      int64_t packedPanels = (count + width - 1) / width;
      cpu::packF32(columns.data(), k, count, weight.getTransposed() ? 1 : count,
                   weight.getTransposed() ? k : 1, width, packed.data(), 0, packedPanels);
      stream.write(reinterpret_cast<const char *>(packed.data()),
                   size_t(packedPanels) * k * width * sizeof(float));
    }
    return success();
  }
  SmallVector<char> scaleStorage, zeroStorage;
  FailureOr<ArrayRef<char>> scales = alignedBytes(*weight.getScales(), scaleStorage);
  FailureOr<ArrayRef<char>> zeros = ArrayRef<char>();
  if (weight.getZeroPoints())
    zeros = rawBytes(*weight.getZeroPoints(), zeroStorage);
  if (failed(scales) || failed(zeros) || !weight.getScales()->getElementType().isF32())
    return weight.emitError("n-bit weights need f32 scales in memory");
  cpu::NBitsWeights source{reinterpret_cast<const uint8_t *>(bytes->data()),
                           reinterpret_cast<const float *>(scales->data()),
                           zeros->empty() ? nullptr
                                          : reinterpret_cast<const uint8_t *>(zeros->data()),
                           k,
                           n,
                           int64_t(*weight.getGroupSize())};
  std::vector<std::byte> packed(cpu::packedSizeI4(k, n, source.groupSize, source.zeroPoints));
  cpu::packI4(source, packed.data(), 0, (n + cpu::rowBlockI4 - 1) / cpu::rowBlockI4);
  stream.write(reinterpret_cast<const char *>(packed.data()), packed.size());
  releasePages(weight.getValue());
  releasePages(*weight.getScales());
  return success();
}
