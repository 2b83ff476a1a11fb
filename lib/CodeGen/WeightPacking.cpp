//===- WeightPacking.cpp - the bytes of a weight in the artifact
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "WeightPacking.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/ResourcePages.h"
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

/// As rawBytes, copied where floats would be misaligned.
static FailureOr<ArrayRef<char>> alignedBytes(ElementsAttr value, SmallVectorImpl<char> &storage) {
  FailureOr<ArrayRef<char>> bytes = rawBytes(value, storage);
  if (failed(bytes) || bytes->data() == storage.data() ||
      reinterpret_cast<uintptr_t>(bytes->data()) % alignof(float) == 0)
    return bytes;
  storage.assign(bytes->begin(), bytes->end());
  return ArrayRef<char>(storage);
}

/// Writes one byte per element of a constant whose elements of 2 or 4 bits are packed.
static void writeUnpacked(ArrayRef<char> bytes, Type element, int64_t count, raw_ostream &stream) {
  unsigned bits = element.getIntOrFloatBitWidth();
  for (int64_t i = 0; i < count; ++i) {
    APInt value(bits, uint8_t(bytes[i * bits / 8]) >> (i * bits % 8), /*isSigned=*/false,
                /*implicitTrunc=*/true);
    bool isSigned = element.isSignlessInteger();
    stream << char(isSigned ? value.getSExtValue() : value.getZExtValue());
  }
}

/// `count` elements of f16 or bf16 as f32, whatever the source's alignment.
static void readFloats(const char *source, Type element, int64_t count, float *target) {
  const llvm::fltSemantics &semantics = cast<FloatType>(element).getFloatSemantics();
  for (int64_t i = 0; i < count; ++i) {
    uint16_t bits;
    memcpy(&bits, source + i * sizeof(bits), sizeof(bits));
    if (element.isBF16()) {
      uint32_t wide = uint32_t(bits) << 16;
      memcpy(target + i, &wide, sizeof(wide));
      continue;
    }
    APFloat value(semantics, APInt(16, bits));
    bool losesInfo = false;
    value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &losesInfo);
    target[i] = value.convertToFloat();
  }
}

/// Panels of elements of T, as the weight has them.
template <class T>
static void writePanels(exec::WeightOp weight, ArrayRef<char> bytes, cpu::IsaLevel level,
                        raw_ostream &stream) {
  int64_t k = *weight.getColumns(), n = *weight.getOutputs();
  int64_t width = cpu::panelWidthF32(level), panels = (n + width - 1) / width;
  // A group of panels at a time keeps the copies small. The group's columns are
  // copied first: data inside a model file has any alignment.
  constexpr int64_t group = 64;
  int64_t most = std::min(group, panels) * width;
  std::vector<T> columns(size_t(most) * k), packed(size_t(most) * k);
  int64_t groups = (panels + group - 1) / group;
  for (int64_t i = 0; i < exec::numMatrices(weight) * groups; ++i) {
    int64_t first = i % groups * group * width, count = std::min(n - first, group * width);
    const char *source = bytes.data() + i / groups * n * k * sizeof(T);
    if (weight.getTransposed()) {
      memcpy(columns.data(), source + first * k * sizeof(T), count * k * sizeof(T));
    } else {
      for (int64_t row = 0; row < k; ++row)
        memcpy(columns.data() + row * count, source + (row * n + first) * sizeof(T),
               count * sizeof(T));
    }
    releasePages(weight.getValue());
    int64_t packedPanels = (count + width - 1) / width;
    cpu::packPanels(columns.data(), k, count, weight.getTransposed() ? 1 : count,
                    weight.getTransposed() ? k : 1, width, packed.data(), 0, packedPanels);
    stream.write(reinterpret_cast<const char *>(packed.data()),
                 size_t(packedPanels) * k * width * sizeof(T));
  }
}

LogicalResult llmc::writePackedWeight(exec::WeightOp weight, cpu::IsaLevel level,
                                      raw_ostream &stream) {
  SmallVector<char> storage;
  FailureOr<ArrayRef<char>> bytes = rawBytes(weight.getValue(), storage);
  ShapedType type = weight.getValue().getShapedType();
  size_t expected = type.getNumElements() * exec::elementBytes(type.getElementType());
  unsigned bits = type.getElementType().getIntOrFloatBitWidth();
  if (isa<DenseResourceElementsAttr>(weight.getValue()) && (bits == 2 || bits == 4)) {
    size_t packed = (type.getNumElements() * bits + 7) / 8;
    if (failed(bytes) || bytes->size() != packed)
      return weight.emitError("the weight's data has ")
             << (succeeded(bytes) ? bytes->size() : 0) << " bytes, its type needs " << packed;
    writeUnpacked(*bytes, type.getElementType(), type.getNumElements(), stream);
    return success();
  }
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
  if (weight.getLayout() == exec::WeightLayout::panels && type.getElementType().isInteger(8)) {
    auto *source = reinterpret_cast<const int8_t *>(bytes->data());
    bool transposed = weight.getTransposed();
    std::vector<std::byte> packed(cpu::rowBlockBytesI8(k));
    for (int64_t first = 0; first < n; first += cpu::rowBlockI8) {
      const int8_t *block = source + first * (transposed ? k : 1);
      cpu::packI8(block, k, std::min(n - first, cpu::rowBlockI8), transposed ? 1 : n,
                  transposed ? k : 1, packed.data(), 0, 1);
      stream.write(reinterpret_cast<const char *>(packed.data()), packed.size());
    }
    releasePages(weight.getValue());
    return success();
  }
  if (weight.getLayout() == exec::WeightLayout::panels) {
    Type element = type.getElementType();
    if (element.isF32())
      writePanels<float>(weight, *bytes, level, stream);
    else if (element.isF16() || element.isBF16())
      writePanels<uint16_t>(weight, *bytes, level, stream);
    else
      return weight.emitError("the CPU back end packs matrices of f32, f16 and bf16, found ")
             << type;
    return success();
  }
  SmallVector<char> scaleStorage, zeroStorage;
  FailureOr<ArrayRef<char>> scales = alignedBytes(*weight.getScales(), scaleStorage);
  FailureOr<ArrayRef<char>> zeros = ArrayRef<char>();
  if (weight.getZeroPoints())
    zeros = rawBytes(*weight.getZeroPoints(), zeroStorage);
  if (failed(scales) || failed(zeros))
    return weight.emitError("n-bit weights need scales and zero points in memory");
  Type scaleType = weight.getScales()->getElementType();
  if (!scaleType.isF32() && !scaleType.isF16() && !scaleType.isBF16())
    return weight.emitError("n-bit weights need scales of f32, f16 or bf16, found ") << scaleType;
  std::vector<float> wideScales;
  if (!scaleType.isF32()) {
    wideScales.resize(weight.getScales()->getNumElements());
    readFloats(scales->data(), scaleType, wideScales.size(), wideScales.data());
    scales = ArrayRef(reinterpret_cast<const char *>(wideScales.data()),
                      wideScales.size() * sizeof(float));
  }
  int64_t groupSize = *weight.getGroupSize(), numberBits = exec::numBits(weight);
  cpu::NBitsWeights source{reinterpret_cast<const uint8_t *>(bytes->data()),
                           reinterpret_cast<const float *>(scales->data()),
                           zeros->empty() ? nullptr
                                          : reinterpret_cast<const uint8_t *>(zeros->data()),
                           k,
                           n,
                           groupSize,
                           numberBits};
  std::vector<std::byte> packed(
      cpu::packedSizeNBits(numberBits, k, n, groupSize, source.zeroPoints));
  int64_t matrices = exec::numMatrices(weight);
  for (int64_t matrix = 0; matrix < matrices; ++matrix) {
    cpu::packNBits(source, packed.data(), 0, (n + cpu::rowBlockNBits - 1) / cpu::rowBlockNBits);
    stream.write(reinterpret_cast<const char *>(packed.data()), packed.size());
    source.numbers += bytes->size() / matrices;
    source.scales += scales->size() / sizeof(float) / matrices;
    if (source.zeroPoints)
      source.zeroPoints += zeros->size() / matrices;
  }
  releasePages(weight.getValue());
  releasePages(*weight.getScales());
  return success();
}
