//===- Artifact.cpp - the file format around code and weights -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Artifact.h"

#include "CPUFeatures.h"
#include "Error.h"

#include <cstring>
#include <elf.h>

using namespace llmc::runtime;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "artifacts are little-endian and read as they lie");

/// The safetensors format allows no more.
static constexpr uint64_t maxHeaderBytes = 100'000'000;

#if defined(__x86_64__)
static constexpr unsigned hostMachine = EM_X86_64;
#elif defined(__aarch64__)
static constexpr unsigned hostMachine = EM_AARCH64;
#endif

uint64_t llmc::runtime::fnv1a64(const uint8_t *data, size_t sizeBytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < sizeBytes; ++i)
    hash = (hash ^ data[i]) * 0x100000001b3u;
  return hash;
}

static ErrorWriter bad(llmc_error_t *error, const char *path) {
  ErrorWriter writer(error, LLMC_STATUS_BAD_ARTIFACT);
  writer << "'" << path << "': ";
  return writer;
}

llmc_status_t llmc::runtime::parseSafetensors(const uint8_t *file, size_t sizeBytes,
                                              const char *path, Weights &weights,
                                              llmc_error_t *error) {
  uint64_t headerBytes;
  if (sizeBytes < sizeof(headerBytes))
    return bad(error, path) << "weights of " << sizeBytes
                            << " bytes are too short for a safetensors header";
  std::memcpy(&headerBytes, file, sizeof(headerBytes));
  uint64_t room = sizeBytes - sizeof(headerBytes);
  if (headerBytes > room || headerBytes > maxHeaderBytes || headerBytes < 2)
    return bad(error, path) << "safetensors header claims " << headerBytes
                            << " bytes, the file has room for " << room;
  const uint8_t *header = file + sizeof(headerBytes);
  if (header[0] != '{')
    return bad(error, path) << "safetensors header is not JSON";
  weights.header = reinterpret_cast<const char *>(header);
  weights.headerBytes = headerBytes;
  weights.data = header + headerBytes;
  weights.dataBytes = room - headerBytes;
  if (weights.dataBytes && reinterpret_cast<uintptr_t>(weights.data) % filePageBytes)
    return bad(error, path) << "weight data is not aligned to 4096 bytes";
  weights.headerChecksum = fnv1a64(header, headerBytes);
  return LLMC_STATUS_OK;
}

llmc_weights_chunk_t WeightsIndex::chunk(uint64_t i) const {
  llmc_weights_chunk_t result;
  std::memcpy(&result, chunks + i * sizeof(result), sizeof(result));
  return result;
}

/// Whether the chunk continues the region at `position` and its bytes lie before the index.
static bool isSound(const llmc_weights_chunk_t &chunk, const llmc_weights_index_t &footer,
                    uint64_t position) {
  uint64_t left = footer.region_size - position;
  if (chunk.offset != position || chunk.size == 0 || chunk.size > left ||
      (chunk.size != left && chunk.size % filePageBytes != 0))
    return false;
  if (footer.encoding == LLMC_WEIGHTS_PLAIN &&
      (chunk.stored_offset != chunk.offset || chunk.stored_size != chunk.size))
    return false;
  return chunk.stored_offset <= footer.chunks_offset &&
         chunk.stored_size <= footer.chunks_offset - chunk.stored_offset;
}

llmc_status_t llmc::runtime::parseWeightsIndex(const Weights &weights, uint64_t regionBytes,
                                               const char *path, WeightsIndex &index,
                                               llmc_error_t *error) {
  if (weights.dataBytes == regionBytes)
    return LLMC_STATUS_OK;
  llmc_weights_index_t footer = {};
  uint64_t body = weights.dataBytes - sizeof(footer); // once there are so many
  bool hasIndex = weights.dataBytes >= sizeof(footer);
  if (hasIndex) {
    std::memcpy(&footer, weights.data + body, sizeof(footer));
    hasIndex = std::memcmp(footer.magic, LLMC_WEIGHTS_INDEX_MAGIC, sizeof(footer.magic)) == 0;
  }
  if (!hasIndex || footer.region_size != regionBytes)
    return ErrorWriter(error, LLMC_STATUS_WEIGHTS_MISMATCH)
           << "'" << path << "' needs " << regionBytes << " bytes of weights, found "
           << (hasIndex ? footer.region_size : weights.dataBytes);
  if (footer.encoding > LLMC_WEIGHTS_ZSTD)
    return ErrorWriter(error, LLMC_STATUS_VERSION_MISMATCH)
           << "'" << path << "' has weights in encoding " << footer.encoding
           << ", which this runtime does not know";
  if (footer.chunks_offset > body ||
      footer.num_chunks != (body - footer.chunks_offset) / sizeof(llmc_weights_chunk_t) ||
      (body - footer.chunks_offset) % sizeof(llmc_weights_chunk_t))
    return bad(error, path) << "the weights' index claims " << footer.num_chunks
                            << " chunks at offset " << footer.chunks_offset
                            << ", which do not end where the index does (" << body << ")";
  // Mapped chunks reach to the end of their last page.
  if (footer.encoding == LLMC_WEIGHTS_PLAIN &&
      (footer.chunks_offset < regionBytes || footer.chunks_offset % filePageBytes))
    return bad(error, path) << "the weights' index at offset " << footer.chunks_offset
                            << " overlaps the weights";
  index.chunks = weights.data + footer.chunks_offset;
  index.numChunks = footer.num_chunks;
  index.encoding = footer.encoding;
  uint64_t checksum = fnv1a64(index.chunks, body - footer.chunks_offset);
  if (checksum != footer.checksum)
    return bad(error, path) << "the weights' index is corrupted: checksum " << Hex{checksum}
                            << ", expected " << Hex{footer.checksum};
  uint64_t position = 0;
  for (uint64_t i = 0; i < index.numChunks; ++i) {
    llmc_weights_chunk_t chunk = index.chunk(i);
    if (!isSound(chunk, footer, position))
      return bad(error, path) << "chunk " << i << " of the weights is not where it can be";
    position += chunk.size;
  }
  if (position != regionBytes)
    return bad(error, path) << "the chunks of the weights end at " << position << " of "
                            << regionBytes << " bytes";
  return LLMC_STATUS_OK;
}

/// The checks that dlopen would answer with a crash or a murky message.
static llmc_status_t checkELF(const uint8_t *file, uint64_t elfBytes, const char *path,
                              llmc_error_t *error) {
  Elf64_Ehdr header;
  if (elfBytes < sizeof(header))
    return bad(error, path) << "code of " << elfBytes << " bytes is too short for an ELF header";
  std::memcpy(&header, file, sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_DYN)
    return bad(error, path) << "code is not a 64-bit ELF shared object";
  if (header.e_machine != hostMachine)
    return ErrorWriter(error, LLMC_STATUS_CPU_UNSUPPORTED)
           << "'" << path << "' holds code for ELF machine " << uint32_t{header.e_machine}
           << ", this is machine " << hostMachine;
  uint64_t tableBytes = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > elfBytes ||
      tableBytes > elfBytes - header.e_phoff)
    return bad(error, path) << "code's program headers lie outside of it";
  return LLMC_STATUS_OK;
}

llmc_status_t llmc::runtime::parseArtifact(const uint8_t *file, size_t sizeBytes, const char *path,
                                           llmc_artifact_trailer_t &trailer, llmc_error_t *error) {
  if (sizeBytes < sizeof(trailer))
    return bad(error, path) << "not an llmc artifact: only " << sizeBytes << " bytes";
  uint64_t body = sizeBytes - sizeof(trailer);
  std::memcpy(&trailer, file + body, sizeof(trailer));
  if (std::memcmp(trailer.magic, LLMC_ARTIFACT_MAGIC, sizeof(trailer.magic))) {
    bool isELF = std::memcmp(file, ELFMAG, SELFMAG) == 0;
    return bad(error, path) << (isELF ? "an ELF file without llmc trailer: not an artifact, or "
                                        "a truncated one"
                                      : "not an llmc artifact");
  }
  if (trailer.abi_version != LLMC_MODULE_ABI_VERSION)
    return ErrorWriter(error, LLMC_STATUS_VERSION_MISMATCH)
           << "'" << path << "' has module ABI version " << trailer.abi_version
           << ", this runtime speaks " << LLMC_MODULE_ABI_VERSION;
  if (trailer.flags & ~uint32_t{LLMC_ARTIFACT_EXTERNAL_WEIGHTS})
    return ErrorWriter(error, LLMC_STATUS_VERSION_MISMATCH)
           << "'" << path << "' has flags unknown to this runtime: " << Hex{trailer.flags};
  if (trailer.elf_size > body)
    return bad(error, path) << "code claims " << trailer.elf_size << " bytes, the file has "
                            << body;
  if (trailer.safetensors_size) {
    if (trailer.flags & LLMC_ARTIFACT_EXTERNAL_WEIGHTS)
      return bad(error, path) << "weights are both inside and external";
    if (trailer.safetensors_offset < trailer.elf_size || trailer.safetensors_offset > body ||
        trailer.safetensors_size != body - trailer.safetensors_offset)
      return bad(error, path) << "weights claim " << trailer.safetensors_size << " bytes at offset "
                              << trailer.safetensors_offset
                              << ", which do not end where the trailer starts (" << body << ")";
  }
  uint64_t checksum = fnv1a64(file, trailer.elf_size);
  if (checksum != trailer.elf_checksum)
    return bad(error, path) << "code is corrupted: checksum " << Hex{checksum} << ", expected "
                            << Hex{trailer.elf_checksum};
  return checkELF(file, trailer.elf_size, path, error);
}

llmc_status_t llmc::runtime::checkRequiredCPU(uint64_t required, const char *what,
                                              llmc_error_t *error) {
  uint64_t missing = missingCPUFeatures(required);
  if (!missing)
    return LLMC_STATUS_OK;
  const char *name = cpuFeatureName(missing);
  ErrorWriter writer(error, LLMC_STATUS_CPU_UNSUPPORTED);
  writer << "'" << what << "' needs ";
  if (name)
    writer << name;
  else
    writer << "processor features unknown to this runtime (" << Hex{missing} << ")";
  return writer << ", which this processor or its operating system lacks";
}
