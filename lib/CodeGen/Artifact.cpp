//===- Artifact.cpp - weights file and artifact
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/CodeGen/Artifact.h"
#include "WeightChunks.h"
#include "WeightPacking.h"
#include "llmc-c/ModuleABI.h"
#include "llmc/CodeGen/CPU/CodeGen.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace llmc;

static constexpr uint64_t kPage = exec::kPageBytes;

static uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

uint64_t llmc::fnv1a64(StringRef bytes) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (unsigned char byte : bytes)
    hash = (hash ^ byte) * 0x100000001b3ull;
  return hash;
}

uint64_t llmc::weightsHeaderChecksum(StringRef header) { return fnv1a64(header.drop_front(8)); }

uint64_t llmc::weightsBytes(ModuleOp module) {
  uint64_t end = 0;
  for (auto weight : module.getOps<exec::WeightOp>())
    end = std::max<uint64_t>(end, *weight.getOffset() + *weight.getBytes());
  return end;
}

static StringRef safetensorsType(Type type) {
  if (type.isF32())
    return "F32";
  if (type.isF16())
    return "F16";
  if (type.isBF16())
    return "BF16";
  if (type.isF64())
    return "F64";
  if (type.isInteger(64))
    return "I64";
  if (type.isInteger(32))
    return "I32";
  if (type.isInteger(1))
    return "BOOL";
  return type.isUnsignedInteger(8) ? "U8" : "I8";
}

std::string llmc::makeWeightsHeader(ModuleOp module,
                                    const std::map<std::string, std::string> &metadata) {
  std::string text(8, '\0');
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream json(stream);
  json.object([&] {
    json.attributeObject("__metadata__", [&] {
      for (const auto &[key, value] : metadata)
        json.attribute(key, llvm::json::fixUTF8(value));
    });
    auto tensor = [&](StringRef name, StringRef dtype, ArrayRef<int64_t> shape, uint64_t begin,
                      uint64_t end) {
      json.attributeObject(llvm::json::fixUTF8(name), [&] {
        json.attribute("dtype", dtype);
        json.attribute("shape", llvm::json::Array(shape));
        json.attribute("data_offsets", llvm::json::Array{int64_t(begin), int64_t(end)});
      });
    };
    // The format allows no holes: alignment gaps are tensors, too.
    uint64_t position = 0;
    for (auto weight : module.getOps<exec::WeightOp>()) {
      uint64_t begin = *weight.getOffset(), end = begin + *weight.getBytes();
      if (begin > position)
        tensor(("__padding_" + Twine(position)).str(), "U8", {int64_t(begin - position)}, position,
               begin);
      position = end;
      ShapedType type = weight.getValue().getShapedType();
      if (weight.getLayout() == exec::WeightLayout::dense)
        tensor(weight.getSymName(), safetensorsType(type.getElementType()), type.getShape(), begin,
               end);
      else
        tensor(weight.getSymName(), "U8", {int64_t(end - begin)}, begin, end);
    }
    if (size_t numChunks = planWeightChunks(module).size()) {
      uint64_t begin = alignUp(position, kPage), bytes = weightsIndexBytes(numChunks);
      if (begin > position)
        tensor(("__padding_" + Twine(position)).str(), "U8", {int64_t(begin - position)}, position,
               begin);
      tensor("__index", "U8", {int64_t(bytes)}, begin, begin + bytes);
    }
  });
  stream.flush();
  text.resize(alignUp(text.size(), kPage), ' ');
  uint64_t length = text.size() - 8;
  for (int i = 0; i < 8; ++i)
    text[i] = char(length >> (8 * i));
  return text;
}

LogicalResult
llmc::writeFileAtomically(StringRef path, Location loc,
                          llvm::function_ref<LogicalResult(llvm::raw_pwrite_stream &)> write) {
  auto file = llvm::sys::fs::TempFile::create(path + ".tmp-%%%%%%%%",
                                              llvm::sys::fs::all_read | llvm::sys::fs::all_write);
  if (!file)
    return emitError(loc, "cannot write '") << path << "': " << llvm::toString(file.takeError());
  LogicalResult result = success();
  bool streamFailed = false;
  {
    llvm::raw_fd_ostream stream(file->FD, /*shouldClose=*/false);
    result = write(stream);
    stream.flush();
    if (stream.has_error()) {
      streamFailed = true;
      emitError(loc, "cannot write '") << path << "': " << stream.error().message();
      stream.clear_error();
    }
  }
  if (failed(result) || streamFailed) {
    llvm::consumeError(file->discard());
    return failure();
  }
  if (llvm::Error error = file->keep(path))
    return emitError(loc, "cannot write '") << path << "': " << llvm::toString(std::move(error));
  return success();
}

static LogicalResult writeWeights(ModuleOp module, StringRef header, WeightsCompression compression,
                                  cpu::IsaLevel level, raw_ostream &file) {
  file << header;
  std::vector<llmc_weights_chunk_t> chunks = planWeightChunks(module);
  if (chunks.empty())
    return success();
  WeightChunkStream stream(std::move(chunks), compression, file);
  uint64_t position = 0;
  for (auto weight : module.getOps<exec::WeightOp>()) {
    stream.write_zeros(*weight.getOffset() - position);
    uint64_t begin = stream.tell();
    if (failed(writePackedWeight(weight, level, stream)))
      return failure();
    // Code addresses weights by the plan: packing must agree with it to the byte.
    if (uint64_t written = stream.tell() - begin; written != uint64_t(*weight.getBytes()))
      return weight.emitError("packs into ")
             << written << " bytes where " << *weight.getBytes() << " are planned";
    position = *weight.getOffset() + *weight.getBytes();
  }
  if (!stream.finish())
    return module.emitError("zstd cannot compress the weights: there is no memory");
  return success();
}

LogicalResult llmc::writeWeightsFile(ModuleOp module, StringRef path, StringRef header,
                                     WeightsCompression compression, cpu::IsaLevel level) {
  return writeFileAtomically(path, module.getLoc(), [&](llvm::raw_pwrite_stream &stream) {
    return writeWeights(module, header, compression, level, stream);
  });
}

LogicalResult llmc::writeArtifact(ModuleOp module, StringRef path, const ArtifactParts &parts,
                                  cpu::IsaLevel level) {
  if (parts.externalWeights &&
      failed(writeWeightsFile(module, (path + ".weights").str(), parts.weightsHeader,
                              parts.compression, level)))
    return failure();
  return writeFileAtomically(path, module.getLoc(), [&](llvm::raw_pwrite_stream &stream) {
    StringRef elf(parts.elf.data(), parts.elf.size());
    stream << elf;
    uint64_t offset = alignUp(elf.size(), kPage), size = 0;
    stream.write_zeros(offset - elf.size());
    if (!parts.externalWeights) {
      if (failed(writeWeights(module, parts.weightsHeader, parts.compression, level, stream)))
        return failure();
      size = stream.tell() - offset;
    }
    llmc_artifact_trailer_t trailer = {};
    memcpy(trailer.magic, LLMC_ARTIFACT_MAGIC, sizeof(trailer.magic));
    trailer.abi_version = LLMC_MODULE_ABI_VERSION;
    trailer.flags = parts.externalWeights ? LLMC_ARTIFACT_EXTERNAL_WEIGHTS : 0;
    trailer.elf_size = elf.size();
    trailer.safetensors_offset = offset;
    trailer.safetensors_size = size;
    trailer.header_checksum = weightsHeaderChecksum(parts.weightsHeader);
    trailer.elf_checksum = fnv1a64(elf);
    trailer.required_cpu = cpu::requiredCpu(level);
    stream.write(reinterpret_cast<const char *>(&trailer), sizeof(trailer));
    return success();
  });
}
